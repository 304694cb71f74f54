#include "operator/scaling/record.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace scalableapp::scaling {
namespace {

using Json = nlohmann::ordered_json;

// --- writing -------------------------------------------------------------------------------------

void put(Json& object, const char* name, const std::optional<WallTime>& time) {
  if (time) object[name] = format_rfc3339_micro(*time);
}
template <typename T>
void put(Json& object, const char* name, const std::optional<T>& value) {
  if (value) object[name] = *value;
}
void put_if(Json& object, const char* name, bool value) {
  if (value) object[name] = true;
}

Json encode(const PodState& pod) {
  Json object{{"name", pod.name}};
  put_if(object, "serving", pod.serving);
  put_if(object, "containersReady", pod.containers_ready);
  put_if(object, "terminating", pod.terminating);
  put_if(object, "finished", pod.finished);
  put_if(object, "pending", pod.pending);
  put(object, "created", pod.created);
  put(object, "startedAt", pod.started_at);
  put(object, "readySince", pod.ready_since);
  put(object, "unreadySince", pod.unready_since);
  put_if(object, "setAside", pod.set_aside);
  if (pod.cpu_request_cores > 0) object["cpuRequestCores"] = pod.cpu_request_cores;
  return object;
}

Json encode(const MetricReading& reading) {
  Json object{{"name", reading.name}, {"ageMilliseconds", reading.age.count()}};
  if (reading.value) {  // JSON has no other numbers than finite ones.
    object["value"] = std::isfinite(*reading.value) ? Json(*reading.value) : Json(fmt::format("{}", *reading.value));
  }
  for (const auto& [pod, cores] : reading.per_pod) object["coresByPod"][pod] = cores;
  for (const auto& [pod, load] : reading.loads) {
    Json& entry = object["loadByPod"][pod] = {{"requestsPerSecond", load.requests_per_second},
                                              {"errorsPerSecond", load.errors_per_second},
                                              {"concurrency", load.concurrency}};
    put(entry, "quantileSeconds", load.quantile_seconds);
  }
  put(object, "inFlight", reading.in_flight);
  put(object, "arrivalsPerSecond", reading.arrivals_per_second);
  put(object, "completionsPerSecond", reading.completions_per_second);
  if (!reading.missing.empty()) object["missing"] = reading.missing;
  put_if(object, "idle", reading.idle);
  return object;
}

Json encode(const Observation& observation) {
  Json object{{"currentReplicas", observation.current_replicas}};
  put_if(object, "rolloutInFlight", observation.rollout_in_flight);
  if (!observation.revision.empty()) object["revision"] = observation.revision;
  put(object, "observingSince", observation.observing_since);
  object["pods"] = Json::array();
  for (const PodState& pod : observation.pods) object["pods"].push_back(encode(pod));
  object["readings"] = Json::array();
  for (const auto& reading : observation.readings) object["readings"].push_back(encode(reading));
  for (const Forecast& forecast : observation.forecasts) {
    object["forecasts"].push_back({{"metric", forecast.metric},
                                   {"at", format_rfc3339_micro(forecast.at)},
                                   {"expected", forecast.expected},
                                   {"error", forecast.error},
                                   {"basis", forecast.basis}});
  }
  for (const ActiveSchedule& schedule : observation.schedules) {
    Json entry{{"name", schedule.name}};
    put(entry, "minReplicas", schedule.min_replicas);
    put(entry, "maxReplicas", schedule.max_replicas);
    object["schedules"].push_back(std::move(entry));
  }
  return object;
}

// --- reading -------------------------------------------------------------------------------------

// Remembers the first thing that is wrong; absent members leave what is there.
class Reader {
 public:
  const Json& member(const Json& object, const char* name) const {
    static const Json kNone;
    const auto found = object.is_object() ? object.find(name) : object.end();
    return object.is_object() && found != object.end() ? *found : kNone;
  }
  void read(const Json& object, const char* name, bool& value) {
    const Json& json = member(object, name);
    if (json.is_boolean()) value = json.get<bool>();
    else if (!json.is_null()) wrong(name, "true or false");
  }
  void read(const Json& object, const char* name, std::string& value) {
    const Json& json = member(object, name);
    if (json.is_string()) value = json.get<std::string>();
    else if (!json.is_null()) wrong(name, "a string");
  }
  void read(const Json& object, const char* name, int& value) {
    const Json& json = member(object, name);
    if (json.is_number_integer()) value = json.get<int>();
    else if (!json.is_null()) wrong(name, "a whole number");
  }
  void read(const Json& object, const char* name, double& value) {
    const Json& json = member(object, name);
    if (json.is_number()) value = json.get<double>();
    else if (!json.is_null()) wrong(name, "a number");
  }
  void read(const Json& object, const char* name, WallTime& value) {
    const Json& json = member(object, name);
    if (json.is_null()) return;
    const auto time = json.is_string() ? parse_rfc3339(json.get<std::string>()) : fail(ErrorCode::kDecode, "");
    if (time) value = *time;
    else wrong(name, "a time such as 2026-01-31T12:00:00.250Z");
  }
  template <typename T>
  void read(const Json& object, const char* name, std::optional<T>& value) {
    if (member(object, name).is_null()) return;
    T present{};
    read(object, name, present);
    value = present;
  }
  const Json& list(const Json& object, const char* name) {
    static const Json kEmpty = Json::array();
    const Json& json = member(object, name);
    if (json.is_array()) return json;
    if (!json.is_null()) wrong(name, "a list");
    return kEmpty;
  }
  void wrong(const char* name, const char* expected) {
    if (error.empty()) error = fmt::format("{} must be {}", name, expected);
  }
  std::string error;
};

PodState decode_pod(Reader& read, const Json& object) {
  PodState pod;
  read.read(object, "name", pod.name);
  read.read(object, "serving", pod.serving);
  read.read(object, "containersReady", pod.containers_ready);
  read.read(object, "terminating", pod.terminating);
  read.read(object, "finished", pod.finished);
  read.read(object, "pending", pod.pending);
  read.read(object, "created", pod.created);
  read.read(object, "startedAt", pod.started_at);
  read.read(object, "readySince", pod.ready_since);
  read.read(object, "unreadySince", pod.unready_since);
  read.read(object, "setAside", pod.set_aside);
  read.read(object, "cpuRequestCores", pod.cpu_request_cores);
  return pod;
}

MetricReading decode_reading(Reader& read, const Json& object) {
  MetricReading reading;
  read.read(object, "name", reading.name);
  double age = 0;
  read.read(object, "ageMilliseconds", age);
  reading.age = milliseconds{static_cast<std::int64_t>(age)};
  if (const Json& value = read.member(object, "value"); value.is_string()) {
    const std::string text = value.get<std::string>();
    reading.value = text.ends_with("nan")  ? std::nan("")
                    : text.starts_with('-') ? -HUGE_VAL
                                            : HUGE_VAL;
  } else {
    read.read(object, "value", reading.value);
  }
  for (const auto& [pod, cores] : read.member(object, "coresByPod").items()) {
    if (cores.is_number()) reading.per_pod[pod] = cores.get<double>();
    else read.wrong("coresByPod", "an object of numbers");
  }
  for (const auto& [pod, load] : read.member(object, "loadByPod").items()) {
    PodLoad& entry = reading.loads[pod];
    read.read(load, "requestsPerSecond", entry.requests_per_second);
    read.read(load, "errorsPerSecond", entry.errors_per_second);
    read.read(load, "concurrency", entry.concurrency);
    read.read(load, "quantileSeconds", entry.quantile_seconds);
  }
  read.read(object, "inFlight", reading.in_flight);
  read.read(object, "arrivalsPerSecond", reading.arrivals_per_second);
  read.read(object, "completionsPerSecond", reading.completions_per_second);
  read.read(object, "missing", reading.missing);
  read.read(object, "idle", reading.idle);
  return reading;
}

Observation decode_observation(Reader& read, const Json& object) {
  Observation observation;
  read.read(object, "currentReplicas", observation.current_replicas);
  read.read(object, "rolloutInFlight", observation.rollout_in_flight);
  read.read(object, "revision", observation.revision);
  read.read(object, "observingSince", observation.observing_since);
  for (const Json& pod : read.list(object, "pods")) observation.pods.push_back(decode_pod(read, pod));
  for (const Json& reading : read.list(object, "readings")) {
    observation.readings.push_back(decode_reading(read, reading));
  }
  for (const Json& entry : read.list(object, "forecasts")) {
    Forecast& forecast = observation.forecasts.emplace_back();
    read.read(entry, "metric", forecast.metric);
    read.read(entry, "at", forecast.at);
    read.read(entry, "expected", forecast.expected);
    read.read(entry, "error", forecast.error);
    read.read(entry, "basis", forecast.basis);
  }
  for (const Json& entry : read.list(object, "schedules")) {
    ActiveSchedule& schedule = observation.schedules.emplace_back();
    read.read(entry, "name", schedule.name);
    read.read(entry, "minReplicas", schedule.min_replicas);
    read.read(entry, "maxReplicas", schedule.max_replicas);
  }
  return observation;
}

}  // namespace

std::string render_record(WallTime now, const api::ScalableApp& app, const Observation& observation,
                          const api::ScalingHistory& before, const Decision& decision) {
  int serving = 0, starting = 0, terminating = 0;
  for (const PodState& pod : observation.pods) {
    if (pod.finished) continue;
    ++(pod.terminating ? terminating : pod.serving ? serving : starting);
  }
  Json metrics = Json::array();
  for (const auto& status : decision.metrics) {
    Json metric{{"name", status.name}, {"type", status.type}, {"target", status.target}};
    if (!status.current.empty()) metric["current"] = status.current;
    const auto reading = std::ranges::find(observation.readings, status.name, &MetricReading::name);
    if (reading != observation.readings.end()) {
      if (reading->value && std::isfinite(*reading->value)) metric["value"] = *reading->value;
      metric["ageMilliseconds"] = reading->age.count();
    }
    if (status.proposed_replicas) metric["proposedReplicas"] = *status.proposed_replicas;
    if (!status.missing.empty()) metric["missing"] = status.missing;
    metrics.push_back(std::move(metric));
  }
  Json steps = Json::array();
  for (const Step& step : decision.steps) {
    steps.push_back({{"name", step.name},
                     {"before", step.before},
                     {"after", step.after},
                     {"detail", step.detail}});
  }
  Json record{{"time", format_rfc3339_micro(now)},
              {"namespace", app.metadata.namespace_name},
              {"name", app.metadata.name},
              {"generation", app.metadata.generation},
              {"from", decision.from},
              {"to", decision.replicas},
              {"reason", decision.reason},
              {"message", decision.message}};
  if (app.spec.paused) record["paused"] = true;
  if (app.spec.dry_run) record["dryRun"] = true;
  if (observation.rollout_in_flight) record["rolloutInFlight"] = true;
  record["minReplicas"] = app.spec.min_replicas;
  record["maxReplicas"] = app.spec.max_replicas;
  record["pods"] = {{"serving", serving}, {"starting", starting}, {"terminating", terminating}};
  record["metrics"] = std::move(metrics);
  record["steps"] = std::move(steps);
  record["clamps"] = decision.clamps;
  if (!decision.outliers.empty()) {
    Json& outliers = record["outliers"] = Json::array();
    for (const Outlier& outlier : decision.outliers) {
      outliers.push_back({{"pod", outlier.pod}, {"why", outlier.why}, {"eject", outlier.eject}});
    }
  }
  record["input"] = {{"observation", encode(observation)},
                     {"history", Json::parse(api::encode_history(before), nullptr, false)}};
  // Metric names and messages come from users and servers: bad UTF-8 must not throw.
  return record.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<RecordedInput> parse_record(std::string_view text) {
  const Json record = Json::parse(text, nullptr, false);
  if (!record.is_object()) return fail(ErrorCode::kDecode, "the record is not a JSON object");
  Reader read;
  RecordedInput input;
  read.read(record, "namespace", input.namespace_name);
  read.read(record, "name", input.name);
  double generation = 0;
  read.read(record, "generation", generation);
  input.generation = static_cast<std::int64_t>(generation);
  read.read(record, "time", input.now);
  if (input.now == WallTime{}) read.wrong("time", "when the decision was made, such as 2026-01-31T12:00:00.250Z");
  const Json& in = read.member(record, "input");
  if (!in.is_object()) read.wrong("input", "an object with observation and history");
  if (!read.member(in, "observation").is_object()) read.wrong("input.observation", "an object");
  input.observation = decode_observation(read, read.member(in, "observation"));
  if (const Json& history = read.member(in, "history"); history.is_object()) {
    auto decoded = api::decode_history(history.dump());
    if (!decoded) return tl::unexpected(decoded.error());
    input.history = std::move(*decoded);
  } else if (!history.is_null()) {
    read.wrong("input.history", "an object");
  }
  if (!read.error.empty()) return fail(ErrorCode::kDecode, "record: " + read.error);
  return input;
}

}  // namespace scalableapp::scaling
