// Decides which queries to ask when, in which combination, and what an answer means for each of
// them. Pure: the time is an argument, requests and threads are the Sampler's.
//
//   due        an app's queries share a phase of their interval, drawn from the app's name: apps
//              spread over the interval, aligned to slots so that each slot makes full batches
//   take       due queries, up to batch_size, become one request; one in flight is not due again,
//              so slow answers never pile up
//   answered   samples and age move; the app is told
//   rejected   (kInvalid: a wrong query, or an answer too long) the batch is cut in halves, asked
//              at once, until the wrong one is alone; asked as it was written it yields its own
//              error, or a scalar, which must be combined differently; while wrong it is asked
//              alone and ever more seldom
//   timed out  (kTimeout: a query is slower than the source allows) cut in halves the same way; the
//              limit of their batches is halved too and doubles again with each success
//   silent     (kUnavailable and others: no connection, no answer in time, 5xx) nothing but a cheap probe is sent until one is
//              answered; due queries fail at once and keep their samples; then all are due
//
// Thread-compatible.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "operator/api/meta.h"
#include "operator/metrics/prometheus_answer.h"
#include "operator/metrics/query.h"

namespace scalableapp::metrics {

class SamplingPlan {
 public:
  struct Options {
    // Measured on Prometheus 2.42: its CPU per query falls until 20 to 50 and rises again slowly.
    std::size_t batch_size = 50;
    milliseconds slot{250};  // Four moments a second at which queries are due.
  };
  struct Entry;
  struct Batch {
    std::string query;
    std::vector<std::shared_ptr<Entry>> entries;  // None: a probe.
    bool is_raw = false;                          // A single query, as it was written.
  };
  struct Step {
    std::optional<Batch> batch;           // To be sent and handed to complete.
    std::vector<api::ObjectKey> to_tell;  // Apps with news, each once.
  };

  explicit SamplingPlan(Options options) : options_(options) {}

  // Replaces the app's queries. One that was there keeps its samples; a new one is due at the next
  // slot. The same text is asked once for all apps, at the shortest interval.
  void subscribe(const api::ObjectKey& app, const std::vector<Query>& queries, MonotonicTime now);
  void unsubscribe(const api::ObjectKey& app) { subscribe(app, {}, {}); }

  // Nothing: no such query, or neither answered nor failed yet.
  std::optional<QueryResult> latest(const api::ObjectKey& app, const std::string& id,
                                    MonotonicTime now) const;

  // What to do now. Call again until it yields neither a batch nor apps to tell.
  Step take(MonotonicTime now);
  // When take will have something; nothing if only subscribe or complete can change that.
  std::optional<MonotonicTime> next_due() const;

  // The outcome of a batch sent at `sent`. Returns the apps with news, each once. kCancelled makes
  // the batch unsent.
  std::vector<api::ObjectKey> complete(const Batch& batch, Result<Answer> outcome,
                                       WallTime sent_wall, MonotonicTime sent, MonotonicTime now);

  // Why the source does not answer at all; nothing while it does.
  const std::optional<Error>& source_error() const { return source_error_; }

 private:
  struct Subscription {
    std::string id;
    std::shared_ptr<Entry> entry;
  };

  void release(const api::ObjectKey& app, const std::vector<Subscription>& old);
  Batch make_batch(std::vector<std::shared_ptr<Entry>> entries) const;
  // The next moment of the entry's phase; later for one that keeps failing by itself.
  MonotonicTime next_time(const Entry& entry, MonotonicTime now) const;
  void source_failed(const Error& error, MonotonicTime now);
  void source_answered(MonotonicTime now);

  Options options_;
  std::map<std::string, std::shared_ptr<Entry>, std::less<>> entries_;  // By text.
  std::map<api::ObjectKey, std::vector<Subscription>> subscriptions_;
  std::vector<std::vector<std::shared_ptr<Entry>>>
      halves_;  // Of rejected batches; to be sent next.
  std::optional<Error> source_error_;
  milliseconds backoff_{0};
  MonotonicTime probe_at_{};
  bool probing_ = false;
};

}  // namespace scalableapp::metrics
