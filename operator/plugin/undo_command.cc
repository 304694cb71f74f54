// kubectl scalableapp undo
#include "operator/plugin/history.h"

namespace scalableapp::plugin {

Runnable undo_command() {
  auto options = std::make_shared<SteeringOptions>();
  auto number = std::make_shared<std::optional<int>>();
  return steering_command(
      {.name = "undo",
       .summary = "Give an app the pod template of an earlier revision.",
       .description = "Without --to-revision that is the stable one while the present one is not rolled out, or has\n"
                      "failed, and else the newest other one. Replaces the whole of spec.template; a revision whose\n"
                      "ReplicaSet is kept is the same revision again. Where manifests are applied from a repository,\n"
                      "change them there as well.",
       .examples = "# Back to the revision before\n"
                   "kubectl scalableapp undo web\n\n"
                   "# Back to a certain one of kubectl scalableapp history web\n"
                   "kubectl scalableapp undo web --to-revision 12",
       .usage = "undo NAME [options]",
       .flags = {{"to-revision", 0, "''", "The revision's number; default: the one before.",
                  whole("to-revision", *number, -2'000'000'000, 2'000'000'000)}}},
      options, [number](kube::Client& client, const api::ScalableApp& app, WallTime) -> Result<Edit> {
        const auto revisions = fetch_revisions(client, app);
        if (!revisions) return tl::unexpected(revisions.error());
        return undo(app, *revisions, *number);
      });
}

}  // namespace scalableapp::plugin
