#include "operator/controller/warm_up_prober.h"

#include <algorithm>
#include <set>
#include <utility>

namespace scalableapp::controller {

WarmUpProber::WarmUpProber(const Clock& clock, OnChange on_change)
    : clock_(clock), on_change_(std::move(on_change)), probes_(clock) {}

void WarmUpProber::start() {
  thread_ = std::jthread([this](std::stop_token stop) { work(std::move(stop)); });
}

void WarmUpProber::stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
}

void WarmUpProber::subscribe(const api::ObjectKey& app, const std::vector<ProbeTarget>& targets) {
  {
    const std::lock_guard lock(mutex_);
    Targets before;
    if (const auto found = apps_.find(app); found != apps_.end()) before = std::move(found->second);
    Targets& now = apps_[app] = {};
    for (const ProbeTarget& target : targets) {
      const auto known = before.find(target.id);
      const bool stays = known != before.end() && known->second.probe == target.probe;
      now.emplace(target.id, stays ? std::move(known->second)
                                   : Target{.probe = target.probe, .due = clock_.monotonic_now()});
    }
    if (now.empty()) apps_.erase(app);
  }
  probes_.wake();
}

void WarmUpProber::unsubscribe(const api::ObjectKey& app) {
  const std::lock_guard lock(mutex_);
  apps_.erase(app);
}

std::optional<HttpProbeResult> WarmUpProber::latest(const api::ObjectKey& app, const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto targets = apps_.find(app);
  if (targets == apps_.end()) return std::nullopt;
  const auto target = targets->second.find(id);
  return target == targets->second.end() ? std::nullopt : target->second.result;
}

void WarmUpProber::work(std::stop_token stop) {
  const std::stop_callback wake(stop, [this] { probes_.wake(); });
  while (!stop.stop_requested()) {
    const MonotonicTime next = start_due(clock_.monotonic_now());
    take(probes_.wait(next));
  }
}

// Returns when the next one is due.
MonotonicTime WarmUpProber::start_due(MonotonicTime now) {
  const std::lock_guard lock(mutex_);
  struct Due {
    MonotonicTime at;
    const api::ObjectKey* app;
    Targets::value_type* target;
  };
  std::vector<Due> waiting;
  for (auto& [app, targets] : apps_) {
    for (auto& target : targets) {
      if (!target.second.in_flight) waiting.push_back({target.second.due, &app, &target});
    }
  }
  std::ranges::stable_sort(waiting, {}, &Due::at);
  for (const Due& due : waiting) {
    if (due.at > now) return due.at;
    // One that finishes makes room for the rest.
    if (probes_.in_flight() >= kMostInFlight) break;
    auto& [id, target] = *due.target;
    target.in_flight = true;
    target.due = now + kProbeInterval;
    asked_.insert_or_assign(id, *due.app);
    probes_.start(id, target.probe);
  }
  return now + std::chrono::hours{1};
}

void WarmUpProber::take(const std::vector<HttpProbeResult>& results) {
  std::set<api::ObjectKey> changed;
  {
    const std::lock_guard lock(mutex_);
    for (const HttpProbeResult& result : results) {
      const auto asked = asked_.extract(result.id);
      if (asked.empty()) continue;
      const auto targets = apps_.find(asked.mapped());
      if (targets == apps_.end()) continue;
      const auto found = targets->second.find(result.id);
      // It may have been dropped, or asked for anew, since.
      if (found == targets->second.end() || !found->second.in_flight) continue;
      Target& target = found->second;
      target.in_flight = false;
      if (!target.result || target.result->failure.empty() != result.failure.empty()) changed.insert(targets->first);
      target.result = result;
    }
  }
  for (const auto& app : changed) on_change_(app);
}

}  // namespace scalableapp::controller
