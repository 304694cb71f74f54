// What `status` shows: an app, its revisions and their pods as a tree, and what its analysis has measured. Pure.
#pragma once

#include <string>
#include <vector>

#include "operator/plugin/app_view.h"

namespace scalableapp::plugin {

struct AppView {
  api::ScalableApp app;
  std::vector<RevisionView> revisions;  // The newest first.
};

// For a person; without colours, and every sign is said in words too.
std::string status_tree(const AppView& view, WallTime now);
// The same for a machine: one JSON object.
std::string status_json(const AppView& view);

}  // namespace scalableapp::plugin
