#include "operator/kube/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "operator/kube/api_error.h"

namespace scalableapp::kube {
namespace {

const char* content_type(PatchKind kind) {
  switch (kind) {
    case PatchKind::kMerge:
      return "application/merge-patch+json";
    case PatchKind::kStrategic:
      return "application/strategic-merge-patch+json";
    case PatchKind::kJson:
      return "application/json-patch+json";
  }
  return "";
}

const char* to_string(Propagation propagation) {
  switch (propagation) {
    case Propagation::kBackground:
      return "Background";
    case Propagation::kForeground:
      return "Foreground";
    case Propagation::kOrphan:
      return "Orphan";
  }
  return "";
}

class HttpClient final : public Client {
 public:
  HttpClient(HttpTransport& transport, const Clock& clock, Random& random,
             const ClientOptions& options, std::function<std::stop_token()> stop)
      : transport_(transport),
        clock_(clock),
        random_(random),
        options_(options),
        stop_(std::move(stop)) {}

  Result<std::string> get(const ResourceType& type, const api::ObjectKey& key) override {
    return call({.method = "GET", .path_and_query = object_path(type, key)}, type,
                api::to_string(key));
  }

  Result<std::string> list(const ResourceType& type, const ListOptions& options) override {
    return call({.method = "GET", .path_and_query = list_path(type, options)}, type,
                options.namespace_name);
  }

  Result<std::string> create(const ResourceType& type, std::string_view namespace_name,
                             std::string_view body) override {
    return call({.method = "POST",
                 .path_and_query = collection_path(type, namespace_name),
                 .content_type = "application/json",
                 .body = std::string(body)},
                type, namespace_name);
  }

  Result<std::string> apply(const ResourceType& type, const api::ObjectKey& key,
                            std::string_view body, std::string_view field_manager,
                            std::string_view subresource) override {
    const WriteOptions options{.field_manager = std::string(field_manager), .force = true};
    // JSON is YAML; application/apply-patch+yaml is what every server version since 1.22 accepts.
    return call({.method = "PATCH",
                 .path_and_query = object_path(type, key, subresource) + write_query(options),
                 .content_type = "application/apply-patch+yaml",
                 .body = std::string(body)},
                type, api::to_string(key));
  }

  Result<std::string> patch(const ResourceType& type, const api::ObjectKey& key,
                            std::string_view body, PatchKind kind, std::string_view subresource,
                            std::string_view field_manager) override {
    const WriteOptions options{.field_manager = std::string(field_manager)};
    return call({.method = "PATCH",
                 .path_and_query = object_path(type, key, subresource) + write_query(options),
                 .content_type = content_type(kind),
                 .body = std::string(body)},
                type, api::to_string(key));
  }

  Result<std::string> update(const ResourceType& type, const api::ObjectKey& key,
                             std::string_view body, std::string_view subresource) override {
    return call({.method = "PUT",
                 .path_and_query = object_path(type, key, subresource),
                 .content_type = "application/json",
                 .body = std::string(body)},
                type, api::to_string(key));
  }

  Result<void> remove(const ResourceType& type, const api::ObjectKey& key,
                      const Preconditions& preconditions, Propagation propagation) override {
    nlohmann::json body = {{"kind", "DeleteOptions"},
                           {"apiVersion", "v1"},
                           {"propagationPolicy", to_string(propagation)}};
    if (!preconditions.uid.empty()) body["preconditions"]["uid"] = preconditions.uid;
    if (!preconditions.resource_version.empty()) {
      body["preconditions"]["resourceVersion"] = preconditions.resource_version;
    }
    auto result =
        call({.method = "DELETE",
              .path_and_query = object_path(type, key),
              .content_type = "application/json",
              .body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)},
             type, api::to_string(key));
    if (!result) return tl::unexpected(std::move(result.error()));
    return {};
  }

 private:
  Result<std::string> call(const HttpRequest& request, const ResourceType& type,
                           std::string_view object) {
    const std::stop_token stop = stop_ ? stop_() : std::stop_token();
    const bool is_read = request.method == "GET";
    const MonotonicTime give_up = clock_.monotonic_now() + options_.retry_budget;
    Backoff backoff(options_.backoff);
    for (;;) {
      auto response = transport_.send(request, stop);
      if (response && response->ok()) return std::move(response->body);

      const std::string doing = fmt::format("{} {} {}", request.method, type.plural, object);
      Error error = response ? error_of_response(*response, doing) : std::move(response.error());
      if (!response) error.message = fmt::format("{}: {}", doing, error.message);
      const bool not_carried_out = error.code == ErrorCode::kTooManyRequests ||
                                   (!response && error.code == ErrorCode::kUnavailable);
      const bool read_again =
          is_read && (error.code == ErrorCode::kUnavailable || error.code == ErrorCode::kTimeout);
      if (!not_carried_out && !read_again) return tl::unexpected(std::move(error));

      const MonotonicTime now = clock_.monotonic_now();
      const milliseconds wait = std::max(backoff.next(now, random_.uniform()),
                                         error.retry_after.value_or(milliseconds(0)));
      if (now + wait > give_up) return tl::unexpected(std::move(error));
      if (!sleep_for(clock_, wait, stop)) return fail(ErrorCode::kCancelled, doing + ": stopped");
    }
  }

  HttpTransport& transport_;
  const Clock& clock_;
  Random& random_;
  const ClientOptions options_;
  const std::function<std::stop_token()> stop_;
};

}  // namespace

std::unique_ptr<Client> make_client(HttpTransport& transport, const Clock& clock, Random& random,
                                    const ClientOptions& options, std::function<std::stop_token()> stop) {
  return std::make_unique<HttpClient>(transport, clock, random, options, std::move(stop));
}

}  // namespace scalableapp::kube
