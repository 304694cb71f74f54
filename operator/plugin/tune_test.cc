#include "operator/plugin/tune.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <set>

#include "operator/plugin/test_support.h"

namespace scalableapp::plugin {
namespace {

// Longer windows and higher minimums violate less and cost more; nothing else matters.
Result<Outcome> model(const api::ScalableAppSpec& spec) {
  const int window = spec.behavior.scale_down.stabilization_window_seconds;
  return Outcome{.slo_violation_seconds = std::max(0.0, 100.0 - window) / spec.min_replicas,
                 .replica_seconds = 1000.0 * spec.min_replicas + window,
                 .measured_seconds = 1000};
}

bool same(const Tuning& a, const Tuning& b) {
  if (a.proposed != b.proposed || a.candidates.size() != b.candidates.size()) return false;
  for (std::size_t i = 0; i < a.candidates.size(); ++i) {
    if (a.candidates[i].levels != b.candidates[i].levels) return false;
  }
  return true;
}

TEST(Tune, TheSameSeedSearchesTheSameWay) {
  const auto app = web();
  const auto first = tune(app.spec, {.seed = 7}, model);
  ASSERT_TRUE(first);
  EXPECT_TRUE(same(*first, *tune(app.spec, {.seed = 7}, model)));
  EXPECT_FALSE(same(*first, *tune(app.spec, {.seed = 8}, model)));
}

TEST(Tune, KeepsToItsBudgetAndTriesNothingTwice) {
  std::atomic<int> evaluations{0};
  const auto tuning = tune(web().spec, {.evaluations = 40}, [&](const auto& spec) {
    ++evaluations;
    return model(spec);
  });
  ASSERT_TRUE(tuning);
  EXPECT_LE(evaluations, 40);
  std::set<std::vector<std::size_t>> seen;
  for (const Candidate& candidate : tuning->candidates)
    EXPECT_TRUE(seen.insert(candidate.levels).second);
}

TEST(Tune, ProposesWhatIsBetterAndChangesNothingThatBringsNothing) {
  const auto app = web();
  const auto tuning = tune(app.spec, {.evaluations = 150}, model);
  ASSERT_TRUE(tuning);
  const Candidate& proposed = tuning->candidates[tuning->proposed];
  EXPECT_TRUE(proposed.on_front);
  api::ScalableAppSpec spec = spec_of(app.spec, *tuning, proposed);
  EXPECT_GE(spec.behavior.scale_down.stabilization_window_seconds, 90);
  spec.behavior.scale_down.stabilization_window_seconds =
      app.spec.behavior.scale_down.stabilization_window_seconds;
  EXPECT_EQ(spec, app.spec) << "all else is as it was";
}

TEST(Tune, TheFrontHoldsNobodyThatAnotherBeats) {
  const auto tuning = tune(web().spec, {.evaluations = 100}, model);
  ASSERT_TRUE(tuning);
  int on_front = 0;
  for (const Candidate& one : tuning->candidates) {
    on_front += one.on_front ? 1 : 0;
    for (const Candidate& other : tuning->candidates) {
      EXPECT_FALSE(one.on_front &&
                   other.outcome.slo_violation_seconds < one.outcome.slo_violation_seconds &&
                   other.outcome.replica_seconds < one.outcome.replica_seconds);
    }
  }
  EXPECT_GT(on_front, 0);
}

TEST(Tune, NeverGoesUnderTheManifestsMinimumOrSwitchesABurstOff) {
  auto app = web();
  app.spec.burst = api::Burst{.threshold_percent = 200};
  const auto tuning = tune(app.spec, {.evaluations = 100}, model);
  ASSERT_TRUE(tuning);
  for (const Candidate& candidate : tuning->candidates) {
    const auto spec = spec_of(app.spec, *tuning, candidate);
    EXPECT_GE(spec.min_replicas, app.spec.min_replicas);
    EXPECT_LE(spec.min_replicas, spec.max_replicas);
    EXPECT_TRUE(spec.burst);
  }
}

TEST(Tune, WhatItChangesIsWhatTheManifestThenSays) {
  const auto app = web();
  const auto tuning = tune(app.spec, {.evaluations = 60}, model);
  ASSERT_TRUE(tuning);
  for (const Candidate& candidate : tuning->candidates) {
    const auto changed =
        change_manifest(kWeb, "web.yaml", changes_of(kWeb, app.spec, *tuning, candidate));
    ASSERT_TRUE(changed) << changed.error().message;
    const auto read = read_manifest(*changed, "web.yaml");
    ASSERT_TRUE(read) << read.error().message << "\n" << *changed;
    EXPECT_EQ(read->spec, spec_of(app.spec, *tuning, candidate)) << *changed;
  }
}

TEST(Tune, AnEvaluationThatFailsEndsTheSearch) {
  const auto tuning = tune(web().spec, {}, [](const auto&) -> Result<Outcome> {
    return fail(ErrorCode::kInvalid, "no such load");
  });
  ASSERT_FALSE(tuning);
  EXPECT_EQ(tuning.error().message, "no such load");
}

}  // namespace
}  // namespace scalableapp::plugin
