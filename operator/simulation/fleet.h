// The pods of one app as they come and go: created a moment after the decision, containers ready
// after their start-up, serving once warm; on the way down the ones that do not serve yet go first
// and at once, then the newest, which take no new requests from then on and end what they have.
// (The operator prefers pods with far less load than the others, which chance does not make.)
// A request goes to a serving pod by chance, as a Service sends it; a queue's jobs go to whichever
// worker is free first. Driven by step() and arrive() in order of time. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "operator/base/time.h"
#include "operator/simulation/pod_model.h"

namespace scalableapp::simulation {

// Control happens in steps of so long; requests at any moment.
inline constexpr milliseconds kTick{100};
inline constexpr milliseconds kNever{milliseconds::max()};

struct PodTimes {
  milliseconds create{300};
  milliseconds startup{4000};  // Drawn within 20 %.
  milliseconds warmup{3000};
  milliseconds drain{5000};         // At least so long between the last new request and the end.
  milliseconds grace{30000};        // After that, for what it still has.
};

// A scrape of the pod.
struct Sample {
  milliseconds at{};
  int in_progress = 0;
  Counters counters;
};

struct Pod {
  enum class Phase { kOrdered, kStarting, kWarming, kServing, kDraining, kGone };
  Pod(Outcomes& outcomes, int queue_limit) : station(outcomes, queue_limit) {}

  std::string name;
  Phase phase = Phase::kOrdered;
  milliseconds created{};
  milliseconds containers_ready{};
  milliseconds ready{};
  milliseconds drain_began = kNever;
  milliseconds gone = kNever;
  milliseconds scrape_phase{};  // Its place within Prometheus' interval.
  milliseconds next_scrape = kNever;
  Station station;  // Unused by the workers of a queue.
  Counters counters;
  // Notes of the policy's own pipeline.
  double seen_progress = 0;
  std::int64_t noted_finished = 0;
  std::optional<double> resource_cores;     // metrics-server.
  std::int64_t resource_finished = -1;
  std::vector<Sample> samples;  // Oldest first; the metrics model keeps as many as it needs.

  bool runs() const { return phase >= Phase::kWarming && phase <= Phase::kDraining; }
  // Request-seconds in progress since it began, waiting included. advance() to now first.
  double progress_seconds(double now) const {
    return now * static_cast<double>(counters.arrived - counters.finished) - counters.arrived_at +
           counters.finished_at;
  }
};

class Fleet {
 public:
  struct Options {
    std::string app = "app";
    PodTimes times;
    int concurrency = 4;
    int queue_limit = 0;
    bool is_queue = false;  // One queue for all.
    // A pod that still drains serves again when it is needed, as the operator has it; a pod that
    // was deleted is lost.
    bool takes_back = false;
    double cpu_seconds_per_request = 0;
    std::uint64_t seed = 1;
  };
  Fleet(Options options, Outcomes& outcomes);

  // `replicas` serve from the beginning.
  void begin(int replicas);
  // Changes the count that is wanted.
  void scale(milliseconds now, int replicas);
  // What time brings: to be called every tick.
  void step(milliseconds now);
  // The request joins the pod that `chance` says (any number); a job its queue.
  void arrive(const Request& request, std::uint64_t chance);
  void advance(double now);
  // The run is over.
  void finish(milliseconds now);

  int desired() const { return desired_; }
  int serving() const { return static_cast<int>(serving_.size()); }
  std::int64_t waiting() const;
  std::int64_t in_progress() const;  // Without the waiting.
  std::int64_t in_progress(const Pod& pod) const;  // A service's pod: with what waits in it.
  // Not gone, in order of creation; some may only be ordered.
  const std::vector<std::unique_ptr<Pod>>& pods() const { return pods_; }
  // Gone, for as long as their samples may matter to someone.
  const std::vector<std::unique_ptr<Pod>>& departed() const { return departed_; }
  void forget_departed(milliseconds before);
  const Station& queue() const { return queue_; }
  std::int64_t arrived() const { return outcomes_.everything; }
  bool is_queue() const { return options_.is_queue; }
  double cpu_seconds_per_request() const { return options_.cpu_seconds_per_request; }
  // Of pods from their creation until they are gone, up to now.
  double replica_seconds(milliseconds now) const;

 private:
  void order_pod(milliseconds now);
  int take_back(milliseconds now, int count);
  void dismiss(milliseconds now, int count);
  void leave(Pod& pod, milliseconds now);
  void list_serving();

  const Options options_;
  Outcomes& outcomes_;
  Station queue_;
  int desired_ = 0;
  int ordinal_ = 0;
  bool is_settled_ = true;  // No pod is on its way to another phase.
  std::int64_t departed_milliseconds_ = 0;
  std::vector<std::unique_ptr<Pod>> pods_;
  std::vector<std::unique_ptr<Pod>> departed_;
  std::vector<Pod*> serving_;
};

// Seconds since the run began.
inline double in_seconds(milliseconds time) { return static_cast<double>(time.count()) * 1e-3; }

}  // namespace scalableapp::simulation
