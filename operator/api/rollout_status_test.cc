#include "operator/api/rollout_status.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace scalableapp::api {
namespace {

using nlohmann::json;

// Numbers and times that a careless format would round.
RolloutStatus full_status() {
  const WallTime time = parse_rfc3339("2026-01-31T12:00:00.001Z").value();
  return {.phase = RolloutPhase::kDegraded,
          .revision = "j8mgwzhcgq",
          .started_at = time,
          .step = 2,
          .step_started_at = time + milliseconds{1},
          .weight = 25,
          .switched_at = time + milliseconds{2},
          .available_at = time + milliseconds{3},
          .pause_reason = "CanaryPause",
          .failure_reason = "AnalysisFailed",
          .failure_message = "error-rate",
          .failed_at = time + milliseconds{999},
          .analysis = {.measured_at = time + milliseconds{4},
                       .metrics = {{.name = "error-rate",
                                    .value = "5.1% of 213 requests, stable 0.1% of 840",
                                    .last = Verdict::kFailed,
                                    .measurements = 6,
                                    .successful = 3,
                                    .failed = 2,
                                    .inconclusive = 1,
                                    .is_suspected = true,
                                    .missing_in_a_row = 2},
                                   {.name = "latency", .last = Verdict::kInconclusive},
                                   {.name = "restarts", .last = Verdict::kSuccessful},
                                   {.name = "new"}},
                       .bounds = {0.005, 0.1 + 0.2, 1},
                       .updated = {.requests = 213,
                                   .errors = 11,
                                   .busy_seconds = 1.0 / 3,
                                   .cpu_seconds = 5e-324,
                                   .buckets = {0, 100.5, 1e300, 0}},
                       .stable = {.requests = 840},
                       .message = "error-rate is worse"},
          .message = "went back"};
}

TEST(RolloutStatus, IsTheSameToTheBitAfterTheWayThroughText) {
  for (const RolloutStatus& status : {full_status(), RolloutStatus{}}) {
    const std::string text = rollout_status_json(status).dump();
    EXPECT_EQ(decode_rollout_status(json::parse(text)), status) << text;
  }
  ScalableAppStatus status;
  status.rollout = full_status();
  EXPECT_EQ(decode_status(json::parse(encode_status(status))), status);
}

TEST(RolloutStatus, OfEachPhaseHasItsWord) {
  const std::pair<RolloutPhase, const char*> words[] = {{RolloutPhase::kHealthy, "Healthy"},
                                                        {RolloutPhase::kProgressing, "Progressing"},
                                                        {RolloutPhase::kPaused, "Paused"},
                                                        {RolloutPhase::kDegraded, "Degraded"}};
  for (const auto& [phase, word] : words) {
    const json written = rollout_status_json({.phase = phase});
    EXPECT_EQ(written["phase"], word);
    EXPECT_EQ(decode_rollout_status(written).phase, phase);
  }
}

TEST(RolloutStatus, LeavesOutWhatIsZeroOrEmpty) {
  EXPECT_EQ(rollout_status_json({}).dump(), R"({"phase":"Healthy"})");
  const RolloutStatus measured{.analysis = {.metrics = {{.name = "m"}}, .stable = {.errors = 1}}};
  EXPECT_EQ(rollout_status_json(measured).dump(),
            R"({"analysis":{"metrics":[{"name":"m"}],"stable":{"errors":1.0}},"phase":"Healthy"})");
}

TEST(RolloutStatus, KeepsThePlaceOfABucketThatIsNoNumber) {
  const RolloutStatus status{.analysis = {.updated = {.requests = INFINITY, .buckets = {1, NAN, 2}}}};
  const RevisionEvidence read = decode_rollout_status(rollout_status_json(status)).analysis.updated;
  EXPECT_EQ(read, (RevisionEvidence{.buckets = {1, 0, 2}}));
}

TEST(RolloutStatus, OfAnyShapeIsReadWithoutHarm) {
  for (const char* text : {"null", "3", "[]", R"({"phase":"Asleep","step":"2","analysis":[]})",
                           R"({"phase":1,"analysis":{"metrics":{"a":1},"bounds":["x",null],"updated":3}})"}) {
    EXPECT_EQ(decode_rollout_status(json::parse(text)).phase, RolloutPhase::kHealthy) << text;
  }
}

}  // namespace
}  // namespace scalableapp::api
