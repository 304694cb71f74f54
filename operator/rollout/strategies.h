// What each strategy makes of a look: the wanted counts, and with them the targets; the routing; and the
// state's step, weight and times. Pure. For the planner's own files only.
//
// Each is called while pods of more than the goal's revision are there, or the goal has not proved itself, and takes
// care of both ways: to the updated revision, and back (Look::is_back, or the updated one is the current one).
#pragma once

#include "operator/rollout/look.h"

namespace scalableapp::rollout {

void roll(Look& look);        // rolling.cc
void canary(Look& look);      // canary.cc
void blue_green(Look& look);  // blue_green.cc
void recreate(Look& look);    // recreate.cc

// canary.cc
bool is_routed(const api::RolloutSpec& spec);         // By weights of an HTTPRoute, not by replicas.
int weight_at(const api::Canary& canary, int step);   // Percent. 100 past the last step.
// How many pods of the updated revision make `weight` percent.
int canary_count(int desired, int weight);            // The nearest count that leaves both some; ties up.
int routed_canary_count(int desired, int weight);     // Enough of them.
// canary_route.cc
void route_forward(Look& look);
void route_back(Look& look);

// rolling.cc. Where the rollout waits for the analysis, its success ends the step.
void pass_by_verdict(Look& look);
// rolling.cc, also for Recreate: with an analysis, the one step ends with its verdict.
void end_with_verdict(Look& look);

// Every Service that the strategy names selects `revision`. Nothing where it names none.
Routing route_all_to(const api::RolloutSpec& spec, const std::string& revision);

}  // namespace scalableapp::rollout
