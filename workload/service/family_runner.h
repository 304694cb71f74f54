// Runs the routes of the families: finds the route, lets the handler run on one of the blocking threads with that
// thread's connection to Redis, and turns what it returns into an answer. What protects the service stands before that.
// Thread-safe; `finish` is called from any thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "workload/common/redis.h"
#include "workload/common/work_pool.h"
#include "workload/protection/protection.h"
#include "workload/service/route.h"
#include "workload/service/router.h"

namespace scalableapp::workload {

// The status and the text that an error of a handler is to the client.
HttpResponse response_of(const Error& error);

class FamilyRunner {
 public:
  struct Hooks {
    std::function<Result<void>()> before_call = {};  // On the blocking thread; its error is the answer.
    std::function<void(const std::string& route)> shed;
    std::function<void(const Error&)> failed;  // Of those errors that are the service's or its dependencies' own.
  };

  // `protection` must outlive it.
  FamilyRunner(std::vector<std::unique_ptr<RouteFamily>> families, RedisOptions redis, int threads,
               Protection& protection, Hooks hooks);

  struct Outcome {
    std::string route = "other";  // As metrics call it.
    HttpResponse response;
  };
  void answer(HttpRequest request, std::function<void(Outcome)> finish);
  std::string why_not_ready() const;

 private:
  struct Task;
  HttpResponse run(Task& task, RedisConnection& redis);
  HttpResponse shed(const std::string& route);

  const std::vector<std::unique_ptr<RouteFamily>> families_;
  Protection& protection_;
  const Hooks hooks_;
  Router router_;
  std::vector<std::unique_ptr<RedisConnection>> connections_;  // Each used by its pool thread only.
  WorkPool pool_;  // Last: its threads use all of the above.
};

}  // namespace scalableapp::workload
