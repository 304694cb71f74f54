// Reading JSON objects without exceptions: a missing or mistyped field is its default. And writing them: what is
// not known is left out. For the api library's own .cc files (this header includes the json library, so no other
// header includes it).
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "operator/api/meta.h"

namespace scalableapp::api {

const nlohmann::json& child(const nlohmann::json& object, const char* name);  // null json if absent
std::string text(const nlohmann::json& object, const char* name, std::string fallback = {});
std::int64_t integer(const nlohmann::json& object, const char* name, std::int64_t fallback = 0);
double number(const nlohmann::json& object, const char* name, double fallback = 0);
bool boolean(const nlohmann::json& object, const char* name, bool fallback = false);
std::optional<WallTime> time(const nlohmann::json& object, const char* name);
std::map<std::string, std::string> text_map(const nlohmann::json& object);

// Nothing where the value is zero or empty, or no number that JSON has.
void put(nlohmann::json& object, const char* name, double value);
void put(nlohmann::json& object, const char* name, int value);
void put(nlohmann::json& object, const char* name, const std::string& value);
void put(nlohmann::json& object, const char* name, const std::optional<WallTime>& time);

// kDecode if there is no metadata.name.
Result<ObjectMeta> decode_meta(const nlohmann::json& object);
// Sum of resources.requests.cpu over a pod spec's containers and sidecars, in cores. 0 if one of
// them has none: a share of the request then means nothing (as HPA).
double cpu_request_cores(const nlohmann::json& pod_spec);

}  // namespace scalableapp::api
