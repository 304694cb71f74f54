#include "operator/api/scalable_app.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "operator/api/json_fields.h"
#include "operator/api/revision.h"
#include "operator/base/quantity.h"

namespace scalableapp::api {
namespace {

using nlohmann::json;

// As many as a ReplicaSet of a large cluster could hold; keeps sums within an int.
constexpr int kMostReplicas = 100'000;

// A place in the spec: its value, null if absent, and its name in messages.
struct Field {
  const json& value;
  std::string path;
  Field operator[](const char* name) const { return {child(value, name), path + "." + name}; }
  bool is_set() const { return !value.is_null(); }
};

template <typename T>
using Choices = std::initializer_list<std::pair<const char*, T>>;

// Reads fields with their defaults. What is wrong becomes a problem and the default, so that one
// mistake is told once and hides no other.
class SpecReader {
 public:
  explicit SpecReader(std::vector<std::string>& problems) : problems_(problems) {}

  void wrong(const Field& field, std::string_view should) {
    problems_.push_back(fmt::format("{}: {}", field.path, should));
  }

  // No fallback: the field is required.
  int whole(const Field& field, std::optional<int> fallback, int low, int high) {
    const json& value = field.value;
    if (value.is_null() && fallback) return *fallback;
    if (value.is_number_integer() && value >= low && value <= high) return value.get<int>();
    wrong(field, fmt::format("must be a whole number from {} to {}", low, high));
    return fallback.value_or(low);
  }

  double number(const Field& field, double fallback) {
    if (field.value.is_number()) return field.value.get<double>();
    if (field.is_set()) wrong(field, "must be a number");
    return fallback;
  }

  bool flag(const Field& field, bool fallback) {
    if (field.value.is_boolean()) return field.value.get<bool>();
    if (field.is_set()) wrong(field, "must be true or false");
    return fallback;
  }

  std::string words(const Field& field) {
    if (field.value.is_string()) return field.value.get<std::string>();
    if (field.is_set()) wrong(field, "must be text");
    return {};
  }

  // No fallback: the field is required, and nullopt where it is wrong.
  template <typename T>
  std::optional<T> choice(const Field& field, std::optional<T> fallback, Choices<T> choices) {
    if (!field.is_set() && fallback) return fallback;
    std::vector<std::string> names;
    for (const auto& [name, value] : choices) {
      if (field.value == name) return value;
      names.push_back(name);
    }
    const std::string last = std::move(names.back());
    names.pop_back();
    wrong(field, fmt::format("must be {} or {}", fmt::join(names, ", "), last));
    return fallback;
  }

  // The elements; none where the field is something else than a list.
  std::vector<Field> list(const Field& field) {
    std::vector<Field> elements;
    if (field.is_set() && !field.value.is_array()) {
      wrong(field, "must be a list");
      return elements;
    }
    for (const json& element : field.value) {
      elements.push_back({element, fmt::format("{}[{}]", field.path, elements.size())});
    }
    return elements;
  }

  // A positive number, given as a number or as a quantity's text.
  double positive(const Field& field) {
    double number = 0;
    if (field.value.is_number()) {
      number = field.value.get<double>();
    } else if (field.value.is_string()) {
      number = parse_quantity(field.value.get_ref<const std::string&>()).value_or(0);
    }
    if (!(number > 0)) wrong(field, "must be a quantity over 0 such as 100, \"0.5\" or \"500m\"");
    return number;
  }

  IntOrPercent int_or_percent(const Field& field, IntOrPercent fallback, int max_percent) {
    const json& value = field.value;
    if (value.is_null()) return fallback;
    if (value.is_number_integer() && value >= 0 && value <= 100'000) {
      return {value.get<int>(), false};
    }
    if (value.is_string()) {
      const auto& written = value.get_ref<const std::string&>();
      if (written.size() > 1 && written.size() < 6 && written.back() == '%' &&
          written.find_first_not_of("0123456789") == written.size() - 1) {
        const int percent = std::stoi(written);
        if (percent <= max_percent) return {percent, true};
      }
    }
    wrong(field, fmt::format("must be a whole number or a percentage from \"0%\" to \"{}%\"",
                             max_percent));
    return fallback;
  }

 private:
  std::vector<std::string>& problems_;
};

void decode_replicas(SpecReader& read, const Field& field, ScalableAppSpec& spec) {
  spec.min_replicas = read.whole(field["min"], 1, 1, kMostReplicas);
  spec.max_replicas = read.whole(field["max"], std::nullopt, 1, kMostReplicas);
  if (field["override"].is_set()) {
    // 0 is "not set": the scale subresource cannot be read without a number in the field.
    const int held = read.whole(field["override"], 0, 0, kMostReplicas);
    if (held != 0) spec.override_replicas = held;
  }
  if (!field["max"].value.is_number_integer()) return;
  if (spec.max_replicas < spec.min_replicas) {
    read.wrong(field["max"],
               fmt::format("must be at least spec.replicas.min ({})", spec.min_replicas));
  } else if (spec.override_replicas && (*spec.override_replicas < spec.min_replicas ||
                                        *spec.override_replicas > spec.max_replicas)) {
    read.wrong(field["override"],
               fmt::format("must be from spec.replicas.min ({}) to spec.replicas.max ({})",
                           spec.min_replicas, spec.max_replicas));
  }
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
      break;
    }
    case MetricType::kCpu:
      spec.target = read.whole(block["targetUtilization"], std::nullopt, 1, 1000) / 100.0;
      break;
    case MetricType::kQueueLength:
      spec.target_type = TargetType::kAverageValue;
      spec.target = read.positive(block["targetPerReplica"]);
      spec.queue = read.words(block["queue"]);
      break;
    case MetricType::kPrometheus:
      if (spec.query.empty()) read.wrong(block["query"], "must be a PromQL query");
      spec.target_type = *read.choice<TargetType>(
          block["target"]["type"], TargetType::kAverageValue,
          {{"Value", TargetType::kValue}, {"AverageValue", TargetType::kAverageValue}});
      spec.target = read.positive(block["target"]["value"]);
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
  if (warm_up["atLeast"].is_set()) condition.at_least = read.number(warm_up["atLeast"], 0);
  if (warm_up["atMost"].is_set()) condition.at_most = read.number(warm_up["atMost"], 0);
  if (!condition.at_least && !condition.at_most) read.wrong(warm_up, "needs atLeast or atMost");
  if (condition.at_least && condition.at_most && *condition.at_least > *condition.at_most) {
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
  decode_replicas(read, field["replicas"], spec);

  std::set<std::string> names;
  for (const Field& metric : read.list(field["metrics"])) {
    spec.metrics.push_back(decode_metric(read, metric));
    const std::string& name = spec.metrics.back().name;
    if (!name.empty() && !names.insert(name).second) {
      read.wrong(metric["name"], fmt::format("\"{}\" is used twice; names must differ", name));
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
  spec.readiness = decode_readiness(read, field["readiness"]);
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

const char* status_text(ConditionStatus status) {
  return status == ConditionStatus::kTrue    ? "True"
         : status == ConditionStatus::kFalse ? "False"
                                             : "Unknown";
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
    if (child(metric, "proposedReplicas").is_number())
      value.proposed_replicas = static_cast<int>(integer(metric, "proposedReplicas"));
    if (child(metric, "ageSeconds").is_number())
      value.age_seconds = static_cast<int>(integer(metric, "ageSeconds"));
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
    status.conditions.push_back(
        {.type = text(condition, "type"),
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
    status.history.recommendations.push_back(
        {.replicas = static_cast<int>(integer(run, "replicas")),
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
  std::erase_if(app.metadata.annotations, [](const auto& annotation) {
    return !annotation.first.starts_with("scalableapp.io/") && annotation.first != kChangeCauseAnnotation;
  });
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
    object["lastDecision"] = {{"from", last.from},     {"to", last.to},
                              {"reason", last.reason}, {"message", last.message},
                              {"clamps", last.clamps}, {"time", format_rfc3339_micro(last.time)}};
  }
  if (status.last_scale_time) object["lastScaleTime"] = format_rfc3339_micro(*status.last_scale_time);
  for (const Condition& condition : status.conditions) {
    object["conditions"].push_back(
        {{"type", condition.type},
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
    object["history"]["scaleEvents"].push_back(
        {{"change", event.change}, {"time", format_rfc3339_micro(event.time)}});
  }
  // Messages quote the world, and bytes that are not UTF-8 must not cost the whole status.
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace scalableapp::api
