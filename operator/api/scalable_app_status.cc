#include <nlohmann/json.hpp>

#include "operator/api/json_fields.h"
#include "operator/api/rollout_status.h"
#include "operator/api/scalable_app.h"

namespace scalableapp::api {
namespace {

using nlohmann::json;

const char* status_text(ConditionStatus status) {
  return status == ConditionStatus::kTrue    ? "True"
         : status == ConditionStatus::kFalse ? "False"
                                             : "Unknown";
}

json to_json(const MetricMemory& memory) {
  json object{{"name", memory.name}};
  put(object, "missingSince", memory.missing_since);
  put(object, "fallbackEnded", memory.fallback_ended);
  put(object, "serviceSeconds", memory.service_seconds);
  put(object, "quantileSeconds", memory.quantile_seconds);
  put(object, "servers", memory.servers);
  put(object, "provenRate", memory.proven_rate);
  put(object, "learnedUntil", memory.learned_until);
  put(object, "overSince", memory.over_since);
  put(object, "serversBefore", memory.servers_before);
  put(object, "provenRateBefore", memory.proven_rate_before);
  put(object, "trialSince", memory.trial_since);
  put(object, "trialSeconds", memory.trial_seconds);
  put(object, "trialRate", memory.trial_rate);
  put(object, "trialReplicas", memory.trial_replicas);
  if (memory.not_capacity_bound) object["notCapacityBound"] = true;
  put(object, "loadPerSecond", memory.load_per_second);
  put(object, "recentLoadPerSecond", memory.recent_load_per_second);
  put(object, "jobsPerSecond", memory.jobs_per_second);
  return object;
}

MetricMemory decode_memory(const json& object) {
  return {.name = text(object, "name"),
          .missing_since = time(object, "missingSince"),
          .fallback_ended = time(object, "fallbackEnded"),
          .learned_until = time(object, "learnedUntil"),
          .service_seconds = number(object, "serviceSeconds"),
          .quantile_seconds = number(object, "quantileSeconds"),
          .servers = number(object, "servers"),
          .proven_rate = number(object, "provenRate"),
          .over_since = time(object, "overSince"),
          .servers_before = number(object, "serversBefore"),
          .proven_rate_before = number(object, "provenRateBefore"),
          .trial_since = time(object, "trialSince"),
          .trial_seconds = number(object, "trialSeconds"),
          .trial_rate = number(object, "trialRate"),
          .trial_replicas = static_cast<int>(integer(object, "trialReplicas")),
          .not_capacity_bound = boolean(object, "notCapacityBound"),
          .load_per_second = number(object, "loadPerSecond"),
          .recent_load_per_second = number(object, "recentLoadPerSecond"),
          .jobs_per_second = number(object, "jobsPerSecond")};
}

json to_json(const BrownoutMemory& memory) {
  json object = json::object();
  put(object, "level", memory.level);
  put(object, "since", memory.since);
  put(object, "reason", memory.reason);
  put(object, "why", memory.why);
  put(object, "missedSince", memory.missed_since);
  put(object, "roomSince", memory.room_since);
  put(object, "loweredAt", memory.lowered_at);
  put(object, "relapses", memory.relapses);
  return object;
}

BrownoutMemory decode_brownout_memory(const json& object) {
  return {.level = static_cast<int>(integer(object, "level")),
          .since = time(object, "since"),
          .reason = text(object, "reason"),
          .why = text(object, "why"),
          .missed_since = time(object, "missedSince"),
          .room_since = time(object, "roomSince"),
          .lowered_at = time(object, "loweredAt"),
          .relapses = static_cast<int>(integer(object, "relapses"))};
}

json to_json(const ScalingHistory& history) {
  json object = json::object();
  for (const RecommendationRun& run : history.recommendations) {
    object["recommendations"].push_back({{"replicas", run.replicas},
                                         {"from", format_rfc3339_micro(run.from)},
                                         {"until", format_rfc3339_micro(run.until)}});
  }
  for (const ScaleEvent& event : history.scale_events) {
    object["scaleEvents"].push_back(
        {{"change", event.change}, {"time", format_rfc3339_micro(event.time)}});
  }
  for (const MetricMemory& memory : history.metrics) object["metrics"].push_back(to_json(memory));
  put(object, "burstOver", history.burst_over);
  put(object, "idleSince", history.idle_since);
  put(object, "warmUpSeconds", history.warm_up_seconds);
  put(object, "warmUpSeen", history.warm_up_seen);
  put(object, "revision", history.revision);
  if (const ExpectedLoad& expected = history.expected_load; !expected.asked.empty()) {
    json& load = object["expectedLoad"] = {{"asked", expected.asked}};
    put(load, "replicas", expected.replicas);
    put(load, "needed", expected.needed);
  }
  if (json brownout = to_json(history.brownout); !brownout.empty()) object["brownout"] = std::move(brownout);
  return object;
}

ScalingHistory decode_history_object(const json& object) {
  ScalingHistory history{.burst_over = time(object, "burstOver"),
                         .idle_since = time(object, "idleSince"),
                         .warm_up_seconds = number(object, "warmUpSeconds"),
                         .warm_up_seen = time(object, "warmUpSeen"),
                         .revision = text(object, "revision"),
                         .brownout = decode_brownout_memory(child(object, "brownout"))};
  const json& expected = child(object, "expectedLoad");
  history.expected_load = {.asked = text(expected, "asked"),
                           .replicas = static_cast<int>(integer(expected, "replicas")),
                           .needed = static_cast<int>(integer(expected, "needed"))};
  for (const json& run : child(object, "recommendations")) {
    history.recommendations.push_back({.replicas = static_cast<int>(integer(run, "replicas")),
                                       .from = time(run, "from").value_or(WallTime{}),
                                       .until = time(run, "until").value_or(WallTime{})});
  }
  for (const json& event : child(object, "scaleEvents")) {
    history.scale_events.push_back({.change = static_cast<int>(integer(event, "change")),
                                    .time = time(event, "time").value_or(WallTime{})});
  }
  for (const json& memory : child(object, "metrics")) {
    history.metrics.push_back(decode_memory(memory));
  }
  return history;
}

// Names and messages quote the world, and bytes that are not UTF-8 must not cost the whole.
std::string to_text(const json& object) {
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

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
                           .degrade_level = count("degradeLevel"),
                           .degrade_level_since = time(object, "degradeLevelSince"),
                           .current_revision = text(object, "currentRevision"),
                           .updated_revision = text(object, "updatedRevision"),
                           .collision_count = count("collisionCount"),
                           .rollout = decode_rollout_status(child(object, "rollout"))};
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
  status.history = decode_history_object(child(object, "history"));
  return status;
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
              {"collisionCount", status.collision_count},
              {"rollout", rollout_status_json(status.rollout)}};
  put(object, "degradeLevel", status.degrade_level);
  put(object, "degradeLevelSince", status.degrade_level_since);
  for (const MetricStatus& metric : status.metrics) {
    json entry{{"name", metric.name}, {"type", metric.type}, {"target", metric.target}};
    put(entry, "current", metric.current);
    if (metric.proposed_replicas) entry["proposedReplicas"] = *metric.proposed_replicas;
    if (metric.age_seconds) entry["ageSeconds"] = *metric.age_seconds;
    put(entry, "missing", metric.missing);
    object["metrics"].push_back(std::move(entry));
  }
  if (status.last_decision) {
    const LastDecision& last = *status.last_decision;
    object["lastDecision"] = {{"from", last.from},     {"to", last.to},
                              {"reason", last.reason}, {"message", last.message},
                              {"clamps", last.clamps}, {"time", format_rfc3339_micro(last.time)}};
  }
  put(object, "lastScaleTime", status.last_scale_time);
  for (const Condition& condition : status.conditions) {
    object["conditions"].push_back(
        {{"type", condition.type},
         {"status", status_text(condition.status)},
         {"observedGeneration", condition.observed_generation},
         {"lastTransitionTime", format_rfc3339(condition.last_transition_time)},
         {"reason", condition.reason},
         {"message", condition.message}});
  }
  if (json history = to_json(status.history); !history.empty()) {
    object["history"] = std::move(history);
  }
  return to_text(object);
}

std::string encode_history(const ScalingHistory& history) { return to_text(to_json(history)); }

Result<ScalingHistory> decode_history(std::string_view text) {
  const json object = json::parse(text, nullptr, false);
  if (!object.is_object()) return fail(ErrorCode::kDecode, "a scaling history is a JSON object");
  return decode_history_object(object);
}

}  // namespace scalableapp::api
