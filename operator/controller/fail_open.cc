#include "operator/controller/fail_open.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include <fmt/format.h>

#include "operator/api/scalable_app.h"
#include "operator/controller/pod_writes.h"
#include "operator/kube/config.h"
#include "operator/kube/cpprest_transport.h"
#include "operator/kube/informer.h"
#include "operator/platform/http_server.h"
#include "operator/platform/log.h"
#include "operator/platform/random.h"

namespace scalableapp::controller {
namespace {

// After so many gates the Lease is looked at again first.
constexpr int kMostAtATime = 50;
// Until the pods are there: they count from when they are first seen.
constexpr milliseconds kFirstPods{250};

// What changes whenever the holder renews. Only ever compared.
std::string record_of(const std::string& body) {
  const auto lease = nlohmann::json::parse(body, nullptr, false);
  const auto spec = lease.is_object() ? lease.find("spec") : lease.end();
  return spec == lease.end() ? "no spec" : spec->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

void FailOpen::read_lease() {
  const auto body = client_.get(kube::kLeases, lease_);
  const bool is_known = body || body.error().code == ErrorCode::kNotFound;
  if (is_known == failing_) {
    failing_ = !is_known;
    if (failing_) log_warn("lease cannot be read", {{"lease", api::to_string(lease_)}, {"error", body.error()}});
    else log_info("lease is read again", {{"lease", api::to_string(lease_)}});
  }
  if (!is_known) return record_.reset();
  std::string record = body ? record_of(*body) : "";
  if (record_ == record) return;
  record_ = std::move(record);
  unled_since_ = clock_.monotonic_now();
}

milliseconds FailOpen::look(const kube::Store<api::Pod>* pods) {
  read_lease();
  const MonotonicTime now = clock_.monotonic_now();
  const bool was_in_doubt = std::exchange(in_doubt_, record_ && now >= unled_since_ + kLeaseDoubt);
  if (in_doubt_ != was_in_doubt) {
    if (in_doubt_) log_warn("no operator leads", {{"lease", api::to_string(lease_)}});
    else log_info("an operator leads, or nothing is known", {{"lease", api::to_string(lease_)}});
  }
  if (!in_doubt_ || pods == nullptr) {
    waiting_since_.clear();
    if (in_doubt_) return kFirstPods;
    const milliseconds doubt_in = record_ ? unled_since_ + kLeaseDoubt - now : kLeaseLook;
    return std::clamp(doubt_in, kSoonest, kLeaseLook);
  }
  rollout::FailOpenPlan plan = rollout::plan_fail_open(now, unled_since_, pods->list(), waiting_since_);
  waiting_since_ = std::move(plan.waiting_since);
  int opened = 0;
  for (const auto& change : plan.changes) {
    if (++opened > kMostAtATime) return kSoonest;
    if (!open(change)) return kLeaseLook;
  }
  return std::clamp(plan.next_check ? *plan.next_check - now : kLeaseLook, kSoonest, kLeaseLook);
}

// Only while the pod is as it was seen: an operator that is back may have said otherwise. What failed is due still.
// False: the server is in trouble, not the pod.
bool FailOpen::open(const rollout::GateChange& change) {
  const api::ObjectMeta& pod = change.pod->metadata;
  const std::string patch = gate_patch(change, clock_.wall_now(), pod.resource_version);
  const auto written =
      client_.patch(kube::kPods, pod.key(), patch, kube::PatchKind::kStrategic, "status", api::kFieldManager);
  if (written) {
    log_info("pod is let into service", {{"pod", api::to_string(pod.key())}, {"reason", change.reason}});
    return true;
  }
  if (written.error().code == ErrorCode::kConflict || written.error().code == ErrorCode::kNotFound) return true;
  log_warn("gate not written", {{"pod", api::to_string(pod.key())}, {"error", written.error()}});
  return is_refusal(written.error());
}

Result<void> run_fail_open(const ManagerOptions& options, std::stop_token stop) {
  const SystemClock clock;
  Random random;
  const auto config = kube::find_config(options.kubeconfig, {}, kube::process_environment());
  if (!config) return tl::unexpected(config.error());
  log_info("api server", {{"url", config->endpoint.base_url}, {"source", config->source}});
  auto transport = kube::make_cpprest_transport(config->endpoint, clock);
  if (!transport) return tl::unexpected(transport.error());
  const auto client = kube::make_client(**transport, clock, random, {}, [&stop] { return stop; });

  std::atomic<bool> is_ready = false;
  const auto server = start_http_server(
      {.port = static_cast<std::uint16_t>(options.http_port)},
      {{"/healthz", [](const ServerRequest&) { return ServerResponse{.body = "ok\n"}; }},
       {"/readyz", [&is_ready](const ServerRequest&) {
          return is_ready ? ServerResponse{.body = "ok\n"}
                          : ServerResponse{.status = 503, .body = "the lease or the pods cannot be read\n"};
        }}});
  if (!server) return tl::unexpected(server.error());

  const kube::ReflectorOptions pods{.type = kube::kPods,
                                    .namespace_name = options.watch_namespace,
                                    .label_selector = api::kAppLabel,
                                    .seed = static_cast<std::uint64_t>(random.uniform() * 1e15),
                                    .observer = {.on_error = [](const Error& error) {
                                      log_warn("watch", {{"resource", "pods"}, {"error", error}});
                                    }}};
  FailOpen fail_open(clock, *client, {options.lease_namespace, options.lease_name});
  std::unique_ptr<kube::Informer<api::Pod>> informer;
  bool may_list = false;
  milliseconds pause{0};
  do {
    // A right that is missing shows now, rather than when it is needed.
    if (!may_list) {
      const auto listed = client->list(kube::kPods, {.namespace_name = options.watch_namespace,
                                                     .label_selector = api::kAppLabel,
                                                     .limit = 1});
      may_list = listed.has_value();
      if (!may_list) log_warn("pods cannot be listed", {{"error", listed.error()}});
    }
    pause = fail_open.look(informer && informer->store().synced() ? &informer->store() : nullptr);
    is_ready = may_list && fail_open.knows_lease();
    if (!fail_open.in_doubt()) {
      informer.reset();
    } else if (!informer) {
      informer = std::make_unique<kube::Informer<api::Pod>>(**transport, clock, pods, api::decode_pod);
      informer->start();
    }
  } while (sleep_for(clock, pause, stop));
  return {};
}

}  // namespace scalableapp::controller
