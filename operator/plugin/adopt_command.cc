// kubectl scalableapp adopt
#include <fmt/format.h>

#include <memory>

#include "operator/plugin/adopt_plan.h"
#include "operator/plugin/adopt_steps.h"
#include "operator/plugin/cluster.h"
#include "operator/plugin/commands.h"

namespace scalableapp::plugin {
namespace {

struct Options {
  std::string name;
  ClusterOptions cluster;
  AdoptOptions adopt;
  bool dry_run = false;
};

Result<Printed> execute(const Options& options) {
  const auto cluster = connect(options.cluster);
  if (!cluster) return tl::unexpected(cluster.error());
  const NamespaceObjects objects(*(*cluster)->client, (*cluster)->clock, (*cluster)->namespace_name);
  return options.dry_run ? plan_adoption(objects, options.name, options.adopt)
                         : adopt(objects, options.name, options.adopt);
}

}  // namespace

Runnable adopt_command() {
  auto options = std::make_shared<Options>();
  std::vector<Flag> flags{
      {"dry-run", 0, "false", "Print the ScalableApp and the steps; change nothing.",
       toggle("dry-run", options->dry_run), "true"},
      {"min", 0, "''", "spec.replicas.min; default: the HorizontalPodAutoscaler's, else the present count.",
       whole("min", options->adopt.min_replicas, 1, 100'000)},
      {"max", 0, "''", "spec.replicas.max; default: the HorizontalPodAutoscaler's, else twice the present count.",
       whole("max", options->adopt.max_replicas, 1, 100'000)},
      {"latency-target", 0, "''", "Scale by the latency too: a metric with this target for its 99th percentile.",
       duration("latency-target", options->adopt.latency_target_seconds, 0.001, 3600)},
      {"force", 0, "false", "Also in the middle of a rollout, and where the Deployment has a controller.",
       toggle("force", options->adopt.force), "true"}};
  for (Flag& flag : cluster_flags(options->cluster)) flags.push_back(std::move(flag));
  return {.command = {.name = "adopt",
                      .summary = "Take a Deployment over into a ScalableApp, without restarting a pod.",
                      .description =
                          "The ScalableApp gets the Deployment's name and template, and scales as its\n"
                          "HorizontalPodAutoscaler did; what has no translation is told. Deployment and\n"
                          "HorizontalPodAutoscaler are deleted; the ReplicaSets and pods stay as they are and become\n"
                          "the ScalableApp's. Where it breaks off no pod has been restarted, and the same command\n"
                          "goes on. `release` is the way back.\n\n"
                          "Whatever else makes the Deployment (GitOps, Helm) must be ended first, or it will make it\n"
                          "again.",
                      .examples = "# What would become of Deployment web?\n"
                                  "kubectl scalableapp adopt web -n shop --dry-run > web.yaml\n\n"
                                  "# Take it over, and scale by its latency too\n"
                                  "kubectl scalableapp adopt web -n shop --latency-target 250ms",
                      .usage = "adopt DEPLOYMENT [options]",
                      .flags = std::move(flags),
                      .argument = "DEPLOYMENT",
                      .set_argument = text(options->name)},
          .check = [options]() -> Result<void> {
            if (options->name.empty()) {
              return fail(ErrorCode::kInvalid, "DEPLOYMENT: must be given: the Deployment's name");
            }
            return {};
          },
          .execute = [options] { return execute(*options); }};
}

}  // namespace scalableapp::plugin
