// What a look says to people: the message of the state, the condition Progressing, what is told once. Pure. For the
// planner's own files only.
#pragma once

#include "operator/rollout/look.h"

namespace scalableapp::rollout {

// Where the rollout is, in one line.
std::string where_it_is(Look& look);

api::Condition progressing(Look& look, const RolloutPlan& plan);

// Of an app that is left alone, by spec.paused or spec.dryRun.
api::Condition left_alone(const RolloutInput& input);

}  // namespace scalableapp::rollout
