#include "workload/load/record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "workload/load/html_report.h"
#include "workload/load/report.h"

namespace scalableapp::workload {
namespace {

TEST(Timeline, SecondsWithNothingGoingOnLeaveNoRow) {
  Timeline timeline;
  timeline.close_second(10, 0, 0, false);
  timeline.close_second(11, 5, 0, true);
  timeline.current().offered = 3;
  timeline.close_second(12, 0, 0, false);
  ASSERT_EQ(timeline.rows().size(), 2u);
  EXPECT_EQ(timeline.row_of(12).offered, 3u);
  EXPECT_EQ(timeline.row_of(10).offered, 0u);
}

TEST(Timeline, TwoRunsWithinASecondShareItsRow) {
  Timeline timeline;
  timeline.current().offered = 3;
  timeline.close_second(12, 0, 0, true);
  timeline.current().count(Outcome::kReset, {});
  timeline.current().offered = 4;
  timeline.close_second(12, 0, 0, true);
  ASSERT_EQ(timeline.rows().size(), 1u);
  EXPECT_EQ(timeline.rows()[0].offered, 7u);
  EXPECT_EQ(timeline.rows()[0].failed, 1u);
  EXPECT_EQ(timeline.rows()[0].outcomes[static_cast<std::size_t>(Outcome::kReset)], 1u);
}

TEST(Timeline, TheLastFiveSecondsForgetTheSixth) {
  Timeline timeline;
  timeline.current().count(Outcome::kOk, seconds(9));
  timeline.close_second(0, 0, 0, true);
  for (int second = 1; second < 5; ++second) {
    timeline.current().count(Outcome::kOk, milliseconds(1));
    timeline.close_second(second, 0, 0, true);
  }
  EXPECT_EQ(timeline.last_five().max(), seconds(9));
  timeline.close_second(5, 0, 0, true);
  EXPECT_EQ(timeline.last_five().max(), milliseconds(1));
  EXPECT_EQ(timeline.last_five().count(), 4u);
}

TEST(Timeline, EachEndpointHasItsCountsInASecondOfItsRun) {
  const auto first = std::make_shared<const std::vector<std::string>>(2, "a");
  const auto second = std::make_shared<const std::vector<std::string>>(1, "b");
  Timeline timeline;
  timeline.set_endpoints(first);
  timeline.count_endpoint(first, 1, true);
  timeline.count_endpoint(first, 1, false);
  timeline.close_second(1, 0, 0, true);
  timeline.set_endpoints(second);
  timeline.count_endpoint(first, 1, true);  // An answer to the run that was replaced.
  timeline.count_endpoint(second, 0, true);
  timeline.close_second(2, 0, 0, true);
  EXPECT_EQ(timeline.rows()[0].endpoints[1].completed, 1u);
  EXPECT_EQ(timeline.rows()[0].endpoints[1].failed, 1u);
  EXPECT_EQ(timeline.rows()[1].endpoints.size(), 1u);
  EXPECT_EQ(timeline.rows()[1].endpoints[0].completed, 1u);
}

TEST(Timeline, ASecondSaysIfTheGeneratorItselfWasTheLimit) {
  Timeline timeline;
  timeline.own().waited = 3;
  EXPECT_EQ(timeline.close_second(1, 0, 0, true)->limit, Limit::kConnections);
  EXPECT_THAT(live_line(timeline.rows().back(), 1),
              ::testing::HasSubstr("the generator is the limit: 3 requests waited"));
  EXPECT_EQ(timeline.close_second(2, 0, 0, true)->limit, Limit::kNone);
}

TEST(SloSeconds, ASecondIsViolatedWhenMoreThanOnePercentMissed) {
  SloSeconds slo_seconds(100);
  for (int request = 0; request < 100; ++request) {
    slo_seconds.count(100, request < 1);
    slo_seconds.count(102, request < 2);
  }
  slo_seconds.count(99, true);  // Before the run.
  slo_seconds.count(1'000'000'000, true);
  EXPECT_FALSE(slo_seconds.is_violated(100));
  EXPECT_FALSE(slo_seconds.is_violated(101));
  EXPECT_TRUE(slo_seconds.is_violated(102));
  EXPECT_EQ(slo_seconds.violated_seconds(), 1u);
}

TEST(CacheMark, StaleAnswersDoNotWaitForTheOriginEither) {
  EXPECT_EQ(cache_mark(""), AnswerMarks::Cache::kNone);
  for (const char* hit : {"HIT", "STALE", "UPDATING"}) {
    EXPECT_EQ(cache_mark(hit), AnswerMarks::Cache::kHit) << hit;
  }
  for (const char* miss : {"MISS", "EXPIRED", "BYPASS", "REVALIDATED"}) {
    EXPECT_EQ(cache_mark(miss), AnswerMarks::Cache::kMiss) << miss;
  }
}

RunRecord small_run() {
  RunRecord run;
  run.profile = "10:1s";
  run.started = 1000;
  run.ended = 1001;
  run.elapsed_seconds = 1;
  run.slo_seconds = SloSeconds(1000);
  run.phases.push_back({"10:1s", 1, {}});
  run.endpoints.push_back({"a", "GET", milliseconds(100), {}, SloSeconds(1000), {}});
  run.endpoints.push_back({"<b>", "POST", {}, {}, SloSeconds(1000), {}});
  return run;
}

TEST(RunRecord, EachRequestIsHeldAgainstItsOwnEndpointsTarget) {
  auto run = small_run();
  run.count(0, 0, 1000, Outcome::kOk, milliseconds(99), {});
  run.count(0, 1, 1000, Outcome::kReset, milliseconds(500), {});
  EXPECT_EQ(run.slo_seconds.violated_seconds(), 0u) << "the other endpoint has no target";
  run.count(0, 0, 1000, Outcome::kOk, milliseconds(101), {});
  run.count(0, 0, 1001, Outcome::kLimited, milliseconds(1), {});
  EXPECT_EQ(run.slo_seconds.violated_seconds(), 2u);
  EXPECT_EQ(run.endpoints[0].slo_seconds.violated_seconds(), 2u);
  EXPECT_EQ(run.endpoints[1].slo_seconds.violated_seconds(), 0u);
}

TEST(RunRecord, TheReportSumsUpByEndpoint) {
  auto run = small_run();
  run.count(0, 0, 1000, Outcome::kOk, milliseconds(9),
            {.cache = AnswerMarks::Cache::kHit, .is_degraded = true});
  run.count(0, 0, 1000, Outcome::kOk, milliseconds(9), {.cache = AnswerMarks::Cache::kMiss});
  run.count(0, 1, 1000, Outcome::kLimited, milliseconds(9), {});
  run.count(0, 1, 1000, Outcome::kShed, milliseconds(9), {});
  run.count(0, 1, 1000, Outcome::kStatus4xx, milliseconds(9), {.is_session_lost = true});
  const auto report = nlohmann::json::parse(report_json(run, {}, {2000, 28232}));
  EXPECT_EQ(report["total"]["completed"], 2);
  EXPECT_EQ(report["total"]["failed"], 3);
  EXPECT_EQ(report["total"]["shed"], 2);
  EXPECT_EQ(report["total"]["sessions_lost"], 1);
  const auto& a = report["endpoints"][0];
  EXPECT_EQ(a["cache_hit_share"], 0.5);
  EXPECT_EQ(a["degraded_share"], 0.5);
  EXPECT_EQ(a["slo_violation_seconds"], 0);
  const auto& b = report["endpoints"][1];
  EXPECT_EQ(b["failures"]["limited"], 1);
  EXPECT_TRUE(b["slo_violation_seconds"].is_null());
  EXPECT_TRUE(b["cache_hit_share"].is_null());
  EXPECT_EQ(report["generator"]["local_ports"], 28232);
}

TEST(HtmlReport, ShowsEveryEndpointAndIsSafeWithAnyName) {
  auto run = small_run();
  for (int count = 1; count <= 100; ++count) {
    run.count(0, 0, 1000, Outcome::kOk, milliseconds(count), {});
  }
  run.limited_seconds[static_cast<std::size_t>(Limit::kCpu)] = 2;
  Timeline timeline;
  timeline.close_second(1000, 10, 0, true);
  timeline.close_second(1001, 10, 0, true);
  const auto page = html_report(run, timeline.rows());
  for (const char* part : {"<tr><td>a<td>", "<tr><td>&lt;b&gt;<td>", "<tr><td>all<td>", "<td>100.0",
                           "was the limit in 2 seconds", "2 s: cpu", "<polyline"}) {
    EXPECT_THAT(page, ::testing::HasSubstr(part));
  }
  EXPECT_THAT(page, ::testing::Not(::testing::HasSubstr("nan")));
  EXPECT_THAT(page, ::testing::Not(::testing::HasSubstr("http")));
}

TEST(HtmlReport, ARunWithoutAnyAnswerHasOneToo) {
  const auto page = html_report(small_run(), {});
  EXPECT_THAT(page, ::testing::HasSubstr("never the limit"));
  EXPECT_THAT(page, ::testing::Not(::testing::HasSubstr("nan")));
}

TEST(AcceptedIds, ArePagedAndBounded) {
  auto run = small_run();
  const auto id = [](int number) {
    auto text = std::to_string(number);
    return std::string(32 - text.size(), 'a') + text;
  };
  for (int number = 0; number < 3; ++number) run.endpoints[0].accepted.add(id(number), run.kept_ids);
  for (int number = 3; number < 5; ++number) run.endpoints[1].accepted.add(id(number), run.kept_ids);
  EXPECT_EQ(accepted_text(run, "<b>", 0, 10), id(3) + "\n" + id(4) + "\n");
  EXPECT_EQ(accepted_text(run, "", 2, 2), id(2) + "\n" + id(3) + "\n");
  EXPECT_EQ(accepted_text(run, "", 4, 9), id(4) + "\n");
  EXPECT_EQ(accepted_text(run, "", 5, 9), "");
  EXPECT_EQ(accepted_text(run, "c", 0, 9), std::nullopt);
  run.kept_ids = AcceptedIds::kMost;
  run.endpoints[0].accepted.add(id(9), run.kept_ids);
  EXPECT_EQ(run.endpoints[0].accepted.count(), 4u);
  EXPECT_EQ(run.endpoints[0].accepted.not_kept(), 1u);
}

}  // namespace
}  // namespace scalableapp::workload
