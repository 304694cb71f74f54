#include "operator/plugin/backtest.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "operator/plugin/test_support.h"

namespace scalableapp::plugin {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::int64_t kEnd = 1'769'860'800;  // 2026-01-31T12:00:00Z.

std::int64_t number_behind(const std::string& path, const std::string& name) {
  return std::stoll(path.substr(path.find(name) + name.size()));
}

// A Prometheus whose series are functions of time; nothing: no series.
using Series = std::function<std::string(std::int64_t second)>;
AnsweringTransport prometheus(std::function<Series(const std::string& path)> series_of) {
  return AnsweringTransport(
      [series_of = std::move(series_of)](const std::string& path) -> kube::HttpResponse {
        std::string values;
        if (const Series series = series_of(path)) {
          const auto step = number_behind(path, "&step=");
          for (auto at = number_behind(path, "&start="); at <= number_behind(path, "&end=");
               at += step) {
            if (const std::string value = series(at); !value.empty()) {
              values += fmt::format("{}[{},\"{}\"]", values.empty() ? "" : ",", at, value);
            }
          }
          values = fmt::format(R"({{"metric":{{}},"values":[{}]}})", values);
        }
        return {.status = 200,
                .body = fmt::format(
                    R"({{"status":"success","data":{{"resultType":"matrix","result":[{}]}}}})",
                    values)};
      });
}

bool asks(const std::string& path, const std::string& text) { return path.find(text) != path.npos; }
Series always(std::string value) {
  return [value = std::move(value)](std::int64_t) { return value; };
}

RecordingOptions hour() {
  return {.end = WallTime(seconds(kEnd)), .range = seconds(3600), .step = seconds(60)};
}

TEST(Backtest, MakesATraceOfTheRequestsAndMeasuresTheWorkload) {
  auto server = prometheus([](const std::string& path) -> Series {
    if (asks(path, "duration_seconds_sum")) return always("0.08");
    if (asks(path, "count%28count")) return always("3");
    if (asks(path, "process_cpu")) return always("0.5");
    if (asks(path, "duration_seconds_count")) {
      return [](std::int64_t at) -> std::string {
        return at == kEnd - 60 ? "" : at == kEnd ? "100" : "50";
      };
    }
    return {};
  });
  const auto app = web();
  const auto recording = read_recording(server, app, {}, hour());
  ASSERT_TRUE(recording) << recording.error().message;
  EXPECT_EQ(recording->trace.seconds.size(), 61U);
  EXPECT_EQ(recording->trace.seconds.back(), 3600);
  EXPECT_EQ(recording->trace.requests_per_second.front(), 50);
  EXPECT_EQ(recording->trace.requests_per_second.back(), 100);
  EXPECT_EQ(recording->start, WallTime(seconds(kEnd - 3600)));
  EXPECT_DOUBLE_EQ(recording->workload.service_seconds, 0.08);
  EXPECT_DOUBLE_EQ(recording->workload.cpu_seconds_per_request, 0.01);
  EXPECT_THAT(recording->notes, Contains(HasSubstr("1 of 61 steps have no data")));
  EXPECT_THAT(recording->notes, Contains(HasSubstr("Service time: 80ms measured")));
  EXPECT_THAT(recording->notes, Contains(HasSubstr("--concurrency 4")));
  EXPECT_THAT(recording->notes,
              Contains(HasSubstr("What really ran: 10980 replica-seconds, at most 3 pods")));
  EXPECT_THAT(server.paths.front(), HasSubstr("namespace%3D%22default%22%2Cpod%3D~%22web-"));
}

TEST(Backtest, AFlagWinsOverWhatWasMeasured) {
  auto server = prometheus([](const std::string&) { return always("1"); });
  RecordingOptions options = hour();
  options.given = {"service-time"};
  const auto recording = read_recording(server, web(), {.service_seconds = 0.3}, options);
  ASSERT_TRUE(recording);
  EXPECT_DOUBLE_EQ(recording->workload.service_seconds, 0.3);
  EXPECT_THAT(recording->notes, Contains(HasSubstr("--service-time 300ms (given)")));
}

TEST(Backtest, BeginsWhereTheDataBegin) {
  auto server = prometheus([](const std::string& path) -> Series {
    if (!asks(path, "duration_seconds_count") || asks(path, "_sum")) return {};
    return [](std::int64_t at) -> std::string {
      return at < kEnd - 600 ? "" : at == kEnd - 300 ? "NaN" : "5";
    };
  });
  const auto recording = read_recording(server, web(), {}, hour());
  ASSERT_TRUE(recording);
  EXPECT_EQ(recording->trace.seconds.size(), 11U);
  EXPECT_EQ(recording->start, WallTime(seconds(kEnd - 600)));
  EXPECT_THAT(recording->notes, Contains(HasSubstr("there is none before 2026-01-31T11:50:00Z")));
  EXPECT_EQ(recording->trace.requests_per_second[5], 5) << "NaN is no value";
}

TEST(Backtest, NoDataNamesTheQuery) {
  auto server = prometheus([](const std::string&) { return Series(); });
  const auto recording = read_recording(server, web(), {}, hour());
  ASSERT_FALSE(recording);
  EXPECT_THAT(recording.error().message, HasSubstr("no data for the load"));
  EXPECT_THAT(recording.error().message,
              HasSubstr("sum(rate(http_request_duration_seconds_count{namespace=\"default\""));
  EXPECT_THAT(recording.error().message, HasSubstr("--load-query"));
}

TEST(Backtest, AQueuesArrivalsAreTheJobsDoneAndTheGrowthOfTheQueue) {
  auto app = web();
  app.spec.metrics = {
      {.name = "backlog", .type = api::MetricType::kQueueLength, .queue = "jobs", .target = 20}};
  auto server = prometheus([](const std::string& path) -> Series {
    if (asks(path, "queue_length"))
      return [](std::int64_t at) { return fmt::format("{}", (at - kEnd + 3600) / 60 * 120); };
    if (asks(path, "jobs_processed_total")) return always("8");
    if (asks(path, "job_duration_seconds")) return always("0.1");
    return {};
  });
  const auto recording = read_recording(server, app, {}, hour());
  ASSERT_TRUE(recording) << recording.error().message;
  EXPECT_EQ(recording->trace.requests_per_second.back(), 10);
  EXPECT_DOUBLE_EQ(recording->workload.service_seconds, 0.1);
}

TEST(Backtest, APrometheusMetricBecomesAColumn) {
  auto app = web();
  app.spec.metrics.push_back({.name = "orders",
                              .type = api::MetricType::kPrometheus,
                              .query = "sum(orders{n=\"$(name)\"})",
                              .target = 5});
  auto server = prometheus([](const std::string& path) -> Series {
    return asks(path, "orders")                   ? always("42")
           : asks(path, "duration_seconds_count") ? always("1")
                                                  : Series();
  });
  const auto recording = read_recording(server, app, {}, hour());
  ASSERT_TRUE(recording) << recording.error().message;
  EXPECT_THAT(recording->trace.columns.at("orders"), testing::Each(42.0));
  auto without = prometheus([](const std::string& path) -> Series {
    return asks(path, "orders") ? Series() : always("1");
  });
  EXPECT_THAT(read_recording(without, app, {}, hour()).error().message,
              HasSubstr("no data for orders"));
}

TEST(Backtest, AsksInPiecesThatPrometheusAllows) {
  auto server = prometheus([](const std::string&) { return always("7"); });
  const auto values = query_range(server, {"up", WallTime(seconds(0)), seconds(15), 25'001});
  ASSERT_TRUE(values);
  EXPECT_THAT(*values, testing::Each(7.0));
  EXPECT_THAT(server.paths,
              ElementsAre("/api/v1/query_range?query=up&start=0&end=149985&step=15",
                          "/api/v1/query_range?query=up&start=150000&end=299985&step=15",
                          "/api/v1/query_range?query=up&start=300000&end=375000&step=15"));
}

TEST(Backtest, SaysWhatIsWrongWithAnAnswer) {
  const RangeQuery query{"up", WallTime(seconds(0)), seconds(15), 3};
  AnsweringTransport two([](const std::string&) -> kube::HttpResponse {
    return {.status = 200,
            .body = R"({"status":"success","data":{"resultType":"matrix","result":[{},{}]}})"};
  });
  EXPECT_THAT(query_range(two, query).error().message, HasSubstr("query up: yields 2 series"));
  AnsweringTransport bad([](const std::string&) -> kube::HttpResponse {
    return {.status = 400,
            .body = R"({"status":"error","errorType":"bad_data","error":"parse error"})"};
  });
  EXPECT_THAT(query_range(bad, query).error().message, HasSubstr("parse error"));
  for (const char* body : {"", "[]", "{}", "<html>"}) {
    AnsweringTransport other(
        [&](const std::string&) -> kube::HttpResponse { return {.status = 200, .body = body}; });
    EXPECT_FALSE(query_range(other, query)) << body;
  }
}

}  // namespace
}  // namespace scalableapp::plugin
