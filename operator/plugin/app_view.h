// What the API server has of an app and its revisions, as values for the commands that show and steer it.
// Reads through the client it is given; a missing field is its default. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "operator/api/scalable_app.h"
#include "operator/api/workload.h"
#include "operator/base/result.h"
#include "operator/kube/client.h"

namespace scalableapp::plugin {

struct PodView {
  api::Pod pod;
  std::optional<WallTime> gate_since;  // Of the gate's condition; absent: it has none yet.
};

struct RevisionView {
  std::string revision;
  std::string change_cause;
  std::string template_json;  // spec.template as the app had it; empty: its ReplicaSet does not say.
  api::ReplicaSet replica_set;
  const std::optional<std::int64_t>& number() const { return replica_set.revision_number; }
  std::vector<PodView> pods;
};

Result<api::ScalableApp> fetch_app(kube::Client& client, const api::ObjectKey& key);
// The app's own ReplicaSets, the newest revision first, without pods.
Result<std::vector<RevisionView>> fetch_revisions(kube::Client& client, const api::ScalableApp& app);
// Adds their pods, by age.
Result<void> fetch_pods(kube::Client& client, const api::ScalableApp& app, std::vector<RevisionView>& revisions);

// Its part in the rollout: "stable", "updated", "canary", "preview", "active", "failed", or several, separated by
// commas; empty: none.
std::string role_of(const api::ScalableApp& app, std::string_view revision);

// "revision 7", or by its name where no ReplicaSet gives it a number.
std::string revision_text(const std::vector<RevisionView>& revisions, const std::string& revision);

// As kubectl's AGE: "45s", "2m30s", "12m", "3h20m", "5d".
std::string age_text(milliseconds age);

// Warm, but kept out of service by its gate as an outlier.
bool is_ejected(const api::Pod& pod);
// "ready", "warming", "draining", "CrashLoopBackOff", ...
std::string state_of(const api::Pod& pod);
std::string gate_state(const api::Pod& pod);  // "open", "closed", "none"

const char* to_string(api::Verdict verdict);  // "good", "bad", "inconclusive", "none"
const char* to_string(api::RolloutPhase phase);
const char* to_string(api::RolloutStrategy strategy);

}  // namespace scalableapp::plugin
