// For the planner's tests: revisions by count, plans as text, and a small world that a plan drives.
#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "operator/rollout/plan.h"

namespace scalableapp::rollout {

inline const WallTime kNow{seconds{100'000}};

inline PodFacts pod(bool serving, int age_seconds = 60, std::string trouble = "") {
  return {.name = "p",
          .serving = serving,
          .ready_since = serving ? std::optional{kNow - seconds{age_seconds}} : std::nullopt,
          .trouble = std::move(trouble),
          .created = kNow - seconds{age_seconds}};
}

inline RevisionState revision(const std::string& name, int spec, int serving, int not_serving = 0,
                              int age_seconds = 60) {
  RevisionState state{.revision = name, .name = "web-" + name, .uid = "uid-" + name, .resource_version = "1",
                      .spec_replicas = spec, .created = kNow - seconds{age_seconds}};
  for (int i = 0; i < serving; ++i) state.pods.push_back(pod(true));
  for (int i = 0; i < not_serving; ++i) state.pods.push_back(pod(false, 5));
  return state;
}

// "new: 4 -> 6", "create 4", "delete web-x", for tables.
inline std::vector<std::string> texts(const std::vector<Action>& actions) {
  std::vector<std::string> result;
  for (const Action& action : actions) {
    if (const auto* create = std::get_if<CreateReplicaSet>(&action)) {
      result.push_back("create " + std::to_string(create->replicas));
    }
    if (const auto* scale = std::get_if<ScaleReplicaSet>(&action)) {
      result.push_back(scale->name.substr(4) + ": " + std::to_string(scale->from) + " -> " + std::to_string(scale->to));
    }
    if (const auto* remove = std::get_if<DeleteReplicaSet>(&action)) result.push_back("delete " + remove->name);
  }
  return result;
}

inline std::vector<std::string> reasons(const RolloutPlan& plan) {
  std::vector<std::string> result;
  for (const Note& note : plan.notes) result.push_back(note.reason);
  return result;
}

// What is looked at once, with "old" the current revision and "new" the updated one.
struct World {
  api::ScalableAppSpec spec{.max_replicas = 100};
  int desired = 4;
  std::vector<RevisionState> revisions;
  std::string current_revision = "old";
  bool is_refused = false;  // Since it began.
  bool in_burst = false;
  api::RolloutStatus state;
  Controls controls;
  RolloutInput input() const {
    return {.spec = spec, .desired_replicas = desired, .in_burst = in_burst, .updated_revision = "new",
            .current_revision = current_revision, .refused_since = is_refused ? std::optional(state.started_at.value_or(kNow)) : std::nullopt,
            .revisions = revisions, .state = state, .controls = controls};
  }
  RolloutPlan plan_now(WallTime now = kNow) const { return plan(now, input()); }
};

// ReplicaSets that make and kill pods, pods that take `warm_seconds` to serve, one look each second.
class Cluster {
 public:
  Cluster(int desired, api::RolloutSpec rollout) : desired_replicas(desired) {
    spec.max_replicas = 1000;
    spec.rollout = std::move(rollout);
  }

  api::ScalableAppSpec spec;
  int desired_replicas;
  std::string updated = "v1";
  std::string current;
  bool is_refused = false;  // Since it began.
  bool in_burst = false;
  int warm_seconds = 2;
  std::set<std::string> bad;  // Revisions whose pods crash-loop.
  std::set<std::string> slow;  // Whose pods never come to serve.
  Controls controls;
  api::RolloutStatus state;
  std::vector<RevisionState> revisions;
  WallTime now = kNow;
  RolloutPlan last;
  Routing routing;  // As the plans asked for it: what they leave alone stays.
  std::vector<std::string> told;  // Reasons of all notes.

  RolloutInput input() const {
    return {.spec = spec, .desired_replicas = desired_replicas, .in_burst = in_burst, .updated_revision = updated,
            .current_revision = current, .refused_since = is_refused ? std::optional(state.started_at.value_or(kNow)) : std::nullopt,
            .revisions = revisions, .state = state, .controls = controls};
  }

  void live() {
    now += seconds{1};
    for (auto& one : revisions) {
      reconcile(one);
      for (PodFacts& pod : one.pods) {
        if (pod.serving || now - pod.created < seconds{warm_seconds}) continue;
        if (bad.contains(one.revision)) {
          pod.trouble = "CrashLoopBackOff: back-off 10s";
          pod.restart_count = 2;
        } else if (!slow.contains(one.revision)) {
          pod.serving = true;
          pod.ready_since = now;
          pod.trouble.clear();
        }
      }
    }
  }
  // Writes the status, sends the traffic, and carries out the first `writes` actions.
  void carry_out(const RolloutPlan& plan, std::size_t writes = 1000) {
    state = plan.state;
    if (plan.is_complete) current = updated;
    for (const Note& note : plan.notes) told.push_back(note.reason);
    if (!plan.routing.stable_revision.empty()) routing.stable_revision = plan.routing.stable_revision;
    if (!plan.routing.updated_revision.empty()) routing.updated_revision = plan.routing.updated_revision;
    if (plan.routing.weight) routing.weight = plan.routing.weight;
    for (const Action& action : plan.actions) {
      if (writes-- == 0) break;
      apply(action);
    }
  }
  void look() {
    live();
    last = plan(now, input());
    carry_out(last);
  }
  void run(int looks) {
    for (int i = 0; i < looks; ++i) look();
  }
  // Until `done` holds; false: it never did.
  template <typename Predicate>
  bool run_until(Predicate done, int most_looks = 500) {
    for (int i = 0; i < most_looks; ++i) {
      if (done()) return true;
      look();
    }
    return done();
  }
  bool roll_out_first() {
    return run_until([&] { return current == updated && available(updated) == desired_replicas; });
  }

  RevisionState* find(const std::string& revision) {
    const auto found = std::ranges::find(revisions, revision, &RevisionState::revision);
    return found == revisions.end() ? nullptr : &*found;
  }
  int replicas(const std::string& revision) {
    const RevisionState* one = find(revision);
    return one == nullptr ? 0 : one->spec_replicas;
  }
  int available(const std::string& revision) {
    const RevisionState* one = find(revision);
    return one == nullptr ? 0 : available(*one);
  }
  // As the ReplicaSet controller leaves them: of the pods kept, the available ones.
  int available(const RevisionState& one) const {
    int count = 0;
    for (const PodFacts& pod : one.pods) {
      count += !pod.terminating && pod.serving && now - *pod.ready_since >= seconds{spec.rollout.min_ready_seconds};
    }
    return std::min(count, one.spec_replicas);
  }
  int available() const {
    int sum = 0;
    for (const auto& one : revisions) sum += available(one);
    return sum;
  }
  int total() const {
    int sum = 0;
    for (const auto& one : revisions) sum += one.spec_replicas;
    return sum;
  }
  void kill(const std::string& revision, int count = 1) {
    RevisionState* one = find(revision);
    if (one == nullptr) return;
    for (; count > 0 && !one->pods.empty(); --count) one->pods.erase(one->pods.begin());
  }

  void apply(const Action& action) {
    if (const auto* create = std::get_if<CreateReplicaSet>(&action)) {
      if (is_refused) return;
      revisions.push_back({.revision = create->revision, .name = "web-" + create->revision, .uid = create->revision,
                           .spec_replicas = create->replicas, .created = now});
    } else if (const auto* scale = std::get_if<ScaleReplicaSet>(&action)) {
      for (auto& one : revisions) {
        if (one.uid == scale->uid) one.spec_replicas = scale->to;
      }
    } else if (const auto* remove = std::get_if<DeleteReplicaSet>(&action)) {
      std::erase_if(revisions, [&](const auto& one) { return one.uid == remove->uid; });
    }
  }

 private:
  // Not-ready pods go first, then the youngest (ReplicaSet documentation). What goes takes a second for it.
  void reconcile(RevisionState& one) {
    std::erase_if(one.pods, [](const PodFacts& pod) { return pod.terminating; });
    while (std::ssize(one.pods) < one.spec_replicas) {
      one.pods.push_back({.name = one.name + "-" + std::to_string(next_name_++), .created = now});
    }
    std::ranges::stable_sort(one.pods, {}, [](const PodFacts& pod) { return std::pair(!pod.serving, pod.created); });
    for (auto i = static_cast<std::size_t>(std::max(0, one.spec_replicas)); i < one.pods.size(); ++i) {
      one.pods[i].terminating = true;
      one.pods[i].serving = false;
    }
  }

  int next_name_ = 0;
};

}  // namespace scalableapp::rollout
