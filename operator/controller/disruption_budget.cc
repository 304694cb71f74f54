#include "operator/controller/disruption_budget.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "operator/api/json_fields.h"
#include "operator/api/label_selector.h"
#include "operator/controller/pod_writes.h"
#include "operator/platform/log.h"
#include "operator/rollout/plan.h"

namespace scalableapp::controller {
namespace {

using api::DisruptionBudget;
using nlohmann::json;

constexpr const char* kBudgetManager = "scalableapp-operator-budget";
constexpr const char* kConflict = "PodDisruptionBudgetConflict";
constexpr const char* kRefused = "PodDisruptionBudgetRefused";

template <typename Value>
Value at(const json& object, const char* pointer, Value otherwise) {
  return object.value(json::json_pointer(pointer), std::move(otherwise));
}

// The labels of the app's pods. Which revision they are of does not matter: any.
std::map<std::string, std::string> pod_labels(const api::ScalableApp& app) {
  const json pod_template = json::parse(app.spec.template_json, nullptr, false);
  auto labels = api::text_map(api::child(api::child(pod_template, "metadata"), "labels"));
  labels[api::kAppLabel] = app.metadata.name;
  labels[api::kRevisionLabel] = "";
  return labels;
}

class Keeper {
 public:
  Keeper(kube::Client& client, MonotonicTime now, const api::ScalableApp& app, BudgetMemory& memory)
      : client_(client), now_(now), app_(app), memory_(memory) {}

  // What there is, and whether it may be ours.
  Result<void> look() {
    memory_.look_at = now_ + kBudgetRecheck;
    memory_.may_write = false;
    memory_.uid = memory_.reason = memory_.problem = "";
    memory_.min_available.reset();
    const auto found = client_.get(kube::kPodDisruptionBudgets, app_.metadata.key());
    if (!found && found.error().code == ErrorCode::kNotFound) return look_for_others();
    if (!found) return refused(found.error());
    const json object = json::parse(*found, nullptr, false);
    if (is_ours(object)) {
      memory_.may_write = true;
      memory_.uid = at(object, "/metadata/uid", std::string());
      const json number = at(object, "/spec/minAvailable", json());
      if (number.is_number_integer() && object["spec"] == spec_of(number.get<int>())) {
        memory_.min_available = number.get<int>();
      }
    } else if (is_leftover(object)) {
      memory_.look_at = now_ + kBudgetLeftover;
    } else {
      conflict(fmt::format("PodDisruptionBudget {} exists and is not the app's", app_.metadata.name));
    }
    return {};
  }

  Result<void> write(int number) {
    json metadata{{"name", app_.metadata.name},
                  {"labels", {{api::kAppLabel, app_.metadata.name}}},
                  {"ownerReferences", json::array({{{"apiVersion", "scalableapp.io/v1alpha1"},
                                                    {"kind", "ScalableApp"},
                                                    {"name", app_.metadata.name},
                                                    {"uid", app_.metadata.uid},
                                                    {"controller", true},
                                                    {"blockOwnerDeletion", true}}})}};
    if (!memory_.uid.empty()) metadata["uid"] = memory_.uid;
    const json body{{"apiVersion", kube::api_version(kube::kPodDisruptionBudgets)},
                    {"kind", kube::kPodDisruptionBudgets.kind},
                    {"metadata", metadata},
                    {"spec", spec_of(number)}};
    const auto done = client_.apply(kube::kPodDisruptionBudgets, app_.metadata.key(), body.dump(), kBudgetManager);
    if (!done) return refused(done.error());
    memory_.uid = at(json::parse(*done, nullptr, false), "/metadata/uid", std::string());
    memory_.min_available = number;
    memory_.written_at = now_;
    log_debug("disruption budget written", {{"app", api::to_string(app_.metadata.key())}, {"min_available", number}});
    return {};
  }

  // Takes ours away; what is somebody else's stays.
  Result<void> remove() {
    const auto found = client_.get(kube::kPodDisruptionBudgets, app_.metadata.key());
    if (!found) return unless_settled(found.error());
    const json object = json::parse(*found, nullptr, false);
    if (!is_ours(object)) return {};
    const auto done = client_.remove(kube::kPodDisruptionBudgets, app_.metadata.key(),
                                     {.uid = at(object, "/metadata/uid", std::string())});
    if (!done) return unless_settled(done.error());
    return {};
  }

 private:
  json spec_of(int number) const {
    return {{"minAvailable", number},
            {"selector", {{"matchLabels", {{api::kAppLabel, app_.metadata.name}}}}},
            {"unhealthyPodEvictionPolicy", "AlwaysAllow"}};
  }

  Result<void> look_for_others() {
    const auto listed =
        client_.list(kube::kPodDisruptionBudgets, {.namespace_name = app_.metadata.namespace_name});
    if (!listed) return refused(listed.error());
    const auto labels = pod_labels(app_);
    for (const json& other : at(json::parse(*listed, nullptr, false), "/items", json::array())) {
      if (!api::selects(at(other, "/spec/selector", json()), labels)) continue;
      const auto name = at(other, "/metadata/name", std::string());
      conflict(fmt::format("PodDisruptionBudget {} selects the app's pods", name));
      return {};
    }
    memory_.may_write = true;
    return {};
  }

  bool is_ours(const json& object) const {
    return std::ranges::any_of(at(object, "/metadata/ownerReferences", json::array()), [&](const json& owner) {
      return owner.value("uid", "") == app_.metadata.uid && owner.value("controller", false);
    });
  }
  // Of an app of this name that is gone: the garbage collector will take it.
  bool is_leftover(const json& object) const {
    return std::ranges::any_of(at(object, "/metadata/ownerReferences", json::array()), [&](const json& owner) {
      return owner.value("kind", "") == "ScalableApp" && owner.value("name", "") == app_.metadata.name;
    });
  }

  void conflict(const std::string& what) {
    memory_.reason = kConflict;
    memory_.problem = fmt::format("{}: pods with two budgets cannot be evicted, so none is made; set "
                                  "spec.disruptionBudget: None, or delete that one", what);
  }
  // There is none, or we may not even look: then it was not us who made one.
  static Result<void> unless_settled(const Error& error) {
    if (error.code == ErrorCode::kNotFound || is_refusal(error)) return {};
    return tl::unexpected(error);
  }
  // What a person has to mend is a problem, everything else an error.
  Result<void> refused(const Error& error) {
    if (!is_refusal(error)) return tl::unexpected(error);
    memory_.may_write = false;
    memory_.reason = kRefused;
    memory_.problem = error.message;
    return {};
  }

  kube::Client& client_;
  MonotonicTime now_;
  const api::ScalableApp& app_;
  BudgetMemory& memory_;
};

}  // namespace

int min_available(const api::RolloutSpec& spec, int desired) {
  return std::max(0, desired - rollout::resolve(spec, desired).unavailable);
}

Result<BudgetState> keep_disruption_budget(kube::Client& client, MonotonicTime now, const api::ScalableApp& app,
                                           int desired, BudgetMemory& memory) {
  const DisruptionBudget mode = app.spec.disruption_budget;
  const bool is_due = memory.mode != mode || (mode == DisruptionBudget::kManaged && now >= memory.look_at);
  memory.mode.reset();  // Until all is done: an error begins anew.
  Keeper keeper(client, now, app, memory);
  if (mode == DisruptionBudget::kNone) {
    if (is_due) {
      if (auto done = keeper.remove(); !done) return tl::unexpected(done.error());
    }
    memory = {.mode = mode};
    return BudgetState{};
  }
  if (is_due) {
    if (auto done = keeper.look(); !done) return tl::unexpected(done.error());
  }
  MonotonicTime next = memory.look_at;
  const int wanted = min_available(app.spec.rollout, desired);
  if (memory.may_write && memory.min_available != wanted) {
    const bool rises = memory.min_available && wanted > *memory.min_available;
    if (rises && memory.written_at && now < *memory.written_at + kBudgetPause) {
      next = std::min(next, *memory.written_at + kBudgetPause);
    } else if (auto done = keeper.write(wanted); !done) {
      return tl::unexpected(done.error());
    }
  }
  memory.mode = mode;
  return BudgetState{.reason = memory.reason, .problem = memory.problem, .next = next - now};
}

}  // namespace scalableapp::controller
