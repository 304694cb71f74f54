#include "operator/controller/app_reconciler.h"

#include <algorithm>
#include <deque>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "operator/api/revision.h"
#include "operator/controller/status.h"
#include "operator/metrics/promql.h"
#include "operator/metrics/query.h"
#include "operator/platform/log.h"
#include "operator/rollout/gates.h"
#include "operator/scaling/explain.h"

namespace scalableapp::controller {
namespace {

// Enough to answer "what happened in the last minutes", small with 500 apps.
constexpr std::size_t kDecisionsKept = 32;
constexpr const char* kWarmUpQueryId = "warm-up";

std::string text_of(const api::ObjectKey& key) { return api::to_string(key); }

scaling::PodState to_state(const api::Pod& pod) {
  return {.name = pod.metadata.name,
          .serving = pod.ready && !pod.terminating(),
          .containers_ready = pod.containers_ready,
          .terminating = pod.terminating(),
          .finished = pod.finished(),
          .pending = pod.phase == "Pending",
          .ready_since = pod.ready_since,
          .started_at = pod.started_at,
          .cpu_request_cores = pod.cpu_request_cores};
}

rollout::PodFacts to_facts(const api::Pod& pod) {
  return {.name = pod.metadata.name,
          .serving = pod.ready && !pod.terminating(),
          .ready_since = pod.ready_since,
          .terminating = pod.terminating(),
          .trouble = pod.trouble,
          .restart_count = pod.restart_count,
          .created = pod.metadata.creation_time};
}

bool owned_by(const api::ObjectMeta& metadata, const std::string& uid) {
  return std::ranges::any_of(metadata.owners,
                             [&](const auto& owner) { return owner.controller && owner.uid == uid; });
}

std::string label_or_empty(const api::ObjectMeta& metadata, const char* name) {
  const auto found = metadata.labels.find(name);
  return found == metadata.labels.end() ? std::string{} : found->second;
}

kube::Event event_of(const api::ScalableApp& app, kube::EventType type, std::string reason, std::string message) {
  return {.about = {.api_version = "scalableapp.io/v1alpha1",
                    .kind = "ScalableApp",
                    .namespace_name = app.metadata.namespace_name,
                    .name = app.metadata.name,
                    .uid = app.metadata.uid},
          .type = type,
          .reason = std::move(reason),
          .message = std::move(message)};
}

}  // namespace

void AppReconciler::warn(const api::ScalableApp& app, std::string reason, std::string message) {
  parts_.events.record(event_of(app, kube::EventType::kWarning, std::move(reason), std::move(message)));
}

void AppReconciler::note(const api::ScalableApp& app, std::string reason, std::string message) {
  parts_.events.record(event_of(app, kube::EventType::kNormal, std::move(reason), std::move(message)));
}

struct AppReconciler::Memory {
  std::string uid;
  WallTime observing_since{};
  PendingWrites pending;
  api::ScalingHistory history;      // Ahead of status.history, never behind it.
  api::ScalableAppStatus written;   // The status as we last wrote or first read it.
  WallTime last_status_write{};
  std::vector<metrics::Query> queries;
  std::string logged;  // The last decision's line, so that a hold is logged once.
  bool metrics_missing = false;
  bool invalid_reported = false;
  std::string progress_reason;
  std::mutex records_mutex;
  std::deque<std::string> records;  // Guarded by records_mutex: read by the debug endpoint.
};

std::shared_ptr<AppReconciler::Memory> AppReconciler::memory_of(const api::ScalableApp& app) {
  std::lock_guard lock(mutex_);
  auto& memory = memory_[app.metadata.key()];
  if (!memory || memory->uid != app.metadata.uid) {
    memory = std::make_shared<Memory>();
    memory->uid = app.metadata.uid;
    memory->observing_since = parts_.clock.wall_now();
    memory->history = app.status.history;
    memory->written = app.status;
  }
  return memory;
}

void AppReconciler::forget_all() {
  std::lock_guard lock(mutex_);
  for (const auto& [key, memory] : memory_) parts_.sampler.unsubscribe(key);
  memory_.clear();
}

void AppReconciler::forget(const api::ObjectKey& key) {
  parts_.sampler.unsubscribe(key);
  parts_.exporter.remove_app(key.namespace_name, key.name);
  std::lock_guard lock(mutex_);
  memory_.erase(key);
}

Result<std::string> AppReconciler::decisions_json(const api::ObjectKey& key) const {
  std::shared_ptr<Memory> memory;
  {
    std::lock_guard lock(mutex_);
    const auto found = memory_.find(key);
    if (found == memory_.end()) {
      return fail(ErrorCode::kNotFound,
                  fmt::format("no decisions for {}: no such app here, or this replica does not lead",
                              text_of(key)));
    }
    memory = found->second;
  }
  std::lock_guard lock(memory->records_mutex);
  return fmt::format("[{}]\n", fmt::join(memory->records, ",\n"));
}

void AppReconciler::subscribe_metrics(const api::ScalableApp& app, bool sample_warm_up,
                                      Memory& memory) {
  const api::ObjectKey key = app.metadata.key();
  std::vector<metrics::Query> queries;
  for (const auto& metric : app.spec.metrics) {
    queries.push_back(metrics::query_of(metric, key, app.spec.interval_seconds));
  }
  // Pods that wait for their warm-up value are looked at every second: they are capacity on its way.
  if (sample_warm_up) {
    queries.push_back({.id = kWarmUpQueryId,
                       .text = metrics::render_template(app.spec.readiness.warm_up->query, key),
                       .interval = seconds{1},
                       .per_pod = true});
  }
  if (queries == memory.queries) return;
  parts_.sampler.subscribe(key, queries);
  memory.queries = std::move(queries);
}

Snapshot AppReconciler::observe(std::shared_ptr<const api::ScalableApp> app, Memory& memory) {
  Snapshot snapshot;
  const api::ObjectKey key = app->metadata.key();
  const std::string index = text_of(key);
  std::vector<std::shared_ptr<const api::ReplicaSet>> replica_sets;
  for (auto& object : parts_.replica_sets.list_by_index(index)) {
    if (owned_by(object->metadata, app->metadata.uid)) replica_sets.push_back(std::move(object));
  }
  snapshot.replica_sets = memory.pending.overlay(std::move(replica_sets), parts_.clock.monotonic_now());
  for (auto& pod : parts_.pods.list_by_index(index)) {
    const bool ours = std::ranges::any_of(snapshot.replica_sets, [&](const auto& replica_set) {
      return owned_by(pod->metadata, replica_set->metadata.uid);
    });
    if (ours) snapshot.pods.push_back(std::move(pod));
  }
  std::ranges::sort(snapshot.pods, {}, [](const auto& pod) { return pod->metadata.name; });

  for (const auto& metric : app->spec.metrics) {
    snapshot.readings.push_back(metrics::to_reading(metric, parts_.sampler.latest(key, metric.name)));
  }
  if (app->spec.readiness.warm_up) {
    const auto latest = parts_.sampler.latest(key, kWarmUpQueryId);
    if (latest && !latest->error && latest->age <= seconds{10}) {
      for (const auto& sample : latest->samples) snapshot.warm_up_values[sample.pod] = sample.value;
    }
  }
  snapshot.app = std::move(app);
  return snapshot;
}

// Opens and closes readiness gates. Returns when the next pod will have been warm for long enough.
Result<milliseconds> AppReconciler::keep_gates(const Snapshot& snapshot, Memory& memory) {
  const WallTime now = parts_.clock.wall_now();
  std::vector<api::Pod> pods;
  for (const auto& pod : snapshot.pods) pods.push_back(*pod);
  const rollout::GatePlan plan =
      rollout::plan_gates(now, snapshot.app->spec.readiness, pods, snapshot.warm_up_values);
  for (const auto& change : plan.changes) {
    const auto pod = std::ranges::find_if(
        snapshot.pods, [&](const auto& p) { return p->metadata.name == change.pod_name; });
    if (pod == snapshot.pods.end()) continue;
    const MonotonicTime at = parts_.clock.monotonic_now();
    if (memory.pending.gate_is_pending(**pod, change.warm, at)) continue;
    const nlohmann::json condition{{"type", api::kWarmGate},
                                   {"status", change.warm ? "True" : "False"},
                                   {"reason", change.reason},
                                   {"message", change.message},
                                   {"lastTransitionTime", format_rfc3339(now)}};
    const nlohmann::json body{{"metadata", {{"uid", (*pod)->metadata.uid}}},
                              {"status", {{"conditions", nlohmann::json::array({condition})}}}};
    const auto written =
        parts_.client.patch(kube::kPods, (*pod)->metadata.key(), body.dump(),
                            kube::PatchKind::kStrategic, "status", api::kFieldManager);
    if (!written) {
      // The pod is gone, or another one bears its name: the cache will say so.
      if (written.error().code == ErrorCode::kNotFound || written.error().code == ErrorCode::kConflict) continue;
      return tl::unexpected(written.error());
    }
    memory.pending.wrote_gate((*pod)->metadata.uid, change.warm, at);
    log_info(change.warm ? "pod is warm" : "pod is taken out of service",
             {{"app", text_of(snapshot.app->metadata.key())}, {"pod", change.pod_name}, {"reason", change.reason}});
  }
  if (!plan.next_check) return milliseconds::max();
  return std::max(milliseconds{50}, std::chrono::duration_cast<milliseconds>(*plan.next_check - now));
}

Result<void> AppReconciler::create_replica_set(const Snapshot& snapshot,
                                               const rollout::CreateReplicaSet& action,
                                               Memory& memory) {
  const api::ScalableApp& app = *snapshot.app;
  const std::string body = api::replica_set_body(app, action.revision, action.replicas);
  auto created = parts_.client.create(kube::kReplicaSets, app.metadata.namespace_name, body);
  if (!created && created.error().code == ErrorCode::kAlreadyExists) {
    // Ours, from a run that died before it saw the answer; or somebody else's, or another template
    // with the same hash: then the next revision name is tried (Deployment's collisionCount).
    const api::ObjectKey key{app.metadata.namespace_name, api::replica_set_name(app, action.revision)};
    auto present = parts_.client.get(kube::kReplicaSets, key);
    if (!present) return tl::unexpected(present.error());
    const auto object = api::decode_replica_set(nlohmann::json::parse(*present, nullptr, false));
    if (!object) return tl::unexpected(object.error());
    if (!owned_by(object->metadata, app.metadata.uid)) {
      api::ScalableAppStatus status = memory.written;
      ++status.collision_count;
      warn(app, "RevisionCollision",
                            fmt::format("ReplicaSet {} exists and is not ours; using another name", key.name));
      return write_status(app, status, memory);
    }
    created = std::move(present);
  }
  if (!created) return tl::unexpected(created.error());
  auto object = api::decode_replica_set(nlohmann::json::parse(*created, nullptr, false));
  if (!object) return tl::unexpected(object.error());
  memory.pending.wrote(std::move(*object), parts_.clock.monotonic_now());
  note(app, "ReplicaSetCreated",
                       fmt::format("revision {} starts with {} replicas", action.revision, action.replicas));
  return {};
}

Result<void> AppReconciler::act(const Snapshot& snapshot, const rollout::RolloutPlan& plan, Memory& memory) {
  const api::ScalableApp& app = *snapshot.app;
  for (const rollout::Action& action : plan.actions) {
    if (const auto* create = std::get_if<rollout::CreateReplicaSet>(&action)) {
      if (auto done = create_replica_set(snapshot, *create, memory); !done) return done;
    } else if (const auto* scale = std::get_if<rollout::ScaleReplicaSet>(&action)) {
      const api::ObjectKey key{app.metadata.namespace_name, scale->name};
      const nlohmann::json body{{"apiVersion", "apps/v1"},
                                {"kind", "ReplicaSet"},
                                {"metadata", {{"name", scale->name}, {"resourceVersion", scale->resource_version}}},
                                {"spec", {{"replicas", scale->to}}}};
      const auto written = parts_.client.apply(kube::kReplicaSets, key, body.dump(), "scalableapp-operator-scale");
      if (!written) return tl::unexpected(written.error());
      auto object = api::decode_replica_set(nlohmann::json::parse(*written, nullptr, false));
      if (!object) return tl::unexpected(object.error());
      memory.pending.wrote(std::move(*object), parts_.clock.monotonic_now());
      log_info("scaled replicaset", {{"app", text_of(app.metadata.key())},
                                     {"replicaset", scale->name},
                                     {"from", std::to_string(scale->from)},
                                     {"to", std::to_string(scale->to)},
                                     {"why", scale->why}});
    } else if (const auto* remove = std::get_if<rollout::DeleteReplicaSet>(&action)) {
      const auto removed = parts_.client.remove(
          kube::kReplicaSets, {app.metadata.namespace_name, remove->name},
          {.uid = remove->uid, .resource_version = remove->resource_version});
      if (!removed && removed.error().code != ErrorCode::kNotFound) return removed;
      memory.pending.deleted(remove->uid, parts_.clock.monotonic_now());
    }
  }
  return {};
}

Result<void> AppReconciler::write_status(const api::ScalableApp& app,
                                         const api::ScalableAppStatus& status, Memory& memory) {
  const WallTime now = parts_.clock.wall_now();
  const StatusChange change = compare(memory.written, status);
  if (change == StatusChange::kNone) return {};
  if (change == StatusChange::kFigures && now - memory.last_status_write < kCosmeticPeriod) return {};
  const std::string body = fmt::format(
      R"({{"apiVersion":"scalableapp.io/v1alpha1","kind":"ScalableApp","metadata":{{"name":"{}","uid":"{}"}},"status":{}}})",
      app.metadata.name, app.metadata.uid, api::encode_status(status));
  const auto written = parts_.client.apply(kube::kScalableApps, app.metadata.key(), body, api::kFieldManager, "status");
  if (!written) return tl::unexpected(written.error());
  memory.written = status;
  memory.last_status_write = now;
  return {};
}

Result<milliseconds> AppReconciler::reconcile(const api::ObjectKey& key) {
  const auto cached = parts_.apps.get(key);
  if (!cached || cached->metadata.deletion_time) {
    // Owner references take the ReplicaSets and Pods along: nothing is left to clean up.
    forget(key);
    return milliseconds::max();
  }
  const std::shared_ptr<Memory> memory = memory_of(*cached);

  // The cache's status may lag behind what we wrote ourselves; ours is the newer one.
  auto app = std::make_shared<api::ScalableApp>(*cached);
  app->status = memory->written;
  const WallTime now = parts_.clock.wall_now();
  const milliseconds interval = seconds{app->spec.interval_seconds};

  if (!app->problems.empty()) {
    if (!std::exchange(memory->invalid_reported, true)) {
      warn(*app, "SpecInvalid", fmt::format("{}", fmt::join(app->problems, "; ")));
    }
    if (auto done = write_status(*app, invalid_status(now, *app), *memory); !done) return tl::unexpected(done.error());
    return milliseconds::max();
  }
  memory->invalid_reported = false;

  app->status.updated_revision = api::revision_hash(app->spec.template_json, app->status.collision_count);
  const Snapshot snapshot = observe(app, *memory);
  const bool warming = app->spec.readiness.warm_up && std::ranges::any_of(snapshot.pods, [](const auto& pod) {
    return !pod->warm && !pod->terminating() && !pod->finished();
  });
  subscribe_metrics(*app, warming, *memory);

  const auto next_gate = keep_gates(snapshot, *memory);
  if (!next_gate) return next_gate;

  // --- decide ---------------------------------------------------------------------------------------
  rollout::RolloutInput input{.spec = app->spec,
                              .updated_revision = app->status.updated_revision,
                              .current_revision = app->status.current_revision};
  scaling::Observation observation{.readings = snapshot.readings, .observing_since = memory->observing_since};
  for (const auto& replica_set : snapshot.replica_sets) {
    rollout::RevisionState revision{.revision = label_or_empty(replica_set->metadata, api::kRevisionLabel),
                                    .name = replica_set->metadata.name,
                                    .uid = replica_set->metadata.uid,
                                    .resource_version = replica_set->metadata.resource_version,
                                    .spec_replicas = replica_set->spec_replicas,
                                    .created = replica_set->metadata.creation_time,
                                    .failure = replica_set->failure};
    for (const auto& pod : snapshot.pods) {
      if (owned_by(pod->metadata, revision.uid)) revision.pods.push_back(to_facts(*pod));
    }
    observation.current_replicas += replica_set->spec_replicas;
    input.revisions.push_back(std::move(revision));
  }
  for (const auto& pod : snapshot.pods) observation.pods.push_back(to_state(*pod));
  // While a rollout surges, the app's size is what was last decided, not that plus the surge.
  const bool rolling = rollout::in_flight(input);
  if (rolling && app->status.desired_replicas > 0) observation.current_replicas = app->status.desired_replicas;
  observation.rollout_in_flight = rolling;

  scaling::Decision decision = scaling::decide(now, app->spec, observation, memory->history);
  memory->history = decision.history;
  input.desired_replicas = decision.replicas;
  const rollout::RolloutPlan plan = rollout::plan(now, input);

  // --- act ------------------------------------------------------------------------------------------
  const bool acts = !app->spec.paused && !app->spec.dry_run;
  const bool scaled = acts && decision.replicas != decision.from;
  if (auto done = act(snapshot, plan, *memory); !done) return tl::unexpected(done.error());

  // --- report ---------------------------------------------------------------------------------------
  parts_.exporter.count_decision(decision.reason);
  {
    std::lock_guard lock(memory->records_mutex);
    memory->records.push_back(scaling::to_json(now, *app, observation, decision));
    if (memory->records.size() > kDecisionsKept) memory->records.pop_front();
  }
  const std::string line = fmt::format("{}{}{}", decision.from, decision.replicas, decision.reason);
  if (line != memory->logged) {
    memory->logged = line;
    log_info("decision", {{"app", text_of(key)},
                          {"from", std::to_string(decision.from)},
                          {"to", std::to_string(decision.replicas)},
                          {"reason", decision.reason},
                          {"message", decision.message}});
  }
  if (scaled) {
    parts_.exporter.count_scale(decision.replicas > decision.from);
    note(*app, decision.replicas > decision.from ? "ScaledUp" : "ScaledDown", decision.message);
  }
  const bool missing = std::ranges::any_of(decision.metrics, [](const auto& metric) { return !metric.missing.empty(); });
  if (missing != std::exchange(memory->metrics_missing, missing)) {
    if (missing) {
      warn(*app, "MetricsMissing", decision.message);
    } else {
      note(*app, "MetricsBack", "every metric has a value again");
    }
  }
  if (plan.progressing.reason != memory->progress_reason) {
    if (!memory->progress_reason.empty()) {
      if (plan.progressing.status == api::ConditionStatus::kFalse) {
        warn(*app, plan.progressing.reason, plan.progressing.message);
      } else {
        note(*app, plan.progressing.reason, plan.progressing.message);
      }
    }
    memory->progress_reason = plan.progressing.reason;
  }

  const api::ScalableAppStatus status = build_status(now, snapshot, decision, plan, scaled);
  parts_.exporter.set_app(key.namespace_name, key.name, status.desired_replicas, status.ready_replicas,
                          status.warming_replicas);
  if (auto done = write_status(*app, status, *memory); !done) return tl::unexpected(done.error());

  milliseconds next = std::min(interval, *next_gate);
  if (plan.next_check) next = std::min(next, std::max(milliseconds{50}, std::chrono::duration_cast<milliseconds>(*plan.next_check - now)));
  return next;
}

}  // namespace scalableapp::controller
