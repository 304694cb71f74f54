// Where the cluster is and who we are there: from a pod's service account or from a kubeconfig, as
// one value. Reads files and the environment it is given; makes no connection. Exec plugins, auth
// providers, basic auth, proxies and impersonation are refused with an error that says so.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "operator/base/result.h"
#include "operator/kube/transport.h"

namespace scalableapp::kube {

struct ClusterConfig {
  Endpoint endpoint;
  std::string namespace_name;  // The pod's own, or the context's; "default" if neither says.
  std::string source;          // For the log: "in-cluster", or the file and context.

  bool operator==(const ClusterConfig&) const = default;
};

// Looks a variable of the environment up.
using Environment = std::function<std::optional<std::string>(const char* name)>;
Environment process_environment();

inline constexpr std::string_view kServiceAccountDirectory =
    "/var/run/secrets/kubernetes.io/serviceaccount";

// All fail with kInvalid (kDecode for bad YAML) and name the file and the field.
Result<ClusterConfig> in_cluster_config(const Environment& environment,
                                        std::string_view directory = kServiceAccountDirectory);
// An empty `context` means the file's current-context. Paths in the file are relative to it.
Result<ClusterConfig> kubeconfig(const std::string& path, const std::string& context = {});
// The same from YAML text; `path` serves messages and relative paths.
Result<ClusterConfig> parse_kubeconfig(const std::string& yaml, const std::string& path,
                                       const std::string& context = {});

// The usual order: `path` if given, KUBECONFIG, a pod's service account, ~/.kube/config.
Result<ClusterConfig> find_config(const std::string& path, const std::string& context,
                                  const Environment& environment);

}  // namespace scalableapp::kube
