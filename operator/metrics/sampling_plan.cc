#include "operator/metrics/sampling_plan.h"

#include <algorithm>
#include <cstdint>
#include <set>
#include <string_view>

#include "operator/base/hash.h"
#include "operator/metrics/promql.h"

namespace scalableapp::metrics {
namespace {

// A silent source is probed this soon, then at doubled distances up to the shortest interval that
// anyone waits for, or to this: its return must be seen within one decision.
constexpr milliseconds kFirstProbe{250};
constexpr milliseconds kLongestProbe{2'000};
// What a server may ask for with Retry-After.
constexpr milliseconds kLongestRetryAfter{30'000};
// A wrong query is asked again at doubled distances up to this: it may be right once a target is
// up.
constexpr milliseconds kLongestRejection{60'000};
// Costs the source nothing and has an answer on every one.
constexpr const char* kProbe = "vector(1)";

using AppSet = std::set<api::ObjectKey>;

std::vector<api::ObjectKey> to_vector(const AppSet& apps) { return {apps.begin(), apps.end()}; }

// The same phase in every process, so that a failover moves no app's moment.
std::uint64_t hash_of(const api::ObjectKey& app) {
  return fnv1a(app.name, fnv1a("/", fnv1a(app.namespace_name)));
}

}  // namespace

struct SamplingPlan::Entry {
  struct Reader {
    api::ObjectKey app;
    milliseconds interval;
  };
  std::string text;
  std::vector<Reader> readers;
  milliseconds interval{0};  // The shortest of the readers.
  std::uint64_t hash = 0;    // Of the first reader: which phase of the interval.
  MonotonicTime due{};
  bool in_flight = false;

  bool is_scalar = false;
  bool is_loose = false;        // Its text could reach into its neighbours': never combined.
  bool is_raw = false;          // To be asked as the user wrote it: it was rejected otherwise.
  std::size_t batch_limit = 0;  // Combined with at most this many, itself included.
  int failures = 0;             // Its own ones, in a row.

  std::vector<Sample> samples;
  bool answered = false;
  WallTime at_wall{};
  MonotonicTime at{};
  std::optional<Error> error;

  void tell(AppSet& apps) const {
    for (const Reader& reader : readers) apps.insert(reader.app);
  }
  void recompute_interval() {
    interval = std::ranges::min(readers, {}, &Reader::interval).interval;
  }
};

void SamplingPlan::subscribe(const api::ObjectKey& app, const std::vector<Query>& queries,
                             MonotonicTime now) {
  const auto previous = subscriptions_.find(app);
  const std::vector<Subscription> old =
      previous == subscriptions_.end() ? std::vector<Subscription>{} : std::move(previous->second);
  std::vector<Subscription> fresh;
  for (const Query& query : queries) {
    auto& entry = entries_[query.text];
    if (!entry) {
      entry = std::make_shared<Entry>();
      entry->text = query.text;
      entry->hash = hash_of(app);
      entry->due = now + (options_.slot - now.time_since_epoch() % options_.slot) % options_.slot;
      entry->is_raw = entry->is_loose = !check_self_contained(query.text);
      entry->batch_limit = entry->is_loose ? 1 : options_.batch_size;
    }
    entry->readers.push_back({app, std::max(query.interval, options_.slot)});
    entry->recompute_interval();
    fresh.push_back({query.id, entry});
  }
  if (fresh.empty()) {
    subscriptions_.erase(app);
  } else {
    subscriptions_[app] = std::move(fresh);
  }
  release(app, old);
}

void SamplingPlan::release(const api::ObjectKey& app, const std::vector<Subscription>& old) {
  for (const Subscription& subscription : old) {
    auto& readers = subscription.entry->readers;
    // The oldest of this app's: those of a new subscription stand behind it.
    readers.erase(std::ranges::find(readers, app, &Entry::Reader::app));
    if (readers.empty()) {
      entries_.erase(subscription.entry->text);
    } else {
      subscription.entry->recompute_interval();
    }
  }
}

std::optional<QueryResult> SamplingPlan::latest(const api::ObjectKey& app, const std::string& id,
                                                MonotonicTime now) const {
  const auto subscription = subscriptions_.find(app);
  if (subscription == subscriptions_.end()) return std::nullopt;
  const auto found = std::ranges::find(subscription->second, id, &Subscription::id);
  if (found == subscription->second.end()) return std::nullopt;
  const Entry& entry = *found->entry;
  if (!entry.answered && !entry.error) return std::nullopt;
  return QueryResult{
      .samples = entry.samples,
      .at = entry.at_wall,
      .age = entry.answered ? std::max(now - entry.at, milliseconds{0}) : milliseconds{0},
      .error = entry.error};
}

MonotonicTime SamplingPlan::next_time(const Entry& entry, MonotonicTime now) const {
  const auto slots = static_cast<std::uint64_t>(entry.interval / options_.slot);
  const milliseconds phase = options_.slot * static_cast<std::int64_t>(entry.hash % slots);
  if (entry.failures > 1) {
    const milliseconds wait = entry.interval * (1 << std::min(entry.failures - 1, 6));
    now += std::max(std::min(wait, kLongestRejection) - entry.interval, milliseconds{0});
  }
  const milliseconds since = now.time_since_epoch() - phase;
  return now + entry.interval - since % entry.interval;
}

SamplingPlan::Batch SamplingPlan::make_batch(std::vector<std::shared_ptr<Entry>> entries) const {
  if (entries.size() == 1 && entries[0]->is_raw) {
    std::string text = entries[0]->text;
    return {.query = std::move(text), .entries = std::move(entries), .is_raw = true};
  }
  std::vector<QueryPart> parts;
  parts.reserve(entries.size());
  for (const auto& entry : entries) parts.push_back({entry->text, entry->is_scalar});
  return {.query = combine(parts), .entries = std::move(entries), .is_raw = false};
}

SamplingPlan::Step SamplingPlan::take(MonotonicTime now) {
  Step step;
  if (!source_error_ && !halves_.empty()) {
    step.batch = make_batch(std::move(halves_.back()));
    halves_.pop_back();
    return step;
  }
  std::vector<std::shared_ptr<Entry>> due;
  AppSet to_tell;
  for (const auto& [text, entry] : entries_) {
    if (entry->in_flight || entry->due > now) continue;
    if (source_error_) {
      entry->error = source_error_;
      entry->due = next_time(*entry, now);
      entry->tell(to_tell);
    } else if (due.empty() ||
               (entry->batch_limit == due[0]->batch_limit && due.size() < due[0]->batch_limit)) {
      due.push_back(entry);
    }
  }
  step.to_tell = to_vector(to_tell);
  if (source_error_ && !probing_ && now >= probe_at_ && !entries_.empty()) {
    probing_ = true;
    step.batch = Batch{.query = kProbe, .entries = {}, .is_raw = true};
  } else if (!due.empty()) {
    for (const auto& entry : due) entry->in_flight = true;
    step.batch = make_batch(std::move(due));
  }
  return step;
}

std::optional<MonotonicTime> SamplingPlan::next_due() const {
  std::optional<MonotonicTime> next;
  const auto consider = [&next](MonotonicTime time) {
    if (!next || time < *next) next = time;
  };
  if (!halves_.empty() && !source_error_) consider(MonotonicTime{});
  for (const auto& [text, entry] : entries_) {
    if (!entry->in_flight) consider(entry->due);
  }
  if (source_error_ && !probing_ && !entries_.empty()) consider(probe_at_);
  return next;
}

void SamplingPlan::source_failed(const Error& error, MonotonicTime now) {
  milliseconds longest = kLongestProbe;
  for (const auto& [text, entry] : entries_) longest = std::min(longest, entry->interval);
  backoff_ = source_error_ ? std::min(backoff_ * 2, longest) : kFirstProbe;
  source_error_ = error;
  probe_at_ = now + backoff_;
  if (error.retry_after) {
    probe_at_ = std::max(probe_at_, now + std::min(*error.retry_after, kLongestRetryAfter));
  }
  for (const auto& half : std::exchange(halves_, {})) {
    for (const auto& entry : half) entry->in_flight = false;
  }
}

void SamplingPlan::source_answered(MonotonicTime now) {
  if (!std::exchange(source_error_, std::nullopt)) return;
  for (const auto& [text, entry] : entries_) {
    if (!entry->in_flight && entry->error && entry->failures <= 1) entry->due = now;
  }
}

std::vector<api::ObjectKey> SamplingPlan::complete(const Batch& batch, Result<Answer> outcome,
                                                   WallTime sent_wall, MonotonicTime sent,
                                                   MonotonicTime now) {
  const bool is_probe = batch.entries.empty();
  if (is_probe) probing_ = false;
  const bool failed = !outcome.has_value();
  const auto failed_with = [&](ErrorCode code) { return failed && outcome.error().code == code; };
  const bool rejected = failed_with(ErrorCode::kInvalid);
  const bool cancelled = failed_with(ErrorCode::kCancelled);
  // The source's own limit for a query: the fault of a query, unless even a probe exceeds it.
  const bool timed_out = failed_with(ErrorCode::kTimeout) && !is_probe;
  const std::size_t half = std::max<std::size_t>(batch.entries.size() / 2, 1);

  if (!failed || rejected || timed_out) {
    source_answered(now);
  } else if (!cancelled && (is_probe || !source_error_)) {
    source_failed(outcome.error(), now);
  }

  if ((rejected || timed_out) && batch.entries.size() > 1) {
    for (const auto& entry : batch.entries) entry->batch_limit = half;
    const auto middle = batch.entries.begin() + static_cast<std::ptrdiff_t>(half);
    halves_.emplace_back(batch.entries.begin(), middle);
    halves_.emplace_back(middle, batch.entries.end());
    return {};
  }
  if (rejected && !batch.is_raw && !is_probe) {
    // What is wrong with it, or that it is a scalar, shows best without our words around it.
    batch.entries[0]->is_raw = true;
    batch.entries[0]->batch_limit = 1;
    halves_.push_back(batch.entries);
    return {};
  }

  AppSet to_tell;
  for (std::size_t i = 0; i < batch.entries.size(); ++i) {
    Entry& entry = *batch.entries[i];
    entry.in_flight = false;
    if (cancelled) continue;
    entry.tell(to_tell);
    if (failed) {
      entry.error = outcome.error();
      if (rejected || timed_out || failed_with(ErrorCode::kUnavailable) ||
          failed_with(ErrorCode::kDecode)) {
        entry.batch_limit = std::min(entry.batch_limit, half);
        if (batch.entries.size() == 1) ++entry.failures;
      }
    } else if (auto& samples = outcome->queries[i]; !samples) {
      entry.error = std::move(samples.error());
      entry.batch_limit = 1;
      ++entry.failures;
    } else {
      entry.samples = std::move(*samples);
      entry.answered = true;
      entry.at_wall = sent_wall;
      entry.at = sent;
      entry.error.reset();
      entry.failures = 0;
      if (batch.is_raw) entry.is_scalar = outcome->is_scalar;
      entry.is_raw = entry.is_loose;
      entry.batch_limit = entry.is_loose ? 1 : std::min(entry.batch_limit * 2, options_.batch_size);
    }
    entry.due = next_time(entry, now);
  }
  return to_vector(to_tell);
}

}  // namespace scalableapp::metrics
