#include "operator/metrics/promql.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>
#include <regex>
#include <span>
#include <string>

#include "operator/api/revision.h"

namespace scalableapp::metrics {
namespace {

const api::ObjectKey kApp{"shop", "web"};
const std::string kPodsOfWeb = "web-([bcdfghjklmnpqrstvwxz2456789]{10}|[4-9bcdf]{6,9})-[a-z0-9]{5}";

TEST(Promql, LatencyIsTheQuantileOfTheAppsPodsAndAnIdleMark) {
  EXPECT_EQ(render({.name = "latency", .type = api::MetricType::kLatency, .quantile = 0.99}, kApp),
            fmt::format(
                R"q(histogram_quantile(0.99, sum by (le) )q"
                R"q((rate(http_request_duration_seconds_bucket)q"
                R"q({{namespace="shop",pod=~"{0}"}}[10s]))) >= 0 or label_replace()q"
                R"q(sum(rate(http_request_duration_seconds_count)q"
                R"q({{namespace="shop",pod=~"{0}"}}[10s])) == 0 and )q"
                R"q(sum(last_over_time(http_requests_in_flight)q"
                R"q({{namespace="shop",pod=~"{0}"}}[10s])) == 0 or )q"
                R"q(sum(increase(http_request_duration_seconds_count)q"
                R"q({{namespace="shop",pod=~"{0}"}}[300s])) == 0 and )q"
                R"q(sum(http_request_duration_seconds_count)q"
                R"q({{namespace="shop",pod=~"{0}"}} offset 300s) unless )q"
                R"q(sum(last_over_time(http_requests_in_flight)q"
                R"q({{namespace="shop",pod=~"{0}"}}[10s])), )q"
                R"q("scalableapp_idle", "true", "", ""))q",
                kPodsOfWeb));
}

TEST(Promql, CpuIsOneSeriesPerPodOverTheMetricsWindow) {
  EXPECT_EQ(render({.type = api::MetricType::kCpu, .window_seconds = 30}, kApp),
            fmt::format(R"q(sum by (pod) (rate(process_cpu_seconds_total)q"
                        R"q({{namespace="shop",pod=~"{}"}}[30s])))q",
                        kPodsOfWeb));
}

TEST(Promql, QueueLengthCountsOnlySamplesWithinTheWindow) {
  EXPECT_EQ(render({.type = api::MetricType::kQueueLength}, kApp),
            R"q(max(last_over_time(queue_length{namespace="shop",queue="web"}[10s])))q");
  EXPECT_EQ(render({.type = api::MetricType::kQueueLength, .queue = "jobs"}, kApp),
            R"q(max(last_over_time(queue_length{namespace="shop",queue="jobs"}[10s])))q");
}

TEST(Promql, AQueryOfTheUsersOwnKeepsEverythingButThePlaceholders) {
  EXPECT_EQ(render({.type = api::MetricType::kCpu, .query = "sum(x{n='$(namespace)'}) / $(nope) $"},
                   kApp),
            "sum(x{n='shop'}) / $(nope) $");
  EXPECT_EQ(render_template("a{b=~`$(pods)`, c=\"$(name)$(name)\"}", {"ns", "a.b"}),
            "a{b=~`a[.]b-([bcdfghjklmnpqrstvwxz2456789]{10}|[4-9bcdf]{6,9})-[a-z0-9]{5}`, c=\"a.ba.b\"}");
}

TEST(Promql, ReplacementsAreNotReplacedAgain) {
  EXPECT_EQ(render_template("$(namespace)", {"$(name)", "x"}), "$(name)");
}

TEST(Promql, PodsOfReplicaSetsAreThoseOfNoOther) {
  const std::regex pods(pods_of({"web-l7t7jbdt44", "a.b-l7t7jbdt44"}));
  EXPECT_TRUE(std::regex_match("web-l7t7jbdt44-x7k2p", pods));
  EXPECT_TRUE(std::regex_match("a.b-l7t7jbdt44-x7k2p", pods));
  for (const char* other :
       {"web-c9w8d2kkd4-x7k2p", "web-l7t7jbdt44", "a-b-l7t7jbdt44-x7k2p", "a.b-l7t7jbdt44-x7k2p-0"}) {
    EXPECT_FALSE(std::regex_match(other, pods)) << other;
  }
  for (const char* none : {"", "web-l7t7jbdt44-x7k2p"}) {
    EXPECT_FALSE(std::regex_match(none, std::regex(pods_of({})))) << none;
  }
}

TEST(Promql, MorePlaceholdersMayBeGiven) {
  EXPECT_EQ(render_template("sum(x{pod=~\"$(newPods)\",n=\"$(name)\"}) / $(newPod)", kApp,
                            {{"$(newPods)", pods_of({"web-l7t7jbdt44"})}}),
            "sum(x{pod=~\"(web-l7t7jbdt44)-[a-z0-9]{5}\",n=\"web\"}) / $(newPod)");
}

// A pod's name as the API server makes it: the ReplicaSet's, which it cuts at 57, and five more.
std::string pod_of(const std::string& app_name) {
  api::ScalableApp app;
  app.metadata.name = app_name;
  const std::string base = api::replica_set_name(app, api::revision_hash("{}", 0)) + "-";
  return base.substr(0, 58) + "x7k2p";
}

TEST(Promql, PodsOfAnAppAreThoseOfItsReplicaSetsHoweverLongItsName) {
  for (const std::string& name :
       {std::string("web"), std::string("a.b-c"), std::string(46, 'a'), std::string(47, 'a'),
        std::string(63, 'a'), std::string(45, 'a') + ".b", std::string(45, 'a') + "-bcd"}) {
    const std::regex pods(render_template("$(pods)", {"ns", name}));
    EXPECT_TRUE(std::regex_match(pod_of(name), pods)) << name;
    EXPECT_FALSE(std::regex_match(pod_of("x" + name), pods)) << name;
    EXPECT_LE(pod_of(name).size(), 63U) << name;
  }
}

TEST(Promql, PodsOfAnAppAreNotThoseOfNeighboursWhoseNamesBeginTheSame) {
  const std::regex pods(render_template("$(pods)", kApp));
  EXPECT_TRUE(std::regex_match("web-l7t7jbdt44-x7k2p", pods));
  for (const char* other : {
           "web-l7t7jbdt44",              // A ReplicaSet, or a pod made by hand.
           "web-api-l7t7jbdt44-x7k2p",    // Of the app web-api.
           "web-api-0",                   // Of a StatefulSet.
           "web-db-x7k2p",                // Of a DaemonSet or a ReplicaSet web-db.
           "web-db-7d9c6b8f5-x7k2p",      // Of a Deployment web-db.
           "web-7d9c6b8f5",               // A Deployment's ReplicaSet.
           "web-7d9c6b8f5h-7d9c6-x7k2p",
           "web-7d9c6b2f5-x7k2p",         // No pod-template-hash has a "2".
           "web-l7t7jbdt4a-x7k2p",        // No revision has an "a".
           "web-l7t7jbdt44-x7k2p-debug",
       }) {
    EXPECT_FALSE(std::regex_match(other, pods)) << other;
  }
}

TEST(Promql, PodsOfAnAppAreAlsoThoseThatADeploymentHasMade) {
  const std::regex pods(render_template("$(pods)", kApp));
  for (const char* adopted : {"web-7d9c6b8f5f-x7k2p", "web-7d9c6b8f5-x7k2p", "web-7d9c6b8f-x7k2p",
                              "web-7d9c6b8-x7k2p", "web-7d9c6b-x7k2p"}) {
    EXPECT_TRUE(std::regex_match(adopted, pods)) << adopted;
  }
}

TEST(Promql, HostileNamesStayWithinTheirString) {
  std::mt19937 random(7);
  constexpr std::string_view kBytes = "\"\\`'\n){}(|.*+#$[]a\xc3\xa9";
  for (int round = 0; round < 1000; ++round) {
    const auto text = [&] {
      std::string out;
      for (auto n = random() % 12; n > 0; --n) out += kBytes[random() % kBytes.size()];
      return out;
    };
    const api::ObjectKey app{text(), text()};
    for (const auto type :
         {api::MetricType::kLatency, api::MetricType::kCpu, api::MetricType::kQueueLength}) {
      const std::string query = render({.type = type, .queue = text()}, app);
      EXPECT_TRUE(check_self_contained(query)) << query;
    }
  }
}

TEST(Promql, QueriesThatStayInTheirPlaceMayBeCombined) {
  for (const char* query : {
           "up",
           "sum(rate(x{a=\"b\"}[5m]))",
           "a{b=\")\"}",
           "a{b=') \\' ('}",
           "a{b=`\\`}",
           "a # a comment with ) and \"",
           "(a\n# )\n)",
           "'it\\\\'",
       }) {
    EXPECT_TRUE(check_self_contained(query)) << query;
  }
}

TEST(Promql, QueriesThatReachBeyondTheirPlaceAreFound) {
  for (const char* query : {
           "",
           "  \n",
           "# nothing but a comment",
           "a) or (b",
           "a), \"scalableapp_query\", \"3\", \"\", \"\") or label_replace((b",
           "sum(a",
           "a{b=\"c}",
           "a{b='c\n'}",
           "a{b=`c}",
           "a[5m)",
           "a{b=\"\\\"}",
           "sum(a # )",
           "'a\\",
           "a{b='c\\\n'}",
       }) {
    EXPECT_FALSE(check_self_contained(query)) << query;
  }
}

// Prometheus' lexer ends a comment at either character, whatever the system's line ends are.
TEST(Promql, ACommentEndsAtACarriageReturnToo) {
  EXPECT_FALSE(check_self_contained("vector(0) #\r), \"scalableapp_query\", \"7\", \"\", \"\") or "
                                    "label_replace(topk(1, vector(1)"));
  EXPECT_FALSE(check_self_contained("a #\r)"));
  EXPECT_FALSE(check_self_contained("(a # )\rb"));
  EXPECT_TRUE(check_self_contained("(a # (\r)"));
  EXPECT_TRUE(check_self_contained("a # (\r\n+ b"));
}

TEST(Promql, ACombinationLabelsEachPartAndHasTheShapeOfATree) {
  const auto part = [](std::string_view text, int index) {
    return fmt::format("label_replace(topk(2001, {}\n), \"scalableapp_query\", \"{}\", \"\", \"\")",
                       text, index);
  };
  const QueryPart parts[] = {{"a"}, {"1", true}, {"c # d"}};
  EXPECT_EQ(combine(parts),
            fmt::format("({} or (label_replace(vector(1\n), \"scalableapp_query\", \"1\", \"\", "
                        "\"\") or {}))",
                        part("a", 0), part("c # d", 2)));
  EXPECT_EQ(combine(std::span(parts).first(1)), part("a", 0));
  EXPECT_EQ(combine({}), "");
}

}  // namespace
}  // namespace scalableapp::metrics
