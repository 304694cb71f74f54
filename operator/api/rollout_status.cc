#include "operator/api/rollout_status.h"

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "operator/api/json_fields.h"

namespace scalableapp::api {
namespace {

using nlohmann::json;

// In the order of the enums.
constexpr std::array<const char*, 4> kPhases{"Healthy", "Progressing", "Paused", "Degraded"};
constexpr std::array<const char*, 4> kVerdicts{"", "Successful", "Failed", "Inconclusive"};

// The first one where the word is none of them.
template <typename Enum, std::size_t kCount>
Enum named(const std::array<const char*, kCount>& words, const std::string& word) {
  for (std::size_t i = 0; i < kCount; ++i) {
    if (word == words[i]) return static_cast<Enum>(i);
  }
  return Enum{};
}
template <typename Enum, std::size_t kCount>
std::string word_of(const std::array<const char*, kCount>& words, Enum value) {
  return words.at(static_cast<std::size_t>(value));
}

int whole(const json& object, const char* name) { return static_cast<int>(integer(object, name)); }

std::vector<double> numbers(const json& array) {
  std::vector<double> values;
  for (const json& value : array) {
    if (value.is_number()) values.push_back(value.get<double>());
  }
  return values;
}

// In an array each place counts, so what is no number is written as 0.
void put_numbers(json& object, const char* name, const std::vector<double>& values) {
  for (const double value : values) object[name].push_back(std::isfinite(value) ? value : 0);
}

json to_json(const RevisionEvidence& evidence) {
  json object = json::object();
  put(object, "requests", evidence.requests);
  put(object, "errors", evidence.errors);
  put(object, "busySeconds", evidence.busy_seconds);
  put(object, "cpuSeconds", evidence.cpu_seconds);
  put_numbers(object, "buckets", evidence.buckets);
  return object;
}

RevisionEvidence decode_evidence(const json& object) {
  return {.requests = number(object, "requests"),
          .errors = number(object, "errors"),
          .busy_seconds = number(object, "busySeconds"),
          .cpu_seconds = number(object, "cpuSeconds"),
          .buckets = numbers(child(object, "buckets"))};
}

json to_json(const AnalysisMetricStatus& metric) {
  json object{{"name", metric.name}};
  put(object, "value", metric.value);
  put(object, "last", word_of(kVerdicts, metric.last));
  put(object, "measurements", metric.measurements);
  put(object, "successful", metric.successful);
  put(object, "failed", metric.failed);
  put(object, "inconclusive", metric.inconclusive);
  put(object, "missingInARow", metric.missing_in_a_row);
  if (metric.is_suspected) object["isSuspected"] = true;
  return object;
}

AnalysisMetricStatus decode_metric_status(const json& object) {
  return {.name = text(object, "name"),
          .value = text(object, "value"),
          .last = named<Verdict>(kVerdicts, text(object, "last")),
          .measurements = whole(object, "measurements"),
          .successful = whole(object, "successful"),
          .failed = whole(object, "failed"),
          .inconclusive = whole(object, "inconclusive"),
          .is_suspected = boolean(object, "isSuspected"),
          .missing_in_a_row = whole(object, "missingInARow")};
}

void put_part(json& object, const char* name, json part) {
  if (!part.empty()) object[name] = std::move(part);
}

json to_json(const AnalysisStatus& analysis) {
  json object = json::object();
  put(object, "measuredAt", analysis.measured_at);
  put(object, "message", analysis.message);
  put_numbers(object, "bounds", analysis.bounds);
  put_part(object, "updated", to_json(analysis.updated));
  put_part(object, "stable", to_json(analysis.stable));
  for (const AnalysisMetricStatus& metric : analysis.metrics) object["metrics"].push_back(to_json(metric));
  return object;
}

AnalysisStatus decode_analysis_status(const json& object) {
  AnalysisStatus analysis{.measured_at = time(object, "measuredAt"),
                          .bounds = numbers(child(object, "bounds")),
                          .updated = decode_evidence(child(object, "updated")),
                          .stable = decode_evidence(child(object, "stable")),
                          .message = text(object, "message")};
  for (const json& metric : child(object, "metrics")) analysis.metrics.push_back(decode_metric_status(metric));
  return analysis;
}

}  // namespace

json rollout_status_json(const RolloutStatus& status) {
  json object{{"phase", word_of(kPhases, status.phase)}};
  put(object, "revision", status.revision);
  put(object, "startedAt", status.started_at);
  put(object, "step", status.step);
  put(object, "stepStartedAt", status.step_started_at);
  put(object, "weight", status.weight);
  put(object, "switchedAt", status.switched_at);
  put(object, "availableAt", status.available_at);
  put(object, "pauseReason", status.pause_reason);
  put(object, "failureReason", status.failure_reason);
  put(object, "failureMessage", status.failure_message);
  put(object, "failedAt", status.failed_at);
  put_part(object, "analysis", to_json(status.analysis));
  put(object, "message", status.message);
  return object;
}

RolloutStatus decode_rollout_status(const json& object) {
  return {.phase = named<RolloutPhase>(kPhases, text(object, "phase")),
          .revision = text(object, "revision"),
          .started_at = time(object, "startedAt"),
          .step = whole(object, "step"),
          .step_started_at = time(object, "stepStartedAt"),
          .weight = whole(object, "weight"),
          .switched_at = time(object, "switchedAt"),
          .available_at = time(object, "availableAt"),
          .pause_reason = text(object, "pauseReason"),
          .failure_reason = text(object, "failureReason"),
          .failure_message = text(object, "failureMessage"),
          .failed_at = time(object, "failedAt"),
          .analysis = decode_analysis_status(child(object, "analysis")),
          .message = text(object, "message")};
}

}  // namespace scalableapp::api
