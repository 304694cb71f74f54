#include "operator/controller/rollout_look.h"

#include <gtest/gtest.h>

namespace scalableapp::controller {
namespace {

const WallTime kBack{seconds{1000}};  // When the pod was taken back into service.

rollout::PodFacts facts_of(api::Pod pod) {
  pod.metadata.owners = {{.uid = "rs", .controller = true}};
  api::ReplicaSet replica_set;
  replica_set.metadata.uid = "rs";
  const api::ScalableAppStatus status;
  const Snapshot snapshot{.app = std::make_shared<const api::ScalableApp>(),
                          .status = &status,
                          .replica_sets = {std::make_shared<const api::ReplicaSet>(replica_set)},
                          .pods = {std::make_shared<const api::Pod>(std::move(pod))}};
  return rollout_input(snapshot, {}, std::nullopt).revisions.at(0).pods.at(0);
}

TEST(RolloutLook, APodThatWasTakenBackIsAvailableWhenTheKubeletHasSaidSoAgainOrHadTheTimeTo) {
  api::Pod pod;
  pod.ready = pod.warm = pod.returned = true;
  pod.warm_since = kBack;
  pod.ready_since = kBack - seconds{60};
  EXPECT_EQ(facts_of(pod).ready_since, kBack + seconds{3});
  pod.ready_since = kBack + seconds{1};
  EXPECT_EQ(facts_of(pod).ready_since, kBack + seconds{1});
  pod.ready_since = kBack - seconds{60};
  pod.returned = false;  // Its gate was said to be open once more.
  EXPECT_EQ(facts_of(pod).ready_since, kBack - seconds{60});
}

}  // namespace
}  // namespace scalableapp::controller
