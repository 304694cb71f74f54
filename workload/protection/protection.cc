#include "workload/protection/protection.h"

#include <map>
#include <mutex>

#include "operator/platform/log.h"
#include "workload/protection/degrade_level.h"
#include "workload/protection/dependency.h"
#include "workload/protection/protection_metrics.h"
#include "workload/protection/token_bucket.h"

namespace scalableapp::workload {
namespace {

RateLimit rate_limit_of(const ProtectionOptions& options) {
  return {options.rate_limit,
          options.rate_limit_burst > 0 ? options.rate_limit_burst : std::max(1.0, 2 * options.rate_limit)};
}

}  // namespace

struct Protection::Parts {
  Parts(const ProtectionOptions& given, prometheus::Registry& registry)
      : options(given),
        rate_limit(rate_limit_of(given)),
        metrics(registry),
        limit({.min = given.adaptive_limit_min, .max = given.adaptive_limit_max}),
        degrade_level(
            given.brownout ? given.degrade_level_file : "", [this](int level) { metrics.degrade_level_is(level); },
            [this] { metrics.degrade_level_unreadable(); }) {
    if (options.adaptive_limit) metrics.limit_is(limit.limit());
  }

  const ProtectionOptions options;
  const RateLimit rate_limit;
  ProtectionMetrics metrics;
  ConcurrencyLimit limit;
  DegradeLevel degrade_level;
  std::mutex mutex;  // Guards the rest.
  std::map<std::string, std::unique_ptr<Dependency>> dependencies;
  Instant next_log{};
};

Protection::Protection(const ProtectionOptions& options, prometheus::Registry& registry)
    : parts_(std::make_unique<Parts>(options, registry)) {}
Protection::~Protection() = default;

std::optional<Protection::Place> Protection::admit(Priority priority, Instant now) {
  if (!parts_->options.adaptive_limit) return Place(*this, {now, false});
  const auto place = parts_->limit.try_acquire(priority, now);
  if (place) return Place(*this, *place);
  parts_->metrics.shed(priority);
  return std::nullopt;
}

Protection::Place::~Place() { done(Ending::kFailed, instant_now()); }

void Protection::Place::done(Ending outcome, Instant now) {
  Protection* const owner = std::exchange(owner_, nullptr);
  if (owner == nullptr || !owner->parts_->options.adaptive_limit) return;
  owner->parts_->metrics.limit_is(owner->parts_->limit.release(place_, outcome, now));
}

bool Protection::waited_too_long(const Place& place, Instant now) {
  const auto most = parts_->options.max_wait;
  if (most == milliseconds(0) || now - place.began() <= most) return false;
  parts_->metrics.waited_too_long();
  return true;
}

Protection::Rate Protection::check_rate(const HttpRequest& request, RedisConnection& redis) {
  if (parts_->options.rate_limit <= 0) return {};
  const auto verdict = take_token(redis, client_of(request), parts_->rate_limit);
  if (verdict) {
    if (!verdict->allowed) parts_->metrics.rate_limited();
    return {verdict->allowed, rate_limit_headers(*verdict, parts_->rate_limit)};
  }
  parts_->metrics.rate_limit_unknown();
  const std::lock_guard lock(parts_->mutex);
  const Instant now = instant_now();
  if (now >= parts_->next_log) {
    parts_->next_log = now + seconds(5);
    log_warn("rate limit off: redis does not answer", {{"error", verdict.error()}});
  }
  return {};
}

int Protection::degrade_level(Instant now) { return parts_->degrade_level.at(now); }

Dependency& Protection::dependency(const std::string& name) {
  const std::lock_guard lock(parts_->mutex);
  auto& found = parts_->dependencies[name];
  if (found == nullptr) {
    found = std::make_unique<Dependency>(name, parts_->options.circuit_breakers, parts_->options.retry_budget,
                                         parts_->metrics);
  }
  return *found;
}

Ending ending_of(int status) { return status < 400 ? Ending::kServed : Ending::kFailed; }

HttpResponse overloaded() {
  auto response = error_response(503, "overloaded");
  response.headers.emplace_back("Retry-After", "1");
  return response;
}

HttpResponse too_many_requests() {
  return error_response(429, "too many requests of this client; Retry-After says when there is room again");
}

}  // namespace scalableapp::workload
