#include "operator/kube/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

namespace scalableapp::kube {
namespace {

using testing::HasSubstr;

class Config : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = std::filesystem::path(testing::TempDir()) /
                 testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string file(const std::string& name, const std::string& text) const {
    std::ofstream(directory_ / name) << text;
    return (directory_ / name).string();
  }
  static Environment variables(std::map<std::string, std::string> values) {
    return [values = std::move(values)](const char* name) -> std::optional<std::string> {
      const auto it = values.find(name);
      return it == values.end() ? std::nullopt : std::optional(it->second);
    };
  }
  // A kubeconfig with one context "c" and the given fields of its cluster and user (flow style).
  static std::string yaml(const std::string& cluster, const std::string& user) {
    return "{current-context: c, contexts: [{name: c, context: {cluster: k, user: u}}],\n"
           "clusters: [{name: k, cluster: {" +
           cluster + "}}], users: [{name: u, user: {" + user + "}}]}";
  }

  std::filesystem::path directory_;
};

TEST_F(Config, InClusterReadsTheServiceAccount) {
  file("ca.crt", "CA");
  file("token", "secret");
  file("namespace", "ops\n");
  const auto found = in_cluster_config(
      variables({{"KUBERNETES_SERVICE_HOST", "10.0.0.1"}, {"KUBERNETES_SERVICE_PORT", "443"}}),
      directory_.string());
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->endpoint.base_url, "https://10.0.0.1:443");
  EXPECT_EQ(found->endpoint.ca_pem, "CA");
  EXPECT_EQ(found->endpoint.bearer_token_file, (directory_ / "token").string());
  EXPECT_EQ(found->endpoint.bearer_token, "");
  EXPECT_EQ(found->namespace_name, "ops");
}

TEST_F(Config, InClusterSaysWhatIsMissing) {
  EXPECT_THAT(in_cluster_config(variables({}), directory_.string()).error().message,
              HasSubstr("KUBERNETES_SERVICE_HOST"));
  const auto both =
      variables({{"KUBERNETES_SERVICE_HOST", "fd00::1"}, {"KUBERNETES_SERVICE_PORT", "1"}});
  EXPECT_THAT(in_cluster_config(both, directory_.string()).error().message, HasSubstr("ca.crt"));
  file("ca.crt", "CA");
  EXPECT_THAT(in_cluster_config(both, directory_.string()).error().message, HasSubstr("token"));
  file("token", "t");
  EXPECT_THAT(in_cluster_config(both, directory_.string()).error().message, HasSubstr("namespace"));
  file("namespace", "n");
  EXPECT_EQ(in_cluster_config(both, directory_.string())->endpoint.base_url, "https://[fd00::1]:1");
}

TEST_F(Config, KubeconfigTakesInlineDataOrFilesBesideIt) {
  file("cert.pem", "CERT");
  file("tok", "T");
  const auto path =
      file("config", yaml("server: 'https://h:1', certificate-authority-data: Q0E=",
                          "client-certificate: cert.pem, client-key-data: S0VZ, tokenFile: tok"));
  const auto found = kubeconfig(path);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->endpoint, (Endpoint{.base_url = "https://h:1",
                                       .ca_pem = "CA",
                                       .client_cert_pem = "CERT",
                                       .client_key_pem = "KEY",
                                       .bearer_token_file = (directory_ / "tok").string()}));
  EXPECT_EQ(found->namespace_name, "default");
  EXPECT_EQ(found->source, path + " (context c)");
}

TEST_F(Config, AnotherContextMayBeNamed) {
  const std::string text = R"(
current-context: one
contexts:
- {name: one, context: {cluster: a, user: u}}
- {name: two, context: {cluster: b, user: u, namespace: shop}}
clusters:
- {name: a, cluster: {server: "https://a"}}
- {name: b, cluster: {server: "https://b", insecure-skip-tls-verify: true}}
users:
- {name: u, user: {token: t}}
)";
  EXPECT_EQ(parse_kubeconfig(text, "f")->endpoint.base_url, "https://a");
  const auto two = parse_kubeconfig(text, "f", "two");
  ASSERT_TRUE(two) << two.error().message;
  EXPECT_EQ(two->endpoint.base_url, "https://b");
  EXPECT_TRUE(two->endpoint.insecure_skip_tls_verify);
  EXPECT_EQ(two->endpoint.bearer_token, "t");
  EXPECT_EQ(two->namespace_name, "shop");
  EXPECT_EQ(parse_kubeconfig(text, "f", "three").error().message,
            "f: contexts has no entry named \"three\"");
}

TEST_F(Config, ErrorsNameTheFileAndTheField) {
  struct Row {
    const char* cluster;
    const char* user;
    const char* want;
  };
  for (const Row& row : {
           Row{"", "", "f: clusters[k].cluster.server is missing"},
           Row{"server: [1]", "", "f: clusters[k].cluster.server must be a string"},
           Row{"server: s, certificate-authority-data: '!'", "",
               "f: clusters[k].cluster.certificate-authority-data is not base64"},
           Row{"server: s, certificate-authority-data: Q0E", "", "is not base64"},
           Row{"server: s, certificate-authority: /none.crt", "",
               "f: clusters[k].cluster.certificate-authority: cannot read /none.crt"},
           Row{"server: s, insecure-skip-tls-verify: maybe", "", "must be true or false"},
           Row{"server: s, proxy-url: p", "", "f: clusters[k].cluster.proxy-url is not supported"},
           Row{"server: s", "exec: {command: aws}", "f: users[u].user.exec is not supported"},
           Row{"server: s", "auth-provider: {name: gcp}", "users[u].user.auth-provider"},
           Row{"server: s", "username: me, password: x", "users[u].user.username is not supported"},
           Row{"server: s", "client-certificate-data: Q0E=", "users[u].user.client-key is missing"},
           Row{"server: s", "client-key-data: Q0E=", "users[u].user.client-certificate is missing"},
           Row{"server: s", "tokenFile: /none", "users[u].user.tokenFile cannot be read"},
       }) {
    const auto found = parse_kubeconfig(yaml(row.cluster, row.user), "f");
    ASSERT_FALSE(found) << row.want;
    EXPECT_EQ(found.error().code, ErrorCode::kInvalid);
    EXPECT_THAT(found.error().message, HasSubstr(row.want));
  }
  EXPECT_EQ(parse_kubeconfig("a: [", "f").error().code, ErrorCode::kDecode);
  EXPECT_EQ(parse_kubeconfig("[]", "f").error().message, "f: is not a kubeconfig");
  EXPECT_EQ(parse_kubeconfig("{}", "f").error().message, "f: current-context is missing");
  EXPECT_THAT(kubeconfig("/none").error().message, HasSubstr("/none"));
}

TEST_F(Config, TheUsualPlacesAreTriedInOrder) {
  const auto named = file("named", yaml("server: 'https://named'", ""));
  const auto listed = file("listed", yaml("server: 'https://listed'", ""));
  std::filesystem::create_directories(directory_ / ".kube");
  file(".kube/config", yaml("server: 'https://home'", ""));
  const std::string home = directory_.string();
  const auto url = [](const Result<ClusterConfig>& found) {
    return found ? found->endpoint.base_url : found.error().message;
  };
  EXPECT_EQ(url(find_config(named, "", variables({{"KUBECONFIG", listed}}))), "https://named");
  EXPECT_EQ(url(find_config("", "", variables({{"KUBECONFIG", listed}, {"HOME", home}}))),
            "https://listed");
  EXPECT_EQ(url(find_config("", "", variables({{"HOME", home}}))), "https://home");
  EXPECT_THAT(
      url(find_config("", "", variables({{"KUBERNETES_SERVICE_HOST", "h"}, {"HOME", home}}))),
      HasSubstr("KUBERNETES_SERVICE_PORT"));
  EXPECT_THAT(url(find_config("", "", variables({{"KUBECONFIG", "a:b"}}))), HasSubstr("one file"));
}

}  // namespace
}  // namespace scalableapp::kube
