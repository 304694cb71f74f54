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

// What people ask of a rollout, as annotations of the ScalableApp; each names the revision that it is
// about, so that it says nothing of the next one.
//   promote  "REVISION/STEP": past this step (a BlueGreen has the one step 0); "REVISION/full": past all
//   abort    "REVISION": back to the revision before
//   retry    "REVISION TIME": a revision that failed before this time is tried again
inline constexpr const char* kPromoteAnnotation = "scalableapp.io/promote";
inline constexpr const char* kAbortAnnotation = "scalableapp.io/abort";
inline constexpr const char* kRetryAnnotation = "scalableapp.io/retry";
// The load that somebody expects: "200% until TIME" or "8 replicas until TIME". See scaling/expected_load.h.
inline constexpr const char* kExpectLoadAnnotation = "scalableapp.io/expect-load";

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

// Which numbers are good enough; an unset bound allows everything.
struct Range {
  std::optional<double> at_least;
  std::optional<double> at_most;
  bool is_unbounded() const { return !at_least && !at_most; }
  bool contains(double value) const {
    return (!at_least || value >= *at_least) && (!at_most || value <= *at_most);
  }
  bool operator==(const Range&) const = default;
};
// The operator itself asks the pod; 200 to 399 is warm.
struct WarmUpProbe {
  std::string path = "/";
  int port = 0;
  int timeout_seconds = 1;
  bool operator==(const WarmUpProbe&) const = default;
};
// Opens the gate only once all that is set here holds: a PromQL value of the pod is within a range, without a
// break for for_seconds, and the probe succeeds. The query must yield one series per pod, told by its
// `pod` label.
struct WarmUpCondition {
  std::string query;  // Empty: none.
  Range range;
  int for_seconds = 0;
  std::optional<WarmUpProbe> probe;  // httpGet
  bool operator==(const WarmUpCondition&) const = default;
};
// Of the pods that take traffic, so many percent more may begin to within interval_seconds, at least one.
struct SlowStart {
  int max_percent = 25;
  int interval_seconds = 10;
  bool operator==(const SlowStart&) const = default;
};
struct Readiness {
  bool gate = true;
  int min_warm_seconds = 0;  // After ContainersReady.
  std::optional<WarmUpCondition> warm_up;
  std::optional<SlowStart> slow_start;
  // While no operator leads, the gate of a pod opens so long after ContainersReady (platform of its own:
  // cli fail-open). Unset: it stays closed.
  std::optional<int> fail_open_seconds;
  bool operator==(const Readiness&) const = default;
};

// "25%" or 3, as apps/v1 reads them.
struct IntOrPercent {
  int value = 0;
  bool is_percent = false;
  bool operator==(const IntOrPercent&) const = default;
};
enum class RolloutStrategy { kRolling, kCanary, kBlueGreen, kRecreate };

enum class AnalysisMetricType { kErrorRate, kLatency, kRestarts, kPrometheus };
// What a new revision is judged by, see rollout/analysis.h.
struct AnalysisMetric {
  std::string name;  // Unique within the analysis.
  AnalysisMetricType type = AnalysisMetricType::kErrorRate;
  // ErrorRate: by how much its share of failed requests must exceed the stable revision's, in percentage
  // points, to matter. Latency: by how many percent its quantile must exceed the stable one's.
  double max_increase = 0;
  double quantile = 0.99;  // Latency.
  int max_restarts = 0;    // Restarts: of all containers of the revision's pods.
  // Prometheus: PromQL that yields one number. Beside $(namespace), $(name) and $(pods) there are
  // $(newPods) and $(stablePods), regular expressions of pod names.
  std::string query;
  Range success;  // Prometheus: within it the measurement is good. Unbounded: unless `failure` says no.
  Range failure;  // Prometheus: within it the measurement is bad. Unbounded: unless `success` says yes.
  bool operator==(const AnalysisMetric&) const = default;
};
struct Analysis {
  int interval_seconds = 10;
  int count = 3;            // Good measurements of each metric that a new revision needs.
  int failure_limit = 0;    // More bad ones than this end the rollout.
  int inconclusive_limit = 0;  // More that say neither pause it.
  int min_requests = 100;   // The built-in metrics judge no revision that has had fewer.
  std::vector<AnalysisMetric> metrics;
  bool operator==(const Analysis&) const = default;
};

// Exactly one of the three is set.
struct CanaryStep {
  std::optional<int> set_weight;  // Percent, 0 to 100.
  bool pause = false;
  std::optional<int> pause_seconds;  // Unset with pause: until promoted.
  bool analysis = false;             // Until spec.rollout.analysis has had its count of good measurements.
  bool operator==(const CanaryStep&) const = default;
};
struct Canary {
  std::vector<CanaryStep> steps;
  std::string stable_service;  // Empty: none.
  std::string canary_service;
  std::string http_route;      // Gateway API: its backendRefs to the two services carry the weights.
  bool operator==(const Canary&) const = default;
};
struct BlueGreen {
  std::string active_service;
  std::string preview_service;  // Empty: none.
  bool auto_promotion = true;   // Else it waits to be promoted before it switches.
  int scale_down_delay_seconds = 30;
  bool operator==(const BlueGreen&) const = default;
};
enum class DuringBurst { kContinue, kHold };
struct RolloutSpec {
  RolloutStrategy strategy = RolloutStrategy::kRolling;
  IntOrPercent max_surge{25, true};
  IntOrPercent max_unavailable{25, true};
  int min_ready_seconds = 0;
  int progress_deadline_seconds = 600;
  Canary canary;
  BlueGreen blue_green;
  std::optional<Analysis> analysis;
  bool automatic_rollback = true;  // rollback: Automatic | Manual
  DuringBurst during_burst = DuringBurst::kContinue;
  bool scale_down_in_flight = false;  // scaleDown: Hold | Allow
  bool paused = false;                // The rollout stays where it is; scaling goes on.
  bool operator==(const RolloutSpec&) const = default;
};
// The PodDisruptionBudget that the operator keeps, named as the app.
enum class DisruptionBudget { kManaged, kNone };

// When the metrics suddenly ask for threshold_percent of the current count, the scaleUp policies do
// not apply and nothing is scaled down until that is window_seconds ago (Knative's panic mode).
struct Burst {
  int threshold_percent = 200;
  int window_seconds = 60;
  bool operator==(const Burst&) const = default;
};
// At its maximum and with a target missed the app's pods are told to do less: a level from 0 up, in their
// annotation kDegradeLevelAnnotation. See scaling/brownout.h.
struct Brownout {
  int max_level = 2;
  int raise_seconds = 10;  // So long at the maximum with a target missed: one level more.
  int lower_seconds = 30;  // So long with room to spare: one level less.
  bool operator==(const Brownout&) const = default;
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
  std::optional<WallTime> override_until;  // spec.replicas.overrideUntil: from then on it does not.
  std::vector<MetricSpec> metrics;
  Behavior behavior;
  std::optional<Burst> burst;
  std::optional<Brownout> brownout;
  std::optional<Prediction> prediction;
  std::vector<Schedule> schedules;
  // spec.scaleToZero.idleSeconds: idle for so long before min 0 is reached.
  int idle_seconds = 300;
  Outliers outliers;
  // spec.scaleDown.drainSeconds: a pod that is to go takes no new traffic for so long first.
  int drain_seconds = 5;
  Readiness readiness;
  RolloutSpec rollout;
  DisruptionBudget disruption_budget = DisruptionBudget::kManaged;
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
// Of spec.brownout.
struct BrownoutMemory {
  int level = 0;
  std::optional<WallTime> since;  // When the level last changed.
  std::string reason;             // CamelCase word: why it was last raised.
  std::string why;                // Why it last changed, for a person.
  std::optional<WallTime> missed_since;  // At the limit with a target missed, without a break.
  std::optional<WallTime> room_since;    // With room to spare, without a break.
  std::optional<WallTime> lowered_at;    // When it was last lowered; unset once it is raised again.
  int relapses = 0;                      // How often in a row that was too soon.
  bool operator==(const BrownoutMemory&) const = default;
};
// What kExpectLoadAnnotation meant when it was first seen.
struct ExpectedLoad {
  std::string asked;  // Its text; empty: there is none.
  int replicas = 0;   // The floor; 0: the text is of another form.
  int needed = 0;     // By the metrics at that time.
  bool operator==(const ExpectedLoad&) const = default;
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
  BrownoutMemory brownout;
  ExpectedLoad expected_load;
  bool operator==(const ScalingHistory&) const = default;
};

enum class RolloutPhase { kHealthy, kProgressing, kPaused, kDegraded };
enum class Verdict { kNone, kSuccessful, kFailed, kInconclusive };
// What one metric of the analysis has said of the updated revision so far.
struct AnalysisMetricStatus {
  std::string name;
  std::string value;  // Of the last measurement, for a person: "5.1% of 213 requests, stable 0.1% of 840".
  Verdict last = Verdict::kNone;
  int measurements = 0;  // That compared anything, also where the outcome was left open.
  int successful = 0;    // Since the present step began.
  int failed = 0;
  int inconclusive = 0;
  bool is_suspected = false;  // The last measurement was bad, which has to be seen twice in a row.
  int missing_in_a_row = 0;  // Of the latest measurements so many had nothing for it.
  bool operator==(const AnalysisMetricStatus&) const = default;
};
// What was counted of one side since the analysis began; old counts fade.
struct RevisionEvidence {
  double requests = 0;
  double errors = 0;
  double busy_seconds = 0;  // Sum of the response times.
  double cpu_seconds = 0;   // While it had those requests.
  std::vector<double> buckets;  // Requests by response time, of the histogram's bounds in order; not cumulated.
  bool operator==(const RevisionEvidence&) const = default;
};
struct AnalysisStatus {
  std::optional<WallTime> measured_at;  // The last time; absent: not yet.
  std::vector<AnalysisMetricStatus> metrics;
  std::vector<double> bounds;  // Of the buckets, seconds.
  RevisionEvidence updated;
  RevisionEvidence stable;
  std::string message;  // For a person.
  bool operator==(const AnalysisStatus&) const = default;
};
struct RolloutStatus {
  RolloutPhase phase = RolloutPhase::kHealthy;
  std::string revision;  // That all of this is about; another updated revision begins anew.
  std::optional<WallTime> started_at;
  int step = 0;          // Of the strategy's steps; as many as there are: past the last one.
  std::optional<WallTime> step_started_at;
  int weight = 0;        // Percent of the traffic, or of the replicas, that the updated revision has.
  std::optional<WallTime> switched_at;   // BlueGreen: the active service has the updated revision since then.
  std::optional<WallTime> available_at;  // Every wanted replica was of the updated revision and available.
  std::string pause_reason;  // CamelCase word, with phase kPaused.
  // The revision failed and is not tried again: why, and since when.
  std::string failure_reason;  // CamelCase word; empty: it did not.
  std::string failure_message;
  std::optional<WallTime> failed_at;
  AnalysisStatus analysis;
  std::string message;  // Where it is, for a person.
  bool operator==(const RolloutStatus&) const = default;
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
  int degrade_level = 0;  // That the pods are told, see Brownout.
  std::optional<WallTime> degrade_level_since;
  std::string current_revision;  // The last one that was rolled out completely.
  std::string updated_revision;  // The one that spec.template asks for.
  int collision_count = 0;
  RolloutStatus rollout;
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
