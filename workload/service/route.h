// What a family of routes (workload/apps/) is to the service: a table of paths and handlers. The service does the rest:
// parsing, admission, threads, degrade level, metrics, errors. Handlers run on one of its blocking threads and may wait
// for Redis and the database.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "operator/base/result.h"
#include "workload/common/http_server.h"
#include "workload/common/redis.h"

namespace scalableapp::workload {

// What an overloaded service gives up first, and last.
enum class Priority { kOptional, kNormal, kCritical };

// What one call may use; valid for its duration.
struct Call {
  const HttpRequest& request;
  std::string tail;        // What "*" of the route's path stood for, percent-decoded.
  RedisConnection& redis;  // The thread's own.
  int degrade_level = 0;   // 0: do everything. 1: leave optional work out. 2: the core answer only.
};

struct Route {
  std::string method;
  std::string path;  // "/items" or "/items/*"; one "*" at the end at most.
  Priority priority = Priority::kNormal;
  // An error becomes a status: kInvalid and kDecode 400, kUnauthorized 401, kForbidden 403, kNotFound 404, kAlreadyExists
  // and kConflict 409, kTooManyRequests 429, kUnavailable and kTimeout 503, else 500; retry_after the header Retry-After.
  std::function<Result<HttpResponse>(Call&)> serve;
};

class RouteFamily {
 public:
  virtual ~RouteFamily() = default;
  virtual std::vector<Route> routes() = 0;
  // Why the pod must not take traffic yet; empty: it may. Asked by the readiness probe, from any thread; must not block.
  virtual std::string why_not_ready() const { return {}; }
};

}  // namespace scalableapp::workload
