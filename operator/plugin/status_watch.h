// Looks at an app again and again: for `status`, with --watch and --wait. One thread; time is the clock's.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "operator/kube/client.h"
#include "operator/plugin/status_tree.h"

namespace scalableapp::plugin {

struct Picture {
  AppView view;
  std::vector<std::string> warnings;  // What may not be read, and why.
};
Result<Picture> fetch_view(kube::Client& client, const api::ObjectKey& app);

struct Watch {
  bool draws = false;  // The tree whenever it has changed; else a line of progress.
  bool waits = false;  // Ends when the rollout is complete or has failed; else never.
  std::optional<milliseconds> timeout;
};
// Shows what has changed, looking every second. Ends well when the rollout is complete; kInvalid says why it failed,
// kTimeout how far it was.
Result<void> watch(kube::Client& client, const Clock& clock, const api::ObjectKey& app, const Watch& watch,
                   const std::function<void(const std::string& text)>& show);

}  // namespace scalableapp::plugin
