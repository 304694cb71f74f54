#include "operator/metrics/promql.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>
#include <span>
#include <string>

namespace scalableapp::metrics {
namespace {

const api::ObjectKey kApp{"shop", "web"};

TEST(Promql, LatencyIsTheQuantileOfTheAppsPodsAndAnIdleMark) {
  EXPECT_EQ(render({.name = "latency", .type = api::MetricType::kLatency, .quantile = 0.99}, kApp),
            R"q(histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket)q"
            R"q({namespace="shop",pod=~"web-[a-z0-9]+-[a-z0-9]+"}[10s]))) >= 0 or label_replace()q"
            R"q(sum(rate(http_request_duration_seconds_count)q"
            R"q({namespace="shop",pod=~"web-[a-z0-9]+-[a-z0-9]+"}[10s])) == 0 unless )q"
            R"q(sum(last_over_time(http_requests_in_flight)q"
            R"q({namespace="shop",pod=~"web-[a-z0-9]+-[a-z0-9]+"}[10s])) > 0, )q"
            R"q("scalableapp_idle", "true", "", ""))q");
}

TEST(Promql, CpuIsOneSeriesPerPodOverTheMetricsWindow) {
  EXPECT_EQ(render({.type = api::MetricType::kCpu, .window_seconds = 30}, kApp),
            R"q(sum by (pod) (rate(process_cpu_seconds_total)q"
            R"q({namespace="shop",pod=~"web-[a-z0-9]+-[a-z0-9]+"}[30s])))q");
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
            "a{b=~`a[.]b-[a-z0-9]+-[a-z0-9]+`, c=\"a.ba.b\"}");
}

TEST(Promql, ReplacementsAreNotReplacedAgain) {
  EXPECT_EQ(render_template("$(namespace)", {"$(name)", "x"}), "$(name)");
}

TEST(Promql, PodsOfAnAppWithALongNameMayBeCutShort) {
  EXPECT_EQ(render_template("$(pods)", {"ns", std::string(60, 'a')}),
            std::string(58, 'a') + "[-a-z0-9]*");
  EXPECT_EQ(render_template("$(pods)", {"ns", std::string(46, 'a')}),
            std::string(46, 'a') + "-[a-z0-9]+-[a-z0-9]+");
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
  EXPECT_FALSE(check_self_contained(
      "vector(0) #\r), \"scalableapp_query\", \"7\", \"\", \"\") or label_replace(topk(1, vector(1)"));
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
