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

// What a blocking thread has to do.
struct FamilyRunner::Task {
  HttpRequest request;
  Router::Match match;
  Protection::Place place;
};

FamilyRunner::FamilyRunner(std::vector<std::unique_ptr<RouteFamily>> families, RedisOptions redis, int threads,
                           Protection& protection, Hooks hooks)
    : families_(std::move(families)),
      protection_(protection),
      hooks_(std::move(hooks)),
      pool_(static_cast<std::size_t>(threads), kMaxWaiting) {
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
  auto place = protection_.admit(match.route->priority, instant_now());
  if (!place) return finish({match.path, shed(match.path)});
  // Shared with the pool's task in case that is refused.
  const auto task = std::make_shared<Task>(Task{std::move(request), std::move(match), std::move(*place)});
  const bool is_taken = pool_.try_submit([this, task, finish](std::size_t thread) {
    auto response = run(*task, *connections_[thread]);
    task->place.done(ending_of(response.status), instant_now());
    finish({task->match.path, std::move(response)});
  });
  if (is_taken) return;
  task->place.done(Ending::kDropped, instant_now());
  finish({task->match.path, shed(task->match.path)});
}

HttpResponse FamilyRunner::shed(const std::string& route) {
  hooks_.shed(route);
  return overloaded();
}

HttpResponse FamilyRunner::run(Task& task, RedisConnection& redis) {
  if (protection_.waited_too_long(task.place, instant_now())) return shed(task.match.path);
  auto rate = protection_.check_rate(task.request, redis);
  if (!rate.allowed) {
    auto refused = too_many_requests();
    refused.headers.insert(refused.headers.end(), rate.headers.begin(), rate.headers.end());
    return refused;
  }
  Call call{.request = task.request,
            .tail = task.match.tail,
            .redis = redis,
            .degrade_level = protection_.degrade_level(instant_now())};
  Result<HttpResponse> answered = HttpResponse{};
  const auto begun = hooks_.before_call ? hooks_.before_call() : Result<void>{};
  answered = begun ? task.match.route->serve(call) : tl::unexpected(begun.error());
  HttpResponse response = answered ? std::move(*answered) : response_of(answered.error());
  if (!answered && response.status >= 500) hooks_.failed(answered.error());
  response.headers.insert(response.headers.end(), rate.headers.begin(), rate.headers.end());
  if (call.degrade_level > 0) response.headers.emplace_back("X-Degrade-Level", fmt::format("{}", call.degrade_level));
  return response;
}

std::string FamilyRunner::why_not_ready() const {
  for (const auto& family : families_) {
    if (auto why = family->why_not_ready(); !why.empty()) return why;
  }
  return {};
}

}  // namespace scalableapp::workload
