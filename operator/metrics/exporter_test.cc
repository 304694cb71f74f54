#include "operator/metrics/exporter.h"

#include <gmock/gmock.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

namespace scalableapp::metrics {
namespace {

using std::chrono::milliseconds;
using testing::ContainsRegex;

// Not a matcher, which would print the whole text.
bool has(const std::string& text, const char* part) { return text.find(part) != text.npos; }

TEST(Exporter, KnownSeriesAreThereAtZeroBeforeAnythingHappened) {
  Exporter exporter;
  const std::string text = exporter.scrape();
  for (const char* line :
       {"scalableapp_reconciles_total{result=\"success\"} 0\n",
        "scalableapp_reconciles_total{result=\"conflict\"} 0\n",
        "scalableapp_decisions_total{reason=\"WithinTolerance\"} 0\n",
        "scalableapp_decisions_total{reason=\"Restarted\"} 0\n",
        "scalableapp_scale_events_total{direction=\"down\"} 0\n",
        "scalableapp_metric_query_failures_total{reason=\"timeout\"} 0\n",
        "scalableapp_watch_restarts_total{reason=\"gone\",resource=\"pods\"} 0\n",
        "scalableapp_reconcile_duration_seconds_count 0\n", "scalableapp_queue_depth 0\n",
        "scalableapp_leader 0\n",
        "scalableapp_api_requests_total{code=\"201\",verb=\"POST\"} 0\n"}) {
    EXPECT_TRUE(has(text, line)) << line;
  }
  EXPECT_THAT(text, ContainsRegex("scalableapp_build_info\\{version=\"[0-9.]+\"\\} 1"));
}

TEST(Exporter, CountsAndTimesWhatItIsTold) {
  Exporter exporter;
  exporter.observe_reconcile(milliseconds(30), "success");
  exporter.observe_reconcile(milliseconds(300), "conflict");
  exporter.set_queue_depth(7);
  exporter.count_watch_restart("pods", "gone");
  exporter.count_relist("pods", "no such reason before");
  exporter.observe_api_request("PATCH", "200", milliseconds(4));
  exporter.observe_api_request("WATCH", "200", Exporter::Seconds(-1));
  exporter.observe_metric_query(milliseconds(9), std::nullopt);
  exporter.observe_metric_query(milliseconds(9), ErrorCode::kTimeout);
  exporter.count_decision("Stabilizing");
  exporter.count_scale(true);
  const std::string text = exporter.scrape();
  for (const char* line :
       {"scalableapp_reconciles_total{result=\"conflict\"} 1\n",
        "scalableapp_reconcile_duration_seconds_bucket{le=\"0.025\"} 0\n",
        "scalableapp_reconcile_duration_seconds_bucket{le=\"0.05\"} 1\n",
        "scalableapp_reconcile_duration_seconds_count 2\n", "scalableapp_queue_depth 7\n",
        "scalableapp_watch_restarts_total{reason=\"gone\",resource=\"pods\"} 1\n",
        "scalableapp_relists_total{reason=\"no such reason before\",resource=\"pods\"} 1\n",
        "scalableapp_api_requests_total{code=\"200\",verb=\"PATCH\"} 1\n",
        "scalableapp_api_requests_total{code=\"200\",verb=\"WATCH\"} 1\n",
        "scalableapp_api_request_duration_seconds_count{verb=\"PATCH\"} 1\n",
        "scalableapp_metric_query_duration_seconds_count 2\n",
        "scalableapp_metric_query_failures_total{reason=\"timeout\"} 1\n",
        "scalableapp_decisions_total{reason=\"Stabilizing\"} 1\n",
        "scalableapp_scale_events_total{direction=\"up\"} 1\n"}) {
    EXPECT_TRUE(has(text, line)) << line;
  }
  EXPECT_FALSE(has(text, "duration_seconds_count{verb=\"WATCH\"}"));
}

TEST(Exporter, AMetricQueryWithAnAnswerIsNoFailureOfAnyReason) {
  Exporter exporter;
  exporter.observe_metric_query(milliseconds(9), std::nullopt);
  const std::string text = exporter.scrape();
  EXPECT_TRUE(has(text, "scalableapp_metric_query_duration_seconds_count 1\n"));
  EXPECT_THAT(text, Not(ContainsRegex("query_failures_total\\{[^}]*\\} [1-9]")));
  EXPECT_FALSE(has(text, "reason=\"\""));
}

TEST(Exporter, AnAppsGaugesComeAndGoWithIt) {
  Exporter exporter;
  exporter.set_app("shop", "web", 5, 3, 2, 1);
  exporter.set_app("shop", "worker", 1, 1, 0, 0);
  std::string text = exporter.scrape();
  EXPECT_TRUE(has(text, "app_desired_replicas{name=\"web\",namespace=\"shop\"} 5\n"));
  EXPECT_TRUE(has(text, "app_warming_replicas{name=\"web\",namespace=\"shop\"} 2\n"));
  exporter.remove_app("shop", "web");
  exporter.remove_app("shop", "never");
  text = exporter.scrape();
  EXPECT_FALSE(has(text, "name=\"web\""));
  EXPECT_TRUE(has(text, "app_ready_replicas{name=\"worker\",namespace=\"shop\"} 1\n"));
}

TEST(Exporter, WhoDoesNotLeadShowsNoApps) {
  Exporter exporter;
  exporter.set_leader(true);
  exporter.set_app("shop", "web", 5, 3, 2, 1);
  EXPECT_TRUE(has(exporter.scrape(), "scalableapp_leader 1\n"));
  exporter.set_leader(false);
  EXPECT_FALSE(has(exporter.scrape(), "name=\"web\""));
  exporter.set_app("shop", "web", 6, 3, 2, 0);
  EXPECT_TRUE(has(exporter.scrape(), "name=\"web\",namespace=\"shop\"} 6\n"));
}

TEST(Exporter, ShowsWhatTheProcessUses) {
  Exporter exporter;
  exporter.scrape();
  const std::string text = exporter.scrape();
  EXPECT_THAT(text, ContainsRegex("\nprocess_cpu_seconds_total [0-9.e-]+\n"));
  EXPECT_FALSE(has(text, "process_resident_memory_bytes 0\n"));
}

TEST(Exporter, IsUsedFromManyThreads) {
  Exporter exporter;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&, i] {
        const std::string app = "app" + std::to_string(i % 2);
        for (int n = 0; n < 200; ++n) {
          exporter.observe_reconcile(milliseconds(1), "success");
          exporter.set_app("shop", app, n, n, 0, 0);
          if (n % 50 == 0) exporter.remove_app("shop", app);
          if (n % 50 == 1) exporter.scrape();
        }
      });
    }
  }
  EXPECT_TRUE(has(exporter.scrape(), "scalableapp_reconciles_total{result=\"success\"} 800\n"));
}

}  // namespace
}  // namespace scalableapp::metrics
