// One attempt to roll a revision out, whatever the strategy: how it begins, what people ask of it, what ends it.
// Pure. For the planner's own files only.
#pragma once

#include <string>

#include "operator/rollout/look.h"
#include "operator/rollout/plan.h"

namespace scalableapp::rollout {

// Why an attempt failed, beside kAnalysisFailed.
inline constexpr const char* kAborted = "Aborted";
inline constexpr const char* kCrashLoop = "CrashLoop";
inline constexpr const char* kDeadlineExceeded = "ProgressDeadlineExceeded";
inline constexpr const char* kReplicaSetRefused = "ReplicaSetRefused";
// And why it is paused.
inline constexpr const char* kSpecPaused = "SpecPaused";
inline constexpr const char* kInconclusive = "InconclusiveAnalysis";
inline constexpr const char* kPauseStep = "CanaryPauseStep";
inline constexpr const char* kAwaitsPromotion = "AwaitingPromotion";

// What the state says is of another revision, or was forgotten at someone's request.
bool begins_anew(const RolloutInput& input);

// The updated revision has failed and the current one takes its place.
bool goes_back(const RolloutInput& input, const api::RolloutStatus& state, const Sides& sides);

// Where the rollout waits for the analysis to be successful.
bool awaits_verdict(const RolloutInput& input, const api::RolloutStatus& state);

// Sets what is so before any strategy has a say: the state, with its step, failure and pause reason; is_back,
// is_held, the bounds and the verdict.
void begin(Look& look);

}  // namespace scalableapp::rollout
