// That crds/ and the decoder say the same: every field, default, enum, bound and required field of
// the spec, and every field of the status. The API server's own judgement of the CRD and of
// tests/manifests is asked elsewhere; here the decoder is.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "operator/api/revision.h"
#include "operator/api/scalable_app.h"

namespace scalableapp::api {
namespace {

using nlohmann::json;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

const std::filesystem::path kRoot = SCALABLEAPP_SOURCE_DIR;

json to_json(const YAML::Node& node) {
  switch (node.Type()) {
    case YAML::NodeType::Map: {
      json object = json::object();
      for (const auto& member : node) object[member.first.Scalar()] = to_json(member.second);
      return object;
    }
    case YAML::NodeType::Sequence: {
      json array = json::array();
      for (const auto& element : node) array.push_back(to_json(element));
      return array;
    }
    case YAML::NodeType::Scalar: {
      if (node.Tag() == "!") return node.Scalar();  // In quotes.
      const json plain = json::parse(node.Scalar(), nullptr, false);
      return plain.is_primitive() && !plain.is_discarded() ? plain : json(node.Scalar());
    }
    default:
      return nullptr;
  }
}

json load(const std::filesystem::path& path) {
  return to_json(YAML::LoadFile((kRoot / path).string()));
}

// Beside the app an example may have what it needs.
json load_app(const std::filesystem::path& path) {
  for (const YAML::Node& document : YAML::LoadAllFromFile((kRoot / path).string())) {
    if (document["kind"].Scalar() == "ScalableApp") return to_json(document);
  }
  ADD_FAILURE() << path << " has no ScalableApp";
  return json::object();
}

std::vector<std::filesystem::path> manifests(const char* directory) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(kRoot / directory)) {
    paths.push_back(std::filesystem::path{directory} / entry.path().filename());
  }
  return paths;
}

const json& version() {
  static const json kVersion = load("crds/scalableapps.scalableapp.io.yaml")["spec"]["versions"][0];
  return kVersion;
}
const json& schema() { return version()["schema"]["openAPIV3Schema"]; }
// No strategy of a rollout has the fields of another, so there is one with each that has any.
std::vector<json> full_apps() {
  return {load("tests/manifests/valid/every-field.yaml"), load("tests/manifests/valid/every-field-blue-green.yaml")};
}

ScalableApp decode(const json& object) { return decode_scalable_app(object).value(); }

// A schema, and the place of a value that it is for.
struct Place {
  const json& schema;
  json::json_pointer at;
  bool is_leaf() const { return !schema.contains("properties") && !schema.contains("items"); }
  // As problems name it: spec.metrics[0].cpu
  std::string path() const {
    std::string path;
    for (json::json_pointer rest = at; !rest.empty(); rest.pop_back()) {
      const std::string& name = rest.back();
      const bool is_index = name.find_first_not_of("0123456789") == std::string::npos;
      path = (is_index ? "[" + name + "]" : "." + name) + path;
    }
    return path.substr(1);
  }
};

// Calls `visit` for every part of `value` that the schema knows, outermost first.
void for_each_place(const json& value, const Place& place,
                    const std::function<void(const Place&)>& visit) {
  if (!place.at.empty()) visit(place);
  const json& part = value.at(place.at);
  if (place.schema.contains("properties")) {
    for (const auto& [name, property] : place.schema["properties"].items()) {
      if (part.contains(name)) for_each_place(value, {property, place.at / name}, visit);
    }
  }
  if (place.schema.contains("items")) {
    for (std::size_t i = 0; i < part.size(); ++i) {
      for_each_place(value, {place.schema["items"], place.at / i}, visit);
    }
  }
}

// The parts of a spec that say how the app scales: all but the pod template.
void for_each_setting(const json& object, const std::function<void(const Place&)>& visit) {
  const json::json_pointer at{"/spec"};
  for_each_place(object, {schema()["properties"]["spec"], at}, [&](const Place& place) {
    if (place.at != at && !place.path().starts_with("spec.template")) visit(place);
  });
}

// What the API server does before it stores an object.
void fill_defaults(const json& of, json& value) {
  if (value.is_object() && of.contains("properties")) {
    for (const auto& [name, property] : of["properties"].items()) {
      if (!value.contains(name) && property.contains("default")) value[name] = property["default"];
      if (value.contains(name)) fill_defaults(property, value[name]);
    }
  }
  if (value.is_array() && of.contains("items")) {
    for (json& element : value) fill_defaults(of["items"], element);
  }
}

json without(const json& object, const json::json_pointer& at) {
  json result = object;
  json& parent = result[at.parent_pointer()];
  if (parent.is_array()) {
    parent.erase(std::stoul(at.back()));
  } else {
    parent.erase(at.back());
  }
  return result;
}

json with(const json& object, const json::json_pointer& at, const json& value) {
  json result = object;
  result[at] = value;
  return result;
}

// The fields of `of` that are in none of `values`.
void find_absent(const json& of, const std::vector<json>& values, const std::string& path,
                 std::vector<std::string>& absent) {
  if (of.contains("properties")) {
    for (const auto& [name, property] : of["properties"].items()) {
      std::vector<json> present;
      for (const json& value : values) {
        if (value.contains(name)) present.push_back(value[name]);
      }
      if (present.empty()) absent.push_back(path + "." + name);
      find_absent(property, present, path + "." + name, absent);
    }
  }
  if (of.contains("items")) {
    std::vector<json> elements;
    for (const json& value : values) elements.insert(elements.end(), value.begin(), value.end());
    find_absent(of["items"], elements, path + "[]", absent);
  }
}

bool is_described(const json& of, const std::string& path) {
  const std::string text = of.value("description", "");
  bool all = true;
  if (!text.ends_with('.') && path != ".metadata") {
    ADD_FAILURE() << path << " is not described by a sentence: \"" << text << "\"";
    all = false;
  }
  const json& properties = of.contains("properties") ? of["properties"] : json::object();
  for (const auto& [name, property] : properties.items())
    all &= is_described(property, path + "." + name);
  if (of.contains("items")) all &= is_described(of["items"], path + "[]");
  return all;
}

TEST(Schema, EveryFieldIsDescribedByASentence) { EXPECT_TRUE(is_described(schema(), "")); }

TEST(Schema, KnowsNoKeywordThatAMissingQuoteMadeUp) {
  const std::set<std::string> known{"additionalProperties",
                                    "default",
                                    "description",
                                    "enum",
                                    "format",
                                    "items",
                                    "maxItems",
                                    "maxLength",
                                    "maximum",
                                    "minItems",
                                    "minLength",
                                    "minimum",
                                    "properties",
                                    "required",
                                    "type",
                                    "x-kubernetes-int-or-string",
                                    "x-kubernetes-list-map-keys",
                                    "x-kubernetes-list-type",
                                    "x-kubernetes-preserve-unknown-fields",
                                    "x-kubernetes-validations"};
  const std::function<void(const json&)> check = [&](const json& of) {
    for (const auto& [keyword, value] : of.items())
      EXPECT_TRUE(known.contains(keyword)) << keyword << " in " << of;
    if (of.contains("properties")) {
      for (const json& property : of["properties"]) check(property);
    }
    if (of.contains("items")) check(of["items"]);
  };
  check(schema());
}

TEST(Schema, TheManifestsWithEveryFieldHaveEveryField) {
  std::vector<std::string> absent;
  std::vector<json> specs;
  for (const json& app : full_apps()) specs.push_back(app["spec"]);
  find_absent(schema()["properties"]["spec"], specs, "spec", absent);
  EXPECT_THAT(absent, IsEmpty());
}

TEST(Schema, DefaultsAreTheDecodersOwn) {
  std::vector<json> objects;
  for (const char* directory : {"tests/manifests/valid", "examples"}) {
    for (const auto& path : manifests(directory)) objects.push_back(load_app(path));
  }
  for (const json& full : full_apps()) {
    for_each_setting(full, [&](const Place& place) { objects.push_back(without(full, place.at)); });
  }
  for (const json& object : objects) {
    json defaulted = object;
    fill_defaults(schema(), defaulted);
    EXPECT_EQ(decode(object), decode(defaulted)) << object["spec"].dump() << "\nand\n"
                                                 << defaulted["spec"].dump();
  }
}

TEST(Schema, EveryFieldMattersToTheDecoder) {
  for (const json& object : full_apps()) {
    const ScalableApp before = decode(object);
    ASSERT_THAT(before.problems, IsEmpty());
    for_each_setting(object, [&](const Place& place) {
      if (!place.is_leaf()) return;
      const json& old = object[place.at];
      json other = old.is_string() ? json(old.get<std::string>() + "x") : json(7);
      if (place.schema.contains("enum"))
        other = place.schema["enum"][old == place.schema["enum"][0] ? 1 : 0];
      if (old.is_boolean()) other = !old.get<bool>();
      EXPECT_NE(decode(with(object, place.at, other)), before) << place.path() << " = " << other;
    });
  }
}

TEST(Schema, BoundsAreTheDecodersOwn) {
  for (const json& object : full_apps()) {
    const auto problems_with = [&](const Place& place, const json& value) {
      return decode(with(object, place.at, value)).problems;
    };
    for_each_setting(object, [&](const Place& place) {
      const std::string named = place.path() + ":";
      const auto& of = place.schema;
      if (place.is_leaf()) {
        EXPECT_THAT(problems_with(place, json::array()), Contains(StartsWith(named)));
      }
      if (of.contains("minimum")) {
        EXPECT_THAT(problems_with(place, of["minimum"].get<int>() - 1), Contains(StartsWith(named)));
        EXPECT_THAT(problems_with(place, of["minimum"]),
                    Not(Contains(StartsWith(named + " must be a whole"))));
      }
      if (of.contains("maximum")) {
        EXPECT_THAT(problems_with(place, of["maximum"].get<int>() + 1), Contains(StartsWith(named)));
        EXPECT_THAT(problems_with(place, of["maximum"]),
                    Not(Contains(StartsWith(named + " must be a whole"))));
      }
      if (of.contains("minLength")) {
        EXPECT_THAT(problems_with(place, ""), Contains(StartsWith(named)));
      }
      if (of.value("type", "") == "integer") {
        EXPECT_THAT(problems_with(place, 2.5), Contains(StartsWith(named)));
      }
    });
  }
}

TEST(Schema, EnumsAreTheDecodersOwn) {
  int found = 0;
  for (const json& object : full_apps()) {
    for_each_setting(object, [&](const Place& place) {
      if (!place.schema.contains("enum")) return;
      ++found;
      const std::string named = place.path() + ":";
      for (const json& value : place.schema["enum"]) {
        EXPECT_THAT(decode(with(object, place.at, value)).problems, Not(Contains(StartsWith(named))))
            << value;
      }
      for (const json& value : {json("Other"), json(1), json("")}) {
        EXPECT_THAT(decode(with(object, place.at, value)).problems, Contains(StartsWith(named)))
            << value;
      }
    });
  }
  EXPECT_GE(found, 15);
}

// By a rule of the schema rather than by `required`: the block that the type or the strategy names.
bool is_required_by_rule(const json& parent, const std::string& path, const std::string& name) {
  static const std::map<std::string, std::string> kBlocks{
      {"Latency", "latency"},   {"CPU", "cpu"},       {"QueueLength", "queueLength"}, {"Prometheus", "prometheus"},
      {"Canary", "canary"},     {"BlueGreen", "blueGreen"}};
  const bool may_be_absent = path.starts_with("spec.rollout.analysis") && name != "prometheus";
  const auto block = kBlocks.find(parent.value("type", parent.value("strategy", "")));
  return !may_be_absent && block != kBlocks.end() && block->second == name;
}

TEST(Schema, WhatIsRequiredIsMissedByTheDecoderAndNothingElse) {
  int found = 0;
  for (const json& object : full_apps()) {
    const auto check = [&](const Place& parent) {
      if (!parent.schema.contains("properties")) return;
      const auto required = parent.schema.value("required", std::vector<std::string>{});
      for (const auto& [name, property] : parent.schema["properties"].items()) {
        const Place place{property, parent.at / name};
        if (!object.contains(place.at) || place.path().starts_with("spec.template.")) continue;
        const bool is_required = std::ranges::find(required, name) != required.end() ||
                                 is_required_by_rule(object[parent.at], parent.path(), name);
        found += is_required;
        const auto problems = decode(without(object, place.at)).problems;
        const auto named = Contains(StartsWith(place.path()));
        if (is_required) {
          EXPECT_THAT(problems, named);
        } else {
          EXPECT_THAT(problems, Not(named));
        }
      }
    };
    check({schema()["properties"]["spec"], json::json_pointer{"/spec"}});
    for_each_setting(object, check);
  }
  EXPECT_GE(found, 30);
}

TEST(Schema, TheStatusHasTheFieldsThatTheOperatorWritesAndNoOther) {
  const WallTime time = parse_rfc3339("2026-01-31T12:00:00Z").value();
  ScalableAppStatus status{
      .observed_generation = 3, .selector = "a=b", .degrade_level = 1, .degrade_level_since = time};
  status.metrics = {{.name = "cpu",
                     .type = "CPU",
                     .current = "72%",
                     .target = "60%",
                     .proposed_replicas = 5,
                     .age_seconds = 1,
                     .missing = "stale"}};
  status.last_decision = LastDecision{3, 5, "MetricAboveTarget", "3 -> 5", {"maxReplicas"}, time};
  status.last_scale_time = time;
  const RevisionEvidence evidence{
      .requests = 0.5, .errors = 0.5, .busy_seconds = 0.5, .cpu_seconds = 0.5, .buckets = {0.5}};
  status.rollout = {.phase = RolloutPhase::kPaused,
                    .revision = "abc",
                    .started_at = time,
                    .step = 1,
                    .step_started_at = time,
                    .weight = 10,
                    .switched_at = time,
                    .available_at = time,
                    .pause_reason = "CanaryPause",
                    .failure_reason = "AnalysisFailed",
                    .failure_message = "errors",
                    .failed_at = time,
                    .analysis = {.measured_at = time,
                                 .metrics = {{.name = "latency",
                                              .value = "90ms",
                                              .last = Verdict::kFailed,
                                              .measurements = 1,
                                              .successful = 1,
                                              .failed = 1,
                                              .inconclusive = 1,
                                    .is_suspected = true,
                                    .missing_in_a_row = 2}},
                                 .bounds = {0.5},
                                 .updated = evidence,
                                 .stable = evidence,
                                 .message = "latency is worse"},
                    .message = "step 1 of 3"};
  status.conditions = {{"Ready", ConditionStatus::kTrue, 3, time, "AllReplicasReady", "all"}};
  status.history = {.recommendations = {{5, time, time}},
                    .scale_events = {{2, time}},
                    .metrics = {{.name = "m",
                                 .missing_since = time,
                                 .fallback_ended = time,
                                 .learned_until = time,
                                 .service_seconds = 0.5,
                                 .quantile_seconds = 0.5,
                                 .servers = 0.5,
                                 .proven_rate = 0.5,
                                 .over_since = time,
                                 .servers_before = 0.5,
                                 .proven_rate_before = 0.5,
                                 .trial_since = time,
                                 .trial_seconds = 0.5,
                                 .trial_rate = 0.5,
                                 .trial_replicas = 2,
                                 .not_capacity_bound = true,
                                 .load_per_second = 0.5,
                                 .recent_load_per_second = 0.5,
                                 .jobs_per_second = 0.5}},
                    .burst_over = time,
                    .idle_since = time,
                    .warm_up_seconds = 0.5,
                    .warm_up_seen = time,
                    .revision = "abc",
                    .brownout = {.level = 1,
                                 .since = time,
                                 .reason = "AtMaxReplicas",
                                 .why = "at the maximum",
                                 .missed_since = time,
                                 .room_since = time,
                                 .lowered_at = time,
                                 .relapses = 1},
                    .expected_load = {.asked = "200% until 2026-01-31T12:00:00Z", .replicas = 8, .needed = 4}};
  const json object{{"status", json::parse(encode_status(status))}};
  const Place place{schema()["properties"]["status"], json::json_pointer{"/status"}};

  std::vector<std::string> absent;
  find_absent(place.schema, {object["status"]}, "status", absent);
  EXPECT_THAT(absent, IsEmpty());

  std::set<std::string> known;
  for_each_place(object, place, [&](const Place& part) {
    known.insert(part.at.to_string());
    const std::string type = part.schema["type"];
    const std::string actual = object[part.at].type_name();
    EXPECT_EQ(type == "integer" ? "number" : type, actual) << part.path();
    if (part.schema.contains("enum")) {
      EXPECT_THAT(part.schema["enum"], Contains(object[part.at])) << part.path();
    }
  });
  const json flat = object.flatten();
  for (const auto& [pointer, value] : flat.items())
    EXPECT_TRUE(known.contains(pointer)) << pointer << " is in no schema";
}

TEST(Schema, ScaleAndColumnsNameFieldsThatExist) {
  const auto exists = [](std::string path) {
    std::ranges::replace(path, '.', '/');
    const json* of = &schema();
    for (json::json_pointer rest{path}; !rest.empty();) {
      json::json_pointer name = rest;
      while (!name.parent_pointer().empty()) name.pop_back();
      if (!of->contains("properties") || !(*of)["properties"].contains(name.back())) return false;
      of = &(*of)["properties"][name.back()];
      rest = json::json_pointer{rest.to_string().substr(name.to_string().size())};
    }
    return true;
  };
  const json& scale = version()["subresources"]["scale"];
  EXPECT_EQ(scale["specReplicasPath"], ".spec.replicas.override");
  EXPECT_EQ(scale["statusReplicasPath"], ".status.replicas");
  EXPECT_EQ(scale["labelSelectorPath"], ".status.selector");
  for (const json& path : scale) EXPECT_TRUE(exists(path)) << path;
  EXPECT_TRUE(version()["subresources"].contains("status"));

  std::vector<std::string> names;
  for (const json& column : version()["additionalPrinterColumns"]) {
    names.push_back(column["name"]);
    if (column["name"] != "Age") {
      EXPECT_TRUE(exists(column["jsonPath"])) << column;
    }
  }
  EXPECT_THAT(names,
              testing::ElementsAre("Min", "Max", "Desired", "Ready", "Revision", "Phase", "Weight", "Degrade", "Reason",
                                   "Age"));
}

TEST(Manifests, GoodOnesAndExamplesHaveNoProblems) {
  for (const char* directory : {"tests/manifests/valid", "examples"}) {
    for (const auto& path : manifests(directory))
      EXPECT_THAT(decode(load_app(path)).problems, IsEmpty()) << path;
  }
}

TEST(Manifests, BadOnesHaveProblemsEvenIfTheServerLetThemIn) {
  const std::set<std::string> left_to_the_server{
      "unknown-field",            // Pruned before the operator sees it.
      "name-too-long",            // The ReplicaSet's name is cut instead.
      "container-without-image",  // Refused with the ReplicaSet.
      "cpu-without-request",      // A LimitRange may add it; else the metric says it is missing.
      "policies-empty",           // The default ones.
      "prometheus-fraction-without-quotes",  // Understood.
  };
  for (const auto& path : manifests("tests/manifests/invalid")) {
    std::string first_line;
    std::ifstream file(kRoot / path);
    ASSERT_TRUE(std::getline(file, first_line));
    EXPECT_THAT(first_line, StartsWith("# expect: ")) << path;
    const auto problems = decode(load(path)).problems;
    EXPECT_EQ(problems.empty(), left_to_the_server.contains(path.stem().string()))
        << path << ": " << json(problems);
    EXPECT_LE(problems.size(), 1u) << path << ": one mistake, one problem: " << json(problems);
  }
}

}  // namespace
}  // namespace scalableapp::api
