#include "operator/plugin/namespace_objects.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "operator/api/json_fields.h"
#include "operator/api/label_selector.h"
#include "operator/plugin/cluster.h"
#include "operator/plugin/parts.h"

namespace scalableapp::plugin {
namespace {

using nlohmann::json;

constexpr milliseconds kBetweenLooks{250};

Result<json> parsed(const Result<std::string>& text) {
  if (!text) return tl::unexpected(text.error());
  json object = json::parse(*text, nullptr, false);
  if (!object.is_object()) return fail(ErrorCode::kDecode, "the API server's answer is no JSON object");
  return object;
}

}  // namespace

NamespaceObjects::NamespaceObjects(kube::Client& client, const Clock& clock, std::string namespace_name)
    : client_(client), clock_(clock), namespace_(std::move(namespace_name)) {}

Result<json> NamespaceObjects::get(const kube::ResourceType& type, const std::string& name) const {
  return parsed(client_.get(type, {namespace_, name}));
}

Result<json> NamespaceObjects::find(const kube::ResourceType& type, const std::string& name) const {
  auto object = get(type, name);
  if (!object && object.error().code == ErrorCode::kNotFound) return json();
  return object;
}

Result<std::vector<json>> NamespaceObjects::list(const kube::ResourceType& type, const json& selector) const {
  auto page = parsed(client_.list(type, {.namespace_name = namespace_, .label_selector = api::selector_query(selector)}));
  if (!page) return tl::unexpected(page.error());
  std::vector<json> items;
  for (const json& item : api::child(*page, "items")) items.push_back(item);
  return items;
}

Result<json> NamespaceObjects::create(const kube::ResourceType& type, const std::string& body) const {
  return parsed(client_.create(type, namespace_, body));
}

Result<json> NamespaceObjects::patch(const kube::ResourceType& type, const std::string& name, const std::string& body,
                                     kube::PatchKind kind, std::string_view subresource) const {
  return parsed(client_.patch(type, {namespace_, name}, body, kind, subresource, kPluginFieldManager));
}

Result<std::string> NamespaceObjects::try_patch(const kube::ResourceType& type, const std::string& name,
                                                const std::string& body) const {
  const auto patched = patch(type, name, body);
  if (patched) return std::string();
  const ErrorCode code = patched.error().code;
  if (code != ErrorCode::kNotFound && code != ErrorCode::kConflict) return tl::unexpected(patched.error());
  return fmt::format("{} {} keeps changing", type.kind, name);
}

Result<void> NamespaceObjects::remove(const kube::ResourceType& type, const std::string& name,
                                      const kube::Preconditions& preconditions,
                                      kube::Propagation propagation) const {
  return client_.remove(type, {namespace_, name}, preconditions, propagation);
}

std::string NamespaceObjects::now() const { return format_rfc3339(clock_.wall_now()); }

Result<void> NamespaceObjects::wait(seconds limit, const std::function<Result<std::string>()>& what_is_missing) const {
  const MonotonicTime deadline = clock_.monotonic_now() + limit;
  while (true) {
    const auto missing = what_is_missing();
    if (!missing) return tl::unexpected(missing.error());
    if (missing->empty()) return {};
    if (clock_.monotonic_now() >= deadline) {
      return fail(ErrorCode::kTimeout, fmt::format("waited for {} s: {}", limit.count(), *missing));
    }
    sleep_for(clock_, kBetweenLooks, {});
  }
}

std::vector<json> pods_of(std::vector<json> pods, std::span<const json> replica_sets) {
  std::erase_if(pods, [&](const json& pod) {
    const std::string phase = api::text(status_of(pod), "phase");
    return phase == "Succeeded" || phase == "Failed" ||
           std::ranges::find(replica_sets, controller_uid(pod), uid_of) == replica_sets.end();
  });
  return pods;
}

}  // namespace scalableapp::plugin
