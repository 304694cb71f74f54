// What holds of every rollout, whatever happens in whatever order: pods die, the wanted count and the template change,
// people promote, abort, retry and pause, an analysis says what it likes, the operator is killed between writes.
#include <deque>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/rollout/test_support.h"

namespace scalableapp::rollout {
namespace {

using api::RolloutPhase;
using api::RolloutStrategy;

class Story {
 public:
  explicit Story(unsigned seed) : random_(seed), cluster_(pick(1, 12), rollout()) {
    cluster_.warm_seconds = pick(1, 6);
    cluster_.spec.drain_seconds = pick(0, 3);
    cluster_.updated = "r0";
    for (int i = 1; i < 4; ++i) {
      if (chance(0.2)) cluster_.bad.insert(name(i));
      if (chance(0.1)) cluster_.slow.insert(name(i));
    }
    if (chance(0.8)) cluster_.roll_out_first();
  }

  void step(bool changes) {
    if (changes) change();
    cluster_.live();
    if (changes && chance(0.02)) blip();
    say_verdict(changes);
    remember_traffic();
    if (changes && chance(0.1)) return;  // The operator is away, or dies before it writes the status.
    const RolloutInput input = cluster_.input();
    const RolloutPlan plan = rollout::plan(cluster_.now, input);
    expect_idempotent(input, plan);
    const auto before = cluster_.revisions;
    const int available_before = cluster_.available();
    const int total_before = cluster_.total();
    cluster_.carry_out(plan, changes && chance(0.1) ? static_cast<std::size_t>(pick(0, 2)) : 1000);
    remember_traffic();
    expect_capacity(before, available_before, plan);
    expect_bounds(plan, total_before);
    expect_no_growth_of_the_failed(before, plan);
    cluster_.last = plan;
    quiet_looks_ = plan.actions.empty() && settled(plan.state) == settled(last_state_) ? quiet_looks_ + 1 : 0;
    last_state_ = plan.state;
  }

  // Nothing more happens, and what waits for a person is promoted or, for the half of the stories, not.
  void calm_down() {
    quiet_looks_ = 0;
    cluster_.controls.abort = false;
    cluster_.spec.rollout.paused = cluster_.in_burst = cluster_.is_refused = false;
    if (chance(0.5)) cluster_.controls.promote_fully = true;
  }
  bool is_quiet() const { return quiet_looks_ > 80; }  // Longer than any wait of the spec.

  void expect_an_end() {
    const auto& state = cluster_.state;
    const int desired = cluster_.desired_replicas;
    const auto is_bad = [&](const std::string& one) {
      return cluster_.bad.contains(one) || cluster_.slow.contains(one);
    };
    switch (state.phase) {
      case RolloutPhase::kHealthy:
        EXPECT_EQ(cluster_.current, cluster_.updated);
        expect_alone(cluster_.updated);
        break;
      case RolloutPhase::kDegraded:
        EXPECT_FALSE(state.failure_reason.empty());
        if (cluster_.spec.rollout.automatic_rollback && cluster_.find(cluster_.current) != nullptr &&
            !is_bad(cluster_.current)) {  // One without pods may have become the current one.
          expect_alone(cluster_.current);
        }
        break;
      case RolloutPhase::kPaused:
        EXPECT_FALSE(cluster_.controls.promote_fully) << state.message;
        EXPECT_GE(cluster_.total(), desired);
        break;
      case RolloutPhase::kProgressing:
        // Where there is nothing to go back to, what does not come to serve is waited for; and at zero, for a load.
        EXPECT_TRUE(is_bad(cluster_.updated) || desired == 0) << state.message;
        break;
    }
  }

  std::string text() {
    std::string text = "updated " + cluster_.updated + " current " + cluster_.current + " desired " +
                       std::to_string(cluster_.desired_replicas) + " " + cluster_.state.message + " |";
    for (auto& one : cluster_.revisions) {
      text += " " + one.revision + ":" + std::to_string(one.spec_replicas) + "/";
      text += std::to_string(cluster_.available(one));
    }
    for (const auto& action : texts(cluster_.last.actions)) text += " " + action;
    return text;
  }

 private:
  static std::string name(int i) { return "r" + std::to_string(i); }
  int pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }
  bool chance(double p) { return std::bernoulli_distribution(p)(random_); }

  api::RolloutSpec rollout() {
    api::RolloutSpec spec;
    spec.strategy = static_cast<RolloutStrategy>(pick(0, 3));
    spec.max_surge = {pick(0, 3), false};
    spec.max_unavailable = {spec.max_surge.value == 0 ? pick(1, 3) : pick(0, 2), false};
    spec.min_ready_seconds = pick(0, 3);
    spec.progress_deadline_seconds = pick(20, 60);
    spec.automatic_rollback = chance(0.8);
    spec.during_burst = chance(0.5) ? api::DuringBurst::kHold : api::DuringBurst::kContinue;
    spec.blue_green = {
        .active_service = "active", .auto_promotion = chance(0.6), .scale_down_delay_seconds = pick(0, 10)};
    if (chance(0.5)) spec.analysis = api::Analysis{.count = 3, .metrics = {{.name = "errors"}}};
    if (chance(0.5)) spec.canary.stable_service = "stable", spec.canary.canary_service = "canary";
    if (chance(0.5)) spec.canary.http_route = "route";
    for (int i = pick(0, 5); i > 0; --i) {
      api::CanaryStep step;
      const int kind = pick(0, 5);
      if (kind < 3) step.set_weight = pick(0, 4) * 25;
      if (kind >= 3) step.pause = !(step.analysis = kind == 5 && spec.analysis);
      if (step.pause && chance(0.7)) step.pause_seconds = pick(1, 8);
      spec.canary.steps.push_back(step);
    }
    return spec;
  }

  void change() {
    Cluster& it = cluster_;
    if (chance(0.03)) it.updated = name(pick(0, 3)), it.controls = {};
    if (chance(0.1)) it.desired_replicas = std::clamp(it.desired_replicas + pick(-3, 4), chance(0.2) ? 0 : 1, 30);
    if (chance(0.03)) it.spec.rollout.paused = chance(0.3);
    if (chance(0.03)) it.in_burst = chance(0.3);
    if (chance(0.03)) it.is_refused = chance(0.2);
    if (chance(0.02)) it.controls.promote_past = it.state.step;
    if (chance(0.005)) it.controls.promote_fully = true;
    if (chance(0.02)) it.controls.abort = chance(0.3);
    if (chance(0.02)) it.controls.retry_of = it.now;
    if (chance(0.002)) std::erase_if(it.revisions, [&](auto& one) { return one.revision == it.current; });
    if (chance(0.03) && !it.revisions.empty()) {
      const int one = pick(0, static_cast<int>(it.revisions.size()) - 1);
      it.kill(it.revisions[static_cast<std::size_t>(one)].revision, pick(1, 3));
    }
  }
  void blip() {
    for (auto& one : cluster_.revisions) {
      for (auto& pod : one.pods) {
        if (pod.serving && chance(0.2)) pod.serving = false, pod.unready_since = cluster_.now, pod.ready_since.reset();
      }
    }
  }
  void say_verdict(bool changes) {
    if (!cluster_.spec.rollout.analysis || cluster_.available(cluster_.updated) == 0) return;
    if (cluster_.state.revision != cluster_.updated || !in_flight(cluster_.input())) return;
    auto& metrics = cluster_.state.analysis.metrics;
    if (metrics.empty()) metrics.push_back({.name = "errors"});
    if (chance(0.5)) ++metrics[0].successful;
    if (changes && chance(0.005)) ++metrics[0].failed;
    if (changes && chance(0.01)) ++metrics[0].inconclusive;
  }

  bool is_routed() const {
    const auto& spec = cluster_.spec.rollout;
    return spec.strategy == RolloutStrategy::kBlueGreen ||
           (spec.strategy == RolloutStrategy::kCanary && !spec.canary.http_route.empty());
  }
  // Percent by revision, where the route says it.
  std::map<std::string, int> traffic() const {
    const Routing& routing = cluster_.routing;
    std::map<std::string, int> shares;
    const int weight = routing.weight.value_or(0);
    if (!routing.stable_revision.empty()) shares[routing.stable_revision] += 100 - weight;
    if (weight > 0) shares[routing.updated_revision] += weight;
    return shares;
  }
  // The HTTPRoute is followed a little late.
  void remember_traffic() {
    traffic_.push_back({cluster_.now, traffic()});
    const seconds lag{cluster_.spec.rollout.strategy == RolloutStrategy::kBlueGreen ? 0 : cluster_.spec.drain_seconds};
    while (traffic_.size() > 1 && traffic_.front().first + lag <= cluster_.now) traffic_.pop_front();
  }
  int share_of(const std::string& revision) const {
    int share = 0;
    for (const auto& [at, shares] : traffic_) {
      if (const auto found = shares.find(revision); found != shares.end()) share = std::max(share, found->second);
    }
    return share;
  }

  void expect_capacity(const std::vector<RevisionState>& before, int available_before, const RolloutPlan& plan) {
    const auto& spec = cluster_.spec.rollout;
    const int desired = cluster_.desired_replicas;
    const bool is_back = plan.progressing.reason == "RollingBack" || cluster_.updated == cluster_.current;
    const int unavailable = is_back && !plan.is_complete ? 0 : resolve(spec, desired).unavailable;
    if (spec.strategy == RolloutStrategy::kRecreate) return;
    if (!is_routed()) {
      EXPECT_GE(cluster_.available(), std::min(available_before, desired - unavailable))
          << "availability lost by our own action";
      return;
    }
    for (const auto& one : before) {
      const int needed = (desired * share_of(one.revision) + 99) / 100 - unavailable;
      EXPECT_GE(cluster_.available(one.revision), std::min(cluster_.available(one), needed))
          << one.revision << ", with " << share_of(one.revision) << "% of the traffic, lost pods by our own action";
    }
  }
  void expect_bounds(const RolloutPlan& plan, int total_before) {
    const auto& spec = cluster_.spec.rollout;
    const bool is_back = !plan.state.failure_reason.empty() || cluster_.updated == cluster_.current;
    if (is_routed() || is_back || spec.strategy == RolloutStrategy::kRecreate) return;
    const int desired = cluster_.desired_replicas;
    const bool is_second = spec.strategy == RolloutStrategy::kCanary && desired == 1;
    const int most = desired + std::max(resolve(spec, desired).surge, is_second ? 1 : 0);
    EXPECT_LE(cluster_.total(), std::max(total_before, most)) << "more than the surge";
  }
  void expect_no_growth_of_the_failed(const std::vector<RevisionState>& before, const RolloutPlan& plan) {
    if (plan.state.failure_reason.empty() || !cluster_.spec.rollout.automatic_rollback) return;
    if (cluster_.find(cluster_.current) == nullptr || cluster_.current == cluster_.updated) return;
    const auto was = std::ranges::find(before, cluster_.updated, &RevisionState::revision);
    EXPECT_LE(cluster_.replicas(cluster_.updated), was == before.end() ? 0 : was->spec_replicas)
        << "the failed revision grew";
  }
  void expect_idempotent(RolloutInput input, const RolloutPlan& plan) {
    input.state = plan.state;
    if (plan.is_complete) input.current_revision = input.updated_revision;  // Written with the state.
    const RolloutPlan again = rollout::plan(cluster_.now, input);
    EXPECT_EQ(texts(again.actions), texts(plan.actions)) << "by its own state the plan is another one";
    EXPECT_EQ(again.state.message, plan.state.message);
    EXPECT_TRUE(again.state == plan.state) << "the state does not settle";
    EXPECT_TRUE(again.routing == plan.routing);
    EXPECT_TRUE(again.notes.empty()) << again.notes[0].reason << " is told twice";
  }
  static api::RolloutStatus settled(api::RolloutStatus state) {
    state.analysis = {};
    return state;
  }
  void expect_alone(const std::string& revision) {
    for (const auto& one : cluster_.revisions) {
      EXPECT_EQ(one.spec_replicas, one.revision == revision ? cluster_.desired_replicas : 0) << one.revision;
    }
    if (!is_routed()) return;
    EXPECT_EQ(cluster_.routing.stable_revision, revision);
    EXPECT_EQ(cluster_.routing.updated_revision, revision);
    EXPECT_EQ(cluster_.routing.weight.value_or(0), 0);
  }

  std::mt19937 random_;
  Cluster cluster_;
  std::deque<std::pair<WallTime, std::map<std::string, int>>> traffic_;
  api::RolloutStatus last_state_;
  int quiet_looks_ = 0;
};

TEST(RolloutProperties, CapacityIsNeverTakenByUsAndEveryStoryHasAnEnd) {
  for (unsigned seed = 1; seed <= 1000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Story story(seed);
    for (int i = 0; i < 250 && !testing::Test::HasFailure(); ++i) story.step(true);
    story.calm_down();
    int calm = 0;
    for (; calm < 1500 && !story.is_quiet() && !testing::Test::HasFailure(); ++calm) story.step(false);
    EXPECT_TRUE(story.is_quiet()) << "no rest after " << calm << " calm seconds";
    if (!testing::Test::HasFailure()) story.expect_an_end();
    if (testing::Test::HasFailure()) {
      ADD_FAILURE() << story.text();
      return;
    }
  }
}

}  // namespace
}  // namespace scalableapp::rollout
