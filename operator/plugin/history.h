// The revisions of an app that its ReplicaSets remember: shown, and gone back to. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "operator/plugin/app_view.h"
#include "operator/plugin/steering.h"

namespace scalableapp::plugin {

// The newest last, as kubectl rollout history has it.
std::string history_table(const api::ScalableApp& app, const std::vector<RevisionView>& revisions);
// The template of revision `number` as the app had it, as JSON. kNotFound names those that there are.
Result<std::string> history_template(const std::vector<RevisionView>& revisions, std::int64_t number);

// Gives the app the template of revision `number`; of none: of the stable one while the present one is not rolled
// out, or has failed, and else of the newest other one. The whole template is replaced. kInvalid where the
// ReplicaSet does not hold the template as the app had it.
Result<Edit> undo(const api::ScalableApp& app, const std::vector<RevisionView>& revisions,
                  std::optional<std::int64_t> number);

}  // namespace scalableapp::plugin
