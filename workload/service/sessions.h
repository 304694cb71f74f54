// Sessions in Redis: any pod can serve any client, and a pod that goes takes none with it. One
// thread.
#pragma once

#include <optional>
#include <string>

#include "workload/common/redis.h"

namespace scalableapp::workload {

class Sessions {
 public:
  Sessions(RedisConnection& connection, int ttl_seconds)
      : connection_(connection), ttl_seconds_(ttl_seconds) {}

  // Returns the new session's id, 128 random bits.
  Result<std::string> create(const std::string& user);
  // The session's user, if there is such a session, whose life starts anew.
  Result<std::optional<std::string>> find(const std::string& id);

 private:
  RedisConnection& connection_;
  const int ttl_seconds_;
};

}  // namespace scalableapp::workload
