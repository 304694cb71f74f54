#include "operator/controller/manager.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "operator/controller/app_reconciler.h"
#include "operator/controller/warm_up_prober.h"
#include "operator/kube/config.h"
#include "operator/kube/cpprest_transport.h"
#include "operator/kube/informer.h"
#include "operator/kube/leader_elector.h"
#include "operator/kube/observed_transport.h"
#include "operator/kube/work_queue.h"
#include "operator/metrics/load_history.h"
#include "operator/metrics/sampler.h"
#include "operator/platform/http_server.h"
#include "operator/platform/log.h"
#include "operator/platform/random.h"

namespace scalableapp::controller {
namespace {

constexpr seconds kSyncTimeout{120};
// A call of the elector must fail well before its renew deadline of 3 s.
constexpr milliseconds kElectionRequestTimeout{1000};
// For the writes in progress at a shutdown; with an API server that hangs, the lease and the rest
// need the remainder of a pod's grace period of 10 s.
constexpr milliseconds kLastWrites{2000};
// A key that came up while the lease was in doubt is looked at again after so long.
constexpr milliseconds kUnledRetry{200};

std::string app_index(const api::ObjectMeta& metadata) {
  const auto label = metadata.labels.find(api::kAppLabel);
  return label == metadata.labels.end() ? std::string{} : metadata.namespace_name + "/" + label->second;
}

api::ObjectKey app_key(const api::ObjectMeta& metadata) {
  const auto label = metadata.labels.find(api::kAppLabel);
  return {metadata.namespace_name, label == metadata.labels.end() ? "" : label->second};
}

const char* result_text(const Result<milliseconds>& result) {
  return result ? "success" : to_string(result.error().code);
}

class Manager {
 public:
  explicit Manager(const ManagerOptions& options) : options_(options) {}
  Result<void> run(std::stop_token stop);

 private:
  Result<void> connect();
  Result<void> serve_http();
  void start_caches();
  void look_at_pods_of(const api::Node* before, const api::Node* after);
  // Only while leading: lead() adds every app, so that a standby's queue need not keep any.
  void enqueue(const api::ObjectKey& key) {
    if (leading_) queue_->add(key);
  }
  Result<milliseconds> reconcile(const api::ObjectKey& key);
  std::stop_token term();  // Stopped when this time of leading has ended.
  void end_term();
  void work(std::stop_token stop);
  void lead();
  void stand_down();
  kube::ReflectorOptions mirror(const kube::ResourceType& type, std::uint64_t seed, std::string selector);
  template <typename T>
  kube::InformerHandlers<T> enqueue_owner();
  ServerResponse decisions(const ServerRequest& request) const;

  const ManagerOptions& options_;
  SystemClock clock_;
  Random random_;
  metrics::Exporter exporter_;
  std::unique_ptr<kube::HttpTransport> raw_api_transport_;
  std::unique_ptr<kube::HttpTransport> api_transport_;  // Counts the requests of the one above.
  std::unique_ptr<kube::HttpTransport> election_transport_;
  std::unique_ptr<kube::HttpTransport> prometheus_transport_;
  std::unique_ptr<kube::HttpTransport> history_transport_;
  std::unique_ptr<kube::Client> client_;  // Of the workers.
  std::unique_ptr<kube::Client> events_client_;
  std::unique_ptr<kube::Client> election_client_;
  std::unique_ptr<kube::WorkQueue> queue_;
  std::unique_ptr<kube::Informer<api::ScalableApp>> apps_;
  std::unique_ptr<kube::Informer<api::ReplicaSet>> replica_sets_;
  std::unique_ptr<kube::Informer<api::Pod>> pods_;
  std::unique_ptr<kube::Informer<api::Node>> nodes_;  // Null: nodes are not watched.
  std::unique_ptr<kube::ApiEventRecorder> events_;
  std::unique_ptr<metrics::Sampler> sampler_;
  std::unique_ptr<metrics::LoadHistory> load_history_;
  std::unique_ptr<WarmUpProber> prober_;
  std::unique_ptr<AppReconciler> reconciler_;
  std::unique_ptr<kube::LeaderElector> elector_;
  std::unique_ptr<HttpServer> server_;
  std::vector<std::jthread> workers_;  // Only while leading.
  std::atomic<bool> synced_{false};
  std::atomic<bool> leading_{false};
  std::atomic<bool> stopping_{false};
  std::stop_source last_events_;  // Stopped when a shutdown waits for no more events.
  std::mutex term_mutex_;         // Guards term_.
  std::stop_source term_;
};

Result<void> Manager::connect() {
  const auto config = kube::find_config(options_.kubeconfig, {}, kube::process_environment());
  if (!config) return tl::unexpected(config.error());
  log_info("api server", {{"url", config->endpoint.base_url}, {"source", config->source}});

  auto transport = kube::make_cpprest_transport(config->endpoint, clock_);
  if (!transport) return tl::unexpected(transport.error());
  raw_api_transport_ = std::move(*transport);
  api_transport_ = std::make_unique<kube::ObservedTransport>(
      *raw_api_transport_, clock_,
      [this](std::string_view verb, std::string_view code, milliseconds duration) {
        exporter_.observe_api_request(verb, code, duration);
      });
  client_ = kube::make_client(*api_transport_, clock_, random_, {}, [this] { return term(); });
  events_client_ = kube::make_client(*api_transport_, clock_, random_, {},
                                     [this] { return last_events_.get_token(); });

  kube::Endpoint election_endpoint = config->endpoint;
  election_endpoint.request_timeout = kElectionRequestTimeout;
  transport = kube::make_cpprest_transport(election_endpoint, clock_);
  if (!transport) return tl::unexpected(transport.error());
  election_transport_ = std::move(*transport);
  election_client_ = kube::make_client(*election_transport_, clock_, random_, {.retry_budget = kElectionRequestTimeout});

  transport = kube::make_cpprest_transport({.base_url = options_.prometheus_url, .request_timeout = metrics::kRequestTimeout, .max_body_bytes = metrics::kMaxAnswerBytes}, clock_);
  if (!transport) return tl::unexpected(transport.error());
  prometheus_transport_ = std::move(*transport);
  transport = kube::make_cpprest_transport({.base_url = options_.prometheus_url, .request_timeout = metrics::kHistoryRequestTimeout, .max_body_bytes = metrics::kMaxHistoryBytes}, clock_);
  if (!transport) return tl::unexpected(transport.error());
  history_transport_ = std::move(*transport);
  return {};
}

kube::ReflectorOptions Manager::mirror(const kube::ResourceType& type, std::uint64_t seed, std::string selector) {
  const std::string resource{type.plural};
  return {.type = type,
          .namespace_name = options_.watch_namespace,
          .label_selector = std::move(selector),
          .seed = seed,
          .observer = {.on_relist = [this, resource](const char* reason) { exporter_.count_relist(resource, reason); },
                       .on_watch_restart = [this, resource](const char* reason) { exporter_.count_watch_restart(resource, reason); },
                       .on_error = [resource](const Error& error) { log_warn("watch", {{"resource", resource}, {"error", error}}); }}};
}

template <typename T>
kube::InformerHandlers<T> Manager::enqueue_owner() {
  return {.on_change = [this](const auto& old_object, const auto& new_object) {
    const api::ObjectKey key = app_key((new_object ? new_object : old_object)->metadata);
    if (!key.name.empty()) enqueue(key);
  }};
}

void Manager::start_caches() {
  const auto seed = static_cast<std::uint64_t>(random_.uniform() * 1e15);
  apps_ = std::make_unique<kube::Informer<api::ScalableApp>>(
      *api_transport_, clock_, mirror(kube::kScalableApps, seed, ""), api::decode_scalable_app,
      kube::Store<api::ScalableApp>::Index{},
      kube::InformerHandlers<api::ScalableApp>{
          .on_change =
              [this](const auto& old_object, const auto& new_object) {
                // Our own status writes come back as changes; only what the user wrote matters.
                if (old_object && new_object && old_object->metadata.generation == new_object->metadata.generation &&
                    old_object->metadata.annotations == new_object->metadata.annotations) {
                  return;
                }
                enqueue((new_object ? new_object : old_object)->metadata.key());
              },
          .on_invalid = [](const api::ObjectKey& key, const Error& error) {
            log_warn("unreadable ScalableApp", {{"app", api::to_string(key)}, {"error", error}});
          }});
  replica_sets_ = std::make_unique<kube::Informer<api::ReplicaSet>>(
      *api_transport_, clock_, mirror(kube::kReplicaSets, seed + 1, api::kAppLabel), api::decode_replica_set,
      [](const api::ReplicaSet& object) { return app_index(object.metadata); }, enqueue_owner<api::ReplicaSet>());
  pods_ = std::make_unique<kube::Informer<api::Pod>>(
      *api_transport_, clock_, mirror(kube::kPods, seed + 2, api::kAppLabel), api::decode_pod,
      [](const api::Pod& object) { return app_index(object.metadata); }, enqueue_owner<api::Pod>());
  if (options_.watch_nodes) {
    kube::ReflectorOptions options = mirror(kube::kNodes, seed + 3, "");
    options.namespace_name.clear();
    nodes_ = std::make_unique<kube::Informer<api::Node>>(
        *api_transport_, clock_, std::move(options), api::decode_node, kube::Store<api::Node>::Index{},
        kube::InformerHandlers<api::Node>{.on_change = [this](const auto& old_object, const auto& new_object) {
          look_at_pods_of(old_object.get(), new_object.get());
        }});
  }
  apps_->start();
  replica_sets_->start();
  pods_->start();
  if (nodes_) nodes_->start();
}

// A node that is cordoned, or is so no more, is news for the apps that have pods there.
void Manager::look_at_pods_of(const api::Node* before, const api::Node* after) {
  const bool was = before != nullptr && before->unschedulable;
  const bool is = after != nullptr && after->unschedulable;
  if (was == is) return;
  const std::string& node = (after != nullptr ? after : before)->metadata.name;
  for (const auto& pod : pods_->store().list()) {
    if (pod->node == node) enqueue(app_key(pod->metadata));
  }
}

ServerResponse Manager::decisions(const ServerRequest& request) const {
  constexpr std::string_view kPrefix = "/debug/decisions/";
  const std::string_view path{request.path};
  const auto slash = path.find('/', kPrefix.size());
  if (!path.starts_with(kPrefix) || slash == std::string_view::npos) {
    return {.status = 404, .body = "ask for /debug/decisions/NAMESPACE/NAME\n"};
  }
  const auto records = reconciler_->decisions_json(
      {std::string(path.substr(kPrefix.size(), slash - kPrefix.size())), std::string(path.substr(slash + 1))});
  if (!records) return {.status = 404, .body = records.error().message + "\n"};
  return {.content_type = "application/json", .body = *records};
}

Result<void> Manager::serve_http() {
  auto server = start_http_server(
      {.port = static_cast<std::uint16_t>(options_.http_port)},
      {{"/healthz", [](const ServerRequest&) { return ServerResponse{.body = "ok\n"}; }},
       {"/readyz",
        [this](const ServerRequest&) {
          return synced_ ? ServerResponse{.body = "ok\n"}
                         : ServerResponse{.status = 503, .body = "the caches are not filled yet\n"};
        }},
       {"/metrics",
        [this](const ServerRequest&) {
          exporter_.set_queue_depth(queue_->depth());
          return ServerResponse{.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = exporter_.scrape()};
        }},
       {"/debug/decisions/", [this](const ServerRequest& request) { return decisions(request); }}});
  if (!server) return tl::unexpected(server.error());
  server_ = std::move(*server);
  log_info("http", {{"port", server_->port()}});
  return {};
}

// One worker: takes a key, reconciles, and says when to look again.
void Manager::work(std::stop_token stop) {
  while (const auto key = queue_->get(stop)) {
    // Fenced by local time: a leader that could not renew writes nothing more. It may yet renew.
    if (elector_ && !elector_->is_leader()) {
      queue_->add_after(*key, kUnledRetry);
      queue_->done(*key);
      continue;
    }
    const MonotonicTime start = clock_.monotonic_now();
    const auto result = reconcile(*key);
    exporter_.observe_reconcile(clock_.monotonic_now() - start, result_text(result));
    if (result) {
      queue_->forget(*key);
      // Jitter keeps apps that were created together from deciding together for ever; only earlier,
      // since a gate may be waiting for this moment.
      if (*result != milliseconds::max()) {
        queue_->revisit_after(*key, milliseconds{static_cast<std::int64_t>(static_cast<double>(result->count()) * (1.0 - 0.2 * random_.uniform()))});
      }
    } else {
      // A conflict is the cache being late: ordinary, and over after the next event.
      const auto level = result.error().code == ErrorCode::kConflict ? LogLevel::kDebug : LogLevel::kWarn;
      log(level, "reconcile failed", {{"app", api::to_string(*key)}, {"error", result.error()}});
      queue_->add_rate_limited(*key, result.error().retry_after.value_or(milliseconds::zero()));
    }
    queue_->done(*key);
  }
}

// The boundary that no exception passes: one app that nobody foresaw does not end all the others.
Result<milliseconds> Manager::reconcile(const api::ObjectKey& key) {
  try {
    return reconciler_->reconcile(key);
  } catch (const std::exception& error) {
    return fail(ErrorCode::kInternal, fmt::format("a bug: {}", error.what()));
  }
}

std::stop_token Manager::term() {
  static const std::stop_source ended = [] {
    std::stop_source source;
    source.request_stop();
    return source;
  }();
  // By local time too: the elector may still be waiting for an answer.
  if (elector_ && !elector_->is_leader() && !stopping_) return ended.get_token();
  std::lock_guard lock(term_mutex_);
  return term_.get_token();
}

void Manager::end_term() {
  std::lock_guard lock(term_mutex_);
  term_.request_stop();
}

void Manager::lead() {
  {
    std::lock_guard lock(term_mutex_);
    if (!stopping_) term_ = std::stop_source();
  }
  log_info("leading", {{"identity", options_.identity}});
  exporter_.set_leader(true);
  reconciler_->forget_all();
  leading_ = true;  // Before the stores are read: what changes from now on is added by itself.
  for (const auto& app : apps_->store().list()) queue_->add(app->metadata.key());
  for (int i = 0; i < options_.workers; ++i) {
    workers_.emplace_back([this](std::stop_token stop) { work(stop); });
  }
}

void Manager::stand_down() {
  leading_ = false;
  for (auto& worker : workers_) worker.request_stop();
  // Without the lease nothing more may be written, and the next candidacy waits for the workers.
  if (!stopping_) end_term();
  workers_.clear();
  reconciler_->forget_all();
  exporter_.set_leader(false);
  log_info("not leading any more", {{"identity", options_.identity}});
}

Result<void> Manager::run(std::stop_token stop) {
  if (auto connected = connect(); !connected) return connected;
  queue_ = std::make_unique<kube::WorkQueue>(clock_);
  start_caches();
  events_ = std::make_unique<kube::ApiEventRecorder>(*events_client_, clock_, random_,
                                                     kube::EventSource{"scalableapp-operator", options_.identity},
                                                     [this] { return queue_->depth() > 0; });
  sampler_ = std::make_unique<metrics::Sampler>(
      *prometheus_transport_, clock_,
      metrics::SamplerObserver{
          .on_sample = [this](const api::ObjectKey& key) { enqueue(key); },
          .on_query =
              [this](milliseconds duration, std::optional<ErrorCode> failure, std::size_t) {
                exporter_.observe_metric_query(duration, failure);
              }});
  load_history_ = std::make_unique<metrics::LoadHistory>(*history_transport_, clock_);
  prober_ = std::make_unique<WarmUpProber>(clock_, [this](const api::ObjectKey& key) { enqueue(key); });
  reconciler_ = std::make_unique<AppReconciler>(AppReconciler::Parts{.clock = clock_,
                                                                     .client = *client_,
                                                                     .apps = apps_->store(),
                                                                     .replica_sets = replica_sets_->store(),
                                                                     .pods = pods_->store(),
                                                                     .metrics = *sampler_,
                                                                     .events = *events_,
                                                                     .exporter = exporter_,
                                                                     .nodes = nodes_ ? &nodes_->store() : nullptr,
                                                                     .load_history = load_history_.get(),
                                                                     .is_behind = [this] { return queue_->is_behind(); },
                                                                     .probes = prober_.get()});
  if (auto serving = serve_http(); !serving) return serving;
  sampler_->start();
  load_history_->start();
  prober_->start();
  // Without the CRD there is nothing to list; that is an error to name, not a reason to restart.
  const MonotonicTime deadline = clock_.monotonic_now() + kSyncTimeout;
  const bool all = apps_->wait_for_sync(deadline, stop) && replica_sets_->wait_for_sync(deadline, stop) &&
                   pods_->wait_for_sync(deadline, stop);
  if (!all) {
    if (stop.stop_requested()) return {};
    return fail(ErrorCode::kTimeout,
                fmt::format("the caches were not filled within {} s: is the CRD installed, may this service account "
                            "list scalableapps, replicasets and pods?", kSyncTimeout.count()));
  }
  synced_ = true;
  log_info("caches filled", {{"apps", apps_->store().size()}, {"pods", pods_->store().size()}});

  if (options_.leader_election) {
    elector_ = std::make_unique<kube::LeaderElector>(
        *election_client_, clock_, random_,
        kube::ElectorOptions{.lease = {options_.lease_namespace, options_.lease_name},
                             .identity = options_.identity + "_" + random_.hex_suffix(),
                             .times = {}},
        kube::ElectionCallbacks{.on_started_leading = [this] { lead(); }, .on_stopped_leading = [this] { stand_down(); }});
    if (auto started = elector_->start(); !started) return started;
  } else {
    lead();
  }

  while (sleep_for(clock_, seconds{3600}, stop)) {
  }
  stopping_ = true;
  const std::jthread hurry([this](std::stop_token done) {
    if (!sleep_for(clock_, kLastWrites, done)) return;
    end_term();
    last_events_.request_stop();
  });
  // The reverse of the start: no more writes, then the lease is given back, then the rest.
  if (elector_) {
    elector_->stop();
  } else {
    stand_down();
  }
  events_.reset();
  sampler_.reset();
  load_history_->stop();
  if (nodes_) nodes_->stop();
  prober_->stop();
  pods_->stop();
  replica_sets_->stop();
  apps_->stop();
  server_.reset();
  return {};
}

}  // namespace

Result<void> run_manager(const ManagerOptions& options, std::stop_token stop) {
  Manager manager(options);
  return manager.run(std::move(stop));
}

}  // namespace scalableapp::controller
