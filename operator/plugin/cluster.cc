#include "operator/plugin/cluster.h"

#include "operator/kube/config.h"
#include "operator/kube/cpprest_transport.h"

namespace scalableapp::plugin {

std::vector<Flag> cluster_flags(ClusterOptions& options) {
  return {{"namespace", 'n', "''", "Namespace of the app; default: the context's.", text(options.namespace_name)},
          {"context", 0, "''", "The kubeconfig's context to use.", text(options.context)},
          {"kubeconfig", 0, "''", "Path of the kubeconfig; default: $KUBECONFIG, then ~/.kube/config.",
           text(options.kubeconfig)}};
}

Result<std::unique_ptr<Cluster>> connect(const ClusterOptions& options) {
  const auto config = kube::find_config(options.kubeconfig, options.context, kube::process_environment());
  if (!config) return tl::unexpected(config.error());
  auto cluster = std::make_unique<Cluster>();
  cluster->url = config->endpoint.base_url;
  cluster->namespace_name = options.namespace_name;
  if (cluster->namespace_name.empty()) cluster->namespace_name = config->namespace_name;
  if (cluster->namespace_name.empty()) cluster->namespace_name = "default";
  auto transport = kube::make_cpprest_transport(config->endpoint, cluster->clock);
  if (!transport) return tl::unexpected(transport.error());
  cluster->transport = std::move(*transport);
  cluster->client = kube::make_client(*cluster->transport, cluster->clock, cluster->random);
  return cluster;
}

}  // namespace scalableapp::plugin
