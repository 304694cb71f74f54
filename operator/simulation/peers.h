// Models of three other autoscalers by their documented algorithms, written anew and apart from
// scaling/, so that a mistake there does not flatter us here:
//   HPA   kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale
//   KEDA  keda.sh/docs/latest/concepts/scaling-deployments and scalers/prometheus
//   KPA   knative.dev/docs/serving/autoscaling, github.com/knative/serving/docs/scaling
// Where a setting is up to the user, the one that helps the peer is taken: a target from a perfect
// load test, metrics scraped as often as for us. Internal to simulation/.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "operator/api/scalable_app.h"
#include "operator/simulation/columns.h"
#include "operator/simulation/scaler.h"
#include "operator/simulation/simulation.h"

namespace scalableapp::simulation {

inline constexpr double kHpaTolerance = 0.1;

// AverageValue: the total shared by the replicas.
int hpa_by_total(double total, double target_per_pod, int current);

// One pod as HPA sees it for a Resource metric.
struct HpaPod {
  double request_cores = 0;
  std::optional<double> cores;   // By metrics-server.
  bool is_initializing = false;  // Not ready, or its sample began before it was.
};
// Unset: no pod can be judged.
std::optional<int> hpa_by_cpu(std::span<const HpaPod> pods, double target_utilization, int current);

// What turns the metrics' proposals into a count: the highest, stabilization (down 300 s) and rate
// policies (up by 100 % or 4 pods in 15 s, the larger), in the defaults of autoscaling/v2.
class HpaBehavior {
 public:
  // An unset proposal is a metric without a value: only up then. is_acted_on: the change happens.
  int next(milliseconds now, int current, std::span<const std::optional<int>> proposals, int min,
           int max, bool is_acted_on = true);

 private:
  struct Recommendation {
    milliseconds at;
    int replicas;
  };
  struct Change {
    milliseconds at;
    int replicas;
  };
  std::vector<Recommendation> recommendations_;
  std::vector<Change> changes_;
};

// KEDA's own part: between 0 and 1.
class KedaActivation {
 public:
  // At every poll, 30 s: the count, or nothing while HPA is in charge.
  std::optional<int> poll(milliseconds now, bool is_active, int current, int min);

 private:
  std::optional<milliseconds> last_active_;
};

// KPA's decider for one revision: averages over a stable and a panic window.
class KpaDecider {
 public:
  explicit KpaDecider(double target_per_pod) : target_(target_per_pod) {}
  // stable, panic: mean concurrency of the whole app over 60 s and 6 s.
  int next(milliseconds now, int ready, double stable, double panic, int min, int max);
  bool is_panicking() const { return panic_since_.has_value(); }

 private:
  const double target_;
  bool is_first_ = true;
  std::optional<milliseconds> panic_since_;  // When the threshold was last exceeded.
  int most_in_panic_ = 0;
};

// The model of a peer; not for kScalableApp. The arguments must outlive it.
std::unique_ptr<Scaler> make_peer(Policy policy, const api::ScalableAppSpec& spec,
                                  const Workload& workload, const PrometheusColumns& columns);

}  // namespace scalableapp::simulation
