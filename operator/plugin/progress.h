// How far a rollout is, in a line, and whether there is anything left to wait for. Pure.
#pragma once

#include <string>

#include "operator/api/scalable_app.h"

namespace scalableapp::plugin {

enum class Outcome { kGoesOn, kComplete, kFailed };
struct Progress {
  Outcome outcome = Outcome::kGoesOn;
  std::string line;  // For a person.
};
// Complete: the operator has seen the present spec, and its template is rolled out. Failed: it went, or stays, back;
// unless a retry has been asked for that the operator has not seen yet.
Progress progress_of(const api::ScalableApp& app);

// The operator has not seen the present spec yet: the status is about the one before.
bool is_behind(const api::ScalableApp& app);

// A failed analysis after which the revision stays can be overruled: promote --full.
bool can_be_overruled(const api::ScalableApp& app);

// "2 of 4: setWeight 20%", or that it is past the last one; empty: there are no steps.
std::string step_text(const api::ScalableApp& app, WallTime now);

}  // namespace scalableapp::plugin
