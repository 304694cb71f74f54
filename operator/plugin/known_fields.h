// The fields of a ScalableApp that are none: the API server's schema walked beside a manifest. A
// field that nobody reads would leave another policy to be tried than the one that was written.
// Pure; knows no types and no values, which api::decode_scalable_app looks at. Thread-compatible.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace scalableapp::plugin {

// The CustomResourceDefinition as the chart installs it, YAML (embedded at build time).
extern const std::string_view kCustomResourceDefinition;

// One line for each field of `app` that `schema` (an openAPIV3Schema) does not have, by its path:
// "spec.brust: unknown field; did you mean burst?". metadata and status are not looked into, nor
// what x-kubernetes-preserve-unknown-fields leaves free.
std::vector<std::string> unknown_fields(const nlohmann::json& app, const nlohmann::json& schema);

}  // namespace scalableapp::plugin
