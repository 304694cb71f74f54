// kubectl scalableapp pause and resume
#include "operator/plugin/steering.h"

namespace scalableapp::plugin {

Runnable pause_command() {
  return steering_command(
      {.name = "pause",
       .summary = "Keep the rollout of an app where it is.",
       .description = "Scaling goes on; spec.paused is what stops both. Sets spec.rollout.paused.",
       .examples = "# Hold a rollout while you look at something\n"
                   "kubectl scalableapp pause web",
       .usage = "pause NAME [options]"},
      std::make_shared<SteeringOptions>(),
      [](kube::Client&, const api::ScalableApp& app, WallTime) { return pause(app); });
}

Runnable resume_command() {
  return steering_command(
      {.name = "resume",
       .summary = "Let a paused rollout go on.",
       .description = "Of what pause set, spec.rollout.paused. A rollout that waits at a step is promoted instead.",
       .examples = "# Go on\n"
                   "kubectl scalableapp resume web",
       .usage = "resume NAME [options]"},
      std::make_shared<SteeringOptions>(),
      [](kube::Client&, const api::ScalableApp& app, WallTime) { return resume(app); });
}

}  // namespace scalableapp::plugin
