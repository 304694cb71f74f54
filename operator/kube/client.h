// The verbs of the Kubernetes API on JSON bodies. Typed decoding is the caller's (operator/api);
// caching is the informers'. Every failure is an Error as api_error.h maps it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "operator/base/backoff.h"
#include "operator/base/result.h"
#include "operator/kube/paths.h"
#include "operator/kube/transport.h"
#include "operator/platform/clock.h"
#include "operator/platform/random.h"

namespace scalableapp::kube {

enum class PatchKind { kMerge, kStrategic, kJson };

// What must still hold for a delete to happen, else kConflict.
struct Preconditions {
  std::string uid = {};
  std::string resource_version = {};
};

// What becomes of the objects that the deleted one owns.
enum class Propagation { kBackground, kForeground, kOrphan };

// Thread-safe. Bodies and results are JSON texts; results are the object as the server now has it.
class Client {
 public:
  virtual ~Client() = default;

  virtual Result<std::string> get(const ResourceType& type, const api::ObjectKey& key) = 0;
  // One page: a List object.
  virtual Result<std::string> list(const ResourceType& type, const ListOptions& options) = 0;
  virtual Result<std::string> create(const ResourceType& type, std::string_view namespace_name,
                                     std::string_view body) = 0;
  // Server-side apply, taking fields over from other managers. Creates the object if there is none;
  // a body with metadata.uid or metadata.resourceVersion meets only that object (else kConflict).
  virtual Result<std::string> apply(const ResourceType& type, const api::ObjectKey& key,
                                    std::string_view body, std::string_view field_manager,
                                    std::string_view subresource = {}) = 0;
  // A metadata.resourceVersion in a merge or strategic patch is an optimistic lock.
  virtual Result<std::string> patch(const ResourceType& type, const api::ObjectKey& key,
                                    std::string_view body, PatchKind kind,
                                    std::string_view subresource = {},
                                    std::string_view field_manager = {}) = 0;
  // Replaces; the body's metadata.resourceVersion is the lock.
  virtual Result<std::string> update(const ResourceType& type, const api::ObjectKey& key,
                                     std::string_view body, std::string_view subresource = {}) = 0;
  // kNotFound if it is already gone.
  virtual Result<void> remove(const ResourceType& type, const api::ObjectKey& key,
                              const Preconditions& preconditions = {},
                              Propagation propagation = Propagation::kBackground) = 0;
};

struct ClientOptions {
  // How long one call may go on trying, waits included. Reads are repeated on 429, 5xx and broken
  // connections; writes only where they cannot have been carried out: 429 and no connection at all.
  milliseconds retry_budget{10'000};
  // Between tries; Retry-After wins if longer.
  BackoffPolicy backoff{.first = milliseconds(200), .cap = milliseconds(3'000)};
};

// All references must outlive it. Each call asks `stop` for its token at its beginning and becomes
// kCancelled when that is stopped; none: calls are only ended by their own limits.
std::unique_ptr<Client> make_client(HttpTransport& transport, const Clock& clock, Random& random,
                                    const ClientOptions& options = {},
                                    std::function<std::stop_token()> stop = {});

}  // namespace scalableapp::kube
