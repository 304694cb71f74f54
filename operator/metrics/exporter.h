// The operator's own metrics, in Prometheus' text format. All that is known beforehand is there
// from the first scrape on, at 0, so that rate() and alerts see the first failure. Thread-safe;
// prometheus-cpp is used in exporter.cc only.
//
// | name                                         | kind      | labels           |
// |----------------------------------------------|-----------|------------------|
// | scalableapp_reconcile_duration_seconds       | histogram |                  |
// | scalableapp_reconciles_total                 | counter   | result           |
// | scalableapp_queue_depth                      | gauge     |                  |
// | scalableapp_watch_restarts_total             | counter   | resource, reason |
// | scalableapp_relists_total                    | counter   | resource, reason |
// | scalableapp_api_requests_total               | counter   | verb, code       |
// | scalableapp_api_request_duration_seconds     | histogram | verb             |
// | scalableapp_metric_query_duration_seconds    | histogram |                  |
// | scalableapp_metric_query_failures_total      | counter   | reason           |
// | scalableapp_decisions_total                  | counter   | reason           |
// | scalableapp_scale_events_total               | counter   | direction        |
// | scalableapp_app_{desired,ready,warming}_replicas | gauge | namespace, name  |
// | scalableapp_degrade_level                    | gauge     | namespace, name  |
// | scalableapp_leader                           | gauge     |                  |
// | scalableapp_build_info                       | gauge     | version          |
// | process_cpu_seconds_total                    | counter   |                  |
// | process_resident_memory_bytes                | gauge     |                  |
//
// A Prometheus that sets `namespace` on its targets shows the apps' as `exported_namespace`.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "operator/base/result.h"

namespace scalableapp::metrics {

class Exporter {
 public:
  using Seconds = std::chrono::duration<double>;

  Exporter();
  ~Exporter();
  Exporter(const Exporter&) = delete;
  Exporter& operator=(const Exporter&) = delete;

  // `result`: "success" or the name of an ErrorCode.
  void observe_reconcile(Seconds duration, std::string_view result);
  void set_queue_depth(std::size_t items);
  // `resource`: plural; `reason`: a word, as WatchObserver gives it.
  void count_watch_restart(std::string_view resource, std::string_view reason);
  void count_relist(std::string_view resource, std::string_view reason);
  // `verb`: "GET", .. or "WATCH"; `code`: the HTTP status, or an ErrorCode's name if there was
  // none. A watch has no duration: its requests are counted with observe_api_request(..,
  // Seconds(-1)).
  void observe_api_request(std::string_view verb, std::string_view code, Seconds duration);
  // `failure`: nothing if there was a usable answer.
  void observe_metric_query(Seconds duration, std::optional<ErrorCode> failure);
  // `reason` of scaling::Decision.
  void count_decision(std::string_view reason);
  void count_scale(bool up);
  void set_app(std::string_view namespace_name, std::string_view name, int desired, int ready,
               int warming, int degrade_level);
  void remove_app(std::string_view namespace_name, std::string_view name);
  // False also removes the apps' gauges: only the leader's are up to date.
  void set_leader(bool is_leader);

  // The text format 0.0.4, content type "text/plain; version=0.0.4; charset=utf-8".
  std::string scrape();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace scalableapp::metrics
