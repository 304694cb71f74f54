#include "operator/api/json_fields.h"

#include <cmath>

#include "operator/base/quantity.h"

namespace scalableapp::api {

using nlohmann::json;

const json& child(const json& object, const char* name) {
  static const json kNull;
  if (!object.is_object()) return kNull;
  const auto found = object.find(name);
  return found == object.end() ? kNull : *found;
}

std::string text(const json& object, const char* name, std::string fallback) {
  const json& value = child(object, name);
  return value.is_string() ? value.get<std::string>() : fallback;
}

std::int64_t integer(const json& object, const char* name, std::int64_t fallback) {
  const json& value = child(object, name);
  return value.is_number_integer() ? value.get<std::int64_t>() : fallback;
}

double number(const json& object, const char* name, double fallback) {
  const json& value = child(object, name);
  return value.is_number() ? value.get<double>() : fallback;
}

bool boolean(const json& object, const char* name, bool fallback) {
  const json& value = child(object, name);
  return value.is_boolean() ? value.get<bool>() : fallback;
}

std::optional<WallTime> time(const json& object, const char* name) {
  const json& value = child(object, name);
  if (!value.is_string()) return std::nullopt;
  const auto parsed = parse_rfc3339(value.get_ref<const std::string&>());
  return parsed ? std::optional{*parsed} : std::nullopt;
}

std::map<std::string, std::string> text_map(const json& object) {
  std::map<std::string, std::string> result;
  if (!object.is_object()) return result;
  for (const auto& [name, value] : object.items()) {
    if (value.is_string()) result[name] = value.get<std::string>();
  }
  return result;
}

void put(json& object, const char* name, double value) {
  if (value != 0 && std::isfinite(value)) object[name] = value;
}

void put(json& object, const char* name, int value) {
  if (value != 0) object[name] = value;
}

void put(json& object, const char* name, const std::string& value) {
  if (!value.empty()) object[name] = value;
}

void put(json& object, const char* name, const std::optional<WallTime>& time) {
  if (time) object[name] = format_rfc3339_micro(*time);
}

Result<ObjectMeta> decode_meta(const json& object) {
  const json& metadata = child(object, "metadata");
  ObjectMeta meta{.name = text(metadata, "name"),
                  .namespace_name = text(metadata, "namespace"),
                  .uid = text(metadata, "uid"),
                  .resource_version = text(metadata, "resourceVersion"),
                  .generation = integer(metadata, "generation"),
                  .labels = text_map(child(metadata, "labels")),
                  .annotations = text_map(child(metadata, "annotations")),
                  .creation_time = time(metadata, "creationTimestamp").value_or(WallTime{}),
                  .deletion_time = time(metadata, "deletionTimestamp")};
  if (meta.name.empty()) return fail(ErrorCode::kDecode, "object without metadata.name");
  for (const json& owner : child(metadata, "ownerReferences")) {
    meta.owners.push_back({.uid = text(owner, "uid"), .controller = boolean(owner, "controller")});
  }
  return meta;
}

namespace {

// A limit without a request is the request too (core/v1 defaulting, which a template has not seen).
std::optional<double> cpu_request(const json& container) {
  const json& resources = child(container, "resources");
  for (const char* kind : {"requests", "limits"}) {
    const json& cpu = child(child(resources, kind), "cpu");
    if (cpu.is_number()) return cpu.get<double>();
    if (cpu.is_string()) return parse_quantity(cpu.get_ref<const std::string&>()).value_or(0);
  }
  return std::nullopt;
}

}  // namespace

double cpu_request_cores(const json& pod_spec) {
  double cores = 0;
  for (const char* list : {"containers", "initContainers"}) {
    for (const json& container : child(pod_spec, list)) {
      const bool is_sidecar = text(container, "restartPolicy") == "Always";
      if (std::string_view{list} == "initContainers" && !is_sidecar) continue;
      const auto request = cpu_request(container);
      if (!request) return 0;
      cores += *request;
    }
  }
  return cores;
}

}  // namespace scalableapp::api
