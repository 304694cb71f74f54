// The number at which latency starts to grow: a gradient controller, after Envoy's adaptive concurrency filter and
// Netflix' concurrency-limits (Gradient). Every 100 ms
//
//   gradient = allowed latency / median latency, within [0.5, 1]
//   limit    = gradient * limit + sqrt(limit), smoothed
//
// where the allowed latency is 1.5 times that of a request that met no queue (5 ms more at least, since below that is
// only noise). The square root is the room to find out that there is more capacity, and the queue that keeps all
// threads busy. A limit that is not used does not grow.
//
// What a request takes without a queue is the crux: a limit that learns it under load takes the queue for normal and
// drifts. Here only requests count that came while the service held less than a third of what the limit allows. Under
// lasting overload there are none; so when a request is refused and the figure is 10 s old, the limit is a third of
// itself until 16 of them were measured, 2 s at most (a "probe"; some 100 ms as a rule). A third suffices: were the
// limit more than three times the right one, it would find a latency that is a third of the present one, and so fall.
// One thread.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "workload/common/instant.h"

namespace scalableapp::workload {

struct GradientLimitOptions {
  int min = 4;
  int max = 512;
  int initial = 20;
};

class GradientLimit {
 public:
  explicit GradientLimit(const GradientLimitOptions& options);

  int limit() const { return static_cast<int>(limit_); }
  int uncrowded_limit() const { return std::max(options_.min, limit() / 3); }
  // The limit to apply; lower than limit() in a probe.
  int limit_now() const { return probing_since_ ? uncrowded_limit() : limit(); }
  std::optional<Instant::duration> unloaded_latency() const { return unloaded_; }

  void admitted(int in_flight);
  // Of refused requests of normal priority at least: that optional work was refused does not say that the limit binds.
  void refused(Instant now);
  // `began`: when the request came. `uncrowded`: whether it would have been admitted under uncrowded_limit() then.
  void served(Instant began, bool uncrowded, Instant now);
  // A request was given up behind this limit: the limit shrinks by a tenth, once a window.
  void dropped() { dropped_ = true; }

 private:
  void learn_unloaded(Instant now);
  void end_window(Instant now);

  const GradientLimitOptions options_;
  double limit_;
  std::optional<Instant::duration> unloaded_;
  Instant unloaded_at_{};                     // When unloaded_ was found, or a probe found nothing.
  std::vector<Instant::duration> uncrowded_;  // Samples for the next unloaded_.
  std::optional<Instant> probing_since_;

  Instant window_began_{};
  std::vector<Instant::duration> latencies_;  // The window's, bounded.
  int peak_in_flight_ = 0;
  bool dropped_ = false;
};

}  // namespace scalableapp::workload
