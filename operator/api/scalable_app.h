// ScalableApp (scalableapp.io/v1alpha1) as values: what the CRD in crds/ says, after defaulting.
// Plain data with ==; no JSON in this header (see codec functions at the end). Thread-compatible.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "operator/api/meta.h"
#include "operator/base/result.h"
#include "operator/base/time.h"

namespace scalableapp::api {

// The label on every ReplicaSet and Pod of an app; its value is the app's name.
inline constexpr const char* kAppLabel = "scalableapp.io/name";
// The label that tells the pods of one revision from another's; value: hash of the template.
inline constexpr const char* kRevisionLabel = "scalableapp.io/revision";
// The readiness gate (and pod condition type) that the operator owns.
inline constexpr const char* kWarmGate = "scalableapp.io/warm";
inline constexpr const char* kFieldManager = "scalableapp-operator";

enum class MetricType {
  kLatency,
  kCpu,
  kQueueLength,
  kPrometheus
};  // "Latency", "CPU", "QueueLength", "Prometheus"
enum class TargetType { kValue, kAverageValue };
// How a latency becomes a count: by what a replica can serve within the target, as learned from the
// load it had (kCapacity, "Capacity"), or in proportion as HPA does (kRatio, "Ratio").
enum class LatencyModel { kCapacity, kRatio };

// What a metric proposes once it has been missing for failure_seconds. Only ever adds capacity.
struct Fallback {
  int failure_seconds = 180;
  int replicas = 1;
  bool operator==(const Fallback&) const = default;
};

struct MetricSpec {
  std::string name;  // Unique within the app.
  MetricType type = MetricType::kCpu;
  std::string query;  // PromQL; empty: the built-in one of the type. $(namespace) $(name) $(pods)
                      // are replaced.
  int window_seconds = 10;  // Rate window of the built-in queries.
  double quantile = 0.99;   // Latency: 0 < q < 1.
  std::string
      queue;  // QueueLength: value of the `queue` label of queue_length; empty: the app's name.
  // The target in the metric's unit: seconds for Latency, fraction of the CPU request for CPU (0.6
  // = 60 %), jobs per replica for QueueLength, the query's unit for Prometheus. Always > 0.
  double target = 0;
  TargetType target_type =
      TargetType::kValue;  // Latency: kValue; CPU: utilization; QueueLength: kAverageValue.
  LatencyModel latency_model = LatencyModel::kCapacity;  // kRatio wherever there is a query.
  // QueueLength: the backlog should be gone within so long. Unset: target per replica only.
  std::optional<int> drain_seconds;
  // QueueLength: PromQL of jobs a second that arrive, and that all pods finish; empty: the built-in
  // ones.
  std::string arrival_query;
  std::string completion_query;
  // QueueLength and Prometheus AverageValue: at or below it the app is idle (scale to zero); over
  // it a pod is started.
  double activation_threshold = 0;
  std::optional<Fallback> fallback;
  bool operator==(const MetricSpec&) const = default;
};

enum class PolicyType { kPods, kPercent };
enum class SelectPolicy { kMax, kMin, kDisabled };
struct ScalingPolicy {
  PolicyType type = PolicyType::kPods;
  int value = 0;
  int period_seconds = 15;
  bool operator==(const ScalingPolicy&) const = default;
};
struct ScalingRules {
  int stabilization_window_seconds = 0;
  SelectPolicy select_policy = SelectPolicy::kMax;
  std::vector<ScalingPolicy> policies;
  double tolerance = 0.1;
  bool operator==(const ScalingRules&) const = default;
};
// Defaults as HPA v2: up 0 s, max(100 %, 4 pods)/15 s; down 300 s, 100 %/15 s; tolerance 0.1.
struct Behavior {
  ScalingRules scale_up;
  ScalingRules scale_down;
  bool operator==(const Behavior&) const = default;
};

// Opens the gate only once a PromQL value of the pod reaches a bound. The query must yield one
// series per pod, told by its `pod` label.
struct WarmUpCondition {
  std::string query;
  std::optional<double> at_least;
  std::optional<double> at_most;
  bool operator==(const WarmUpCondition&) const = default;
};
struct Readiness {
  bool gate = true;
  int min_warm_seconds = 0;  // After ContainersReady.
  std::optional<WarmUpCondition> warm_up;
  bool operator==(const Readiness&) const = default;
};

// "25%" or 3, as apps/v1 reads them.
struct IntOrPercent {
  int value = 0;
  bool is_percent = false;
  bool operator==(const IntOrPercent&) const = default;
};
struct RolloutSpec {
  IntOrPercent max_surge{25, true};
  IntOrPercent max_unavailable{25, true};
  int min_ready_seconds = 0;
  int progress_deadline_seconds = 600;
  bool operator==(const RolloutSpec&) const = default;
};

// When the metrics suddenly ask for threshold_percent of the current count, the scaleUp policies do
// not apply and nothing is scaled down until that is window_seconds ago (Knative's panic mode).
struct Burst {
  int threshold_percent = 200;
  int window_seconds = 60;
  bool operator==(const Burst&) const = default;
};
// Scales for the load that is expected by the time a pod started now would be warm.
struct Prediction {
  int history_days = 15;       // How much of Prometheus' memory is looked at.
  int max_error_percent = 50;  // At this error of past forecasts they have no say any more.
  bool operator==(const Prediction&) const = default;
};
struct Schedule {
  std::string name;  // Unique within the app.
  std::string cron;  // Five fields: minute hour day-of-month month day-of-week.
  std::string time_zone = "UTC";  // IANA name.
  int duration_seconds = 0;
  std::optional<int> min_replicas;
  std::optional<int> max_replicas;
  bool operator==(const Schedule&) const = default;
};
enum class OutlierAction { kReport, kEject };
struct Outliers {
  OutlierAction action = OutlierAction::kReport;
  int max_ejected_percent = 20;  // Of the serving pods, at most so many are ejected at a time.
  bool operator==(const Outliers&) const = default;
};

struct ScalableAppSpec {
  int min_replicas = 1;  // 0: may scale to zero when idle.
  int max_replicas = 1;
  std::optional<int>
      override_replicas;  // spec.replicas.override: what `kubectl scale` sets; holds the app there.
  std::vector<MetricSpec> metrics;
  Behavior behavior;
  std::optional<Burst> burst;
  std::optional<Prediction> prediction;
  std::vector<Schedule> schedules;
  // spec.scaleToZero.idleSeconds: idle for so long before min 0 is reached.
  int idle_seconds = 300;
  Outliers outliers;
  // spec.scaleDown.drainSeconds: a pod that is to go takes no new traffic for so long first.
  int drain_seconds = 5;
  Readiness readiness;
  RolloutSpec rollout;
  int interval_seconds = 2;
  int revision_history_limit = 10;
  bool paused = false;           // Neither scales nor rolls out; the gate is still kept.
  bool dry_run = false;          // Decides and reports; changes no pods.
  std::string template_json;     // spec.template, canonical JSON (sorted keys, no spaces); what the
                                 // revision hash is of.
  double cpu_request_cores = 0;  // Sum over the template's containers; 0: none set.
  bool operator==(const ScalableAppSpec&) const = default;
};

struct MetricStatus {
  std::string name;
  std::string type;
  std::string current;  // With unit: "340ms", "72%", "120"; empty when missing.
  std::string target;
  std::optional<int> proposed_replicas;
  std::optional<int> age_seconds;
  std::string missing;  // Why there is no value; empty when there is one.
  bool operator==(const MetricStatus&) const = default;
};
struct LastDecision {
  int from = 0;
  int to = 0;
  std::string reason;   // CamelCase word: "MetricAboveTarget", "WithinTolerance", ...
  std::string message;  // One sentence for a person.
  std::vector<std::string>
      clamps;  // Which limits changed the number, in order: "scaleUpPolicy", "maxReplicas", ...
  WallTime time{};
  bool operator==(const LastDecision&) const = default;
};

// A run of equal recommendations: [from, until]. Bounded history of stabilization.
struct RecommendationRun {
  int replicas = 0;
  WallTime from{};
  WallTime until{};
  bool operator==(const RecommendationRun&) const = default;
};
// One change of the replica count, for the rate policies.
struct ScaleEvent {
  int change = 0;  // > 0 up, < 0 down.
  WallTime time{};
  bool operator==(const ScaleEvent&) const = default;
};
// What was learned about one metric of the spec; zeros and unset fields are not known yet.
struct MetricMemory {
  std::string name;
  std::optional<WallTime> missing_since;
  std::optional<WallTime> fallback_ended;  // Recovering since then.

  // Latency, see scaling/capacity_model.h.
  std::optional<WallTime> learned_until;  // The last sample that was learned from.
  double service_seconds = 0;             // Mean response time without waiting.
  double quantile_seconds = 0;            // The quantile without waiting.
  double servers = 0;      // How many requests a replica serves at a time, effectively.
  double proven_rate = 0;  // The rate per replica at which the target was met, 1/s.
  std::optional<WallTime> over_since;  // The quantile has been over the target since then.
  double servers_before = 0;           // What was known of the two when that began.
  double proven_rate_before = 0;
  // An attempt to mend that by adding replicas, and what it began with.
  std::optional<WallTime> trial_since;
  double trial_seconds = 0;  // The quantile.
  double trial_rate = 0;     // Requests a second per replica.
  int trial_replicas = 0;
  bool not_capacity_bound = false;  // It did not help.

  // What comes, 1/s, see scaling/smooth_load.h: without its noise, and as the mean of some 4 s.
  double load_per_second = 0;
  double recent_load_per_second = 0;
  // QueueLength: what a busy replica gets done, jobs a second.
  double jobs_per_second = 0;
  bool operator==(const MetricMemory&) const = default;
};
struct ScalingHistory {
  std::vector<RecommendationRun> recommendations;
  std::vector<ScaleEvent> scale_events;
  std::vector<MetricMemory> metrics;        // In the order of spec.metrics.
  std::optional<WallTime> burst_over;       // When the metrics last asked for a burst's count.
  std::optional<WallTime> idle_since;       // Every metric at or under its activation threshold.
  double warm_up_seconds = 0;               // From creation to Ready, as measured. 0: not known.
  std::optional<WallTime> warm_up_seen;     // The last Ready that is in warm_up_seconds.
  std::string revision;                     // Whose pods the times of `metrics` are of.
  bool operator==(const ScalingHistory&) const = default;
};

struct ScalableAppStatus {
  std::int64_t observed_generation = 0;
  std::string selector;  // For the scale subresource: "scalableapp.io/name=web".
  int replicas = 0;      // Pods that exist and are not terminating.
  int desired_replicas = 0;
  int ready_replicas = 0;
  int warming_replicas = 0;    // Exist, not yet ready.
  int available_replicas = 0;  // Ready for min_ready_seconds.
  int updated_replicas = 0;    // Of the current revision.
  int terminating_replicas = 0;
  std::string current_revision;  // The last one that was rolled out completely.
  std::string updated_revision;  // The one that spec.template asks for.
  int collision_count = 0;
  std::vector<MetricStatus> metrics;
  std::optional<LastDecision> last_decision;
  std::optional<WallTime> last_scale_time;
  std::vector<Condition> conditions;
  ScalingHistory history;
  bool operator==(const ScalableAppStatus&) const = default;
};

struct ScalableApp {
  ObjectMeta metadata;
  ScalableAppSpec spec;
  ScalableAppStatus status;
  // What is wrong with the spec though the API server let it in (an older CRD, say): "field: what
  // it should be".
  std::vector<std::string> problems;
  bool operator==(const ScalableApp&) const = default;
};

// Fails only where the object has no usable metadata; problems of the spec land in `problems`.
Result<ScalableApp> decode_scalable_app(const nlohmann::json& object);
// The JSON of the status object alone, and back; what is missing or mistyped there is its default.
std::string encode_status(const ScalableAppStatus& status);
ScalableAppStatus decode_status(const nlohmann::json& status);
// The history alone, as in status.history, exact to the bit and the millisecond. kDecode if the
// text is no JSON object.
std::string encode_history(const ScalingHistory& history);
Result<ScalingHistory> decode_history(std::string_view text);

}  // namespace scalableapp::api
