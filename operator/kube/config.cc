#include "operator/kube/config.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace scalableapp::kube {
namespace {

Result<std::string> read_file(const std::string& path, std::string_view for_what) {
  std::ifstream in(path);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in.good() && !in.eof()) {
    return fail(ErrorCode::kInvalid, fmt::format("{}: cannot read {}", for_what, path));
  }
  if (text.empty())
    return fail(ErrorCode::kInvalid, fmt::format("{}: {} is empty", for_what, path));
  return text;
}

// RFC 4648 with padding; line breaks are skipped.
std::optional<std::string> decode_base64(std::string_view text) {
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  int padding = 0;
  for (const char c : text) {
    std::uint32_t value = 0;
    if (c == '\n' || c == '\r' || c == ' ') continue;
    if (c == '=') {
      ++padding;
      continue;
    }
    if (padding > 0) return std::nullopt;
    if (c >= 'A' && c <= 'Z') {
      value = static_cast<std::uint32_t>(c - 'A');
    } else if (c >= 'a' && c <= 'z') {
      value = static_cast<std::uint32_t>(c - 'a') + 26;
    } else if (c >= '0' && c <= '9') {
      value = static_cast<std::uint32_t>(c - '0') + 52;
    } else if (c == '+' || c == '/') {
      value = c == '+' ? 62 : 63;
    } else {
      return std::nullopt;
    }
    bits = (bits << 6U) | value;
    if (++count % 4 != 1) {
      const auto shift = static_cast<std::uint32_t>(6 - 2 * ((count - 1) % 4));
      out += static_cast<char>((bits >> shift) & 0xffU);
    }
  }
  if ((count + padding) % 4 != 0 || padding > 2) return std::nullopt;
  return out;
}

// One entry of a kubeconfig (a cluster or a user), with the way to it for messages.
class Section {
 public:
  Section(YAML::Node node, std::string path, std::string where)
      : node_(std::move(node)), path_(std::move(path)), where_(std::move(where)) {}

  bool has(const char* field) const {
    return node_.IsMap() && node_[field] && !node_[field].IsNull();
  }

  Result<std::string> text(const char* field) const {
    if (!has(field)) return std::string();
    if (!node_[field].IsScalar()) return wrong(field, "must be a string");
    return node_[field].Scalar();
  }

  // The file that `field` names, seen from the kubeconfig; empty if there is no such field.
  Result<std::string> file(const char* field) const {
    auto name = text(field);
    if (!name || name->empty()) return name;
    return (std::filesystem::path(path_).parent_path() / *name).string();
  }

  // `inline_field` (base64) wins over `file_field`, as in client-go.
  Result<std::string> data(const char* inline_field, const char* file_field) const {
    auto encoded = text(inline_field);
    if (!encoded) return encoded;
    if (!encoded->empty()) {
      auto decoded = decode_base64(*encoded);
      if (!decoded) return wrong(inline_field, "is not base64");
      return *decoded;
    }
    auto name = file(file_field);
    if (!name || name->empty()) return name;
    return read_file(*name, fmt::format("{}: {}.{}", path_, where_, file_field));
  }

  tl::unexpected<Error> wrong(const char* field, std::string_view problem) const {
    return fail(ErrorCode::kInvalid, fmt::format("{}: {}.{} {}", path_, where_, field, problem));
  }

 private:
  YAML::Node node_;
  std::string path_;
  std::string where_;
};

// The entry called `name` in the list `list`, e.g. clusters / cluster.
Result<Section> find_section(const YAML::Node& root, const std::string& path, const char* list,
                             const char* field, const std::string& name) {
  const YAML::Node entries = root[list];
  if (entries && entries.IsSequence()) {
    for (const YAML::Node& entry : entries) {
      if (entry.IsMap() && entry["name"] && entry["name"].IsScalar() &&
          entry["name"].Scalar() == name) {
        return Section(entry[field] ? entry[field] : YAML::Node(YAML::NodeType::Map), path,
                       fmt::format("{}[{}].{}", list, name, field));
      }
    }
  }
  return fail(ErrorCode::kInvalid,
              fmt::format("{}: {} has no entry named \"{}\"", path, list, name));
}

// Moves the value out of `from` into `to`; false with `error` set if there is none.
bool take(Result<std::string> from, std::string& to, Error& error) {
  if (!from) {
    error = std::move(from.error());
    return false;
  }
  to = std::move(*from);
  return true;
}

Result<void> read_cluster(const Section& cluster, Endpoint& endpoint) {
  for (const char* field : {"proxy-url", "tls-server-name"}) {
    if (cluster.has(field)) return cluster.wrong(field, "is not supported");
  }
  Error error;
  std::string insecure;
  if (!take(cluster.text("server"), endpoint.base_url, error) ||
      !take(cluster.data("certificate-authority-data", "certificate-authority"), endpoint.ca_pem,
            error) ||
      !take(cluster.text("insecure-skip-tls-verify"), insecure, error)) {
    return tl::unexpected(std::move(error));
  }
  if (endpoint.base_url.empty()) return cluster.wrong("server", "is missing");
  if (!insecure.empty() && insecure != "true" && insecure != "false") {
    return cluster.wrong("insecure-skip-tls-verify", "must be true or false");
  }
  endpoint.insecure_skip_tls_verify = insecure == "true";
  return {};
}

Result<void> read_user(const Section& user, Endpoint& endpoint) {
  for (const char* field : {"exec", "auth-provider"}) {
    if (user.has(field)) {
      return user.wrong(field,
                        "is not supported: use a client certificate, a token or a tokenFile");
    }
  }
  for (const char* field : {"username", "password", "as", "as-uid", "as-groups", "as-user-extra"}) {
    if (user.has(field)) return user.wrong(field, "is not supported");
  }
  Error error;
  if (!take(user.data("client-certificate-data", "client-certificate"), endpoint.client_cert_pem,
            error) ||
      !take(user.data("client-key-data", "client-key"), endpoint.client_key_pem, error) ||
      !take(user.text("token"), endpoint.bearer_token, error) ||
      !take(user.file("tokenFile"), endpoint.bearer_token_file, error)) {
    return tl::unexpected(std::move(error));
  }
  if (endpoint.client_cert_pem.empty() != endpoint.client_key_pem.empty()) {
    return endpoint.client_key_pem.empty()
               ? user.wrong("client-key", "is missing beside the client certificate")
               : user.wrong("client-certificate", "is missing beside the client key");
  }
  if (!endpoint.bearer_token_file.empty()) {
    auto token = read_file(endpoint.bearer_token_file, "tokenFile");
    if (!token) return user.wrong("tokenFile", "cannot be read: " + token.error().message);
  }
  return {};
}

Result<ClusterConfig> from_yaml(const YAML::Node& root, const std::string& path,
                                std::string context) {
  if (!root.IsMap()) return fail(ErrorCode::kInvalid, fmt::format("{}: is not a kubeconfig", path));
  if (context.empty()) {
    auto current = Section(root, path, "kubeconfig").text("current-context");
    if (!current) return tl::unexpected(std::move(current.error()));
    context = std::move(*current);
    if (context.empty()) {
      return fail(ErrorCode::kInvalid, fmt::format("{}: current-context is missing", path));
    }
  }
  const auto section = find_section(root, path, "contexts", "context", context);
  if (!section) return tl::unexpected(section.error());
  ClusterConfig config;
  std::string cluster_name;
  std::string user_name;
  Error error;
  if (!take(section->text("cluster"), cluster_name, error) ||
      !take(section->text("user"), user_name, error) ||
      !take(section->text("namespace"), config.namespace_name, error)) {
    return tl::unexpected(std::move(error));
  }
  const auto cluster = find_section(root, path, "clusters", "cluster", cluster_name);
  if (!cluster) return tl::unexpected(cluster.error());
  if (auto read = read_cluster(*cluster, config.endpoint); !read) {
    return tl::unexpected(std::move(read.error()));
  }
  if (!user_name.empty()) {
    const auto user = find_section(root, path, "users", "user", user_name);
    if (!user) return tl::unexpected(user.error());
    if (auto read = read_user(*user, config.endpoint); !read) {
      return tl::unexpected(std::move(read.error()));
    }
  }
  if (config.namespace_name.empty()) config.namespace_name = "default";
  config.source = fmt::format("{} (context {})", path, context);
  return config;
}

}  // namespace

Environment process_environment() {
  return [](const char* name) -> std::optional<std::string> {
    const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing here sets any.
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
}

Result<ClusterConfig> in_cluster_config(const Environment& environment,
                                        std::string_view directory) {
  std::array<std::string, 2> address;
  const std::array<const char*, 2> names = {"KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"};
  for (std::size_t i = 0; i < names.size(); ++i) {
    address[i] = environment(names[i]).value_or("");
    if (address[i].empty()) {
      return fail(ErrorCode::kInvalid,
                  fmt::format("in-cluster configuration: {} is not set", names[i]));
    }
  }
  ClusterConfig config;
  const bool is_ipv6 = address[0].find(':') != std::string::npos;
  config.endpoint.base_url = fmt::format("https://{1}{0}{2}:{3}", address[0], is_ipv6 ? "[" : "",
                                         is_ipv6 ? "]" : "", address[1]);
  constexpr const char* kWhat = "in-cluster configuration";
  auto ca = read_file(fmt::format("{}/ca.crt", directory), kWhat);
  if (!ca) return tl::unexpected(std::move(ca.error()));
  config.endpoint.ca_pem = std::move(*ca);
  config.endpoint.bearer_token_file = fmt::format("{}/token", directory);
  if (auto token = read_file(config.endpoint.bearer_token_file, kWhat); !token) {
    return tl::unexpected(std::move(token.error()));
  }
  auto name = read_file(fmt::format("{}/namespace", directory), kWhat);
  if (!name) return tl::unexpected(std::move(name.error()));
  name->erase(name->find_last_not_of(" \r\n\t") + 1);
  config.namespace_name = std::move(*name);
  config.source = "in-cluster";
  return config;
}

Result<ClusterConfig> kubeconfig(const std::string& path, const std::string& context) {
  auto text = read_file(path, "kubeconfig");
  if (!text) return tl::unexpected(std::move(text.error()));
  return parse_kubeconfig(*text, path, context);
}

Result<ClusterConfig> parse_kubeconfig(const std::string& yaml, const std::string& path,
                                       const std::string& context) {
  try {
    return from_yaml(YAML::Load(yaml), path, context);
  } catch (const YAML::Exception& error) {
    return fail(ErrorCode::kDecode, fmt::format("{}: {}", path, error.what()));
  }
}

Result<ClusterConfig> find_config(const std::string& path, const std::string& context,
                                  const Environment& environment) {
  if (!path.empty()) return kubeconfig(path, context);
  if (const auto named = environment("KUBECONFIG"); named && !named->empty()) {
    if (named->find(':') != std::string::npos) {
      return fail(ErrorCode::kInvalid,
                  "KUBECONFIG: lists of files are not merged here; name one file");
    }
    return kubeconfig(*named, context);
  }
  if (environment("KUBERNETES_SERVICE_HOST")) return in_cluster_config(environment);
  return kubeconfig(environment("HOME").value_or("") + "/.kube/config", context);
}

}  // namespace scalableapp::kube
