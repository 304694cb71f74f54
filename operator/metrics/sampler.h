// Keeps the newest answers of a Prometheus to every app's queries. Threads of its own ask, at most
// `workers` requests at a time, what the SamplingPlan says is due; readers never wait for the
// network. Decides nothing about what an old or missing answer means (query.h, scaling/).
// Thread-safe.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "operator/api/meta.h"
#include "operator/kube/transport.h"
#include "operator/metrics/metric_source.h"
#include "operator/metrics/sampling_plan.h"
#include "operator/platform/clock.h"

namespace scalableapp::metrics {

// For Endpoint::request_timeout of the sampler's transport: a little more than what Prometheus is
// given to evaluate, so that its own word on a slow query arrives.
inline constexpr milliseconds kEvaluationTimeout{2'000};
inline constexpr milliseconds kRequestTimeout{2'500};
// For its Endpoint::max_body_bytes: a full batch of apps with hundreds of pods each.
inline constexpr std::size_t kMaxAnswerBytes = 8U << 20U;

struct SamplerOptions {
  SamplingPlan::Options plan = {};
  int workers = 2;  // One slow answer does not hold up the others.
};

// Called on the sampler's threads with no lock held; both must be quick and may call the sampler.
struct SamplerObserver {
  // After every attempt to get news for the app, successful or not, at its interval.
  std::function<void(const api::ObjectKey& app)> on_sample = {};
  // After every request: why it has no usable answer, nothing if it has one; and the number of
  // queries in it (0: a probe).
  std::function<void(milliseconds duration, std::optional<ErrorCode> failure, std::size_t queries)>
      on_query = {};
};

class Sampler final : public MetricSource {
 public:
  // `transport` and `clock` must outlive the sampler. Nothing is asked before start.
  Sampler(kube::HttpTransport& transport, const Clock& clock, SamplerObserver observer,
          SamplerOptions options = {});
  ~Sampler() override { stop(); }
  Sampler(const Sampler&) = delete;
  Sampler& operator=(const Sampler&) = delete;

  void start();
  // Cancels requests in flight and joins; no callback runs after it. Not from a callback.
  void stop();

  void subscribe(const api::ObjectKey& app, const std::vector<Query>& queries) override;
  void unsubscribe(const api::ObjectKey& app) override;
  std::optional<QueryResult> latest(const api::ObjectKey& app,
                                    const std::string& id) const override;

  // Why Prometheus does not answer; nothing while it does.
  std::optional<Error> source_error() const;

 private:
  void work(std::stop_token stop);
  Result<Answer> ask(const SamplingPlan::Batch& batch, std::stop_token stop);
  void tell(const std::vector<api::ObjectKey>& apps) const;

  kube::HttpTransport& transport_;
  const Clock& clock_;
  const SamplerObserver observer_;
  const SamplerOptions options_;

  mutable std::mutex mutex_;  // Guards plan_.
  std::condition_variable_any changed_;
  SamplingPlan plan_;

  std::vector<std::jthread> threads_;
};

}  // namespace scalableapp::metrics
