// The parts of Kubernetes objects that the plugin's own .cc files read; null or empty where there is none.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace scalableapp::plugin {

const nlohmann::json& spec_of(const nlohmann::json& object);
const nlohmann::json& status_of(const nlohmann::json& object);
const nlohmann::json& metadata_of(const nlohmann::json& object);
std::string name_of(const nlohmann::json& object);
std::string uid_of(const nlohmann::json& object);
std::string annotation(const nlohmann::json& object, const char* name);
std::string controller_uid(const nlohmann::json& object);
int replicas_of(const nlohmann::json& object);  // spec.replicas, with apps/v1's default.

}  // namespace scalableapp::plugin
