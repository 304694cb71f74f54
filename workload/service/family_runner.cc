#include "workload/service/family_runner.h"

#include <fmt/format.h>

#include <algorithm>

namespace scalableapp::workload {
namespace {

// Requests that wait for a blocking thread; with time-outs of half a second, a dependency that hangs fills this and the
// rest is shed at once.
constexpr std::size_t kMaxWaiting = 256;

int status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalid:
    case ErrorCode::kDecode: return 400;
    case ErrorCode::kUnauthorized: return 401;
    case ErrorCode::kForbidden: return 403;
    case ErrorCode::kNotFound: return 404;
    case ErrorCode::kAlreadyExists:
    case ErrorCode::kConflict: return 409;
    case ErrorCode::kTooManyRequests: return 429;
    case ErrorCode::kUnavailable:
    case ErrorCode::kTimeout:
    case ErrorCode::kCancelled: return 503;
    case ErrorCode::kGone:
    case ErrorCode::kInternal: return 500;
  }
  return 500;
}

}  // namespace

HttpResponse response_of(const Error& error) {
  const int status = status_of(error.code);
  // Whoever calls has no use for the addresses of what is behind the service; the log has them.
  auto response = error_response(status, status == 503   ? "a dependency does not answer"
                                         : status == 500 ? "internal error"
                                                         : error.message);
  if (status == 503 || status == 429) {
    const auto wait = error.retry_after.value_or(seconds(1));
    response.headers.emplace_back(
        "Retry-After", fmt::format("{}", std::max<long long>(1, std::chrono::ceil<seconds>(wait).count())));
  }
  return response;
}

FamilyRunner::FamilyRunner(std::vector<std::unique_ptr<RouteFamily>> families, RedisOptions redis, int threads,
                           Events events)
    : families_(std::move(families)), events_(std::move(events)), pool_(static_cast<std::size_t>(threads), kMaxWaiting) {
  for (const auto& family : families_) router_.add(family->routes());
  for (int index = 0; index < threads; ++index) {
    connections_.push_back(std::make_unique<RedisConnection>(redis));
  }
}

void FamilyRunner::answer(HttpRequest request, std::function<void(Outcome)> finish) {
  auto match = router_.find(request.method, request.path);
  if (match.route == nullptr) {
    if (match.path.empty()) return finish({.response = error_response(404, "no such route")});
    auto refused = error_response(405, fmt::format("use {}", match.allowed));
    refused.headers.emplace_back("Allow", match.allowed);
    return finish({match.path, std::move(refused)});
  }
  // Both outlive the task: they are shared with it in case it is refused.
  const auto shared = std::make_shared<std::pair<HttpRequest, Router::Match>>(std::move(request), std::move(match));
  const bool is_taken = pool_.try_submit([this, shared, finish](std::size_t thread) {
    auto& [taken, found] = *shared;
    Call call{.request = taken, .tail = found.tail, .redis = *connections_[thread]};
    auto response = found.route->serve(call);
    if (response) return finish({found.path, std::move(*response)});
    auto refused = response_of(response.error());
    if (refused.status >= 500) events_.failed(response.error());
    finish({found.path, std::move(refused)});
  });
  if (is_taken) return;
  events_.shed(shared->second.path);
  finish({shared->second.path, response_of({ErrorCode::kUnavailable, "overloaded", {}})});
}

std::string FamilyRunner::why_not_ready() const {
  for (const auto& family : families_) {
    if (auto why = family->why_not_ready(); !why.empty()) return why;
  }
  return {};
}

}  // namespace scalableapp::workload
