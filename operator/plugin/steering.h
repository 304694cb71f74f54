// Changes that people make to an app while it runs: of its spec or its annotations, never of its status. What to
// change is pure: (the app as it is, what is asked) -> a patch and what to say; each fails with why there is
// nothing to do. steer() reads, changes and writes.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "operator/api/scalable_app.h"
#include "operator/kube/client.h"
#include "operator/plugin/cluster.h"
#include "operator/plugin/commands.h"

namespace scalableapp::plugin {

struct Edit {
  std::string patch;  // JSON, with the resourceVersion as its lock; empty: nothing is to be changed.
  kube::PatchKind kind = kube::PatchKind::kMerge;
  std::string done;  // "paused"
  std::vector<std::string> notes = {};  // For a person.
};

Result<Edit> promote(const api::ScalableApp& app, bool fully);
Result<Edit> abort(const api::ScalableApp& app);
Result<Edit> retry(const api::ScalableApp& app, WallTime now);
Result<Edit> pause(const api::ScalableApp& app);
Result<Edit> resume(const api::ScalableApp& app);
Result<Edit> restart(const api::ScalableApp& app, WallTime now);
// spec.replicas.override; `until` unset: for good.
Result<Edit> hold(const api::ScalableApp& app, int count, std::optional<WallTime> until);
Result<Edit> release(const api::ScalableApp& app);

using MakeEdit = std::function<Result<Edit>(kube::Client& client, const api::ScalableApp& app, WallTime now)>;
// What kubectl prints: "scalableapp.scalableapp.io/web paused". Where the app was changed meanwhile it is read and
// edited again, a few times. With `dry_run` the patch is printed and nothing written.
Result<Printed> steer(kube::Client& client, const Clock& clock, const api::ObjectKey& app, bool dry_run,
                      const MakeEdit& make_edit);

struct SteeringOptions {
  std::string name;
  ClusterOptions cluster;
  std::string dry_run = "none";
};
// `command`, with its own flags, as one of an app NAME in a cluster: adds their flags and --dry-run.
Runnable steering_command(Command command, std::shared_ptr<SteeringOptions> options, MakeEdit make_edit);

// The argument NAME, and that it must be given.
void take_name(Runnable& runnable, std::string& name);

}  // namespace scalableapp::plugin
