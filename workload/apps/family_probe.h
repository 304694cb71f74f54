// One family of routes as a pod has it, without the HTTP around it, for tests. One thread.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "workload/service/route.h"

namespace scalableapp::workload {

class FamilyProbe {
 public:
  FamilyProbe(std::unique_ptr<RouteFamily> family, int redis_port)
      : family_(std::move(family)),
        routes_(family_->routes()),
        redis_({.server = {"127.0.0.1", redis_port}}) {}

  // `path` is that of the route; the request's query and body are taken from `request`.
  Result<HttpResponse> ask(const std::string& method, const std::string& path, const std::string& tail,
                           HttpRequest request = {}, int degrade_level = 0) {
    request.method = method;
    for (const auto& route : routes_) {
      if (route.method != method || route.path != path) continue;
      Call call{.request = request, .tail = tail, .redis = redis_, .degrade_level = degrade_level};
      return route.serve(call);
    }
    return fail(ErrorCode::kInternal, "the family has no route " + method + " " + path);
  }
  RedisConnection& redis() { return redis_; }

 private:
  std::unique_ptr<RouteFamily> family_;
  std::vector<Route> routes_;
  RedisConnection redis_;
};

inline std::string header_of(const HttpResponse& response, const std::string& name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return {};
}

}  // namespace scalableapp::workload
