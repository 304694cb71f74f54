#include "operator/plugin/status_watch.h"

#include <fmt/format.h>

#include "operator/plugin/progress.h"

namespace scalableapp::plugin {
namespace {

constexpr milliseconds kInterval{1000};

}  // namespace

Result<Picture> fetch_view(kube::Client& client, const api::ObjectKey& key) {
  auto app = fetch_app(client, key);
  if (!app) return tl::unexpected(app.error());
  Picture picture{.view = {.app = std::move(*app)}};
  auto revisions = fetch_revisions(client, picture.view.app);
  if (!revisions) {
    picture.warnings.push_back("revisions and pods are not shown: " + revisions.error().message);
    return picture;
  }
  picture.view.revisions = std::move(*revisions);
  if (const auto pods = fetch_pods(client, picture.view.app, picture.view.revisions); !pods) {
    picture.warnings.push_back("pods are not shown: " + pods.error().message);
  }
  return picture;
}

Result<void> watch(kube::Client& client, const Clock& clock, const api::ObjectKey& key, const Watch& watch,
                   const std::function<void(const std::string& text)>& show) {
  const MonotonicTime begin = clock.monotonic_now();
  std::string shown;
  WallTime shown_at{};
  while (true) {
    Progress progress;
    if (watch.draws) {
      const auto picture = fetch_view(client, key);
      if (!picture) return tl::unexpected(picture.error());
      std::string text;
      for (const std::string& warning : picture->warnings) text += warning + "\n";
      // Ages alone are no change.
      if (shown.empty() || text + status_tree(picture->view, shown_at) != shown) {
        shown_at = clock.wall_now();
        shown = text + status_tree(picture->view, shown_at);
        show(shown);
      }
      progress = progress_of(picture->view.app);
    } else {
      const auto app = fetch_app(client, key);
      if (!app) return tl::unexpected(app.error());
      progress = progress_of(*app);
      if (progress.outcome != Outcome::kFailed && progress.line != shown) show(shown = progress.line);
    }
    if (watch.waits && progress.outcome == Outcome::kComplete) return {};
    if (watch.waits && progress.outcome == Outcome::kFailed) return fail(ErrorCode::kInvalid, progress.line);
    if (watch.timeout && clock.monotonic_now() - begin >= *watch.timeout) {
      return fail(ErrorCode::kTimeout,
                  fmt::format("not complete after {}: {}", format_duration(*watch.timeout), progress.line));
    }
    sleep_for(clock, kInterval, {});
  }
}

}  // namespace scalableapp::plugin
