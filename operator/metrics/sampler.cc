#include "operator/metrics/sampler.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "operator/metrics/prometheus_answer.h"
#include "operator/metrics/prometheus_request.h"

namespace scalableapp::metrics {
namespace {

constexpr milliseconds kIdleWait{60'000};  // Nothing to ask: woken by subscribe.

}  // namespace

Sampler::Sampler(kube::HttpTransport& transport, const Clock& clock, SamplerObserver observer,
                 SamplerOptions options)
    : transport_(transport),
      clock_(clock),
      observer_(std::move(observer)),
      options_(options),
      plan_(options.plan) {}

void Sampler::start() {
  for (int i = 0; i < options_.workers; ++i) {
    threads_.emplace_back([this](std::stop_token stop) { work(std::move(stop)); });
  }
}

void Sampler::stop() {
  for (auto& thread : threads_) thread.request_stop();
  threads_.clear();
}

void Sampler::subscribe(const api::ObjectKey& app, const std::vector<Query>& queries) {
  {
    std::lock_guard lock(mutex_);
    plan_.subscribe(app, queries, clock_.monotonic_now());
  }
  changed_.notify_one();
}

void Sampler::unsubscribe(const api::ObjectKey& app) {
  std::lock_guard lock(mutex_);
  plan_.unsubscribe(app);
}

std::optional<QueryResult> Sampler::latest(const api::ObjectKey& app, const std::string& id) const {
  std::lock_guard lock(mutex_);
  return plan_.latest(app, id, clock_.monotonic_now());
}

std::optional<Error> Sampler::source_error() const {
  std::lock_guard lock(mutex_);
  return plan_.source_error();
}

void Sampler::work(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    const MonotonicTime now = clock_.monotonic_now();
    const SamplingPlan::Step step = plan_.take(now);
    if (!step.batch && step.to_tell.empty()) {
      clock_.wait_until(changed_, lock, plan_.next_due().value_or(now + kIdleWait), stop);
      continue;
    }
    lock.unlock();
    tell(step.to_tell);
    if (!step.batch) {
      lock.lock();
      continue;
    }
    const WallTime sent_wall = clock_.wall_now();
    const MonotonicTime sent = clock_.monotonic_now();
    Result<Answer> answer = ask(*step.batch, stop);
    const MonotonicTime answered = clock_.monotonic_now();
    const auto failure = answer ? std::nullopt : std::optional(answer.error().code);
    lock.lock();
    const auto apps = plan_.complete(*step.batch, std::move(answer), sent_wall, sent, answered);
    lock.unlock();
    changed_.notify_one();  // A rejected batch's other half, or what waited for a probe.
    if (!stop.stop_requested()) {
      if (observer_.on_query) {
        observer_.on_query(answered - sent, failure, step.batch->entries.size());
      }
      tell(apps);
    }
    lock.lock();
  }
}

Result<Answer> Sampler::ask(const SamplingPlan::Batch& batch, std::stop_token stop) {
  const Result<std::string> body =
      ask_prometheus(transport_, "/api/v1/query",
                     fmt::format("timeout={}ms&query={}", kEvaluationTimeout.count(),
                                 form_encode(batch.query)),
                     std::move(stop));
  if (!body) return tl::unexpected(body.error());
  return parse_answer(*body, batch.is_raw ? kAsWritten : batch.entries.size());
}

void Sampler::tell(const std::vector<api::ObjectKey>& apps) const {
  if (!observer_.on_sample) return;
  for (const api::ObjectKey& app : apps) observer_.on_sample(app);
}

}  // namespace scalableapp::metrics
