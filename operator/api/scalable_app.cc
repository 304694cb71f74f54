#include "operator/api/scalable_app.h"

#include <cmath>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "operator/api/json_fields.h"
#include "operator/base/quantity.h"

namespace scalableapp::api {
namespace {

using nlohmann::json;

// --- spec -------------------------------------------------------------------------------------------

class SpecReader {
 public:
  explicit SpecReader(std::vector<std::string>& problems) : problems_(problems) {}

  void wrong(const std::string& field, const std::string& should) { problems_.push_back(field + ": " + should); }

  int whole(const json& object, const char* name, const std::string& path, int fallback, int low, int high) {
    const json& value = child(object, name);
    if (value.is_null()) return fallback;
    if (!value.is_number_integer() || value.get<std::int64_t>() < low || value.get<std::int64_t>() > high) {
      wrong(path + "." + name, fmt::format("must be a whole number from {} to {}", low, high));
      return fallback;
    }
    return value.get<int>();
  }

  // A positive number given as a number or as a quantity's text.
  double positive(const json& value, const std::string& path) {
    double number = 0;
    if (value.is_number()) {
      number = value.get<double>();
    } else if (value.is_string()) {
      number = parse_quantity(value.get_ref<const std::string&>()).value_or(0);
    }
    if (!(number > 0)) wrong(path, "must be a quantity over 0 such as 100, \"0.5\" or \"500m\"");
    return number;
  }

  MetricSpec metric(const json& object, const std::string& path) {
    MetricSpec spec;
    spec.name = text(object, "name");
    if (spec.name.empty()) wrong(path + ".name", "must be set");
    const std::string type = text(object, "type");
    const json* block = nullptr;
    std::string block_path;
    const auto take = [&](MetricType metric_type, const char* name) {
      spec.type = metric_type;
      block = &child(object, name);
      block_path = path + "." + name;
      if (!block->is_object()) wrong(block_path, fmt::format("must be set for type {}", type));
    };
    if (type == "Latency") {
      take(MetricType::kLatency, "latency");
      spec.quantile = number(*block, "quantile", 0.99);
      if (!(spec.quantile > 0 && spec.quantile < 1)) wrong(block_path + ".quantile", "must be over 0 and under 1");
      const auto target = parse_duration(text(*block, "target"));
      spec.target = target ? static_cast<double>(target->count()) / 1000.0 : 0;
      if (!(spec.target > 0)) wrong(block_path + ".target", "must be a duration over 0 such as 200ms");
    } else if (type == "CPU") {
      take(MetricType::kCpu, "cpu");
      spec.target = whole(*block, "targetUtilization", block_path, 0, 1, 1000) / 100.0;
      if (!(spec.target > 0)) wrong(block_path + ".targetUtilization", "must be a percentage over 0 such as 60");
    } else if (type == "QueueLength") {
      take(MetricType::kQueueLength, "queueLength");
      spec.target_type = TargetType::kAverageValue;
      spec.target = positive(child(*block, "targetPerReplica"), block_path + ".targetPerReplica");
      spec.queue = text(*block, "queue");
    } else if (type == "Prometheus") {
      take(MetricType::kPrometheus, "prometheus");
      const json& target = child(*block, "target");
      const std::string target_type = text(target, "type", "AverageValue");
      if (target_type != "Value" && target_type != "AverageValue") {
        wrong(block_path + ".target.type", "must be Value or AverageValue");
      }
      spec.target_type = target_type == "Value" ? TargetType::kValue : TargetType::kAverageValue;
      spec.target = positive(child(target, "value"), block_path + ".target.value");
      if (text(*block, "query").empty()) wrong(block_path + ".query", "must be a PromQL query");
    } else {
      wrong(path + ".type", "must be Latency, CPU, QueueLength or Prometheus");
      return spec;
    }
    spec.query = text(*block, "query");
    spec.window_seconds = whole(*block, "windowSeconds", block_path, 10, 2, 3600);
    return spec;
  }

  ScalingRules rules(const json& object, const std::string& path, ScalingRules defaults) {
    ScalingRules rules = std::move(defaults);
    rules.stabilization_window_seconds =
        whole(object, "stabilizationWindowSeconds", path, rules.stabilization_window_seconds, 0, 3600);
    rules.tolerance = number(object, "tolerance", rules.tolerance);
    if (!(rules.tolerance >= 0 && rules.tolerance < 1)) wrong(path + ".tolerance", "must be from 0 to under 1, such as 0.1");
    const std::string select = text(object, "selectPolicy", "Max");
    if (select != "Max" && select != "Min" && select != "Disabled") {
      wrong(path + ".selectPolicy", "must be Max, Min or Disabled");
    }
    rules.select_policy = select == "Min"        ? SelectPolicy::kMin
                          : select == "Disabled" ? SelectPolicy::kDisabled
                                                 : SelectPolicy::kMax;
    const json& policies = child(object, "policies");
    if (policies.is_array() && !policies.empty()) {
      rules.policies.clear();
      for (std::size_t i = 0; i < policies.size(); ++i) {
        const std::string at = fmt::format("{}.policies[{}]", path, i);
        const std::string type = text(policies[i], "type");
        if (type != "Pods" && type != "Percent") wrong(at + ".type", "must be Pods or Percent");
        rules.policies.push_back({.type = type == "Percent" ? PolicyType::kPercent : PolicyType::kPods,
                                  .value = whole(policies[i], "value", at, 1, 1, 1'000'000),
                                  .period_seconds = whole(policies[i], "periodSeconds", at, 15, 1, 1800)});
      }
    }
    return rules;
  }

  IntOrPercent int_or_percent(const json& value, const std::string& path, IntOrPercent fallback) {
    if (value.is_null()) return fallback;
    if (value.is_number_integer() && value.get<std::int64_t>() >= 0 && value.get<std::int64_t>() <= 1'000'000) {
      return {value.get<int>(), false};
    }
    if (value.is_string()) {
      const auto& written = value.get_ref<const std::string&>();
      if (written.size() > 1 && written.size() < 6 && written.back() == '%' &&
          written.find_first_not_of("0123456789") == written.size() - 1) {
        return {std::stoi(written), true};
      }
    }
    wrong(path, "must be a whole number or a percentage such as \"25%\"");
    return fallback;
  }

 private:
  std::vector<std::string>& problems_;
};

ScalableAppSpec decode_spec(const json& object, std::vector<std::string>& problems) {
  SpecReader read(problems);
  ScalableAppSpec spec;
  const json& replicas = child(object, "replicas");
  spec.min_replicas = read.whole(replicas, "min", "spec.replicas", 1, 1, 100'000);
  spec.max_replicas = read.whole(replicas, "max", "spec.replicas", 0, 1, 100'000);
  if (spec.max_replicas == 0) read.wrong("spec.replicas.max", "must be set");
  if (spec.max_replicas < spec.min_replicas) {
    read.wrong("spec.replicas.max", fmt::format("must be at least spec.replicas.min ({})", spec.min_replicas));
  }
  if (!child(replicas, "override").is_null()) {
    spec.override_replicas = read.whole(replicas, "override", "spec.replicas", spec.min_replicas, 0, 100'000);
  }

  const json& metrics = child(object, "metrics");
  std::set<std::string> names;
  for (std::size_t i = 0; metrics.is_array() && i < metrics.size(); ++i) {
    const std::string path = fmt::format("spec.metrics[{}]", i);
    spec.metrics.push_back(read.metric(metrics[i], path));
    if (!names.insert(spec.metrics.back().name).second) {
      read.wrong(path + ".name", fmt::format("\"{}\" is used twice; names must differ", spec.metrics.back().name));
    }
  }

  const json& behavior = child(object, "behavior");
  spec.behavior.scale_up = read.rules(
      child(behavior, "scaleUp"), "spec.behavior.scaleUp",
      {.stabilization_window_seconds = 0, .policies = {{PolicyType::kPercent, 100, 15}, {PolicyType::kPods, 4, 15}}});
  spec.behavior.scale_down =
      read.rules(child(behavior, "scaleDown"), "spec.behavior.scaleDown",
                 {.stabilization_window_seconds = 300, .policies = {{PolicyType::kPercent, 100, 15}}});

  const json& readiness = child(object, "readiness");
  spec.readiness.gate = boolean(readiness, "gate", true);
  spec.readiness.min_warm_seconds = read.whole(readiness, "minWarmSeconds", "spec.readiness", 0, 0, 3600);
  if (const json& warm_up = child(readiness, "warmUp"); warm_up.is_object()) {
    WarmUpCondition condition{.query = text(warm_up, "query")};
    if (condition.query.empty()) read.wrong("spec.readiness.warmUp.query", "must be a PromQL query");
    if (child(warm_up, "atLeast").is_number()) condition.at_least = number(warm_up, "atLeast");
    if (child(warm_up, "atMost").is_number()) condition.at_most = number(warm_up, "atMost");
    if (!condition.at_least && !condition.at_most) read.wrong("spec.readiness.warmUp", "needs atLeast or atMost");
    spec.readiness.warm_up = condition;
  }

  const json& rollout = child(object, "rollout");
  spec.rollout.max_surge = read.int_or_percent(child(rollout, "maxSurge"), "spec.rollout.maxSurge", {25, true});
  spec.rollout.max_unavailable =
      read.int_or_percent(child(rollout, "maxUnavailable"), "spec.rollout.maxUnavailable", {25, true});
  if (spec.rollout.max_surge.value == 0 && spec.rollout.max_unavailable.value == 0) {
    read.wrong("spec.rollout.maxSurge", "must not be 0 when maxUnavailable is 0: nothing could ever be replaced");
  }
  spec.rollout.min_ready_seconds = read.whole(rollout, "minReadySeconds", "spec.rollout", 0, 0, 3600);
  spec.rollout.progress_deadline_seconds =
      read.whole(rollout, "progressDeadlineSeconds", "spec.rollout", 600, 1, 86'400);

  spec.interval_seconds = read.whole(object, "intervalSeconds", "spec", 2, 1, 60);
  spec.revision_history_limit = read.whole(object, "revisionHistoryLimit", "spec", 10, 0, 1000);
  spec.paused = boolean(object, "paused");
  spec.dry_run = boolean(object, "dryRun");

  const json& pod_template = child(object, "template");
  const json& pod_spec = child(pod_template, "spec");
  if (!child(pod_spec, "containers").is_array() || child(pod_spec, "containers").empty()) {
    read.wrong("spec.template.spec.containers", "must name at least one container");
  }
  spec.template_json = pod_template.dump();
  spec.cpu_request_cores = cpu_request_cores(pod_spec);
  return spec;
}

// --- status -----------------------------------------------------------------------------------------

const char* status_text(ConditionStatus status) {
  return status == ConditionStatus::kTrue ? "True" : status == ConditionStatus::kFalse ? "False" : "Unknown";
}

ScalableAppStatus decode_status(const json& object) {
  const auto count = [&](const char* name) { return static_cast<int>(integer(object, name)); };
  ScalableAppStatus status{.observed_generation = integer(object, "observedGeneration"),
                           .selector = text(object, "selector"),
                           .replicas = count("replicas"),
                           .desired_replicas = count("desiredReplicas"),
                           .ready_replicas = count("readyReplicas"),
                           .warming_replicas = count("warmingReplicas"),
                           .available_replicas = count("availableReplicas"),
                           .updated_replicas = count("updatedReplicas"),
                           .terminating_replicas = count("terminatingReplicas"),
                           .current_revision = text(object, "currentRevision"),
                           .updated_revision = text(object, "updatedRevision"),
                           .collision_count = count("collisionCount")};
  for (const json& metric : child(object, "metrics")) {
    MetricStatus value{.name = text(metric, "name"),
                       .type = text(metric, "type"),
                       .current = text(metric, "current"),
                       .target = text(metric, "target"),
                       .missing = text(metric, "missing")};
    if (child(metric, "proposedReplicas").is_number()) value.proposed_replicas = static_cast<int>(integer(metric, "proposedReplicas"));
    if (child(metric, "ageSeconds").is_number()) value.age_seconds = static_cast<int>(integer(metric, "ageSeconds"));
    status.metrics.push_back(std::move(value));
  }
  if (const json& last = child(object, "lastDecision"); last.is_object()) {
    LastDecision decision{.from = static_cast<int>(integer(last, "from")),
                          .to = static_cast<int>(integer(last, "to")),
                          .reason = text(last, "reason"),
                          .message = text(last, "message"),
                          .time = time(last, "time").value_or(WallTime{})};
    for (const json& clamp : child(last, "clamps")) {
      if (clamp.is_string()) decision.clamps.push_back(clamp.get<std::string>());
    }
    status.last_decision = std::move(decision);
  }
  status.last_scale_time = time(object, "lastScaleTime");
  for (const json& condition : child(object, "conditions")) {
    const std::string value = text(condition, "status");
    status.conditions.push_back({.type = text(condition, "type"),
                                 .status = value == "True"    ? ConditionStatus::kTrue
                                           : value == "False" ? ConditionStatus::kFalse
                                                              : ConditionStatus::kUnknown,
                                 .observed_generation = integer(condition, "observedGeneration"),
                                 .last_transition_time = time(condition, "lastTransitionTime").value_or(WallTime{}),
                                 .reason = text(condition, "reason"),
                                 .message = text(condition, "message")});
  }
  const json& history = child(object, "history");
  for (const json& run : child(history, "recommendations")) {
    status.history.recommendations.push_back({.replicas = static_cast<int>(integer(run, "replicas")),
                                              .from = time(run, "from").value_or(WallTime{}),
                                              .until = time(run, "until").value_or(WallTime{})});
  }
  for (const json& event : child(history, "scaleEvents")) {
    status.history.scale_events.push_back({.change = static_cast<int>(integer(event, "change")),
                                           .time = time(event, "time").value_or(WallTime{})});
  }
  return status;
}

}  // namespace

Result<ScalableApp> decode_scalable_app(const json& object) {
  auto meta = decode_meta(object);
  if (!meta) return tl::unexpected(meta.error());
  ScalableApp app;
  app.metadata = std::move(*meta);
  std::erase_if(app.metadata.annotations, [](const auto& annotation) { return !annotation.first.starts_with("scalableapp.io/"); });
  app.spec = decode_spec(child(object, "spec"), app.problems);
  app.status = decode_status(child(object, "status"));
  return app;
}

std::string encode_status(const ScalableAppStatus& status) {
  json object{{"observedGeneration", status.observed_generation},
              {"selector", status.selector},
              {"replicas", status.replicas},
              {"desiredReplicas", status.desired_replicas},
              {"readyReplicas", status.ready_replicas},
              {"warmingReplicas", status.warming_replicas},
              {"availableReplicas", status.available_replicas},
              {"updatedReplicas", status.updated_replicas},
              {"terminatingReplicas", status.terminating_replicas},
              {"currentRevision", status.current_revision},
              {"updatedRevision", status.updated_revision},
              {"collisionCount", status.collision_count}};
  for (const MetricStatus& metric : status.metrics) {
    json entry{{"name", metric.name}, {"type", metric.type}, {"target", metric.target}};
    if (!metric.current.empty()) entry["current"] = metric.current;
    if (metric.proposed_replicas) entry["proposedReplicas"] = *metric.proposed_replicas;
    if (metric.age_seconds) entry["ageSeconds"] = *metric.age_seconds;
    if (!metric.missing.empty()) entry["missing"] = metric.missing;
    object["metrics"].push_back(std::move(entry));
  }
  if (status.last_decision) {
    const LastDecision& last = *status.last_decision;
    object["lastDecision"] = {{"from", last.from},       {"to", last.to},
                              {"reason", last.reason},   {"message", last.message},
                              {"clamps", last.clamps},   {"time", format_rfc3339_micro(last.time)}};
  }
  if (status.last_scale_time) object["lastScaleTime"] = format_rfc3339(*status.last_scale_time);
  for (const Condition& condition : status.conditions) {
    object["conditions"].push_back({{"type", condition.type},
                                    {"status", status_text(condition.status)},
                                    {"observedGeneration", condition.observed_generation},
                                    {"lastTransitionTime", format_rfc3339(condition.last_transition_time)},
                                    {"reason", condition.reason},
                                    {"message", condition.message}});
  }
  for (const RecommendationRun& run : status.history.recommendations) {
    object["history"]["recommendations"].push_back({{"replicas", run.replicas},
                                                    {"from", format_rfc3339_micro(run.from)},
                                                    {"until", format_rfc3339_micro(run.until)}});
  }
  for (const ScaleEvent& event : status.history.scale_events) {
    object["history"]["scaleEvents"].push_back({{"change", event.change}, {"time", format_rfc3339_micro(event.time)}});
  }
  return object.dump();
}

}  // namespace scalableapp::api
