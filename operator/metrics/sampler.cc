#include "operator/metrics/sampler.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "operator/metrics/prometheus_answer.h"

namespace scalableapp::metrics {
namespace {

constexpr milliseconds kIdleWait{60'000};  // Nothing to ask: woken by subscribe.

std::string form_encode(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size() * 3 / 2);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
        c == '-' || c == '.') {
      out += c;
    } else if (c == ' ') {
      out += '+';
    } else {
      out += '%';
      out += kHex[byte >> 4U];
      out += kHex[byte & 15U];
    }
  }
  return out;
}

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
  const kube::HttpRequest request{
      .method = "POST",
      .path_and_query = "/api/v1/query",
      .content_type = "application/x-www-form-urlencoded",
      .body = fmt::format("timeout={}ms&query={}", kEvaluationTimeout.count(),
                          form_encode(batch.query))};
  Result<kube::HttpResponse> response = transport_.send(request, std::move(stop));
  if (!response) {
    Error error = std::move(response.error());
    // Of a transport these are about the source, not about a query: its address, its silence. An
    // answer that is too long is the fault of what was asked.
    if (error.code == ErrorCode::kInvalid || error.code == ErrorCode::kTimeout) {
      error.code = ErrorCode::kUnavailable;
    } else if (error.code == ErrorCode::kDecode) {
      error.code = ErrorCode::kInvalid;
    }
    if (error.code != ErrorCode::kCancelled) error.message = "Prometheus: " + error.message;
    return tl::unexpected(std::move(error));
  }
  if (!response->ok()) {
    Error error = parse_failure(response->status, response->body);
    error.retry_after = response->retry_after;
    return tl::unexpected(std::move(error));
  }
  return parse_answer(response->body, batch.is_raw ? kAsWritten : batch.entries.size());
}

void Sampler::tell(const std::vector<api::ObjectKey>& apps) const {
  if (!observer_.on_sample) return;
  for (const api::ObjectKey& app : apps) observer_.on_sample(app);
}

}  // namespace scalableapp::metrics
