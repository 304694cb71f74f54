// Pure building of the API server's URLs: which path and query a verb on a resource has.
// Percent-encodes everything that comes from outside. Knows no bodies and does no IO.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "operator/api/meta.h"
#include "operator/base/time.h"

namespace scalableapp::kube {

struct ResourceType {
  std::string_view group;  // Empty for the core group.
  std::string_view version;
  std::string_view plural;
  std::string_view kind;
  bool namespaced = true;

  bool operator==(const ResourceType&) const = default;
};

inline constexpr ResourceType kScalableApps{"scalableapp.io", "v1alpha1", "scalableapps",
                                            "ScalableApp"};
inline constexpr ResourceType kReplicaSets{"apps", "v1", "replicasets", "ReplicaSet"};
inline constexpr ResourceType kPods{"", "v1", "pods", "Pod"};
inline constexpr ResourceType kLeases{"coordination.k8s.io", "v1", "leases", "Lease"};
inline constexpr ResourceType kEvents{"events.k8s.io", "v1", "events", "Event"};
inline constexpr ResourceType kConfigMaps{"", "v1", "configmaps", "ConfigMap"};
inline constexpr ResourceType kNamespaces{"", "v1", "namespaces", "Namespace", false};
inline constexpr ResourceType kNodes{"", "v1", "nodes", "Node", false};
inline constexpr ResourceType kServices{"", "v1", "services", "Service"};
inline constexpr ResourceType kHttpRoutes{"gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute"};
inline constexpr ResourceType kPodDisruptionBudgets{"policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget"};
inline constexpr ResourceType kDeployments{"apps", "v1", "deployments", "Deployment"};
inline constexpr ResourceType kHorizontalPodAutoscalers{"autoscaling", "v2", "horizontalpodautoscalers",
                                                        "HorizontalPodAutoscaler"};

// "apps/v1", or "v1" for the core group: the apiVersion field of the type's objects.
std::string api_version(const ResourceType& type);

// RFC 3986: everything but the unreserved characters becomes %XX.
std::string percent_encode(std::string_view text);

// "/apis/apps/v1/namespaces/default/replicasets"; an empty namespace means all of them.
std::string collection_path(const ResourceType& type, std::string_view namespace_name);
// The same with the object's name, and "/status" or the like if a subresource is named.
std::string object_path(const ResourceType& type, const api::ObjectKey& key,
                        std::string_view subresource = {});

struct ListOptions {
  std::string namespace_name = {};  // Empty: all.
  std::string label_selector = {};  // "scalableapp.io/name=web".
  int limit = 0;                    // Objects a page; 0: all at once.
  std::string continue_token = {};  // From the page before; excludes resource_version.
  std::string resource_version = {};
};
std::string list_path(const ResourceType& type, const ListOptions& options);

struct WatchOptions {
  std::string namespace_name = {};
  std::string label_selector = {};
  std::string resource_version = {};
  seconds timeout{0};  // After which the server ends the watch; 0: its own choice.
};
// Always asks for bookmarks.
std::string watch_path(const ResourceType& type, const WatchOptions& options);

struct WriteOptions {
  std::string field_manager = {};
  bool force = false;  // Server-side apply only: take fields over from other managers.
};
// "?fieldManager=..&force=true", or nothing.
std::string write_query(const WriteOptions& options);

}  // namespace scalableapp::kube
