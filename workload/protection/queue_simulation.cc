#include "workload/protection/queue_simulation.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <queue>
#include <random>

namespace scalableapp::workload {

struct QueueSimulation::Request {
  Priority priority;
  Instant arrived;
  double cost;
  std::optional<ConcurrencyLimit::Place> place;
  Instant finishes{};
  bool operator>(const Request& other) const { return finishes > other.finishes; }
};

struct QueueSimulation::State {
  std::mt19937_64 random;
  std::deque<Request> queue;
  std::priority_queue<Request, std::vector<Request>, std::greater<>> working;
};

double SimulatedOutcome::good_share(Priority priority) const {
  const auto index = static_cast<std::size_t>(priority);
  return offered[index] == 0 ? 1 : static_cast<double>(good[index]) / offered[index];
}

double SimulatedOutcome::quantile(double q) const {
  if (latencies.empty()) return 0;
  auto sorted = latencies;
  std::sort(sorted.begin(), sorted.end());
  return sorted[static_cast<std::size_t>(q * static_cast<double>(sorted.size() - 1))];
}

QueueSimulation::QueueSimulation(const SimulatedService& service, std::uint64_t seed)
    : service_(service), state_(std::make_shared<State>()) {
  state_->random.seed(seed);
}

SimulatedOutcome QueueSimulation::play(const SimulatedLoad& load) {
  SimulatedOutcome outcome;
  auto& [random, queue, working] = *state_;
  const auto chance = [&random] { return std::uniform_real_distribution(0.0, 1.0)(random); };
  const auto waiting = [&](double mean) { return to_duration(-std::log(1 - chance()) * mean); };
  const Instant end = now_ + to_duration(load.seconds);
  const auto give_back = [&](const Request& request, Ending how) {
    if (request.place) service_.limit->release(*request.place, how, now_);
  };
  const auto start_next = [&] {
    while (!queue.empty() && working.size() < static_cast<std::size_t>(service_.threads)) {
      Request next = queue.front();
      queue.pop_front();
      if (service_.max_wait > Instant::duration{} && now_ - next.arrived > service_.max_wait) {
        give_back(next, Ending::kDropped);
        continue;
      }
      next.finishes = now_ + to_duration(next.cost);
      working.push(next);
    }
  };
  Instant next_arrival = now_ + waiting(1 / load.arrivals_per_second);
  while (true) {
    const bool is_arrival = working.empty() || next_arrival < working.top().finishes;
    const Instant next = is_arrival ? next_arrival : working.top().finishes;
    if (next >= end) break;
    now_ = next;
    if (is_arrival) {
      next_arrival = now_ + waiting(1 / load.arrivals_per_second);
      const double kind = chance();
      const auto priority = kind < load.optional_share                         ? Priority::kOptional
                            : kind < load.optional_share + load.critical_share ? Priority::kCritical
                                                                               : Priority::kNormal;
      ++outcome.offered[static_cast<std::size_t>(priority)];
      Request request{priority, now_, load.service_seconds / 2 + to_seconds(waiting(load.service_seconds / 2)), {}};
      if (service_.limit != nullptr) {
        request.place = service_.limit->try_acquire(priority, now_);
        if (!request.place) continue;
      }
      if (queue.size() >= service_.max_queue) {
        give_back(request, Ending::kDropped);
        continue;
      }
      queue.push_back(request);
    } else {
      const Request done = working.top();
      working.pop();
      give_back(done, Ending::kServed);
      const double latency = to_seconds(now_ - done.arrived);
      outcome.latencies.push_back(latency);
      if (latency <= service_.client_patience) ++outcome.good[static_cast<std::size_t>(done.priority)];
    }
    start_next();
  }
  now_ = end;
  return outcome;
}

}  // namespace scalableapp::workload
