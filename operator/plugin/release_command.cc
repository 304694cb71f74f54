// kubectl scalableapp release
#include <memory>

#include "operator/plugin/cluster.h"
#include "operator/plugin/commands.h"
#include "operator/plugin/release_steps.h"

namespace scalableapp::plugin {
namespace {

struct Options {
  std::string name;
  ClusterOptions cluster;
  bool force = false;
};

Result<Printed> execute(const Options& options) {
  const auto cluster = connect(options.cluster);
  if (!cluster) return tl::unexpected(cluster.error());
  return release(NamespaceObjects(*(*cluster)->client, (*cluster)->clock, (*cluster)->namespace_name), options.name,
                 options.force);
}

}  // namespace

Runnable release_command() {
  auto options = std::make_shared<Options>();
  std::vector<Flag> flags{{"force", 0, "false",
                           "Do not wait for the operator, nor until every pod is warm: gates that are shut are opened.",
                           toggle("force", options->force), "true"}};
  for (Flag& flag : cluster_flags(options->cluster)) flags.push_back(std::move(flag));
  return {.command = {.name = "release",
                      .summary = "Give a ScalableApp back to a Deployment, without restarting a pod.",
                      .description =
                          "The Deployment gets the app's name, the template that runs, and its count. A\n"
                          "HorizontalPodAutoscaler that `adopt` took over is made again; where there was none one is\n"
                          "proposed for the CPU metric. Refused while a rollout is not over. Where it breaks off, the\n"
                          "same command goes on.",
                      .examples = "# Run shop/web as a Deployment again\n"
                                  "kubectl scalableapp release web -n shop",
                      .usage = "release NAME [options]",
                      .flags = std::move(flags),
                      .argument = "NAME",
                      .set_argument = text(options->name)},
          .check = [options]() -> Result<void> {
            if (options->name.empty()) return fail(ErrorCode::kInvalid, "NAME: must be given: the app's name");
            return {};
          },
          .execute = [options] { return execute(*options); }};
}

}  // namespace scalableapp::plugin
