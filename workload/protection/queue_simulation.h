// A service as a queue, for the tests of its limits: threads, one line before them, arrivals by chance at a steady
// rate. Virtual time, deterministic for a seed. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "workload/protection/concurrency_limit.h"

namespace scalableapp::workload {

struct SimulatedLoad {
  double seconds = 10;
  double arrivals_per_second = 0;
  double optional_share = 0.3;
  double critical_share = 0.1;
  double service_seconds = 0.02;  // Mean; half of it fixed, half by chance.
};

struct SimulatedService {
  int threads = 8;
  std::size_t max_queue = 512;
  double client_patience = 0.25;           // Seconds; an answer later than that is worth nothing.
  ConcurrencyLimit* limit = nullptr;       // None: off.
  Instant::duration max_wait{};            // 0: off.
};

struct SimulatedOutcome {
  std::array<int, 3> offered{};   // By priority.
  std::array<int, 3> good{};      // Answered in time.
  std::vector<double> latencies;  // Of all that were served, in seconds.

  double good_share(Priority priority) const;
  double quantile(double q) const;
};

class QueueSimulation {
 public:
  QueueSimulation(const SimulatedService& service, std::uint64_t seed);
  // Goes on where the last play ended, with what is still in the queue.
  SimulatedOutcome play(const SimulatedLoad& load);
  Instant now() const { return now_; }

 private:
  struct Request;
  struct State;
  SimulatedService service_;
  Instant now_ = Instant{} + seconds(1000);
  std::shared_ptr<State> state_;
};

}  // namespace scalableapp::workload
