#include "operator/scaling/warm_up.h"

#include <gtest/gtest.h>

#include "operator/scaling/test_support.h"

namespace scalableapp::scaling {
namespace {

using test::kNow;

PodState pod_that_took(double needed_seconds, int index = 0, WallTime ready = kNow) {
  PodState pod = test::serving_pod(index);
  pod.ready_since = ready;
  pod.created = ready - milliseconds{static_cast<int>(1000 * needed_seconds)};
  return pod;
}
Observation with(std::vector<PodState> pods) {
  Observation observation;
  observation.current_replicas = static_cast<int>(pods.size());
  observation.pods = std::move(pods);
  return observation;
}
// A pod after the other, each ready 10 s after the one before.
double learned_from(std::initializer_list<double> taken) {
  api::ScalingHistory history;
  WallTime now = kNow;
  for (const double needed : taken) {
    now += seconds{10};
    EXPECT_TRUE(learn_warm_up(now, with({pod_that_took(needed, 0, now)}), history));
  }
  return history.warm_up_seconds;
}

TEST(WarmUp, OfTheFirstPodIsTaken) { EXPECT_DOUBLE_EQ(learned_from({12.5}), 12.5); }

TEST(WarmUp, EachPodIsLearnedOnce) {
  api::ScalingHistory history;
  const Observation observation = with({pod_that_took(10)});
  EXPECT_TRUE(learn_warm_up(kNow, observation, history));
  history.warm_up_seconds = 5;
  EXPECT_FALSE(learn_warm_up(kNow + seconds{2}, observation, history));
  EXPECT_EQ(history.warm_up_seconds, 5);
}

TEST(WarmUp, SlowPodsCountForMoreThanFastOnes) {
  const double slower = learned_from({10, 20}) - 10, faster = 10 - learned_from({10, 0.1});
  EXPECT_GT(slower, 3);
  EXPECT_GT(faster, 0);
  EXPECT_LT(faster, slower / 2);
}

TEST(WarmUp, FindsANewLevelWithinAFewPods) {
  EXPECT_NEAR(learned_from({10, 30, 30, 30, 30}), 30, 3);
  EXPECT_LT(learned_from({30, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10}), 15);
}

TEST(WarmUp, APodThatIsReadyAgainIsNoSlowPod) {
  api::ScalingHistory known;
  learn_warm_up(kNow, with({pod_that_took(10)}), known);
  const WallTime later = kNow + seconds{3000};
  EXPECT_FALSE(learn_warm_up(later, with({pod_that_took(3010, 0, later)}), known))
      << "created 50 minutes ago, ready again now";
  EXPECT_FALSE([] {
    api::ScalingHistory history;
    return learn_warm_up(kNow, with({pod_that_took(7200)}), history);
  }()) << "an app that was there before the operator";
}

TEST(WarmUp, OfPodsThatDoNotServeOrSayNoTimesIsNotLearned) {
  PodState not_serving = pod_that_took(10), no_creation = pod_that_took(10),
           no_ready = pod_that_took(10), ahead = pod_that_took(10, 0, kNow + seconds{5});
  not_serving.serving = false;
  no_creation.created.reset();
  no_ready.ready_since.reset();
  api::ScalingHistory history;
  for (const PodState& pod : {not_serving, no_creation, no_ready, ahead}) {
    EXPECT_FALSE(learn_warm_up(kNow, with({pod}), history));
  }
  EXPECT_FALSE(history.warm_up_seen);
}

TEST(WarmUp, SeveralPodsAtOnceAllCount) {
  api::ScalingHistory history;
  learn_warm_up(kNow, with({pod_that_took(10, 0), pod_that_took(20, 1), pod_that_took(20, 2)}), history);
  EXPECT_EQ(history.warm_up_seconds, 10) << "the first ones may have been ready before: the fastest";
  api::ScalingHistory known;
  known.warm_up_seconds = 10;
  learn_warm_up(kNow, with({pod_that_took(10, 0), pod_that_took(20, 1), pod_that_took(20, 2)}), known);
  EXPECT_GT(known.warm_up_seconds, 12) << "later on, the slowest";
  EXPECT_LE(known.warm_up_seconds, 20);
}

TEST(WarmUp, TheOrderOfThePodsDoesNotMatter) {
  const auto learned = [](std::vector<PodState> pods) {
    api::ScalingHistory history;
    history.warm_up_seconds = 10;
    learn_warm_up(kNow, with(std::move(pods)), history);
    return history.warm_up_seconds;
  };
  EXPECT_EQ(learned({pod_that_took(5, 0), pod_that_took(30, 1)}),
            learned({pod_that_took(30, 1), pod_that_took(5, 0)}));
}

TEST(WarmUp, AClockThatWasSetBackDoesNotStopLearning) {
  api::ScalingHistory history;
  history.warm_up_seconds = 10;
  history.warm_up_seen = kNow + std::chrono::hours{1};
  EXPECT_FALSE(learn_warm_up(kNow, with({}), history));
  EXPECT_TRUE(learn_warm_up(kNow + seconds{5}, with({pod_that_took(20, 0, kNow + seconds{4})}), history));
}

}  // namespace
}  // namespace scalableapp::scaling
