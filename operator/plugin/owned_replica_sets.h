// The ReplicaSets that change hands between a Deployment and a ScalableApp: which revision each is of, and the patches
// that make it the one's or the other's without a restart of its pods. Pure. A patch of a ReplicaSet's template touches
// only pods that are yet to be made; its selector, and with it its pods, stay as they are.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "operator/api/scalable_app.h"

namespace scalableapp::plugin {

// The template that the ReplicaSet was made from, as ScalableAppSpec::template_json has it: without what the Deployment
// controller and the operator add.
std::string template_of(const nlohmann::json& replica_set);
// A pod template, of a Deployment say, in the same form.
std::string canonical_template(const nlohmann::json& pod_template);

struct TakeOver {
  std::string name;
  std::string uid;
  std::string revision;
  int replicas = 0;
  std::string patch;  // A merge patch, with the resourceVersion as lock.
};
struct TakeOvers {
  std::vector<TakeOver> replica_sets;   // Newest first.
  std::vector<std::string> left_alone;  // Names of those of the same template as another one, and without pods.
};
// `replica_sets`: those that were the Deployment's, or are the app's already.
TakeOvers take_over(const api::ScalableApp& app, std::span<const nlohmann::json> replica_sets);

struct GiveBack {
  // What the operator has added to the template goes: the gate, an annotation, and the labels unless the ReplicaSet's
  // own selector or one of `selectors` needs them. A merge patch with the resourceVersion as lock.
  std::string template_patch;
  std::vector<std::string> labels;  // Those that go from the ReplicaSet and its pods.
};
// `selectors`: of the Deployment that is to own it, and of the Services that its pods are to stay behind.
GiveBack give_back(const nlohmann::json& replica_set, std::span<const nlohmann::json> selectors);

}  // namespace scalableapp::plugin
