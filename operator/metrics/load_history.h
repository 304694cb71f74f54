// Keeps the load of the last days of each app that wants forecasts, as Prometheus remembers it. One
// thread of its own asks for one series at a time: all of it at first and once a day, else only
// what is new; after each answer it rests as long as the answer took, so that Prometheus has at
// least half of its time for others. Readers never wait for the network. Forecasts nothing
// (scaling/forecast.h). Thread-safe.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "operator/api/meta.h"
#include "operator/base/result.h"
#include "operator/kube/transport.h"
#include "operator/metrics/query.h"
#include "operator/platform/clock.h"
#include "operator/scaling/forecast.h"

namespace scalableapp::metrics {

// For Endpoint::request_timeout of its transport, and Endpoint::max_body_bytes: a month of points.
inline constexpr milliseconds kHistoryEvaluationTimeout{20'000};
inline constexpr milliseconds kHistoryRequestTimeout{22'000};
inline constexpr std::size_t kMaxHistoryBytes = 2U << 20U;

class LoadHistory {
 public:
  static constexpr seconds kStep{300};
  static constexpr seconds kRefresh{600};  // Give or take a tenth, by app.
  static constexpr int kMaxDays = 30;      // Prometheus answers with 11,000 points at most.

  // `transport` and `clock` must outlive it. Nothing is asked before start.
  LoadHistory(kube::HttpTransport& transport, const Clock& clock)
      : transport_(transport), clock_(clock) {}
  ~LoadHistory() { stop(); }
  LoadHistory(const LoadHistory&) = delete;
  LoadHistory& operator=(const LoadHistory&) = delete;

  void start();
  // Cancels a request in flight and joins.
  void stop();

  // Replaces the app's queries; those that stay keep their series.
  void subscribe(const api::ObjectKey& app, const std::vector<LoadQuery>& queries);
  void unsubscribe(const api::ObjectKey& app) { subscribe(app, {}); }

  // The same object until there is news, so what was learned from it holds as long as the pointer.
  // Null: no such query, or not answered yet. Stays what it was while asking fails.
  std::shared_ptr<const scaling::LoadSeries> latest(const api::ObjectKey& app,
                                                    const std::string& metric) const;
  // Why the last request for it failed; nothing if it did not.
  std::optional<Error> error(const api::ObjectKey& app, const std::string& metric) const;

 private:
  struct Entry {
    LoadQuery query;
    MonotonicTime due{};
    MonotonicTime whole_due{};  // When all of it is asked for again.
    std::shared_ptr<const scaling::LoadSeries> series;
    std::optional<Error> error;
  };
  using Key = std::pair<api::ObjectKey, std::string>;

  void work(std::stop_token stop);
  Result<std::shared_ptr<const scaling::LoadSeries>> ask(
      const LoadQuery& query, const scaling::LoadSeries* known, std::stop_token stop);

  kube::HttpTransport& transport_;
  const Clock& clock_;

  mutable std::mutex mutex_;  // Guards entries_.
  std::condition_variable_any changed_;
  std::map<Key, Entry> entries_;

  std::jthread thread_;
};

}  // namespace scalableapp::metrics
