#include "operator/metrics/details.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/metrics/promql.h"

namespace scalableapp::metrics {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const api::ObjectKey kApp{"shop", "web"};

api::MetricSpec latency() { return {.name = "p99", .type = api::MetricType::kLatency, .target = 0.2}; }
api::MetricSpec backlog() {
  return {.name = "jobs", .type = api::MetricType::kQueueLength, .queue = "mail", .drain_seconds = 30};
}
std::function<std::optional<QueryResult>(const std::string&)> answering(std::map<std::string, QueryResult> answers) {
  return [answers = std::move(answers)](const std::string& id) -> std::optional<QueryResult> {
    const auto found = answers.find(id);
    return found == answers.end() ? std::nullopt : std::optional(found->second);
  };
}
Sample told(double value, std::string pod = {}) { return {.value = value, .pod = std::move(pod)}; }

TEST(Details, AreAskedInOneQueryForALatency) {
  const auto queries = detail_queries(latency(), kApp, 3);
  ASSERT_THAT(queries, SizeIs(1));
  EXPECT_EQ(queries[0].interval, seconds{3});
  EXPECT_TRUE(check_self_contained(queries[0].text)) << queries[0].text;
  EXPECT_THAT(queries[0].text, HasSubstr("rate(http_request_duration_seconds_sum{namespace=\"shop\""));
}

TEST(Details, OfArrivalsCountWhatWasRefusedWhereThePodsTellOfIt) {
  api::MetricSpec metric = latency();
  metric.window_seconds = 10;
  const std::string text = detail_queries(metric, kApp, 3)[0].text;
  const std::string pods = R"q({namespace="shop",pod=~")q";
  EXPECT_THAT(text, HasSubstr("(sum(rate(http_requests_shed_total" + pods));
  EXPECT_THAT(text, HasSubstr("[4s])) or vector(0)) or sum(rate(http_request_duration_seconds_count" + pods))
      << "0 where they do not; over a third of the window, or else the whole of it";
  EXPECT_TRUE(check_self_contained(text)) << text;
}

TEST(Details, AreNotAskedWhereTheValueSaysAll) {
  api::MetricSpec own = latency();
  own.query = "latency_seconds";
  EXPECT_THAT(detail_queries(own, kApp, 2), IsEmpty());
  EXPECT_THAT(detail_queries({.name = "cpu", .type = api::MetricType::kCpu}, kApp, 2), IsEmpty());
  api::MetricSpec by_target = backlog();
  by_target.drain_seconds.reset();
  EXPECT_THAT(detail_queries(by_target, kApp, 2), IsEmpty());
}

TEST(Details, OfAQueueComeFromItsOwnQueriesWhereItHasSome) {
  api::MetricSpec metric = backlog();
  metric.arrival_query = R"q(sum(rate(mail_accepted_total{namespace="$(namespace)"}[1m])))q";
  const auto queries = detail_queries(metric, kApp, 2);
  ASSERT_THAT(queries, SizeIs(2));
  EXPECT_EQ(queries[0].text, R"q(sum(rate(mail_accepted_total{namespace="shop"}[1m])))q");
  EXPECT_THAT(queries[1].text, HasSubstr("rate(jobs_processed_total{namespace=\"shop\""));
}

TEST(Details, TellWhatEachPodDid) {
  scaling::MetricReading reading{.name = "p99", .value = 0.3, .age = seconds{1}};
  add_details(latency(),
              answering({{"p99\ndetails",
                          {.samples = {told(40, "rate/web-a"), told(2, "busy/web-a"), told(0.25, "quantile/web-a"),
                                       told(8, "errors/web-a"), told(90, "arrivals/"), told(5, "inflight/")},
                           .age = seconds{2}}}}),
              reading);
  EXPECT_EQ(reading.loads, (std::map<std::string, scaling::PodLoad>{{"web-a", {40, 8, 2, 0.25}}}));
  EXPECT_EQ(reading.arrivals_per_second, 90);
  EXPECT_EQ(reading.in_flight, 5);
  EXPECT_EQ(reading.age, seconds{2}) << "as old as the older one";
}

TEST(Details, ThatAreNotThereLeaveTheReadingAsItIs) {
  const scaling::MetricReading before{.name = "p99", .value = 0.3, .age = seconds{1}};
  scaling::MetricReading reading = before;
  add_details(latency(), answering({}), reading);
  EXPECT_EQ(reading, before);
  add_details(backlog(), answering({{"jobs\narrivals", {.samples = {told(1), told(2)}}}}), reading);
  EXPECT_EQ(reading, before) << "two numbers are none";
}

TEST(Details, OfAShrinkingQueueAreNoNegativeArrivals) {
  scaling::MetricReading reading{.name = "jobs", .value = 3};
  add_details(backlog(),
              answering({{"jobs\narrivals", {.samples = {told(-0.5)}}}, {"jobs\ncompletions", {.samples = {told(12)}}}}),
              reading);
  EXPECT_EQ(reading.arrivals_per_second, 0);
  EXPECT_EQ(reading.completions_per_second, 12);
}

TEST(LoadQuery, IsTheLoadOverFiveMinutesInTheMeasureOfForecasts) {
  const auto text = [](const api::MetricSpec& metric) { return load_query(metric, kApp, 15)->text; };
  EXPECT_THAT(text(latency()), HasSubstr("sum(rate(http_request_duration_seconds_count{namespace=\"shop\""));
  EXPECT_THAT(text(latency()), HasSubstr("[300s]))"));
  EXPECT_THAT(text({.name = "cpu", .type = api::MetricType::kCpu}),
              HasSubstr("sum(rate(process_cpu_seconds_total{"));
  EXPECT_THAT(text(backlog()), HasSubstr("max(delta(queue_length{")) << "with drainSeconds what arrives";
  api::MetricSpec by_target = backlog();
  by_target.drain_seconds.reset();
  EXPECT_EQ(text(by_target),
            "max(avg_over_time(queue_length{namespace=\"shop\",queue=\"mail\"}[300s]))");
  const auto query = load_query(latency(), kApp, 7);
  EXPECT_EQ(query->metric, "p99");
  EXPECT_EQ(query->days, 7);
  EXPECT_EQ(query->window, seconds{300});
}

TEST(LoadQuery, OfAMetricWithItsOwnQueryIsThatQuery) {
  api::MetricSpec own{.name = "m",
                      .type = api::MetricType::kPrometheus,
                      .query = "sum(x{n=\"$(name)\"})",
                      .target = 1,
                      .target_type = api::TargetType::kAverageValue};
  EXPECT_EQ(load_query(own, kApp, 15)->text, "sum(x{n=\"web\"})");
  EXPECT_EQ(load_query(own, kApp, 15)->window, seconds{0});
  own.type = api::MetricType::kCpu;
  EXPECT_EQ(load_query(own, kApp, 15)->text, "sum(sum(x{n=\"web\"})\n)");
  own.type = api::MetricType::kLatency;
  EXPECT_FALSE(load_query(own, kApp, 15)) << "a latency is no load";
  own.type = api::MetricType::kPrometheus;
  own.target_type = api::TargetType::kValue;
  EXPECT_FALSE(load_query(own, kApp, 15)) << "nor is a ratio";
}

}  // namespace
}  // namespace scalableapp::metrics
