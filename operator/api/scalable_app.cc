#include "operator/api/scalable_app.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <nlohmann/json.hpp>
#include <set>

#include "operator/api/json_fields.h"
#include "operator/api/revision.h"
#include "operator/api/spec_reader.h"

namespace scalableapp::api {
namespace {

using nlohmann::json;

// As many as a ReplicaSet of a large cluster could hold; keeps sums within an int.
constexpr int kMostReplicas = 100'000;

// Whether min and max are a range that other fields can be measured by.
bool decode_replicas(SpecReader& read, const Field& field, ScalableAppSpec& spec) {
  spec.min_replicas = read.whole(field["min"], 1, 0, kMostReplicas);
  spec.max_replicas = read.whole(field["max"], std::nullopt, 1, kMostReplicas);
  if (field["override"].is_set()) {
    // 0 is "not set": the scale subresource cannot be read without a number in the field.
    const int held = read.whole(field["override"], 0, 0, kMostReplicas);
    if (held != 0) spec.override_replicas = held;
  }
  if (field["max"].value != spec.max_replicas) return false;
  if (spec.max_replicas < spec.min_replicas) {
    read.wrong(field["max"],
               fmt::format("must be at least spec.replicas.min ({})", spec.min_replicas));
    return false;
  }
  if (spec.override_replicas && (*spec.override_replicas < spec.min_replicas ||
                                        *spec.override_replicas > spec.max_replicas)) {
    read.wrong(field["override"],
               fmt::format("must be from spec.replicas.min ({}) to spec.replicas.max ({})",
                           spec.min_replicas, spec.max_replicas));
  }
  return true;
}

struct MetricKind {
  MetricType type;
  const char* name;
  const char* block;  // The field that holds what only this type has.
};
constexpr std::array<MetricKind, 4> kMetricKinds{{
    {MetricType::kLatency, "Latency", "latency"},
    {MetricType::kCpu, "CPU", "cpu"},
    {MetricType::kQueueLength, "QueueLength", "queueLength"},
    {MetricType::kPrometheus, "Prometheus", "prometheus"},
}};

// The type's own block, or null where type or block are missing; tells of blocks of other types.
const MetricKind* kind_of(SpecReader& read, const Field& field) {
  const MetricKind* kind = nullptr;
  for (const MetricKind& one : kMetricKinds) {
    if (field["type"].value == one.name) kind = &one;
  }
  if (kind == nullptr) {
    read.wrong(field["type"], "must be Latency, CPU, QueueLength or Prometheus");
    return nullptr;
  }
  for (const MetricKind& one : kMetricKinds) {
    if (&one != kind && field[one.block].is_set()) {
      read.wrong(field[one.block], fmt::format("must not be set for type {}", kind->name));
    }
  }
  if (field[kind->block].value.is_object()) return kind;
  read.wrong(field[kind->block], fmt::format("must be set for type {}", kind->name));
  return nullptr;
}

// By the load that goes with it a latency can be modelled only if the operator knows that load.
LatencyModel decode_latency_model(SpecReader& read, const Field& field, bool has_query) {
  const LatencyModel fallback = has_query ? LatencyModel::kRatio : LatencyModel::kCapacity;
  const LatencyModel model = *read.choice<LatencyModel>(
      field, fallback, {{"Capacity", LatencyModel::kCapacity}, {"Ratio", LatencyModel::kRatio}});
  if (!has_query || model == LatencyModel::kRatio) return model;
  read.wrong(field, "must be Ratio where there is a query, whose load is not known");
  return LatencyModel::kRatio;
}

std::optional<Fallback> decode_fallback(SpecReader& read, const Field& field) {
  if (!field.is_set()) return std::nullopt;
  return Fallback{.failure_seconds = read.whole(field["failureSeconds"], 180, 10, 86'400),
                  .replicas = read.whole(field["replicas"], std::nullopt, 1, kMostReplicas)};
}

// `field` was read as `replicas`, unless something was wrong with it and has been told.
void check_within_replicas(SpecReader& read, const Field& field, int replicas,
                           const ScalableAppSpec& spec) {
  if (field.value != replicas) return;
  if (replicas >= spec.min_replicas && replicas <= spec.max_replicas) return;
  read.wrong(field, fmt::format("must be from spec.replicas.min ({}) to spec.replicas.max ({})",
                                spec.min_replicas, spec.max_replicas));
}

MetricSpec decode_metric(SpecReader& read, const Field& field) {
  MetricSpec spec;
  spec.name = read.words(field["name"]);
  if (spec.name.empty() || spec.name.size() > 63) {
    read.wrong(field["name"], "must have 1 to 63 characters");
  }
  const MetricKind* kind = kind_of(read, field);
  if (kind == nullptr) return spec;
  const Field block = field[kind->block];
  spec.type = kind->type;
  spec.query = read.words(block["query"]);
  spec.fallback = decode_fallback(read, field["fallback"]);
  switch (kind->type) {
    case MetricType::kLatency: {
      spec.quantile = read.number(block["quantile"], spec.quantile);
      if (!(spec.quantile > 0 && spec.quantile < 1)) {
        read.wrong(block["quantile"], "must be over 0 and under 1");
      }
      const auto target = parse_duration(text(block.value, "target"));
      spec.target = target ? static_cast<double>(target->count()) / 1000.0 : 0;
      if (!(spec.target > 0))
        read.wrong(block["target"], "must be a duration over 0 such as 200ms");
      spec.latency_model = decode_latency_model(read, block["model"], !spec.query.empty());
      break;
    }
    case MetricType::kCpu:
      spec.target = read.whole(block["targetUtilization"], std::nullopt, 1, 1000) / 100.0;
      break;
    case MetricType::kQueueLength:
      spec.target_type = TargetType::kAverageValue;
      spec.target = read.positive(block["targetPerReplica"]);
      spec.queue = read.words(block["queue"]);
      if (block["drainSeconds"].is_set()) {
        spec.drain_seconds = read.whole(block["drainSeconds"], std::nullopt, 1, 86'400);
      }
      spec.arrival_query = read.words(block["arrivalQuery"]);
      spec.completion_query = read.words(block["completionQuery"]);
      spec.activation_threshold = read.not_negative(block["activationThreshold"]);
      break;
    case MetricType::kPrometheus:
      if (spec.query.empty()) read.wrong(block["query"], "must be a PromQL query");
      spec.target_type = *read.choice<TargetType>(
          block["target"]["type"], TargetType::kAverageValue,
          {{"Value", TargetType::kValue}, {"AverageValue", TargetType::kAverageValue}});
      spec.target = read.positive(block["target"]["value"]);
      spec.activation_threshold = read.not_negative(block["activationThreshold"]);
      if (block["activationThreshold"].is_set() && spec.target_type == TargetType::kValue) {
        read.wrong(block["activationThreshold"], "needs target.type to be AverageValue");
      }
      return spec;  // A window, if any, is part of the query.
  }
  spec.window_seconds = read.whole(block["windowSeconds"], spec.window_seconds, 2, 3600);
  return spec;
}

ScalingRules decode_rules(SpecReader& read, const Field& field, ScalingRules rules) {
  rules.stabilization_window_seconds =
      read.whole(field["stabilizationWindowSeconds"], rules.stabilization_window_seconds, 0, 3600);
  rules.tolerance = read.number(field["tolerance"], rules.tolerance);
  if (!(rules.tolerance >= 0 && rules.tolerance < 1)) {
    read.wrong(field["tolerance"], "must be from 0 to under 1, such as 0.1");
  }
  rules.select_policy = *read.choice<SelectPolicy>(field["selectPolicy"], SelectPolicy::kMax,
                                                   {{"Max", SelectPolicy::kMax},
                                                    {"Min", SelectPolicy::kMin},
                                                    {"Disabled", SelectPolicy::kDisabled}});
  std::vector<ScalingPolicy> policies;
  for (const Field& policy : read.list(field["policies"])) {
    const auto type =
        read.choice<PolicyType>(policy["type"], std::nullopt,
                                {{"Pods", PolicyType::kPods}, {"Percent", PolicyType::kPercent}});
    policies.push_back(
        {.type = type.value_or(PolicyType::kPods),
         .value = read.whole(policy["value"], std::nullopt, 1, 1'000'000),
         .period_seconds = read.whole(policy["periodSeconds"], std::nullopt, 1, 1800)});
  }
  if (!policies.empty()) rules.policies = std::move(policies);
  return rules;
}

Readiness decode_readiness(SpecReader& read, const Field& field) {
  Readiness readiness;
  readiness.gate = read.flag(field["gate"], true);
  readiness.min_warm_seconds = read.whole(field["minWarmSeconds"], 0, 0, 3600);
  const Field warm_up = field["warmUp"];
  if (!warm_up.is_set()) return readiness;
  WarmUpCondition condition{.query = read.words(warm_up["query"])};
  if (condition.query.empty()) read.wrong(warm_up["query"], "must be a PromQL query");
  Range& range = condition.range;
  if (warm_up["atLeast"].is_set()) range.at_least = read.number(warm_up["atLeast"], 0);
  if (warm_up["atMost"].is_set()) range.at_most = read.number(warm_up["atMost"], 0);
  if (range.is_unbounded()) read.wrong(warm_up, "needs atLeast or atMost");
  if (range.at_least && range.at_most && *range.at_least > *range.at_most) {
    read.wrong(warm_up["atLeast"], "must not be greater than atMost: no pod could ever be warm");
  }
  if (!readiness.gate) read.wrong(warm_up, "needs spec.readiness.gate to be true");
  readiness.warm_up = std::move(condition);
  return readiness;
}

RolloutSpec decode_rollout(SpecReader& read, const Field& field) {
  RolloutSpec rollout;
  rollout.max_surge = read.int_or_percent(field["maxSurge"], rollout.max_surge, 9999);
  rollout.max_unavailable =
      read.int_or_percent(field["maxUnavailable"], rollout.max_unavailable, 100);
  if (rollout.max_surge.value == 0 && rollout.max_unavailable.value == 0) {
    read.wrong(field["maxSurge"],
               "must not be 0 when maxUnavailable is 0: nothing could ever be replaced");
  }
  rollout.min_ready_seconds = read.whole(field["minReadySeconds"], 0, 0, 3600);
  rollout.progress_deadline_seconds = read.whole(field["progressDeadlineSeconds"], 600, 1, 86'400);
  if (rollout.progress_deadline_seconds <= rollout.min_ready_seconds) {
    read.wrong(field["progressDeadlineSeconds"],
               fmt::format("must be greater than minReadySeconds ({})", rollout.min_ready_seconds));
  }
  return rollout;
}

std::optional<Burst> decode_burst(SpecReader& read, const Field& field) {
  if (!field.is_set()) return std::nullopt;
  return Burst{.threshold_percent = read.whole(field["thresholdPercent"], 200, 110, 1000),
               .window_seconds = read.whole(field["windowSeconds"], 60, 6, 3600)};
}

std::optional<Prediction> decode_prediction(SpecReader& read, const Field& field) {
  if (!field.is_set()) return std::nullopt;
  return Prediction{.history_days = read.whole(field["historyDays"], 15, 1, 30),
                    .max_error_percent = read.whole(field["maxErrorPercent"], 50, 1, 200)};
}

// What a cron expression and a time zone mean is for those to say who use them; here only what can
// be none is refused.
bool has_form_of_cron(const std::string& text) {
  int fields = 0;
  char last = ' ';
  for (const char letter : text) {
    const bool is_of_field = std::isalnum(static_cast<unsigned char>(letter)) ||
                             std::string_view{"*,/-"}.find(letter) != std::string_view::npos;
    if (!is_of_field && letter != ' ') return false;
    fields += is_of_field && last == ' ';
    last = letter;
  }
  return fields == 5 && text.front() != ' ' && last != ' ' && text.size() <= 128;
}

bool has_form_of_time_zone(const std::string& text) {
  const auto is_of_name = [](char letter) {
    return std::isalnum(static_cast<unsigned char>(letter)) ||
           std::string_view{"_+-/"}.find(letter) != std::string_view::npos;
  };
  return !text.empty() && text.size() <= 64 && text.back() != '/' &&
         std::isalpha(static_cast<unsigned char>(text.front())) &&
         std::ranges::all_of(text, is_of_name) && text.find("//") == std::string::npos;
}

Schedule decode_schedule(SpecReader& read, const Field& field) {
  Schedule schedule{.name = read.words(field["name"]), .cron = read.words(field["cron"])};
  if (schedule.name.empty() || schedule.name.size() > 63) {
    read.wrong(field["name"], "must have 1 to 63 characters");
  }
  if (!has_form_of_cron(schedule.cron)) {
    read.wrong(field["cron"],
               "must have five fields (minute, hour, day of month, month, day of week), such as "
               "30 11 * * 1-5");
  }
  if (field["timeZone"].is_set()) {
    schedule.time_zone = read.words(field["timeZone"]);
    if (!has_form_of_time_zone(schedule.time_zone)) {
      read.wrong(field["timeZone"], "must be the name of a time zone, such as UTC or Europe/Berlin");
    }
  }
  schedule.duration_seconds = read.whole(field["durationSeconds"], std::nullopt, 60, 604'800);
  const Field replicas = field["replicas"];
  if (replicas["min"].is_set()) {
    schedule.min_replicas = read.whole(replicas["min"], std::nullopt, 1, kMostReplicas);
  }
  if (replicas["max"].is_set()) {
    schedule.max_replicas = read.whole(replicas["max"], std::nullopt, 1, kMostReplicas);
  }
  if (!schedule.min_replicas && !schedule.max_replicas) read.wrong(replicas, "needs min or max");
  if (schedule.min_replicas && replicas["max"].value == schedule.max_replicas.value_or(0) &&
      *schedule.min_replicas > *schedule.max_replicas) {
    read.wrong(replicas["min"],
               fmt::format("must not be greater than max ({})", *schedule.max_replicas));
  }
  return schedule;
}

// Without pods there is no latency, no CPU and no value of a whole to divide.
bool is_measurable_without_pods(const MetricSpec& metric) {
  return metric.type == MetricType::kQueueLength ||
         (metric.type == MetricType::kPrometheus &&
          metric.target_type == TargetType::kAverageValue);
}

Outliers decode_outliers(SpecReader& read, const Field& field) {
  return {.action = *read.choice<OutlierAction>(
              field["action"], OutlierAction::kReport,
              {{"Report", OutlierAction::kReport}, {"Eject", OutlierAction::kEject}}),
          .max_ejected_percent = read.whole(field["maxEjectedPercent"], 20, 1, 50)};
}

// What the API server would refuse in a ReplicaSet, and what the operator itself sets.
void check_template(SpecReader& read, const Field& field) {
  const Field metadata = field["metadata"];
  if (metadata.is_set() && !metadata.value.is_object()) {
    read.wrong(metadata, "must be an object with labels and annotations");
  }
  for (const char* label : {kAppLabel, kRevisionLabel}) {
    if (metadata["labels"][label].is_set()) {
      read.wrong(metadata["labels"], fmt::format("must not have {}: the operator sets it", label));
    }
  }
  const Field restart_policy = field["spec"]["restartPolicy"];
  if (restart_policy.is_set() && restart_policy.value != "Always") {
    read.wrong(restart_policy, "must be Always");
  }
  const Field containers = field["spec"]["containers"];
  if (!containers.value.is_array() || containers.value.empty()) {
    read.wrong(containers, "must name at least one container");
    return;
  }
  std::set<std::string> names;
  for (const Field& container : read.list(containers)) {
    const std::string name = read.words(container["name"]);
    if (name.empty()) {
      read.wrong(container["name"], "must be set");
    } else if (!names.insert(name).second) {
      read.wrong(container["name"], fmt::format("\"{}\" is used twice; names must differ", name));
    }
  }
}

// A member that is null says the same as none, and tools write either: no reason for a new
// revision.
json without_nulls(const json& value) {
  json result = value;
  if (value.is_array()) std::ranges::transform(value, result.begin(), without_nulls);
  if (!value.is_object()) return result;
  result.clear();
  for (const auto& [name, member] : value.items()) {
    if (!member.is_null()) result[name] = without_nulls(member);
  }
  return result;
}

ScalableAppSpec decode_spec(const json& object, std::vector<std::string>& problems) {
  SpecReader read(problems);
  const Field field{object, "spec"};
  ScalableAppSpec spec;
  const bool is_range = decode_replicas(read, field["replicas"], spec);

  std::set<std::string> names;
  for (const Field& metric : read.list(field["metrics"])) {
    spec.metrics.push_back(decode_metric(read, metric));
    const std::string& name = spec.metrics.back().name;
    if (!name.empty() && !names.insert(name).second) {
      read.wrong(metric["name"], fmt::format("\"{}\" is used twice; names must differ", name));
    }
    if (const auto& fallback = spec.metrics.back().fallback; fallback && is_range) {
      check_within_replicas(read, metric["fallback"]["replicas"], fallback->replicas, spec);
    }
  }

  const Field behavior = field["behavior"];
  spec.behavior.scale_up =
      decode_rules(read, behavior["scaleUp"],
                   {.stabilization_window_seconds = 0,
                    .policies = {{PolicyType::kPercent, 100, 15}, {PolicyType::kPods, 4, 15}}});
  spec.behavior.scale_down = decode_rules(
      read, behavior["scaleDown"],
      {.stabilization_window_seconds = 300, .policies = {{PolicyType::kPercent, 100, 15}}});
  spec.burst = decode_burst(read, field["burst"]);
  spec.prediction = decode_prediction(read, field["prediction"]);
  if (spec.prediction && spec.metrics.empty()) {
    read.wrong(field["prediction"], "needs at least one metric in spec.metrics");
  }
  names.clear();
  for (const Field& schedule : read.list(field["schedules"])) {
    spec.schedules.push_back(decode_schedule(read, schedule));
    const std::string& name = spec.schedules.back().name;
    if (!name.empty() && !names.insert(name).second) {
      read.wrong(schedule["name"], fmt::format("\"{}\" is used twice; names must differ", name));
    }
    if (is_range && spec.schedules.back().min_replicas.value_or(0) > spec.max_replicas) {
      read.wrong(schedule["replicas"]["min"],
                 fmt::format("must not be greater than spec.replicas.max ({})", spec.max_replicas));
    }
  }

  spec.idle_seconds = read.whole(field["scaleToZero"]["idleSeconds"], 300, 0, 86'400);
  if (field["replicas"]["min"].value == 0 &&
      (spec.metrics.empty() || !std::ranges::all_of(spec.metrics, is_measurable_without_pods))) {
    read.wrong(field["replicas"]["min"],
               "may be 0 only if there are metrics and each is a QueueLength or a Prometheus with "
               "target.type AverageValue: no other can be measured without pods");
  }
  spec.drain_seconds = read.whole(field["scaleDown"]["drainSeconds"], 5, 0, 600);
  spec.readiness = decode_readiness(read, field["readiness"]);
  spec.outliers = decode_outliers(read, field["outliers"]);
  if (spec.outliers.action == OutlierAction::kEject && !spec.readiness.gate) {
    read.wrong(field["outliers"]["action"], "Eject needs spec.readiness.gate to be true");
  }
  spec.rollout = decode_rollout(read, field["rollout"]);
  spec.interval_seconds = read.whole(field["intervalSeconds"], 2, 1, 60);
  spec.revision_history_limit = read.whole(field["revisionHistoryLimit"], 10, 0, 1000);
  spec.paused = read.flag(field["paused"], false);
  spec.dry_run = read.flag(field["dryRun"], false);

  check_template(read, field["template"]);
  spec.template_json = without_nulls(child(object, "template")).dump();
  spec.cpu_request_cores = cpu_request_cores(child(child(object, "template"), "spec"));
  return spec;
}

}  // namespace

Result<ScalableApp> decode_scalable_app(const json& object) {
  auto meta = decode_meta(object);
  if (!meta) return tl::unexpected(meta.error());
  ScalableApp app;
  app.metadata = std::move(*meta);
  std::erase_if(app.metadata.annotations, [](const auto& annotation) {
    return !annotation.first.starts_with("scalableapp.io/") && annotation.first != kChangeCauseAnnotation;
  });
  app.spec = decode_spec(child(object, "spec"), app.problems);
  app.status = decode_status(child(object, "status"));
  return app;
}

}  // namespace scalableapp::api
