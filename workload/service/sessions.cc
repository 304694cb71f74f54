#include "workload/service/sessions.h"

#include <fmt/format.h>

#include "workload/common/random_id.h"

namespace scalableapp::workload {

Result<std::string> Sessions::create(const std::string& user) {
  const std::string id = random_id();
  return connection_
      .run_twice_at_most({"SET", "session:" + id, user, "EX", fmt::format("{}", ttl_seconds_)})
      .map([&](const RedisReply&) { return id; });
}

Result<std::optional<std::string>> Sessions::find(const std::string& id) {
  return connection_
      .run_twice_at_most({"GETEX", "session:" + id, "EX", fmt::format("{}", ttl_seconds_)})
      .map([](const RedisReply& reply) {
        return reply.is_nil ? std::nullopt : std::optional(reply.text);
      });
}

}  // namespace scalableapp::workload
