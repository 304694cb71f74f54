// kubectl scalableapp promote, abort and retry: what people ask of a rollout by annotations.
#include "operator/plugin/steering.h"

namespace scalableapp::plugin {

Runnable promote_command() {
  auto options = std::make_shared<SteeringOptions>();
  auto fully = std::make_shared<bool>(false);
  return steering_command(
      {.name = "promote",
       .summary = "Let a rollout pass the step it is at.",
       .description = "Of a Canary that is the present step, of a BlueGreen the wait before the switch; an\n"
                      "analysis is a step too. A rollout that spec.rollout.paused holds at one goes on as well.\n"
                      "Sets the annotation scalableapp.io/promote.",
       .examples = "# Go on with the next step\n"
                   "kubectl scalableapp promote web\n\n"
                   "# Skip all steps, pauses and analyses\n"
                   "kubectl scalableapp promote web --full",
       .usage = "promote NAME [options]",
       .flags = {{"full", 0, "false", "Past all steps, without waiting or measuring any more, and past an analysis that failed where "
                  "spec.rollout.rollback is Manual.",
                  toggle("full", *fully), "true"}}},
      options, [fully](kube::Client&, const api::ScalableApp& app, WallTime) { return promote(app, *fully); });
}

Runnable abort_command() {
  return steering_command(
      {.name = "abort",
       .summary = "End a rollout and go back to the stable revision.",
       .description = "spec.template stays as it is: the revision counts as failed until it is retried, or until\n"
                      "there is another template (undo, or a new one). Sets the annotation scalableapp.io/abort.",
       .examples = "# Back to what ran before\n"
                   "kubectl scalableapp abort web",
       .usage = "abort NAME [options]"},
      std::make_shared<SteeringOptions>(),
      [](kube::Client&, const api::ScalableApp& app, WallTime) { return abort(app); });
}

Runnable retry_command() {
  return steering_command(
      {.name = "retry",
       .summary = "Try a revision again that failed or was aborted.",
       .description = "From its first step on. Removes the annotation scalableapp.io/abort and sets\n"
                      "scalableapp.io/retry.",
       .examples = "# What made it fail is mended elsewhere\n"
                   "kubectl scalableapp retry web",
       .usage = "retry NAME [options]"},
      std::make_shared<SteeringOptions>(),
      [](kube::Client&, const api::ScalableApp& app, WallTime now) { return retry(app, now); });
}

}  // namespace scalableapp::plugin
