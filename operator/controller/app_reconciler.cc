#include "operator/controller/app_reconciler.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "operator/api/revision.h"
#include "operator/controller/pod_writes.h"
#include "operator/controller/rollout_look.h"
#include "operator/controller/status.h"
#include "operator/controller/warm_up_watch.h"
#include "operator/metrics/details.h"
#include "operator/metrics/promql.h"
#include "operator/metrics/query.h"
#include "operator/platform/log.h"
#include "operator/rollout/gates.h"
#include "operator/rollout/ejections.h"
#include "operator/rollout/scale_down.h"
#include "operator/scaling/foresight.h"
#include "operator/scaling/record.h"

namespace scalableapp::controller {
namespace {

// Enough to answer "what happened in the last minutes", small with 500 apps.
constexpr std::size_t kDecisionsKept = 32;
constexpr std::size_t kDecisionBytesKept = 48U << 10U;  // Of an app with many pods fewer are kept.
constexpr const char* kWarmUpQueryId = "";  // No metric's name is empty.
constexpr const char* kScaleManager = "scalableapp-operator-scale";
// A request to Prometheus that fails is no break of a value that has to last.
constexpr seconds kWarmUpValueLasts{10};
// A new query is given so long before an app that runs already is told that a metric is missing:
// a restart is no news.
constexpr milliseconds kFirstAnswerPatience{5000};
// How soon a status that made way is looked at again.
constexpr milliseconds kWayMade{100};
// An outlier that is not taken out of service is told again after so long.
constexpr seconds kOutlierIsNews{600};
// A ReplicaSet that the API server refused is tried again after so long, doubling: a quota may be
// raised or a webhook mended without a word to us.
constexpr milliseconds kFirstRetry{1000};
constexpr milliseconds kSlowestRetry{60000};
constexpr const char* kCreateError = "ReplicaSetCreateError";
constexpr const char* kScaleError = "ReplicaSetScaleError";
constexpr const char* kTrafficNotRouted = "TrafficNotRouted";

std::string text_of(const api::ObjectKey& key) { return api::to_string(key); }

// has_load: of a revision that the app's traffic goes to.
scaling::PodState to_state(const api::Pod& pod, bool has_load) {
  return {.name = pod.metadata.name,
          .serving = pod.ready && !is_going(pod),
          .containers_ready = pod.containers_ready,
          .terminating = is_going(pod),
          .finished = pod.finished(),
          .pending = pod.phase == "Pending",
          .set_aside = pod.set_aside_since.has_value() || !has_load,
          .ready_since = pod.ready_since,
          .unready_since = pod.unready_since,
          // Unset: its Ready tells nothing of how long a new pod takes.
          .created = pod.returned ? std::nullopt : std::optional(pod.metadata.creation_time),
          .started_at = pod.started_at,
          .cpu_request_cores = pod.cpu_request_cores};
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

// Whether metrics are lost: not known while pods are waited for, or before the first decision.
std::optional<bool> metrics_lost(const api::ScalableAppStatus& status) {
  const auto* available = api::find_condition(status.conditions, "MetricsAvailable");
  if (available == nullptr || available->reason == "WaitingForPods") return std::nullopt;
  return available->status == api::ConditionStatus::kFalse;
}

// The change of size that the plan's only write makes, so that it can carry it. Where pods are marked
// first it is not the only one.
std::optional<api::SizeChange> change_in_one_write(const rollout::RolloutPlan& plan, bool has_marks,
                                                   const scaling::Decision& decision,
                                                   const api::ScalableAppStatus& status) {
  if (plan.in_flight || has_marks || plan.actions.size() != 1 || decision.replicas == decision.from) return std::nullopt;
  const auto* scale = std::get_if<rollout::ScaleReplicaSet>(&plan.actions[0]);
  if (scale == nullptr || scale->to != decision.replicas) return std::nullopt;
  return api::SizeChange{.time = *status.last_scale_time, .from = decision.from, .to = decision.replicas};
}

const std::string* revision_to_create(const rollout::RolloutPlan& plan) {
  for (const auto& action : plan.actions) {
    if (const auto* create = std::get_if<rollout::CreateReplicaSet>(&action)) return &create->revision;
  }
  return nullptr;
}

// Requests per second by pod, of the first metric that knows them.
std::map<std::string, double> loads_of(const Snapshot& snapshot) {
  std::map<std::string, double> loads;
  for (const auto& reading : snapshot.readings) {
    for (const auto& [pod, load] : reading.loads) loads.emplace(pod, load.requests_per_second);
    if (!loads.empty()) break;
  }
  return loads;
}

// Drops what would make a ReplicaSet smaller.
void drop_scale_downs(std::vector<rollout::Action>& actions) {
  std::erase_if(actions, [](const rollout::Action& action) {
    const auto* scale = std::get_if<rollout::ScaleReplicaSet>(&action);
    return scale != nullptr && scale->to < scale->from;
  });
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
  api::RolloutStatus rollout;       // Likewise, but by what was counted of requests only.
  api::ScalableAppStatus written;   // The status as we last wrote or first read it.
  std::string read_version;         // The app's resourceVersion when we last looked.
  WallTime last_status_write{};
  bool owes_status = false;                  // `written` is ahead of what the API server has.
  std::optional<MonotonicTime> waits_since;  // A status makes way for others since then.
  // Of the template, kept because hashing it is most of what an app at rest would cost.
  std::string revision;
  std::string template_hash;
  std::pair<std::int64_t, int> named{-1, 0};  // The generation and collision count they are of.
  std::int64_t subscribed_generation = -1;
  bool samples_warm_up = false;
  std::vector<metrics::Query> of_analysis;
  WarmUpWatch warm_up;
  MonotonicTime subscribed_at{};
  scaling::Foresight foresight;
  bool metrics_lost = false;        // As events told it.
  std::string progress_reason;      // As events told it.
  std::optional<WallTime> taken_over;    // The last change of size that events told as found.
  int degrade_level = 0;                 // As events told it.
  std::pair<std::string, std::string> expectation;  // Likewise: its text, and the condition's reason.
  std::array<int, 4> shown{-1, -1, -1, -1};  // What the exporter has.
  std::map<std::string, MonotonicTime> outliers_told;  // By pod.

  // The ReplicaSet that the API server will not have.
  struct Refusal {
    std::string revision;
    std::string message;
    WallTime since{};
    milliseconds delay{};
    MonotonicTime retry_at{};
    bool is_told = false;  // In status.
  };
  std::optional<Refusal> refusal;
  TrafficMemory traffic;
  std::string traffic_problem;  // As events and the condition tell it.
  BudgetMemory budget;
  std::string budget_reason;
  std::string budget_problem;
  std::string dearer_revision;  // To be told: what the updated revision's requests cost.

  // What /debug/decisions shows: the newest one is rendered only if asked for.
  struct Decided {
    WallTime time{};
    std::shared_ptr<const api::ScalableApp> app;
    scaling::Observation observation;
    api::ScalingHistory history;  // That was decided on.
    scaling::Decision decision;
    std::string json() const { return scaling::render_record(time, *app, observation, history, decision); }
  };
  std::mutex records_mutex;
  std::vector<std::string> records;  // Guarded by records_mutex. Each one that differs from the last.
  std::optional<Decided> latest;    // Guarded by records_mutex.
  bool latest_is_recorded = false;  // Guarded by records_mutex.
};

std::shared_ptr<AppReconciler::Memory> AppReconciler::memory_of(const api::ScalableApp& app) {
  std::lock_guard lock(mutex_);
  auto& memory = memory_[app.metadata.key()];
  if (!memory || memory->uid != app.metadata.uid) {
    memory = std::make_shared<Memory>();
    memory->uid = app.metadata.uid;
    memory->observing_since = parts_.clock.wall_now();
    memory->history = app.status.history;
    memory->rollout = app.status.rollout;
    memory->written = app.status;
    memory->last_status_write = memory->observing_since;
    memory->metrics_lost = metrics_lost(app.status).value_or(false);
    memory->degrade_level = app.status.degrade_level;
    if (const auto* expecting = api::find_condition(app.status.conditions, "ExpectedLoad"); expecting != nullptr) {
      memory->expectation = {app.status.history.expected_load.asked, expecting->reason};
    }
    const auto* progressing = api::find_condition(app.status.conditions, "Progressing");
    if (progressing != nullptr) memory->progress_reason = progressing->reason;
    if (memory->progress_reason == kCreateError) {
      memory->refusal = Memory::Refusal{.revision = app.status.updated_revision,
                                        .message = progressing->message,
                                        .since = progressing->last_transition_time};
    }
  }
  // Until we have written it, the status is another leader's, and the cache may just be learning of it.
  const bool is_news = std::exchange(memory->read_version, app.metadata.resource_version) != app.metadata.resource_version;
  if (is_news && !memory->pending.has_written_app() && !(memory->written == app.status)) {
    memory->written = app.status;
    memory->history = app.status.history;
    memory->rollout = app.status.rollout;
    memory->owes_status = false;
  }
  return memory;
}

void AppReconciler::forget_all() {
  std::lock_guard lock(mutex_);
  for (const auto& [key, memory] : memory_) unsubscribe(key);
  memory_.clear();
}

void AppReconciler::unsubscribe(const api::ObjectKey& key) {
  parts_.metrics.unsubscribe(key);
  if (parts_.load_history != nullptr) parts_.load_history->unsubscribe(key);
  if (parts_.probes != nullptr) parts_.probes->unsubscribe(key);
}

void AppReconciler::forget(const api::ObjectKey& key) {
  unsubscribe(key);
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
  std::string text = fmt::format("{}", fmt::join(memory->records, ",\n"));
  if (memory->latest && !memory->latest_is_recorded) {
    text += (text.empty() ? "" : ",\n") + memory->latest->json();
  }
  return fmt::format("[{}]\n", text);
}

void AppReconciler::subscribe_metrics(const Snapshot& snapshot, const rollout::RolloutInput& input, Memory& memory) {
  const api::ScalableApp& app = *snapshot.app;
  memory.warm_up.follow(app, snapshot.pods, parts_.probes);
  const auto& readiness = app.spec.readiness;
  const bool warm_up =
      readiness.warm_up && !readiness.warm_up->query.empty() &&
      std::ranges::any_of(snapshot.pods, [&](const auto& pod) { return rollout::awaits_warm_up(readiness, *pod); });
  const api::ObjectKey key = app.metadata.key();
  std::vector<metrics::Query> of_analysis = analysis_queries(input, key);
  if (memory.subscribed_generation == app.metadata.generation && memory.samples_warm_up == warm_up &&
      memory.of_analysis == of_analysis) {
    return;
  }
  std::vector<metrics::Query> queries;
  for (const auto& metric : app.spec.metrics) {
    queries.push_back(metrics::query_of(metric, key, app.spec.interval_seconds));
    std::ranges::move(metrics::detail_queries(metric, key, app.spec.interval_seconds), std::back_inserter(queries));
  }
  // Pods that wait for their warm-up value are looked at every second: they are capacity on its way.
  if (warm_up) {
    queries.push_back({.id = kWarmUpQueryId,
                       .text = metrics::render_template(app.spec.readiness.warm_up->query, key),
                       .interval = seconds{1},
                       .per_pod = true});
  }
  queries.insert(queries.end(), of_analysis.begin(), of_analysis.end());
  parts_.metrics.subscribe(key, queries);
  memory.of_analysis = std::move(of_analysis);
  if (memory.subscribed_generation != app.metadata.generation) {
    memory.subscribed_at = parts_.clock.monotonic_now();
    if (parts_.load_history != nullptr) {
      std::vector<metrics::LoadQuery> loads;
      for (const auto& metric : app.spec.metrics) {
        if (!app.spec.prediction) break;
        if (auto load = metrics::load_query(metric, key, app.spec.prediction->history_days)) {
          loads.push_back(std::move(*load));
        }
      }
      parts_.load_history->subscribe(key, loads);
    }
  }
  memory.subscribed_generation = app.metadata.generation;
  memory.samples_warm_up = warm_up;
}

std::vector<std::string> AppReconciler::foresee(const Snapshot& snapshot, WallTime now, Memory& memory,
                                                scaling::Observation& observation) {
  const api::ObjectKey key = snapshot.app->metadata.key();
  return memory.foresight.add_to(
      observation, snapshot.app->spec, memory.history, now,
      [this](const std::vector<std::string>& names, WallTime time) { return zones_.find(names, time); },
      [&](const std::string& metric) {
        return parts_.load_history != nullptr ? parts_.load_history->latest(key, metric) : nullptr;
      });
}

Snapshot AppReconciler::observe(std::shared_ptr<const api::ScalableApp> app, Memory& memory) {
  Snapshot snapshot;
  const api::ObjectKey key = app->metadata.key();
  const std::string index = text_of(key);
  std::vector<std::shared_ptr<const api::ReplicaSet>> replica_sets;
  for (auto& object : parts_.replica_sets.list_by_index(index)) {
    if (api::is_controlled_by(object->metadata, app->metadata.uid)) replica_sets.push_back(std::move(object));
  }
  snapshot.replica_sets =
      memory.pending.overlay(std::move(replica_sets), parts_.clock.monotonic_now());
  snapshot.app = std::move(app);
  take_over_size(snapshot, memory);
  for (auto& pod : parts_.pods.list_by_index(index)) {
    const bool ours = std::ranges::any_of(snapshot.replica_sets, [&](const auto& replica_set) {
      return api::is_controlled_by(pod->metadata, replica_set->metadata.uid);
    });
    if (ours) snapshot.pods.push_back(std::move(pod));
  }
  snapshot.pods = memory.pending.overlay(std::move(snapshot.pods), parts_.clock.monotonic_now());
  snapshot.topology = topology_of(snapshot.pods, parts_.nodes);

  const api::ScalableAppSpec& spec = snapshot.app->spec;
  for (const auto& metric : spec.metrics) {
    const auto latest = parts_.metrics.latest(key, metric.name);
    snapshot.unasked |= !latest;
    snapshot.readings.push_back(metrics::to_reading(metric, latest));
    metrics::add_details(metric, [&](const std::string& id) { return parts_.metrics.latest(key, id); }, snapshot.readings.back());
  }
  std::map<std::string, double> warm_up_values;
  const auto warm_up = parts_.metrics.latest(key, kWarmUpQueryId);
  if (warm_up && warm_up->age <= kWarmUpValueLasts) {
    for (const auto& sample : warm_up->samples) warm_up_values[sample.pod] = sample.value;
  }
  snapshot.warm_up =
      memory.warm_up.look(parts_.clock.monotonic_now(), *snapshot.app, snapshot.pods, warm_up_values, parts_.probes);
  snapshot.status = &memory.written;
  const std::pair named{snapshot.app->metadata.generation, memory.written.collision_count};
  if (memory.named != named) {
    memory.revision = api::revision_of(spec, memory.written.collision_count);
    memory.template_hash = api::template_hash(spec.template_json);
    memory.named = named;
  }
  snapshot.updated_revision = memory.revision;
  return snapshot;
}

// A change of size that a ReplicaSet tells and we do not know: of a process that died before it wrote
// the status, or of a write of ours whose answer was lost.
void AppReconciler::take_over_size(const Snapshot& snapshot, Memory& memory) {
  for (const auto& replica_set : snapshot.replica_sets) {
    if (!replica_set->size_change) continue;
    const api::SizeChange& change = *replica_set->size_change;
    if (memory.written.last_scale_time && change.time <= *memory.written.last_scale_time) continue;
    // From what the status knows: the change before this one may not have been reported either.
    const int from = memory.written.last_decision ? memory.written.desired_replicas : change.from;
    memory.written.desired_replicas = change.to;
    memory.written.last_scale_time = change.time;
    memory.history.scale_events.push_back({.change = change.to - from, .time = change.time});
    memory.owes_status = true;
    if (std::exchange(memory.taken_over, change.time) == change.time) continue;
    note(*snapshot.app, change.to > from ? "ScaledUp" : "ScaledDown",
         fmt::format("{} -> {}: found done, though not reported", from, change.to));
  }
}

// Who is to be ejected; the others are told only.
std::vector<rollout::Eject> AppReconciler::look_at_outliers(const Snapshot& snapshot, const std::vector<scaling::Outlier>& outliers,
                                                            Memory& memory) {
  const api::ScalableApp& app = *snapshot.app;
  const WallTime now = parts_.clock.wall_now();
  const MonotonicTime at = parts_.clock.monotonic_now();
  std::erase_if(memory.outliers_told, [&](const auto& told) { return at - told.second >= kOutlierIsNews; });
  std::vector<rollout::Suspect> suspects;
  for (const auto& outlier : outliers) {
    if (outlier.eject) suspects.push_back({outlier.pod, outlier.why});
  }
  std::vector<rollout::Eject> ejects;
  if (!app.spec.paused && !app.spec.dry_run) ejects = rollout::plan_ejections(now, app.spec, snapshot.pods, suspects);
  for (const auto& outlier : outliers) {
    const auto is_it = [&](const auto& eject) { return eject.pod->metadata.name == outlier.pod; };
    if (!memory.outliers_told.emplace(outlier.pod, at).second || std::ranges::any_of(ejects, is_it)) continue;
    warn(app, "PodOutlier", fmt::format("pod {}: {}", outlier.pod, outlier.why));
  }
  return ejects;
}

// Ten characters name a revision: where an older template has the same name, or somebody else has
// the ReplicaSet's, the next name is tried (Deployment's collisionCount).
Result<void> AppReconciler::avoid_collision(const Snapshot& snapshot, Memory& memory) {
  const api::ScalableApp& app = *snapshot.app;
  const std::string name = api::replica_set_name(app, snapshot.updated_revision);
  const bool is_ours = std::ranges::any_of(snapshot.replica_sets, [&](const auto& replica_set) {
    return replica_set->metadata.name == name;
  });
  api::ScalableAppStatus status = memory.written;
  ++status.collision_count;
  if (auto done = write_status(app, status, memory); !done) return tl::unexpected(done.error());
  const std::string message =
      is_ours ? fmt::format("revision {} is of another template; using another name", snapshot.updated_revision)
              : fmt::format("ReplicaSet {} exists and is not this revision; using another name", name);
  warn(app, "RevisionCollision", message);
  return fail(ErrorCode::kConflict, message);  // Again at once, under the new name.
}

// A ReplicaSet as a write of ours has left it, for the next look.
Result<void> AppReconciler::remember(const Result<std::string>& written, Memory& memory) {
  if (!written) return tl::unexpected(written.error());
  auto object = api::decode_replica_set(nlohmann::json::parse(*written, nullptr, false));
  if (!object) return tl::unexpected(object.error());
  memory.pending.wrote(std::move(*object), parts_.clock.monotonic_now());
  return {};
}

// A revision that is asked for again is the newest one again (as Deployment has it), so that what was there before it
// can be told.
Result<void> AppReconciler::keep_number(const Snapshot& snapshot, Memory& memory) {
  const api::ReplicaSet* updated = nullptr;
  std::int64_t highest = 0;
  for (const auto& replica_set : snapshot.replica_sets) {
    if (revision_of(replica_set->metadata) == snapshot.updated_revision) {
      updated = replica_set.get();
    } else {
      highest = std::max(highest, replica_set->revision_number.value_or(0));
    }
  }
  const api::ScalableApp& app = *snapshot.app;
  if (updated == nullptr || app.spec.paused || app.spec.dry_run) return {};
  if (updated->revision_number.value_or(0) > highest) return {};
  const std::int64_t number = std::max(app.metadata.generation, highest + 1);
  const nlohmann::json body{
      {"metadata",
       {{"uid", updated->metadata.uid}, {"annotations", {{api::kRevisionNumberAnnotation, std::to_string(number)}}}}}};
  const auto written = parts_.client.patch(kube::kReplicaSets, updated->metadata.key(), body.dump(),
                                           kube::PatchKind::kMerge, {}, api::kFieldManager);
  if (!written && is_refusal(written.error())) {
    log_warn("revision not numbered", {{"app", text_of(app.metadata.key())}, {"error", written.error()}});
    return {};
  }
  if (auto done = remember(written, memory); !done) return done;
  return fail(ErrorCode::kConflict, "its ReplicaSet has just got a new number");  // Again at once, with what it is now.
}

Result<void> AppReconciler::create_replica_set(const Snapshot& snapshot,
                                               const rollout::CreateReplicaSet& action,
                                               Memory& memory) {
  const api::ScalableApp& app = *snapshot.app;
  const MonotonicTime at = parts_.clock.monotonic_now();
  if (memory.refusal && at < memory.refusal->retry_at) return {};
  const std::string body = api::replica_set_body(app, action.revision, action.replicas);
  auto created = parts_.client.create(kube::kReplicaSets, app.metadata.namespace_name, body);
  const bool is_new = created.has_value();
  if (!created && created.error().code == ErrorCode::kAlreadyExists) {
    // Ours, from a run that died before it saw the answer; or a collision.
    const api::ObjectKey key{app.metadata.namespace_name,
                             api::replica_set_name(app, action.revision)};
    created = parts_.client.get(kube::kReplicaSets, key);
  }
  if (!created && is_refusal(created.error())) {
    const milliseconds delay =
        memory.refusal ? std::clamp(2 * memory.refusal->delay, kFirstRetry, kSlowestRetry) : kFirstRetry;
    memory.refusal = Memory::Refusal{.revision = action.revision,
                                     .message = created.error().message,
                                     .since = memory.refusal ? memory.refusal->since : parts_.clock.wall_now(),
                                     .delay = delay,
                                     .retry_at = at + delay,
                                     .is_told = memory.refusal.has_value()};
    log_warn("replicaset refused", {{"app", text_of(app.metadata.key())}, {"error", created.error()}});
    return {};
  }
  if (!created) return tl::unexpected(created.error());
  memory.refusal.reset();
  auto object = api::decode_replica_set(nlohmann::json::parse(*created, nullptr, false));
  if (!object) return tl::unexpected(object.error());
  if (!is_new && (!api::is_controlled_by(object->metadata, app.metadata.uid) ||
                  object->template_hash != api::template_hash(app.spec.template_json))) {
    return avoid_collision(snapshot, memory);
  }
  const int replicas = object->spec_replicas;
  memory.pending.wrote(std::move(*object), parts_.clock.monotonic_now());
  if (is_new) {
    note(app, "ReplicaSetCreated",
         fmt::format("revision {} starts with {} replicas", action.revision, replicas));
  }
  return {};
}

Result<void> AppReconciler::scale_replica_set(const Snapshot& snapshot,
                                              const rollout::ScaleReplicaSet& action,
                                              const std::optional<api::SizeChange>& change,
                                              Memory& memory) {
  const api::ObjectMeta& app = snapshot.app->metadata;
  nlohmann::json body{
      {"apiVersion", "apps/v1"},
      {"kind", "ReplicaSet"},
      {"metadata", {{"name", action.name}, {"resourceVersion", action.resource_version}}},
      {"spec", {{"replicas", action.to}}}};
  if (change) body["metadata"]["annotations"] = {{api::kSizeChangeAnnotation, api::encode_size_change(*change)}};
  const auto written = parts_.client.apply(kube::kReplicaSets, {app.namespace_name, action.name},
                                           body.dump(), kScaleManager);
  if (auto done = remember(written, memory); !done) return done;
  log_info("scaled replicaset", {{"app", text_of(app.key())},
                                 {"replicaset", action.name},
                                 {"from", std::to_string(action.from)},
                                 {"to", std::to_string(action.to)},
                                 {"why", action.why}});
  return {};
}

Result<void> AppReconciler::act(const Snapshot& snapshot, const rollout::RolloutPlan& plan,
                                Memory& memory, const std::optional<api::SizeChange>& change) {
  for (const rollout::Action& action : plan.actions) {
    Result<void> done;
    if (const auto* create = std::get_if<rollout::CreateReplicaSet>(&action)) {
      done = create_replica_set(snapshot, *create, memory);
    } else if (const auto* scale = std::get_if<rollout::ScaleReplicaSet>(&action)) {
      done = scale_replica_set(snapshot, *scale, change, memory);
    } else if (const auto* remove = std::get_if<rollout::DeleteReplicaSet>(&action)) {
      done = parts_.client.remove(
          kube::kReplicaSets, {snapshot.app->metadata.namespace_name, remove->name},
          {.uid = remove->uid, .resource_version = remove->resource_version});
      if (!done && done.error().code == ErrorCode::kNotFound) done = {};
      if (done) memory.pending.deleted(remove->uid, parts_.clock.monotonic_now());
    }
    if (!done) return done;
  }
  return {};
}

// Where traffic goes. What is missing for it is told once.
Result<TrafficState> AppReconciler::route(const Snapshot& snapshot, const rollout::RolloutPlan& plan, Memory& memory) {
  const api::ScalableApp& app = *snapshot.app;
  if (app.spec.paused || app.spec.dry_run) return TrafficState{};
  auto state = route_traffic(parts_.client, parts_.clock.monotonic_now(), app, plan.routing, memory.traffic);
  if (!state) return state;
  if (std::exchange(memory.traffic_problem, state->problem) != state->problem) {
    if (!state->problem.empty()) warn(app, kTrafficNotRouted, state->problem);
    state->next = kSoonest;  // For the condition.
  }
  return state;
}

Result<BudgetState> AppReconciler::keep_budget(const Snapshot& snapshot, int desired, Memory& memory) {
  const api::ScalableApp& app = *snapshot.app;
  if (app.spec.dry_run) return BudgetState{};
  auto state = keep_disruption_budget(parts_.client, parts_.clock.monotonic_now(), app, desired, memory.budget);
  if (!state) return state;
  if (std::exchange(memory.budget_problem, state->problem) != state->problem) {
    if (!state->problem.empty()) warn(app, state->reason, state->problem);
    memory.budget_reason = state->reason;
    state->next = kSoonest;  // For the condition.
  }
  return state;
}

// What is to be told beside the count and the progress: traffic that follows, a budget, as much capacity as before.
void AppReconciler::add_rollout_conditions(WallTime now, const rollout::RolloutInput& input, Memory& memory,
                                           api::ScalableAppStatus& status) {
  const auto add = [&](api::Condition condition) { stamp(status, now, std::move(condition)); };
  if (!(traffic_targets(input.spec.rollout) == TrafficTargets{})) {
    const bool is_routed = memory.traffic_problem.empty();
    add({.type = "TrafficRouted",
         .status = is_routed ? api::ConditionStatus::kTrue : api::ConditionStatus::kFalse,
         .reason = is_routed ? "Routed" : kTrafficNotRouted,
         .message = is_routed ? "the Services of spec.rollout select the revisions that they should" : memory.traffic_problem});
  } else {
    std::erase_if(status.conditions, [](const auto& condition) { return condition.type == "TrafficRouted"; });
  }
  if (!memory.budget_problem.empty()) {
    add({.type = "DisruptionBudgetKept",
         .status = api::ConditionStatus::kFalse,
         .reason = memory.budget_reason,
         .message = memory.budget_problem});
  } else {
    std::erase_if(status.conditions, [](const auto& condition) { return condition.type == "DisruptionBudgetKept"; });
  }
  if (auto capacity = capacity_condition(input, status.desired_replicas)) {
    const auto* before = api::find_condition(status.conditions, capacity->type);
    if (capacity->status == api::ConditionStatus::kFalse && (before == nullptr || before->reason != capacity->reason)) {
      memory.dearer_revision = capacity->message;
    }
    add(std::move(*capacity));
  } else if (input.state.phase == api::RolloutPhase::kHealthy) {
    std::erase_if(status.conditions, [](const auto& condition) { return condition.type == "RevisionCapacity"; });
  }
}

// Whether a status that is due waits a little longer because other apps wait for their turn.
bool AppReconciler::makes_way(Memory& memory) {
  if (!parts_.is_behind || !parts_.is_behind()) return false;
  const MonotonicTime now = parts_.clock.monotonic_now();
  if (!memory.waits_since) memory.waits_since = now;
  return now < *memory.waits_since + kStatusPatience;
}

// Returns when a change that is not worth a write yet will be.
Result<milliseconds> AppReconciler::write_status(const api::ScalableApp& app,
                                                 const api::ScalableAppStatus& status,
                                                 Memory& memory, Urgency urgency) {
  const WallTime now = parts_.clock.wall_now();
  const StatusChange change = memory.owes_status ? StatusChange::kMeaning : compare(memory.written, status);
  if (change == StatusChange::kNone) {
    memory.waits_since.reset();  // What made way is over: the next one has its own patience.
    return milliseconds::max();
  }
  const milliseconds since = now - memory.last_status_write;
  const milliseconds delay = write_delay(change, parts_.apps.size());
  if (since >= milliseconds{0} && since < delay) return delay - since;  // Not if the clock was set back.
  if (urgency == Urgency::kMakesWay && makes_way(memory)) return kWayMade;
  const std::string body = fmt::format(
      R"({{"apiVersion":"scalableapp.io/v1alpha1","kind":"ScalableApp","metadata":{{"name":"{}","uid":"{}","resourceVersion":"{}"}},"status":{}}})",
      app.metadata.name, app.metadata.uid, memory.pending.app_version(app.metadata.resource_version, parts_.clock.monotonic_now()),
      api::encode_status(status));
  const auto written = parts_.client.apply(kube::kScalableApps, app.metadata.key(), body,
                                           api::kFieldManager, "status");
  if (!written) return tl::unexpected(written.error());
  const auto answer = nlohmann::json::parse(*written, nullptr, false);
  memory.pending.wrote_app(answer.value(nlohmann::json::json_pointer("/metadata/resourceVersion"), ""),
                           parts_.clock.monotonic_now());
  memory.written = status;
  memory.last_status_write = now;
  memory.owes_status = false;
  memory.waits_since.reset();
  return milliseconds::max();
}

// The change of size was not made: everything else is still told, and why if it is refused.
void AppReconciler::report_unscaled(const Snapshot& snapshot, api::ScalableAppStatus status, const Error& error,
                                    Memory& memory) {
  if (error.code == ErrorCode::kConflict) return;  // The cache is late; again at once.
  status.desired_replicas = memory.written.desired_replicas;
  status.last_scale_time = memory.written.last_scale_time;
  status.history.scale_events = memory.history.scale_events;
  if (is_refusal(error)) {
    stamp(status, parts_.clock.wall_now(),
          {.type = "Progressing",
           .status = api::ConditionStatus::kFalse,
           .reason = kScaleError,
           .message = error.message});
    if (std::exchange(memory.progress_reason, kScaleError) != kScaleError) {
      warn(*snapshot.app, kScaleError, error.message);
    }
  }
  // If that fails too, the error of the scale is the one to tell.
  (void)write_status(*snapshot.app, status, memory, Urgency::kMakesWay);
}

Result<void> AppReconciler::report_invalid(const Snapshot& snapshot, Memory& memory) {
  const api::ScalableApp& app = *snapshot.app;
  const api::ScalableAppStatus status =
      invalid_status(parts_.clock.wall_now(), app, memory.written);
  const bool is_news = compare(memory.written, status) == StatusChange::kMeaning;
  if (auto done = write_status(app, status, memory); !done) return tl::unexpected(done.error());
  if (is_news) warn(app, "SpecInvalid", fmt::format("{}", fmt::join(app.problems, "; ")));
  return {};
}

void AppReconciler::announce_degrade_level(const api::ScalableApp& app, const api::BrownoutMemory& brownout,
                                           Memory& memory) {
  const int before = std::exchange(memory.degrade_level, brownout.level);
  if (brownout.level == before) return;
  const std::string message = fmt::format("degrade level {} -> {}: {}", before, brownout.level,
                                          app.spec.brownout ? brownout.why : "spec.brownout is not set any more");
  if (brownout.level > before) {
    warn(app, "BrownoutRaised", message);
  } else {
    note(app, "BrownoutLowered", message);
  }
}

void AppReconciler::announce_expectation(const api::ScalableApp& app, const scaling::Decision& decision,
                                         Memory& memory) {
  const auto* condition = api::find_condition(decision.conditions, "ExpectedLoad");
  std::pair<std::string, std::string> present;
  if (condition != nullptr) present = {decision.history.expected_load.asked, condition->reason};
  if (std::exchange(memory.expectation, present) == present || condition == nullptr) return;
  if (condition->reason == "Invalid") {
    warn(app, "ExpectedLoadInvalid", condition->message);
  } else {
    note(app, condition->reason == "Over" ? "ExpectedLoadOver" : "LoadExpected", condition->message);
  }
}

// Events, metrics, one log line a decision.
void AppReconciler::announce(WallTime now, const Snapshot& snapshot, const rollout::RolloutPlan& plan,
                             scaling::Observation observation, api::ScalingHistory before,
                             scaling::Decision decision, Memory& memory) {
  const api::ScalableApp& app = *snapshot.app;
  const bool up = decision.replicas > decision.from;
  const bool acts = !app.spec.paused && !app.spec.dry_run;
  parts_.exporter.count_decision(decision.reason);
  if (acts && decision.replicas != decision.from) {
    parts_.exporter.count_scale(up);
    note(app, up ? "ScaledUp" : "ScaledDown", decision.message);
  }
  if (plan.progressing.reason != memory.progress_reason) {
    if (plan.progressing.status == api::ConditionStatus::kFalse) {
      warn(app, plan.progressing.reason, plan.progressing.message);
    } else if (!memory.progress_reason.empty() && plan.progressing.reason == "NewReplicaSetAvailable") {
      note(app, plan.progressing.reason, plan.progressing.message);
    }
    memory.progress_reason = plan.progressing.reason;
  }
  announce_degrade_level(app, decision.history.brownout, memory);
  announce_expectation(app, decision, memory);
  if (const std::string news = std::exchange(memory.dearer_revision, {}); !news.empty()) {
    warn(app, "RevisionNeedsMoreCapacity", news);
  }
  for (const rollout::Note& told : plan.notes) {
    if (told.is_warning) {
      warn(app, told.reason, told.message);
    } else {
      note(app, told.reason, told.message);
    }
  }

  std::lock_guard lock(memory.records_mutex);
  const bool same = memory.latest && memory.latest->decision.from == decision.from &&
                    memory.latest->decision.replicas == decision.replicas &&
                    memory.latest->decision.reason == decision.reason;
  memory.latest = {now, snapshot.app, std::move(observation), std::move(before), std::move(decision)};
  memory.latest_is_recorded = !same;
  if (same) return;
  const scaling::Decision& latest = memory.latest->decision;
  memory.records.push_back(memory.latest->json());
  const auto bytes = [&] {
    return std::accumulate(memory.records.begin(), memory.records.end(), std::size_t{0},
                           [](std::size_t sum, const std::string& record) { return sum + record.size(); });
  };
  while (memory.records.size() > kDecisionsKept || (memory.records.size() > 1 && bytes() > kDecisionBytesKept)) {
    memory.records.erase(memory.records.begin());
  }
  log_info("decision", {{"app", text_of(app.metadata.key())},
                        {"from", std::to_string(latest.from)},
                        {"to", std::to_string(latest.replicas)},
                        {"reason", latest.reason},
                        {"message", latest.message}});
}

Result<milliseconds> AppReconciler::reconcile(const api::ObjectKey& key) {
  const auto app = parts_.apps.get(key);
  if (!app || app->metadata.deletion_time) {
    // Owner references take the ReplicaSets and Pods along: nothing is left to clean up.
    forget(key);
    return milliseconds::max();
  }
  const std::shared_ptr<Memory> memory = memory_of(*app);
  const WallTime now = parts_.clock.wall_now();
  Snapshot snapshot = observe(app, *memory);

  PodWrites pods(parts_.client, parts_.clock, snapshot, memory->pending,
                 [&](std::string reason, std::string message) { warn(*app, std::move(reason), std::move(message)); });
  pods.keep_gates();
  snapshot.pods = memory->pending.overlay(std::move(snapshot.pods), parts_.clock.monotonic_now());
  if (!app->problems.empty()) {
    if (auto done = report_invalid(snapshot, *memory); !done) return tl::unexpected(done.error());
    if (pods.error) return tl::unexpected(*pods.error);
    return pods.next;
  }
  rollout::RolloutInput input = rollout_input(
      snapshot, memory->rollout,
      memory->refusal && memory->refusal->revision == snapshot.updated_revision ? std::optional(memory->refusal->since)
                                                                                : std::nullopt);
  subscribe_metrics(snapshot, input, *memory);
  // Each interval's samples wake the app; the timer is for when they do not come.
  const milliseconds interval = seconds{app->spec.interval_seconds};
  milliseconds next = app->spec.metrics.empty() ? interval : 3 * interval;
  const bool unasked =
      snapshot.unasked &&
      parts_.clock.monotonic_now() < memory->subscribed_at + kFirstAnswerPatience;
  if (unasked && !snapshot.replica_sets.empty()) {
    if (pods.error) return tl::unexpected(*pods.error);
    return std::min(next, pods.next);
  }
  for (const auto& replica_set : snapshot.replica_sets) {
    if (revision_of(replica_set->metadata) == snapshot.updated_revision &&
        !replica_set->template_hash.empty() && replica_set->template_hash != memory->template_hash) {
      if (auto done = avoid_collision(snapshot, *memory); !done) return tl::unexpected(done.error());
    }
  }

  if (auto done = keep_number(snapshot, *memory); !done) return tl::unexpected(done.error());

  // --- decide -------------------------------------------------------------------------------------
  if (const auto measurement = new_measurement(
          now, snapshot, input, memory->history, [&](const std::string& id) { return parts_.metrics.latest(key, id); })) {
    input.state.analysis = rollout::measure(analysis_of(app->spec), *measurement, std::move(input.state.analysis));
  }
  scaling::Observation observation{.readings = snapshot.readings,
                                   .observing_since = memory->observing_since};
  for (const auto& replica_set : snapshot.replica_sets) {
    observation.current_replicas += replica_set->spec_replicas;
    auto& refused = observation.pods_refused_since;
    if (const auto& since = replica_set->failure_since; since && (!refused || *since < *refused)) refused = since;
  }
  std::map<std::string, bool> has_load;
  for (const auto& revision : input.revisions) {
    has_load[revision.revision] = rollout::carries_load(input, revision.revision);
  }
  for (const auto& pod : snapshot.pods) observation.pods.push_back(to_state(*pod, has_load[revision_of(pod->metadata)]));
  observation.revision = memory->written.current_revision;
  const auto expected = app->metadata.annotations.find(api::kExpectLoadAnnotation);
  if (expected != app->metadata.annotations.end()) observation.expected_load = expected->second;
  observation.rollout_in_flight = rollout::holds_scale_down(now, input);
  // The app's size is what was last asked for: ReplicaSets may hold a surge, or less than it. Of an app that is paused
  // before it ever ran anything it is what it is given (kubectl scalableapp adopt).
  const bool is_given = app->spec.paused && memory->written.current_revision.empty();
  if (memory->written.last_decision && !is_given) {
    observation.current_replicas = memory->written.desired_replicas;
  }
  const auto schedule_problems = foresee(snapshot, now, *memory, observation);
  scaling::Decision decision = scaling::decide(now, app->spec, observation, memory->history);
  api::ScalingHistory before = std::exchange(memory->history, decision.history);
  memory->history.scale_events = before.scale_events;  // Until the change is made.
  input.desired_replicas = decision.replicas;
  input.in_burst = decision.in_burst;
  rollout::RolloutPlan plan = rollout::plan(now, input);
  const std::string* to_create = revision_to_create(plan);
  if (memory->refusal && (to_create == nullptr || *to_create != memory->refusal->revision)) {
    memory->refusal.reset();
  }
  if (memory->refusal) {
    memory->refusal->is_told = true;
    plan.progressing = {.type = "Progressing",
                        .status = api::ConditionStatus::kFalse,
                        .reason = kCreateError,
                        .message = memory->refusal->message};
  }

  // --- which pods ---------------------------------------------------------------------------------
  rollout::ScaleDownPlan scale_down;
  if (!app->spec.paused && !app->spec.dry_run) {
    scale_down = rollout::plan_scale_down(now, seconds{app->spec.drain_seconds}, snapshot.replica_sets, snapshot.pods,
                                          loads_of(snapshot), snapshot.topology, plan.actions);
    plan.actions = std::move(scale_down.actions);
  }
  const auto ejects = look_at_outliers(snapshot, decision.outliers, *memory);
  pods.release(scale_down.releases);

  // --- report, and act ----------------------------------------------------------------------------
  api::ScalableAppStatus status = build_status(now, snapshot, decision, plan, schedule_problems);
  add_rollout_conditions(now, input, *memory, status);
  const auto change = change_in_one_write(plan, !scale_down.marks.empty(), decision, status);
  Result<milliseconds> next_write = milliseconds::max();
  if (change) {
    if (auto done = act(snapshot, plan, *memory, change); !done) {
      report_unscaled(snapshot, status, done.error(), *memory);
      return tl::unexpected(done.error());
    }
    memory->written.desired_replicas = status.desired_replicas;
    memory->written.last_scale_time = status.last_scale_time;
    memory->owes_status = true;
    memory->taken_over = change->time;
  } else {
    // What the plan goes by next must be known to whoever comes after us.
    const bool may_wait = plan.actions.empty() && decision.replicas == decision.from &&
                          same_course(plan.state, memory->written.rollout);
    next_write = write_status(*app, status, *memory, may_wait ? Urgency::kMakesWay : Urgency::kAtOnce);
    if (!next_write) return next_write;
  }
  if (same_course(plan.state, memory->written.rollout)) memory->rollout = plan.state;
  memory->history.scale_events = decision.history.scale_events;
  const std::array shown{status.desired_replicas, status.ready_replicas, status.warming_replicas, status.degrade_level};
  if (shown != memory->shown) {
    parts_.exporter.set_app(key.namespace_name, key.name, shown[0], shown[1], shown[2], shown[3]);
    memory->shown = shown;
  }
  const bool lost = unasked ? memory->metrics_lost
                            : metrics_lost(status).value_or(memory->metrics_lost);
  if (lost != std::exchange(memory->metrics_lost, lost)) {
    if (lost) {
      warn(*app, "MetricsMissing", decision.message);
    } else {
      note(*app, "MetricsBack", "every metric has a value again");
    }
  }
  announce(now, snapshot, plan, std::move(observation), std::move(before), std::move(decision), *memory);

  const auto traffic = route(snapshot, plan, *memory);
  if (!traffic || !traffic->problem.empty()) {
    scale_down.marks.clear();
    drop_scale_downs(plan.actions);
  }
  if (!pods.set_aside(scale_down.marks, ejects)) drop_scale_downs(plan.actions);
  if (change) {
    next_write = write_status(*app, status, *memory, Urgency::kMakesWay);
    if (!next_write) return next_write;
    if (same_course(plan.state, memory->written.rollout)) memory->rollout = plan.state;
  } else if (auto done = act(snapshot, plan, *memory); !done) {
    return tl::unexpected(done.error());
  }
  if (!app->spec.paused && !app->spec.dry_run) pods.tell_degrade_level(status.degrade_level);
  if (!traffic) return tl::unexpected(traffic.error());
  const auto budget =
      keep_budget(snapshot, budgeted_replicas(input, plan.in_flight, status.desired_replicas), *memory);
  if (!budget) return tl::unexpected(budget.error());
  pods.tell_waits();
  if (pods.error) return tl::unexpected(*pods.error);
  if (memory->refusal) {
    const auto wait = memory->refusal->retry_at - parts_.clock.monotonic_now();
    next = std::min(next, memory->refusal->is_told
                              ? std::max(kSoonest, std::chrono::duration_cast<milliseconds>(wait))
                              : kSoonest);
  }
  if (plan.next_check) next = std::min(next, from_now(now, *plan.next_check));
  if (scale_down.next_check) next = std::min(next, from_now(now, *scale_down.next_check));
  next = std::min({next, pods.next, traffic->next, budget->next});
  return std::min(next, std::max(kSoonest, *next_write));
}

}  // namespace scalableapp::controller
