#include "operator/metrics/load_history.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "operator/base/hash.h"
#include "operator/metrics/prometheus_answer.h"
#include "operator/metrics/prometheus_request.h"

namespace scalableapp::metrics {
namespace {

constexpr milliseconds kIdleWait{60'000};  // Nothing to ask: woken by subscribe.
constexpr milliseconds kWhole{24 * 3'600'000};
constexpr milliseconds kSourceLost{30'000};  // Until the next try, with whichever app is next.

// 0.9 to 1.1 of the refresh interval, by the app's name, so that apps that were asked for together
// drift apart.
milliseconds refresh_of(const api::ObjectKey& app) {
  const std::uint64_t hash = fnv1a(api::to_string(app));
  return milliseconds(LoadHistory::kRefresh) * static_cast<std::int64_t>(900 + hash % 201) / 1000;
}

std::size_t points_of(const LoadQuery& query) {
  const int days = std::clamp(query.days, 1, LoadHistory::kMaxDays);
  return static_cast<std::size_t>(days * std::chrono::days(1) / LoadHistory::kStep);
}

// About Prometheus rather than about one query.
bool is_of_the_source(const Error& error) {
  return error.code != ErrorCode::kInvalid && error.code != ErrorCode::kTimeout &&
         error.code != ErrorCode::kDecode;
}

}  // namespace

void LoadHistory::start() {
  thread_ = std::jthread([this](std::stop_token stop) { work(std::move(stop)); });
}

void LoadHistory::stop() { thread_ = {}; }

void LoadHistory::subscribe(const api::ObjectKey& app, const std::vector<LoadQuery>& queries) {
  {
    std::lock_guard lock(mutex_);
    std::erase_if(entries_, [&](const auto& item) {
      return item.first.first == app &&
             std::find(queries.begin(), queries.end(), item.second.query) == queries.end();
    });
    const MonotonicTime now = clock_.monotonic_now();
    for (const LoadQuery& query : queries) {
      entries_.try_emplace(Key{app, query.metric}, Entry{query, now, now, nullptr, {}});
    }
  }
  changed_.notify_all();
}

std::shared_ptr<const scaling::LoadSeries> LoadHistory::latest(const api::ObjectKey& app,
                                                               const std::string& metric) const {
  std::lock_guard lock(mutex_);
  const auto found = entries_.find(Key{app, metric});
  return found == entries_.end() ? nullptr : found->second.series;
}

std::optional<Error> LoadHistory::error(const api::ObjectKey& app,
                                        const std::string& metric) const {
  std::lock_guard lock(mutex_);
  const auto found = entries_.find(Key{app, metric});
  return found == entries_.end() ? std::nullopt : found->second.error;
}

void LoadHistory::work(std::stop_token stop) {
  MonotonicTime rested = MonotonicTime::min();
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    const auto next = std::min_element(
        entries_.begin(), entries_.end(),
        [](const auto& a, const auto& b) { return a.second.due < b.second.due; });
    const MonotonicTime now = clock_.monotonic_now();
    const MonotonicTime due = next == entries_.end() ? now + kIdleWait : next->second.due;
    if (next == entries_.end() || due > now || rested > now) {
      clock_.wait_until(changed_, lock, std::max(due, rested), stop);
      continue;
    }
    const Key key = next->first;
    const LoadQuery query = next->second.query;
    const bool whole = next->second.whole_due <= now;
    const auto known = whole ? nullptr : next->second.series;
    lock.unlock();
    auto answer = ask(query, known.get(), stop);
    const MonotonicTime answered = clock_.monotonic_now();
    lock.lock();
    if (stop.stop_requested()) return;
    const bool lost = !answer && is_of_the_source(answer.error());
    rested = answered + (lost ? answer.error().retry_after.value_or(kSourceLost) : answered - now);
    const auto found = entries_.find(key);
    if (found == entries_.end() || found->second.query != query) continue;
    Entry& entry = found->second;
    entry.due = answered + (lost ? kSourceLost : refresh_of(key.first));
    if (answer) {
      entry.series = std::move(*answer);
      entry.error.reset();
      if (whole) entry.whole_due = answered + kWhole;
    } else {
      entry.error = std::move(answer.error());
    }
  }
}

// With `known`, only what came after it, and its last point again, which may have come too early.
Result<std::shared_ptr<const scaling::LoadSeries>> LoadHistory::ask(
    const LoadQuery& query, const scaling::LoadSeries* known, std::stop_token stop) {
  const std::size_t points = points_of(query);
  const milliseconds middle = milliseconds(query.window) / 2;
  // The same moments for every app and every time: what is known stays in its place.
  const WallTime last{clock_.wall_now().time_since_epoch() / milliseconds(kStep) * kStep};
  const WallTime first = last - (static_cast<std::int64_t>(points) - 1) * kStep;
  WallTime from = first;
  if (known != nullptr) {
    const auto size = static_cast<std::int64_t>(known->values.size());
    from = std::clamp(known->begin + middle + (size - 1) * kStep, first, last);
  }
  const auto unix_seconds = [](WallTime time) {
    return std::chrono::duration_cast<seconds>(time.time_since_epoch()).count();
  };
  const auto body = ask_prometheus(
      transport_, "/api/v1/query_range",
      fmt::format("timeout={}ms&start={}&end={}&step={}&query={}",
                  kHistoryEvaluationTimeout.count(), unix_seconds(from), unix_seconds(last),
                  kStep.count(), form_encode(query.text)),
      std::move(stop));
  if (!body) return tl::unexpected(body.error());
  const auto index_of = [&](WallTime time) {
    return static_cast<std::size_t>((time - first) / kStep);
  };
  auto values = parse_range_answer(*body, from, kStep, points - index_of(from));
  if (!values) return tl::unexpected(values.error());
  scaling::LoadSeries series{first - middle, kStep, {}};
  series.values.assign(points, std::numeric_limits<float>::quiet_NaN());
  if (known != nullptr) {
    for (std::size_t i = 0; i < known->values.size(); ++i) {
      const WallTime at = known->begin + middle + static_cast<std::int64_t>(i) * kStep;
      if (at >= first && at < from) series.values[index_of(at)] = known->values[i];
    }
  }
  std::ranges::transform(*values, series.values.begin() + static_cast<std::ptrdiff_t>(index_of(from)),
                         [](double value) {  // As much as a load history needs, in half the memory.
                           const auto number = static_cast<float>(value);
                           return std::isfinite(number) ? number : std::numeric_limits<float>::quiet_NaN();
                         });
  return std::make_shared<const scaling::LoadSeries>(std::move(series));
}

}  // namespace scalableapp::metrics
