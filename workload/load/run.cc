#include "workload/load/run.h"

#include <algorithm>

namespace scalableapp::workload {
namespace {

std::int64_t unix_second(WallTime time) {
  return std::chrono::floor<seconds>(time).time_since_epoch().count();
}

}  // namespace

Run::Run(RunSpec spec, Instant began, WallTime wall_began)
    : spec_(std::move(spec)), began_(began), wall_began_(wall_began), random_(spec_.seed) {
  record.started = unix_second(wall_began);
  record.slo_seconds = SloSeconds(record.started);
  auto names = std::make_shared<std::vector<std::string>>();
  std::uint64_t seed = spec_.seed;
  for (const auto& stream : spec_.streams) {
    const auto between = playing_.empty() ? "" : "; ";
    const auto prefix = stream.name.empty() ? "" : stream.name + " ";
    record.profile += between + prefix + stream.profile_text;
    record.mix += between + prefix + stream.mix_text;
    playing_.push_back({ArrivalSchedule(stream.profile, stream.arrivals, seed++), {},
                        record.phases.size(), entries_.size(), &stream.mix});
    playing_.back().next = playing_.back().schedule.next();
    for (const auto& phase : stream.profile.phases) {
      double duration = 0;
      for (const auto& segment : phase.segments) duration += segment.duration;
      record.phases.push_back({prefix + phase.name, duration, {}});
    }
    for (const auto& entry : stream.mix.entries) {
      entries_.push_back(&entry);
      names->push_back(entry.name);
      record.endpoints.push_back(
          {entry.name, entry.method, entry.slo, {}, SloSeconds(record.started), {}});
    }
    duration_seconds_ = std::max(duration_seconds_, stream.profile.duration_seconds());
  }
  names_ = std::move(names);
  if (!earliest()) record.elapsed_seconds = duration_seconds_;
}

const Run::Playing* Run::earliest() const {
  const Playing* first = nullptr;
  for (const auto& each : playing_) {
    if (each.next && (!first || each.next->at_seconds < first->next->at_seconds)) first = &each;
  }
  return first;
}

std::optional<Instant> Run::next_due() const {
  const auto* first = earliest();
  if (!first) return std::nullopt;
  return began_ + to_duration(first->next->at_seconds);
}

PlannedRequest Run::take() {
  auto& from = playing_[static_cast<std::size_t>(earliest() - playing_.data())];
  const Arrival arrival = *from.next;
  from.next = from.schedule.next();
  if (!earliest()) record.elapsed_seconds = duration_seconds_;
  const double number = std::uniform_real_distribution(0.0, 1.0)(random_);
  const auto last_user = static_cast<std::size_t>(spec_.users) - 1;
  const auto since = to_duration(arrival.at_seconds);
  return {.intended = began_ + since,
          .intended_second =
              unix_second(wall_began_ + std::chrono::duration_cast<milliseconds>(since)),
          .phase = from.first_phase + arrival.phase,
          .endpoint = from.first_endpoint + from.mix->pick(number),
          .user = std::uniform_int_distribution<std::size_t>(0, last_user)(random_)};
}

double Run::rate_at(Instant now) const {
  if (record.was_stopped) return 0;
  double sum = 0;
  for (const auto& each : playing_) sum += each.schedule.rate_at(seconds_since_begin(now));
  return sum;
}

void Run::note_elapsed(Instant now) {
  if (earliest()) record.elapsed_seconds = seconds_since_begin(now);
}

void Run::stop(Instant now) {
  if (!earliest()) return;
  note_elapsed(now);
  record.was_stopped = true;
  for (auto& each : playing_) each.next.reset();
}

bool Run::is_schedule_over(Instant now) const { return !earliest() && now >= end_of_schedule(); }

}  // namespace scalableapp::workload
