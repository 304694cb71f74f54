// kubectl scalableapp history
#include "operator/plugin/history.h"

namespace scalableapp::plugin {
namespace {

struct Options {
  std::string name;
  ClusterOptions cluster;
  std::optional<int> revision;
};

Result<Printed> show(const Options& options) {
  const auto cluster = connect(options.cluster);
  if (!cluster) return tl::unexpected(cluster.error());
  kube::Client& client = *(*cluster)->client;
  const auto app = fetch_app(client, {(*cluster)->namespace_name, options.name});
  if (!app) return tl::unexpected(app.error());
  const auto revisions = fetch_revisions(client, *app);
  if (!revisions) return tl::unexpected(revisions.error());
  if (!options.revision) return Printed{.out = history_table(*app, *revisions)};
  auto pod_template = history_template(*revisions, *options.revision);
  if (!pod_template) return tl::unexpected(pod_template.error());
  return Printed{.out = std::move(*pod_template)};
}

}  // namespace

Runnable history_command() {
  auto options = std::make_shared<Options>();
  Runnable runnable{
      .command = {.name = "history",
                  .summary = "List the revisions of an app.",
                  .description = "Those whose ReplicaSets are kept: spec.revisionHistoryLimit of them. The numbers\n"
                                 "grow and are not consecutive. CHANGE-CAUSE is the app's annotation\n"
                                 "kubernetes.io/change-cause of that time.",
                  .examples = "# Which revisions are there?\n"
                              "kubectl scalableapp history web\n\n"
                              "# The pod template of one, as JSON\n"
                              "kubectl scalableapp history web --revision 12",
                  .usage = "history NAME [options]",
                  .flags = cluster_flags(options->cluster)},
      .execute = [options] { return show(*options); }};
  runnable.command.flags.push_back({"revision", 0, "''", "Show this one's pod template; default: the list of all.",
                                    whole("revision", options->revision, -2'000'000'000, 2'000'000'000)});
  take_name(runnable, options->name);
  return runnable;
}

}  // namespace scalableapp::plugin
