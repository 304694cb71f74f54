#include "operator/metrics/exporter.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <mutex>
#include <utility>

namespace scalableapp::metrics {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;

// From a reconcile that finds nothing to do to a call that runs into its limit.
const Histogram::BucketBoundaries kSecondsBuckets{.001, .0025, .005, .01, .025, .05, .1,
                                                  .25,  .5,    1,    2.5, 5,    10};

constexpr ErrorCode kErrorCodes[] = {
    ErrorCode::kInvalid,       ErrorCode::kDecode,    ErrorCode::kNotFound,
    ErrorCode::kAlreadyExists, ErrorCode::kConflict,  ErrorCode::kGone,
    ErrorCode::kUnauthorized,  ErrorCode::kForbidden, ErrorCode::kTooManyRequests,
    ErrorCode::kUnavailable,   ErrorCode::kTimeout,   ErrorCode::kCancelled,
    ErrorCode::kInternal};
// Those of scaling/decide.h.
constexpr const char* kDecisionReasons[] = {
    "MetricAboveTarget", "MetricBelowTarget",  "WithinTolerance", "NoChangeNeeded",
    "NoMetrics",         "MetricsUnavailable", "WaitingForPods",  "PartialMetrics",
    "ManualOverride",    "Stabilizing",        "Restarted",       "LimitedByPolicy",
    "RolloutHold",       "AtMinReplicas",      "AtMaxReplicas",    "ExpectedLoad"};
constexpr const char* kResources[] = {"scalableapps", "replicasets", "pods"};
// What an ordinary day brings.
constexpr std::pair<const char*, const char*> kApiOutcomes[] = {
    {"GET", "200"},   {"POST", "201"},   {"PUT", "200"},
    {"PATCH", "200"}, {"DELETE", "200"}, {"WATCH", "200"}};
constexpr const char* kWatchReasons[] = {"end", "gone", "timeout", "unavailable"};

// One family and its series by label values, so that finding one again makes no labels.
template <typename T>
class Series {
 public:
  using Values = std::array<std::string, 2>;  // The second stays empty where there is one label.

  Series(Family<T>& family, Values names) : family_(family), names_(std::move(names)) {}

  template <typename... Arguments>
  T& at(std::string_view first, std::string_view second, const Arguments&... arguments) {
    Values values{std::string(first), std::string(second)};
    const auto found = series_.find(values);
    if (found != series_.end()) return *found->second;
    prometheus::Labels labels{{names_[0], values[0]}};
    if (!names_[1].empty()) labels[names_[1]] = values[1];
    T& added = family_.Add(labels, arguments...);
    series_.emplace(std::move(values), &added);
    return added;
  }
  void remove(std::string_view first, std::string_view second) {
    const auto found = series_.find(Values{std::string(first), std::string(second)});
    if (found == series_.end()) return;
    family_.Remove(found->second);
    series_.erase(found);
  }
  void clear() {
    for (const auto& [values, series] : series_) family_.Remove(series);
    series_.clear();
  }

 private:
  Family<T>& family_;
  const Values names_;
  std::map<Values, T*> series_;
};

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto total = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return total(usage.ru_utime) + total(usage.ru_stime);
}

// Second field of /proc/self/statm, in pages (proc(5)); 0 where there is no such file.
double resident_bytes() {
  long resident = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "re")) {
    if (std::fscanf(file, "%*d %ld", &resident) != 1) resident = 0;
    std::fclose(file);
  }
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

}  // namespace

struct Exporter::State {
  prometheus::Registry registry;
  std::mutex mutex;  // Guards the maps of all Series; prometheus-cpp guards itself.

  Family<Counter>& counters(const char* name, const char* help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
  }
  Family<Gauge>& gauges(const char* name, const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
  }
  Family<Histogram>& histograms(const char* name, const char* help) {
    return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
  }

  Histogram& reconcile_seconds =
      histograms("scalableapp_reconcile_duration_seconds", "Time that one reconcile took.")
          .Add({}, kSecondsBuckets);
  Series<Counter> reconciles{
      counters("scalableapp_reconciles_total", "Reconciles by their outcome."), {"result"}};
  Gauge& queue_depth = gauges("scalableapp_queue_depth", "Apps that wait for a worker.").Add({});
  Series<Counter> watch_restarts{
      counters("scalableapp_watch_restarts_total", "Watches that had to be opened again."),
      {"resource", "reason"}};
  Series<Counter> relists{counters("scalableapp_relists_total", "Full lists after the first one."),
                          {"resource", "reason"}};
  Series<Counter> api_requests{
      counters("scalableapp_api_requests_total", "Requests to the API server by their outcome."),
      {"verb", "code"}};
  Series<Histogram> api_seconds{
      histograms("scalableapp_api_request_duration_seconds",
                 "Time until the API server's whole answer, watches excluded."),
      {"verb"}};
  Histogram& query_seconds =
      histograms("scalableapp_metric_query_duration_seconds", "Time until Prometheus' answer.")
          .Add({}, kSecondsBuckets);
  Series<Counter> query_failures{counters("scalableapp_metric_query_failures_total",
                                          "Metric queries without a usable answer."),
                                 {"reason"}};
  Series<Counter> decisions{
      counters("scalableapp_decisions_total", "Scaling decisions, those to stay included."),
      {"reason"}};
  Series<Counter> scale_events{
      counters("scalableapp_scale_events_total", "Changes of an app's number of replicas."),
      {"direction"}};
  Series<Gauge> desired{gauges("scalableapp_app_desired_replicas", "Replicas wanted."),
                        {"namespace", "name"}};
  Series<Gauge> ready{gauges("scalableapp_app_ready_replicas", "Pods that are ready."),
                      {"namespace", "name"}};
  Series<Gauge> warming{
      gauges("scalableapp_app_warming_replicas", "Pods that exist and are not ready yet."),
      {"namespace", "name"}};
  Series<Gauge> degrade_level{
      gauges("scalableapp_degrade_level", "At what level pods are told to leave optional work out; 0: none."),
      {"namespace", "name"}};
  Gauge& leader = gauges("scalableapp_leader", "1 while this replica is the leader.").Add({});
  Counter& cpu =
      counters("process_cpu_seconds_total", "User and system CPU time of the process.").Add({});
  Gauge& memory =
      gauges("process_resident_memory_bytes", "Resident memory of the process.").Add({});

  std::array<Series<Gauge>*, 4> of_apps() { return {&desired, &ready, &warming, &degrade_level}; }

  State() {
    gauges("scalableapp_build_info", "Always 1; the labels tell the build.")
        .Add({{"version", SCALABLEAPP_VERSION}})
        .Set(1);
    reconciles.at("success", "");
    for (const ErrorCode code : kErrorCodes) {
      reconciles.at(to_string(code), "");
      query_failures.at(to_string(code), "");
    }
    for (const char* reason : kDecisionReasons) decisions.at(reason, "");
    for (const char* resource : kResources) {
      for (const char* reason : kWatchReasons) watch_restarts.at(resource, reason);
      relists.at(resource, "gone");
    }
    for (const auto& [verb, code] : kApiOutcomes) {
      api_requests.at(verb, code);
      if (std::string_view(verb) != "WATCH") api_seconds.at(verb, "", kSecondsBuckets);
    }
    for (const char* direction : {"up", "down"}) scale_events.at(direction, "");
  }
};

Exporter::Exporter() : state_(std::make_unique<State>()) {}
Exporter::~Exporter() = default;

void Exporter::observe_reconcile(Seconds duration, std::string_view result) {
  state_->reconcile_seconds.Observe(duration.count());
  std::lock_guard lock(state_->mutex);
  state_->reconciles.at(result, "").Increment();
}

void Exporter::set_queue_depth(std::size_t items) {
  state_->queue_depth.Set(static_cast<double>(items));
}

void Exporter::count_watch_restart(std::string_view resource, std::string_view reason) {
  std::lock_guard lock(state_->mutex);
  state_->watch_restarts.at(resource, reason).Increment();
}

void Exporter::count_relist(std::string_view resource, std::string_view reason) {
  std::lock_guard lock(state_->mutex);
  state_->relists.at(resource, reason).Increment();
}

void Exporter::observe_api_request(std::string_view verb, std::string_view code, Seconds duration) {
  std::lock_guard lock(state_->mutex);
  state_->api_requests.at(verb, code).Increment();
  if (duration >= Seconds::zero()) {
    state_->api_seconds.at(verb, "", kSecondsBuckets).Observe(duration.count());
  }
}

void Exporter::observe_metric_query(Seconds duration, std::optional<ErrorCode> failure) {
  state_->query_seconds.Observe(duration.count());
  if (!failure) return;
  std::lock_guard lock(state_->mutex);
  state_->query_failures.at(to_string(*failure), "").Increment();
}

void Exporter::count_decision(std::string_view reason) {
  std::lock_guard lock(state_->mutex);
  state_->decisions.at(reason, "").Increment();
}

void Exporter::count_scale(bool up) {
  std::lock_guard lock(state_->mutex);
  state_->scale_events.at(up ? "up" : "down", "").Increment();
}

void Exporter::set_app(std::string_view namespace_name, std::string_view name, int desired,
                       int ready, int warming, int degrade_level) {
  std::lock_guard lock(state_->mutex);
  state_->desired.at(namespace_name, name).Set(desired);
  state_->ready.at(namespace_name, name).Set(ready);
  state_->warming.at(namespace_name, name).Set(warming);
  state_->degrade_level.at(namespace_name, name).Set(degrade_level);
}

void Exporter::remove_app(std::string_view namespace_name, std::string_view name) {
  std::lock_guard lock(state_->mutex);
  for (Series<Gauge>* gauge : state_->of_apps()) {
    gauge->remove(namespace_name, name);
  }
}

void Exporter::set_leader(bool is_leader) {
  std::lock_guard lock(state_->mutex);
  state_->leader.Set(is_leader ? 1 : 0);
  if (is_leader) return;
  for (Series<Gauge>* gauge : state_->of_apps()) gauge->clear();
}

std::string Exporter::scrape() {
  {
    std::lock_guard lock(state_->mutex);
    state_->cpu.Increment(std::max(0.0, cpu_seconds() - state_->cpu.Value()));
    state_->memory.Set(resident_bytes());
  }
  return prometheus::TextSerializer().Serialize(state_->registry.Collect());
}

}  // namespace scalableapp::metrics
