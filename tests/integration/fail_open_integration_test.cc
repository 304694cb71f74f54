// That gates open while no operator leads, against a real kube-apiserver, which KUBECONFIG names.

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "operator/api/scalable_app.h"
#include "operator/controller/fail_open.h"
#include "operator/kube/config.h"
#include "operator/kube/cpprest_transport.h"
#include "operator/platform/random.h"

namespace scalableapp::controller {
namespace {

using nlohmann::json;

class FailOpenIntegration : public testing::Test {
 protected:
  void SetUp() override {
    const std::string path = kube::process_environment()("KUBECONFIG").value_or("");
    if (path.empty()) GTEST_SKIP() << "KUBECONFIG names no API server";
    transport_ = kube::make_cpprest_transport(kube::kubeconfig(path).value().endpoint, clock_).value();
    client_ = kube::make_client(*transport_, clock_, random_);
    namespace_ = "fail-open-it-" + random_.hex_suffix();
    create(kube::kNamespaces, "", {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", namespace_}}}});
  }
  void TearDown() override {
    if (client_) static_cast<void>(client_->remove(kube::kNamespaces, {"", namespace_}));
  }
  void create(const kube::ResourceType& type, const std::string& namespace_name, const json& object) {
    const auto made = client_->create(type, namespace_name, object.dump());
    ASSERT_TRUE(made) << made.error().message;
  }
  // Its containers are ready, says the kubelet that is not there.
  void create_pod(const std::string& name, json annotations) {
    create(kube::kPods, namespace_,
           {{"apiVersion", "v1"},
            {"kind", "Pod"},
            {"metadata",
             {{"name", name}, {"labels", {{api::kAppLabel, "web"}}}, {"annotations", std::move(annotations)}}},
            {"spec",
             {{"readinessGates", {{{"conditionType", api::kWarmGate}}}},
              {"containers", {{{"name", "c"}, {"image", "i"}}}}}}});
    const json ready{{"status",
                      {{"phase", "Running"},
                       {"conditions", {{{"type", "ContainersReady"},
                                        {"status", "True"},
                                        {"lastTransitionTime", format_rfc3339(clock_.wall_now())}}}}}}};
    const auto written =
        client_->patch(kube::kPods, {namespace_, name}, ready.dump(), kube::PatchKind::kStrategic, "status");
    ASSERT_TRUE(written) << written.error().message;
  }
  void renew() {
    const json lease{{"apiVersion", "coordination.k8s.io/v1"},
                     {"kind", "Lease"},
                     {"metadata", {{"name", "operator"}}},
                     {"spec",
                      {{"holderIdentity", "a"},
                       {"leaseDurationSeconds", 4},
                       {"renewTime", format_rfc3339_micro(clock_.wall_now())}}}};
    const auto written = client_->apply(kube::kLeases, {namespace_, "operator"}, lease.dump(), "test");
    ASSERT_TRUE(written) << written.error().message;
  }
  // The gate's reason; empty: it has no condition.
  std::string reason(const std::string& pod) {
    const auto body = client_->get(kube::kPods, {namespace_, pod});
    return body ? api::decode_pod(json::parse(*body))->gate_reason : body.error().message;
  }

  SystemClock clock_;
  Random random_;
  std::unique_ptr<kube::HttpTransport> transport_;
  std::unique_ptr<kube::Client> client_;
  std::string namespace_;
};

TEST_F(FailOpenIntegration, APodThatAsksForItServesOnceTheLeaseIsNotRenewed) {
  renew();
  create_pod("asks", {{api::kFailOpenAnnotation, "3"}});
  create_pod("does-not-ask", json::object());
  create_pod("drains", {{api::kFailOpenAnnotation, "3"},
                        {api::kDrainingSinceAnnotation, format_rfc3339_micro(clock_.wall_now())}});
  const std::jthread process([this](std::stop_token stop) {
    const auto ran = run_fail_open({.kubeconfig = kube::process_environment()("KUBECONFIG").value(),
                                    .watch_namespace = namespace_,
                                    .prometheus_url = "",
                                    .lease_name = "operator",
                                    .lease_namespace = namespace_,
                                    .identity = "",
                                    .http_port = 0},
                                   stop);
    EXPECT_TRUE(ran);
  });
  const MonotonicTime begun = clock_.monotonic_now();
  while (clock_.monotonic_now() < begun + seconds{8}) {
    renew();
    sleep_for(clock_, milliseconds{500}, {});
  }
  EXPECT_EQ(reason("asks"), "") << "an operator led";
  const MonotonicTime last = clock_.monotonic_now();
  while (reason("asks").empty() && clock_.monotonic_now() < last + seconds{60}) sleep_for(clock_, milliseconds{50}, {});
  const milliseconds took = clock_.monotonic_now() - last;
  fmt::print("served {} ms after the last renewal\n", took.count());
  EXPECT_EQ(reason("asks"), "FailOpen");
  EXPECT_GT(took, kLeaseDoubt);
  EXPECT_LT(took, kLeaseDoubt + 2 * kLeaseLook + seconds{3 + 3});
  EXPECT_EQ(reason("does-not-ask"), "");
  EXPECT_EQ(reason("drains"), "");
}

}  // namespace
}  // namespace scalableapp::controller
