// kubectl scalableapp restart
#include "operator/plugin/steering.h"

namespace scalableapp::plugin {

Runnable restart_command() {
  return steering_command(
      {.name = "restart",
       .summary = "Replace all pods of an app by new ones.",
       .description = "By a rollout like any other, with the strategy of the app. Sets the time in the template's\n"
                      "annotation kubectl.kubernetes.io/restartedAt, as kubectl rollout restart does.",
       .examples = "# Read a changed ConfigMap\n"
                   "kubectl scalableapp restart web",
       .usage = "restart NAME [options]"},
      std::make_shared<SteeringOptions>(),
      [](kube::Client&, const api::ScalableApp& app, WallTime now) { return restart(app, now); });
}

}  // namespace scalableapp::plugin
