// ScalableApp manifests as files have them: YAML (or JSON) text in, the app as a value out, with
// the CRD's defaults and checks. Reads no files and asks no API server. Exceptions of yaml-cpp stay
// in manifest.cc. Thread-compatible.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "operator/api/scalable_app.h"
#include "operator/base/result.h"

namespace scalableapp::plugin {

// YAML 1.2's core schema (yaml.org/spec/1.2.2, section 10.3): plain null, true, false and numbers
// are what they look like, everything quoted is text; "yes" and "1_000" are text. Anchors and
// aliases are followed; "<<" merges are not. One JSON text for each document that is not empty.
// `name` serves messages.
Result<std::vector<std::string>> yaml_to_json(std::string_view yaml, const std::string& name);

// The other way round, in block style, as kubectl reads it too (its YAML is 1.1): text that could be taken for
// anything else is quoted. kDecode if `text` is no JSON.
Result<std::string> json_to_yaml(std::string_view text);

// The one ScalableApp among the documents. kInvalid lists what is wrong with it, one a line: fields
// that the CRD does not have (known_fields.h), then what the spec's checks find.
Result<api::ScalableApp> read_manifest(const std::string& yaml, const std::string& name);

// A field of the ScalableApp by its way from the top ({"spec", "replicas", "min"}, list elements by
// index), and the YAML to write there, on one line.
struct Change {
  std::vector<std::string> path;
  std::string value;
};
// The same text with these fields changed or added; the rest stays as it is, comments too.
// kInvalid if a field cannot be changed in place, such as one behind an alias.
Result<std::string> change_manifest(const std::string& yaml, const std::string& name,
                                    const std::vector<Change>& changes);

}  // namespace scalableapp::plugin
