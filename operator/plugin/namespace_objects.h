// The objects of one namespace as JSON, for commands that change several in turn, and waiting for what controllers make
// of it. Blocking; one thread. Errors are the client's.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "operator/kube/client.h"

namespace scalableapp::plugin {

class NamespaceObjects {
 public:
  NamespaceObjects(kube::Client& client, const Clock& clock, std::string namespace_name);

  Result<nlohmann::json> get(const kube::ResourceType& type, const std::string& name) const;
  Result<nlohmann::json> find(const kube::ResourceType& type, const std::string& name) const;  // null: not there.
  // `selector`: of labels, null for all.
  Result<std::vector<nlohmann::json>> list(const kube::ResourceType& type, const nlohmann::json& selector) const;
  Result<nlohmann::json> create(const kube::ResourceType& type, const std::string& body) const;
  Result<nlohmann::json> patch(const kube::ResourceType& type, const std::string& name, const std::string& body,
                               kube::PatchKind kind = kube::PatchKind::kMerge, std::string_view subresource = {}) const;
  Result<void> remove(const kube::ResourceType& type, const std::string& name, const kube::Preconditions& preconditions,
                      kube::Propagation propagation) const;

  // Asks `what_is_missing` until it answers with nothing; kTimeout with its last answer after `limit`.
  Result<void> wait(seconds limit, const std::function<Result<std::string>()>& what_is_missing) const;

  // As patch, where the object may be gone or, with a lock in `body`, have changed: what it keeps from being done then,
  // for `wait`. Empty: it is done.
  Result<std::string> try_patch(const kube::ResourceType& type, const std::string& name, const std::string& body) const;

  const std::string& namespace_name() const { return namespace_; }
  std::string now() const;  // As metav1.Time is written.

 private:
  kube::Client& client_;
  const Clock& clock_;
  std::string namespace_;
};

// The pods that these ReplicaSets control and that are not finished.
std::vector<nlohmann::json> pods_of(std::vector<nlohmann::json> pods, std::span<const nlohmann::json> replica_sets);

}  // namespace scalableapp::plugin
