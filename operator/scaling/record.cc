#include "operator/scaling/record.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

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
  put(object, "podsRefusedSince", observation.pods_refused_since);
  if (!observation.expected_load.empty()) object["expectedLoad"] = observation.expected_load;
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

struct Range {
  double lowest = 0, highest = 0;
};
constexpr Range kCount{0, 1'000'000};
constexpr Range kChange{-1'000'000, 1'000'000};
constexpr Range kAgeMilliseconds{0, 1e12};  // Some 30 years.
constexpr Range kAmount{0, std::numeric_limits<double>::max()};
constexpr Range kAny{std::numeric_limits<double>::lowest(), std::numeric_limits<double>::max()};

std::string text_of_range(const Range& range) {
  if (range.lowest == kAny.lowest) return "";
  if (range.highest == kAny.highest) return " from 0 on";
  return fmt::format(" from {:.0f} to {:.0f}", range.lowest, range.highest);
}

// The members of a record that tell of the decision: render_record writes them, nobody reads them.
constexpr const char* kWhatCameOfIt[] = {"from",        "to",          "reason", "message", "paused",
                                         "dryRun",      "rolloutInFlight", "minReplicas", "maxReplicas",
                                         "pods",        "metrics",     "steps",  "clamps",  "outliers",
                                         "degradeLevel"};

// One object of the record. Absent members leave what is there; the first thing that is wrong is
// kept in `error`, by its path. What was never asked for is unknown: see end().
class Reader {
 public:
  Reader(const Json& json, std::string path, std::string& error)
      : json_(json), path_(std::move(path)), error_(error) {
    if (!path_.empty() && !json.is_object() && !json.is_null() && error_.empty()) {
      error_ = path_ + " must be an object";
    }
  }
  const Json& member(const std::string& name) {
    static const Json kNone;
    known_.insert(name);
    const auto found = json_.is_object() ? json_.find(name) : json_.end();
    return json_.is_object() && found != json_.end() ? *found : kNone;
  }
  void read(const char* name, bool& value) {
    const Json& json = member(name);
    if (json.is_boolean()) value = json.get<bool>();
    else if (!json.is_null()) wrong(name, "true or false");
  }
  void read(const char* name, std::string& value) {
    const Json& json = member(name);
    if (json.is_string()) value = json.get<std::string>();
    else if (!json.is_null()) wrong(name, "a string");
  }
  void read(const char* name, int& value, const Range& range = kCount) {
    const Json& json = member(name);
    if (json.is_number_integer() && lies_in(range, json)) value = json.get<int>();
    else if (!json.is_null()) wrong(name, "a whole number" + text_of_range(range));
  }
  void read(const char* name, double& value, const Range& range) {
    const Json& json = member(name);
    if (json.is_number() && lies_in(range, json)) value = json.get<double>();
    else if (!json.is_null()) wrong(name, "a number" + text_of_range(range));
  }
  void read(const char* name, WallTime& value) {
    const Json& json = member(name);
    if (json.is_null()) return;
    const auto time = json.is_string() ? parse_rfc3339(json.get<std::string>()) : fail(ErrorCode::kDecode, "");
    if (time) value = *time;
    else wrong(name, "a time such as 2026-01-31T12:00:00.250Z");
  }
  template <typename T, typename... Ranges>
  void read(const char* name, std::optional<T>& value, const Ranges&... range) {
    if (member(name).is_null()) return;
    T present{};
    read(name, present, range...);
    value = present;
  }
  // `use`(Reader) for each object of a list.
  template <typename Use>
  void each(const char* name, Use use) {
    const Json& list = member(name);
    if (!list.is_array() && !list.is_null()) wrong(name, "a list");
    if (!list.is_array()) return;
    for (std::size_t i = 0; i < list.size(); ++i) {
      const std::string path = fmt::format("{}[{}]", path_of(name), i);
      if (!list[i].is_object()) return wrong(fmt::format("{}[{}]", name, i), "an object");
      Reader element(list[i], path, error_);
      use(element);
      element.end();
    }
  }
  // `use`(Reader) for an object that may be absent.
  template <typename Use>
  void object(const char* name, Use use) {
    Reader inner(member(name), path_of(name), error_);
    use(inner);
    inner.end();
  }
  // The names that are there, for an object whose names are free.
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    if (!json_.is_object()) return names;
    for (const auto& [name, value] : json_.items()) names.push_back(name);
    return names;
  }
  void end() {
    for (const std::string& name : names()) {
      if (error_.empty() && !known_.contains(name)) error_ = path_of(name) + ": unknown member";
    }
  }
  void wrong(const std::string& name, const std::string& expected) {
    if (error_.empty()) error_ = fmt::format("{} must be {}", path_of(name), expected);
  }

 private:
  static bool lies_in(const Range& range, const Json& json) {
    const double number = json.get<double>();
    return number >= range.lowest && number <= range.highest;
  }
  std::string path_of(const std::string& name) const { return path_.empty() ? name : path_ + "." + name; }

  const Json& json_;
  std::string path_;
  std::string& error_;
  std::set<std::string> known_;
};

PodState decode_pod(Reader& read) {
  PodState pod;
  read.read("name", pod.name);
  read.read("serving", pod.serving);
  read.read("containersReady", pod.containers_ready);
  read.read("terminating", pod.terminating);
  read.read("finished", pod.finished);
  read.read("pending", pod.pending);
  read.read("created", pod.created);
  read.read("startedAt", pod.started_at);
  read.read("readySince", pod.ready_since);
  read.read("unreadySince", pod.unready_since);
  read.read("setAside", pod.set_aside);
  read.read("cpuRequestCores", pod.cpu_request_cores, kAmount);
  return pod;
}

MetricReading decode_reading(Reader& read) {
  MetricReading reading;
  read.read("name", reading.name);
  double age = 0;
  read.read("ageMilliseconds", age, kAgeMilliseconds);
  reading.age = milliseconds{static_cast<std::int64_t>(age)};
  if (const Json& value = read.member("value"); value.is_string()) {
    const std::string text = value.get<std::string>();
    if (text == "nan" || text == "-nan") reading.value = std::nan("");
    else if (text == "inf") reading.value = HUGE_VAL;
    else if (text == "-inf") reading.value = -HUGE_VAL;
    else read.wrong("value", "a number or one of nan, inf and -inf");
  } else {
    read.read("value", reading.value, kAny);
  }
  // A query of the user's own may yield less than nothing for cores and completions.
  read.object("coresByPod", [&](Reader& pods) {
    for (const std::string& pod : pods.names()) {
      if (pods.member(pod).is_null()) pods.wrong(pod, "a number");
      pods.read(pod.c_str(), reading.per_pod[pod], kAny);
    }
  });
  read.object("loadByPod", [&](Reader& pods) {
    for (const std::string& pod : pods.names()) {
      PodLoad& entry = reading.loads[pod];
      pods.object(pod.c_str(), [&](Reader& load) {
        load.read("requestsPerSecond", entry.requests_per_second, kAmount);
        load.read("errorsPerSecond", entry.errors_per_second, kAmount);
        load.read("concurrency", entry.concurrency, kAmount);
        load.read("quantileSeconds", entry.quantile_seconds, kAmount);
      });
    }
  });
  read.read("inFlight", reading.in_flight, kAmount);
  read.read("arrivalsPerSecond", reading.arrivals_per_second, kAmount);
  read.read("completionsPerSecond", reading.completions_per_second, kAny);
  read.read("missing", reading.missing);
  read.read("idle", reading.idle);
  return reading;
}

Observation decode_observation(Reader& read) {
  Observation observation;
  read.read("currentReplicas", observation.current_replicas);
  read.read("rolloutInFlight", observation.rollout_in_flight);
  read.read("revision", observation.revision);
  read.read("observingSince", observation.observing_since);
  read.read("podsRefusedSince", observation.pods_refused_since);
  read.read("expectedLoad", observation.expected_load);
  read.each("pods", [&](Reader& pod) { observation.pods.push_back(decode_pod(pod)); });
  read.each("readings", [&](Reader& reading) { observation.readings.push_back(decode_reading(reading)); });
  read.each("forecasts", [&](Reader& entry) {
    Forecast& forecast = observation.forecasts.emplace_back();
    entry.read("metric", forecast.metric);
    entry.read("at", forecast.at);
    entry.read("expected", forecast.expected, kAny);
    entry.read("error", forecast.error, kAny);
    entry.read("basis", forecast.basis);
  });
  read.each("schedules", [&](Reader& entry) {
    ActiveSchedule& schedule = observation.schedules.emplace_back();
    entry.read("name", schedule.name);
    entry.read("minReplicas", schedule.min_replicas);
    entry.read("maxReplicas", schedule.max_replicas);
  });
  return observation;
}

// api::decode_history leaves out what it cannot read, as befits a status; a record must say it all.
void check_history(Reader& read) {
  std::string text;
  WallTime time;
  int count = 0;
  double number = 0;
  bool flag = false;
  read.each("recommendations", [&](Reader& run) {
    run.read("replicas", count);
    for (const char* name : {"from", "until"}) run.read(name, time);
  });
  read.each("scaleEvents", [&](Reader& event) {
    event.read("change", count, kChange);
    event.read("time", time);
  });
  read.each("metrics", [&](Reader& memory) {
    memory.read("name", text);
    for (const char* name : {"missingSince", "fallbackEnded", "learnedUntil", "overSince", "trialSince"}) {
      memory.read(name, time);
    }
    for (const char* name : {"serviceSeconds", "quantileSeconds", "servers", "provenRate", "serversBefore",
                             "provenRateBefore", "trialSeconds", "trialRate", "loadPerSecond",
                             "recentLoadPerSecond", "jobsPerSecond"}) {
      memory.read(name, number, kAny);
    }
    memory.read("trialReplicas", count);
    memory.read("notCapacityBound", flag);
  });
  for (const char* name : {"burstOver", "idleSince", "warmUpSeen"}) read.read(name, time);
  read.read("revision", text);
  read.read("warmUpSeconds", number, kAny);
  read.object("expectedLoad", [&](Reader& expected) {
    for (const char* name : {"replicas", "needed"}) expected.read(name, count);
    expected.read("asked", text);
  });
  read.object("brownout", [&](Reader& brownout) {
    for (const char* name : {"level", "relapses"}) brownout.read(name, count);
    for (const char* name : {"since", "missedSince", "roomSince", "loweredAt"}) brownout.read(name, time);
    for (const char* name : {"reason", "why"}) brownout.read(name, text);
  });
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
  if (app.spec.brownout) {
    const api::BrownoutMemory& brownout = decision.history.brownout;
    record["degradeLevel"] = {{"level", brownout.level}, {"of", app.spec.brownout->max_level}, {"why", brownout.why}};
  }
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
  std::string error;
  Reader read(record, "", error);
  RecordedInput input;
  read.read("namespace", input.namespace_name);
  read.read("name", input.name);
  double generation = 0;
  read.read("generation", generation, Range{0, 1e15});
  input.generation = static_cast<std::int64_t>(generation);
  read.read("time", input.now);
  if (input.now == WallTime{}) read.wrong("time", "when the decision was made, such as 2026-01-31T12:00:00.250Z");
  if (!read.member("input").is_object()) read.wrong("input", "an object with observation and history");
  read.object("input", [&](Reader& in) {
    if (!in.member("observation").is_object()) in.wrong("observation", "an object");
    in.object("observation", [&](Reader& observation) { input.observation = decode_observation(observation); });
    in.object("history", check_history);
    const Json& history = in.member("history");
    if (!history.is_object() || !error.empty()) return;
    auto decoded = api::decode_history(history.dump(-1, ' ', false, Json::error_handler_t::replace));
    if (decoded) input.history = std::move(*decoded);
    else error = "input.history: " + decoded.error().message;
  });
  for (const char* name : kWhatCameOfIt) read.member(name);
  read.end();
  if (!error.empty()) return fail(ErrorCode::kDecode, "record: " + error);
  return input;
}

}  // namespace scalableapp::scaling
