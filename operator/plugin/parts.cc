#include "operator/plugin/parts.h"

#include <nlohmann/json.hpp>

#include "operator/api/json_fields.h"

namespace scalableapp::plugin {

using nlohmann::json;

const json& spec_of(const json& object) { return api::child(object, "spec"); }
const json& status_of(const json& object) { return api::child(object, "status"); }
const json& metadata_of(const json& object) { return api::child(object, "metadata"); }
std::string name_of(const json& object) { return api::text(metadata_of(object), "name"); }
std::string uid_of(const json& object) { return api::text(metadata_of(object), "uid"); }
std::string annotation(const json& object, const char* name) {
  return api::text(api::child(metadata_of(object), "annotations"), name);
}
std::string controller_uid(const json& object) {
  for (const json& owner : api::child(metadata_of(object), "ownerReferences")) {
    if (api::boolean(owner, "controller")) return api::text(owner, "uid");
  }
  return {};
}
int replicas_of(const json& object) { return static_cast<int>(api::integer(spec_of(object), "replicas", 1)); }

}  // namespace scalableapp::plugin
