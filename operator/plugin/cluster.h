// The cluster that a command talks to: the flags that name it, as kubectl has them, and a client of its
// API server. Blocking; one thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "operator/base/result.h"
#include "operator/kube/client.h"
#include "operator/platform/clock.h"
#include "operator/platform/random.h"
#include "operator/plugin/command_line.h"

namespace scalableapp::plugin {

// Of everything that the plugin writes.
inline constexpr const char* kPluginFieldManager = "kubectl-scalableapp";

struct ClusterOptions {
  std::string namespace_name;  // Empty: the context's.
  std::string context;
  std::string kubeconfig;
};
// -n, --context and --kubeconfig; `options` must outlive them.
std::vector<Flag> cluster_flags(ClusterOptions& options);

struct Cluster {
  SystemClock clock;
  Random random;
  std::string url;
  std::string namespace_name;
  std::unique_ptr<kube::HttpTransport> transport;
  std::unique_ptr<kube::Client> client;  // Of all types; errors do not name the URL.
};
Result<std::unique_ptr<Cluster>> connect(const ClusterOptions& options);

}  // namespace scalableapp::plugin
