// The election and the events against a real kube-apiserver, which KUBECONFIG names.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <spawn.h>
#include <sys/wait.h>

#include <atomic>
#include <csignal>
#include <nlohmann/json.hpp>

#include "operator/kube/client.h"
#include "operator/kube/config.h"
#include "operator/kube/cpprest_transport.h"
#include "operator/kube/event_recorder.h"
#include "operator/kube/leader_elector.h"

namespace scalableapp::kube {
namespace {

using nlohmann::json;

constexpr const char* kChildNamespace = "SCALABLEAPP_TEST_ELECTOR_NAMESPACE";
constexpr const char* kLeaseName = "operator";

// A connection as the operator's elector has it.
struct Connection {
  explicit Connection(const Clock& clock) {
    Endpoint endpoint =
        kubeconfig(process_environment()("KUBECONFIG").value_or("")).value().endpoint;
    endpoint.request_timeout = seconds(1);
    transport = make_cpprest_transport(endpoint, clock).value();
    client = make_client(*transport, clock, random, {.retry_budget = seconds(1)});
  }
  Random random;
  std::unique_ptr<HttpTransport> transport;
  std::unique_ptr<Client> client;
};

class RuntimeIntegration : public testing::Test {
 protected:
  void SetUp() override {
    if (process_environment()("KUBECONFIG").value_or("").empty()) {
      GTEST_SKIP() << "KUBECONFIG names no API server";
    }
    connection_.emplace(clock_);
    namespace_ = "runtime-it-" + connection_->random.hex_suffix();
    const json body{
        {"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", namespace_}}}};
    const auto made = client().create(kNamespaces, "", body.dump());
    ASSERT_TRUE(made) << made.error().message;
  }
  void TearDown() override {
    if (connection_) static_cast<void>(client().remove(kNamespaces, {"", namespace_}));
  }

  Client& client() { return *connection_->client; }
  json lease_spec() {
    const auto lease = client().get(kLeases, {namespace_, kLeaseName});
    return lease ? json::parse(*lease)["spec"] : json::object();
  }
  std::unique_ptr<LeaderElector> elector(Connection& connection, const std::string& identity) {
    return std::make_unique<LeaderElector>(
        *connection.client, clock_, connection.random,
        ElectorOptions{.lease = {namespace_, kLeaseName}, .identity = identity, .times = {}},
        ElectionCallbacks{});
  }
  // How long it takes until `done` holds; a minute if it never does.
  template <typename Done>
  milliseconds time_until(Done done) {
    const MonotonicTime begun = clock_.monotonic_now();
    while (!done() && clock_.monotonic_now() < begun + seconds(60)) {
      sleep_for(clock_, milliseconds(10), {});
    }
    return clock_.monotonic_now() - begun;
  }
  // This program again, as an elector that runs until it is killed.
  pid_t start_leader_process() {
    setenv(kChildNamespace, namespace_.c_str(), 1);
    std::string program = "/proc/self/exe";
    std::string filter = "--gtest_filter=ElectorProcess.*";
    std::string disabled = "--gtest_also_run_disabled_tests";
    char* arguments[] = {program.data(), filter.data(), disabled.data(), nullptr};
    pid_t child = -1;
    EXPECT_EQ(posix_spawn(&child, program.c_str(), nullptr, nullptr, arguments, environ), 0);
    unsetenv(kChildNamespace);
    return child;
  }

  SystemClock clock_;
  std::optional<Connection> connection_;
  std::string namespace_;
};

// Not a test of its own, and not counted as one.
TEST(ElectorProcess, DISABLED_LeadsUntilItIsKilled) {
  const auto namespace_name = process_environment()(kChildNamespace);
  if (!namespace_name) GTEST_SKIP() << "only run by ALeaderThatIsKilledIsReplacedWithinFiveSeconds";
  const SystemClock clock;
  Connection connection(clock);
  LeaderElector elector(*connection.client, clock, connection.random,
                        {.lease = {*namespace_name, kLeaseName}, .identity = "victim", .times = {}},
                        {});
  ASSERT_TRUE(elector.start());
  sleep_for(clock, std::chrono::minutes(1), {});
}

TEST_F(RuntimeIntegration, ALeaderThatIsKilledIsReplacedWithinFiveSeconds) {
  const pid_t child = start_leader_process();
  ASSERT_GT(child, 0);
  EXPECT_LT(time_until([&] { return lease_spec().value("holderIdentity", "") == "victim"; }),
            seconds(30));
  const auto successor = elector(*connection_, "successor");
  EXPECT_TRUE(successor->start());
  // Some renewals, so that the successor has to follow them.
  sleep_for(clock_, seconds(2), {});
  EXPECT_FALSE(successor->is_leader());

  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  const milliseconds takeover = time_until([&] { return successor->is_leader(); });
  RecordProperty("takeover_ms", static_cast<int>(takeover.count()));
  fmt::print("takeover after {} ms\n", takeover.count());
  EXPECT_LT(takeover, seconds(5));
  EXPECT_GT(takeover, seconds(3)) << "a lease that its holder may still count on was taken";
  EXPECT_EQ(lease_spec()["leaseTransitions"], 1);
}

TEST_F(RuntimeIntegration, ALeaderThatStopsHandsOverWithinASecond) {
  Connection other(clock_);
  const auto first = elector(*connection_, "first");
  const auto second = elector(other, "second");
  ASSERT_TRUE(first->start());
  ASSERT_LT(time_until([&] { return first->is_leader(); }), seconds(30));
  ASSERT_TRUE(second->start());
  ASSERT_LT(time_until([&] { return second->holder() == "first"; }), seconds(30));
  first->stop();
  EXPECT_LT(time_until([&] { return second->is_leader(); }), seconds(1));
  EXPECT_FALSE(first->is_leader());
}

TEST_F(RuntimeIntegration, OfManyCandidatesOneLeads) {
  std::vector<std::unique_ptr<Connection>> connections;
  std::vector<std::unique_ptr<LeaderElector>> electors;
  for (int i = 0; i < 4; ++i) {
    connections.push_back(std::make_unique<Connection>(clock_));
    electors.push_back(elector(*connections.back(), fmt::format("candidate-{}", i)));
    ASSERT_TRUE(electors.back()->start());
  }
  const auto leaders = [&] {
    return std::count_if(electors.begin(), electors.end(),
                         [](const auto& e) { return e->is_leader(); });
  };
  EXPECT_LT(time_until([&] { return leaders() == 1; }), seconds(30));
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(leaders(), 1);
    sleep_for(clock_, milliseconds(20), {});
  }
}

TEST_F(RuntimeIntegration, EventsAreWhatTheServerAcceptsAndCountUp) {
  ApiEventRecorder recorder(client(), clock_, connection_->random,
                            {"scalableapp-operator", "pod-1"});
  api::ScalableApp app;
  app.metadata = {.name = "web", .namespace_name = namespace_, .uid = "some-uid"};
  for (int i = 0; i < 3; ++i) recorder.normal(app, "ScaledUp", "from 2 to 5");
  recorder.warning(app, std::string(500, 'R'), std::string(5'000, 'm'));
  recorder.flush();
  EXPECT_EQ(recorder.dropped(), 0U);

  const auto list = client().list(kCoreEvents, {.namespace_name = namespace_});
  ASSERT_TRUE(list) << list.error().message;
  const json items = json::parse(*list)["items"];
  ASSERT_EQ(items.size(), 2U);
  const json& scaled = items[0]["reason"] == "ScaledUp" ? items[0] : items[1];
  EXPECT_EQ(scaled["count"], 3);
  EXPECT_EQ(scaled["involvedObject"]["kind"], "ScalableApp");
  EXPECT_EQ(scaled["involvedObject"]["apiVersion"], "scalableapp.io/v1alpha1");
  EXPECT_EQ(scaled["source"]["component"], "scalableapp-operator");
}

}  // namespace
}  // namespace scalableapp::kube
