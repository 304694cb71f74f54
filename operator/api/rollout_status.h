// status.rollout as JSON and back, exact to the bit and the millisecond. For the api library's own .cc files.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "operator/api/scalable_app.h"

namespace scalableapp::api {

// What is zero or empty is left out, but for the phase.
nlohmann::json rollout_status_json(const RolloutStatus& status);
// What is missing or mistyped is its default.
RolloutStatus decode_rollout_status(const nlohmann::json& object);

}  // namespace scalableapp::api
