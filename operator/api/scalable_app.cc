#include "operator/api/scalable_app.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <set>

#include "operator/api/json_fields.h"
#include "operator/api/revision.h"
#include "operator/api/spec_parts.h"

namespace scalableapp::api {
namespace {

using nlohmann::json;

// Whether min and max are a range that other fields can be measured by.
bool decode_replicas(SpecReader& read, const Field& field, ScalableAppSpec& spec) {
  spec.min_replicas = read.whole(field["min"], 1, 0, kMostReplicas);
  spec.max_replicas = read.whole(field["max"], std::nullopt, 1, kMostReplicas);
  if (field["override"].is_set()) {
    // 0 is "not set": the scale subresource cannot be read without a number in the field.
    const int held = read.whole(field["override"], 0, 0, kMostReplicas);
    if (held != 0) spec.override_replicas = held;
  }
  spec.override_until = read.time(field["overrideUntil"]);
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

// `field` was read as `replicas`, unless something was wrong with it and has been told.
void check_within_replicas(SpecReader& read, const Field& field, int replicas,
                           const ScalableAppSpec& spec) {
  if (field.value != replicas) return;
  if (replicas >= spec.min_replicas && replicas <= spec.max_replicas) return;
  read.wrong(field, fmt::format("must be from spec.replicas.min ({}) to spec.replicas.max ({})",
                                spec.min_replicas, spec.max_replicas));
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

std::optional<Burst> decode_burst(SpecReader& read, const Field& field) {
  if (!field.is_set()) return std::nullopt;
  return Burst{.threshold_percent = read.whole(field["thresholdPercent"], 200, 110, 1000),
               .window_seconds = read.whole(field["windowSeconds"], 60, 6, 3600)};
}

std::optional<Brownout> decode_brownout(SpecReader& read, const Field& field) {
  if (!field.is_set()) return std::nullopt;
  return Brownout{.max_level = read.whole(field["maxLevel"], 2, 1, 9),
                  .raise_seconds = read.whole(field["raiseSeconds"], 10, 1, 3600),
                  .lower_seconds = read.whole(field["lowerSeconds"], 30, 1, 3600)};
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
  spec.brownout = decode_brownout(read, field["brownout"]);
  if (spec.brownout && spec.metrics.empty()) {
    read.wrong(field["brownout"], "needs at least one metric in spec.metrics");
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
  spec.disruption_budget = *read.choice<DisruptionBudget>(
      field["disruptionBudget"], DisruptionBudget::kManaged,
      {{"Managed", DisruptionBudget::kManaged}, {"None", DisruptionBudget::kNone}});
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
