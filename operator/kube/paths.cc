#include "operator/kube/paths.h"

#include <fmt/format.h>

namespace scalableapp::kube {
namespace {

class Query {
 public:
  Query& add(std::string_view name, std::string_view value) {
    if (!value.empty()) {
      text_ += fmt::format("{}{}={}", text_.empty() ? '?' : '&', name, percent_encode(value));
    }
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

}  // namespace

std::string api_version(const ResourceType& type) {
  return type.group.empty() ? std::string(type.version)
                            : fmt::format("{}/{}", type.group, type.version);
}

std::string percent_encode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (is_unreserved(c)) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::string collection_path(const ResourceType& type, std::string_view namespace_name) {
  std::string path = fmt::format("{}/{}", type.group.empty() ? "/api" : "/apis", api_version(type));
  if (type.namespaced && !namespace_name.empty()) {
    path += fmt::format("/namespaces/{}", percent_encode(namespace_name));
  }
  return fmt::format("{}/{}", path, type.plural);
}

std::string object_path(const ResourceType& type, const api::ObjectKey& key,
                        std::string_view subresource) {
  std::string path =
      fmt::format("{}/{}", collection_path(type, key.namespace_name), percent_encode(key.name));
  if (!subresource.empty()) path += fmt::format("/{}", percent_encode(subresource));
  return path;
}

std::string list_path(const ResourceType& type, const ListOptions& options) {
  return collection_path(type, options.namespace_name) +
         Query()
             .add("labelSelector", options.label_selector)
             .add("limit", options.limit > 0 ? std::to_string(options.limit) : "")
             .add("continue", options.continue_token)
             .add("resourceVersion", options.continue_token.empty() ? options.resource_version : "")
             .text();
}

std::string watch_path(const ResourceType& type, const WatchOptions& options) {
  const auto timeout = options.timeout.count();
  return collection_path(type, options.namespace_name) +
         Query()
             .add("watch", "true")
             .add("allowWatchBookmarks", "true")
             .add("labelSelector", options.label_selector)
             .add("resourceVersion", options.resource_version)
             .add("timeoutSeconds", timeout > 0 ? std::to_string(timeout) : "")
             .text();
}

std::string write_query(const WriteOptions& options) {
  return Query()
      .add("fieldManager", options.field_manager)
      .add("force", options.force ? "true" : "")
      .text();
}

}  // namespace scalableapp::kube
