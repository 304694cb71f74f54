#include "operator/metrics/query.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "operator/metrics/promql.h"

namespace scalableapp::metrics {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

api::MetricSpec metric_of(api::MetricType type, std::string query = {}) {
  return {.name = "m", .type = type, .query = std::move(query)};
}
Sample sample_of(double value, std::string pod = {}) {
  return {value, pod, false, pod.empty() ? "{}" : "{pod=\"" + pod + "\"}"};
}
QueryResult result_of(std::vector<Sample> samples) {
  return {.samples = std::move(samples), .age = milliseconds(700)};
}

TEST(Query, CpuIsAskedPerPodAtTheAppsInterval) {
  const api::MetricSpec metric = metric_of(api::MetricType::kCpu);
  EXPECT_EQ(query_of(metric, {"ns", "web"}, 3),
            (Query{"m", render(metric, {"ns", "web"}), seconds(3), true}));
  EXPECT_FALSE(query_of(metric_of(api::MetricType::kLatency), {"ns", "web"}, 3).per_pod);
}

TEST(Reading, IsTheOneNumberWithItsAge) {
  const auto reading =
      to_reading(metric_of(api::MetricType::kLatency), result_of({sample_of(0.25)}));
  EXPECT_EQ(reading.name, "m");
  EXPECT_EQ(reading.value, 0.25);
  EXPECT_EQ(reading.age, milliseconds(700));
  EXPECT_EQ(reading.missing, "");
}

TEST(Reading, OfCpuIsPerPodAndLeavesOutPodsWithoutANumber) {
  const auto reading = to_reading(
      metric_of(api::MetricType::kCpu),
      result_of({sample_of(0.5, "a"), sample_of(0.25, "b"), sample_of(std::nan(""), "c")}));
  EXPECT_THAT(reading.per_pod, ElementsAre(Pair("a", 0.5), Pair("b", 0.25)));
  EXPECT_FALSE(reading.value);
  EXPECT_EQ(reading.missing, "");
}

TEST(Reading, ACpuQueryWithoutPodsIsExplained) {
  const auto reading = to_reading(metric_of(api::MetricType::kCpu, "sum(x)"),
                                  result_of({sample_of(1, "a"), sample_of(1)}));
  EXPECT_TRUE(reading.per_pod.empty());
  EXPECT_THAT(reading.missing, HasSubstr("no pod label"));
}

TEST(Reading, EveryWayToHaveNoNumberSaysWhatToLookAt) {
  const auto missing = [](api::MetricType type, std::optional<QueryResult> result,
                          std::string query = {}) {
    const auto reading = to_reading(metric_of(type, std::move(query)), result);
    EXPECT_FALSE(reading.value);
    EXPECT_FALSE(reading.idle);
    return reading.missing;
  };
  using enum api::MetricType;
  EXPECT_EQ(missing(kLatency, std::nullopt), "not measured yet");
  EXPECT_THAT(missing(kLatency, result_of({})),
              HasSubstr("expose http_request_duration_seconds with namespace and pod labels"));
  EXPECT_THAT(missing(kCpu, result_of({})), HasSubstr("process_cpu_seconds_total"));
  EXPECT_THAT(missing(kQueueLength, result_of({})), HasSubstr("queue_length"));
  EXPECT_THAT(missing(kPrometheus, result_of({}), "x"), HasSubstr("matches no series"));
  EXPECT_THAT(missing(kPrometheus, result_of({sample_of(std::nan(""))})), HasSubstr("NaN"));
  EXPECT_THAT(missing(kPrometheus, result_of({sample_of(-HUGE_VAL)})), HasSubstr("infinite"));
  EXPECT_THAT(missing(kPrometheus, result_of({sample_of(1, "a"), sample_of(2, "b")})),
              HasSubstr("2 series where one number is wanted, e.g. {pod=\"a\"} and {pod=\"b\"}"));
  EXPECT_EQ(missing(kPrometheus, QueryResult{.error = Error{ErrorCode::kInvalid, "1:2: bad", {}}}),
            "1:2: bad");
}

TEST(Reading, KeepsTheLastValueWhileAskingFailsAndSaysWhy) {
  QueryResult result = result_of({sample_of(4)});
  result.error = Error{ErrorCode::kUnavailable, "no connection", {}};
  const auto reading = to_reading(metric_of(api::MetricType::kQueueLength), result);
  EXPECT_EQ(reading.value, 4);
  EXPECT_EQ(reading.missing, "no connection");
}

TEST(Reading, IsIdleOnlyWhileTheSourceAnswers) {
  QueryResult result = result_of({Sample{0, "", true, "{}"}});
  EXPECT_TRUE(to_reading(metric_of(api::MetricType::kLatency), result).idle);
  result.error = Error{ErrorCode::kUnavailable, "no connection", {}};
  const auto reading = to_reading(metric_of(api::MetricType::kLatency), result);
  EXPECT_FALSE(reading.idle);
  EXPECT_EQ(reading.missing, "was idle when last asked; no connection");
}

}  // namespace
}  // namespace scalableapp::metrics
