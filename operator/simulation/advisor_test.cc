#include "operator/simulation/advisor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace scalableapp::simulation {
namespace {

api::ScalableApp service() {
  api::MetricSpec latency;
  latency.name = "latency";
  latency.type = api::MetricType::kLatency;
  latency.target = 0.25;
  api::ScalableApp app;
  app.metadata.name = "web";
  app.spec.min_replicas = 2;
  app.spec.max_replicas = 30;
  app.spec.metrics = {latency};
  return app;
}

TimeZones utc(const std::vector<std::string>& names, WallTime) {
  TimeZones zones;
  for (const std::string& name : names) {
    zones[name] = std::make_shared<const TimeZone>(TimeZone{name, {}});
  }
  return zones;
}

PolicyResult run(const api::ScalableApp& app, const std::string& rows) {
  const auto trace = parse_trace("t.csv", "seconds,requests_per_second\n" + rows);
  Options options;
  options.advisor = make_advisor(app.spec, utc);
  auto result = simulate(app, trace.value(), {}, Policy::kScalableApp, options);
  EXPECT_TRUE(result) << result.error().message;
  return result.value_or(PolicyResult{});
}

TEST(Advisor, IsNoneWhereThereIsNothingToForesee) {
  EXPECT_FALSE(make_advisor(service().spec, utc));
}

TEST(Advisor, AScheduleHasItsPodsThereWhenItBegins) {
  api::ScalableApp app = service();
  // The trace begins at midnight.
  app.spec.schedules = {{.name = "sale",
                         .cron = "10 0 * * *",
                         .time_zone = "UTC",
                         .duration_seconds = 600,
                         .min_replicas = 20,
                         .max_replicas = {}}};
  const std::string rows = "0,150\n600,1200\n900,150\n1800,150\n";
  const PolicyResult announced = run(app, rows);
  app.spec.schedules.clear();
  const PolicyResult surprise = run(app, rows);
  EXPECT_EQ(announced.slo_violation_seconds, 0);
  EXPECT_GT(surprise.slo_violation_seconds, 5);
  const auto first = std::ranges::find(announced.messages, 20, &Message::to);
  ASSERT_NE(first, announced.messages.end());
  EXPECT_LT(first->seconds, 600);
  EXPECT_GT(first->seconds, 500) << "not earlier than pods take to start";
}

TEST(Advisor, AForecastAddsPodsAheadOfARisingLoad) {
  std::string rows;
  for (int second = 0; second <= 1200; second += 5) {
    rows += std::to_string(second) + "," + std::to_string(200 + std::max(0, second - 300)) + "\n";
  }
  api::ScalableApp app = service();
  const PolicyResult without = run(app, rows);
  app.spec.prediction.emplace();
  const PolicyResult with = run(app, rows);
  EXPECT_LE(with.slo_violation_seconds, without.slo_violation_seconds);
  EXPECT_TRUE(std::ranges::any_of(with.messages, [](const Message& message) {
    return message.text.find("forecast") != std::string::npos;
  }));
  EXPECT_EQ(with, run(app, rows)) << "the same run twice";
}

}  // namespace
}  // namespace scalableapp::simulation
