// The thread that hears which keys were written, over a connection of its own. A connection that says nothing, not even
// to a PING, is a lost one: after three seconds at most its owner knows that it may have missed something.
#pragma once

#include <functional>
#include <string>
#include <thread>

#include "workload/common/redis.h"

namespace scalableapp::workload {

class InvalidationListener {
 public:
  // Called from its thread; must not block.
  struct Events {
    std::function<void()> subscribed;  // What comes after this moment will be heard of.
    std::function<void(const Error&)> lost;
    std::function<void(const std::string& key)> invalidated;
  };

  InvalidationListener(RedisOptions server, Events events);
  // Returns when the thread has ended, which takes a tenth of a second, or a connection's time-out.
  ~InvalidationListener();

 private:
  void run(const std::stop_token& stop);
  Result<void> listen(RedisConnection& connection, const std::stop_token& stop);

  const RedisOptions server_;
  const Events events_;
  std::jthread thread_;
};

}  // namespace scalableapp::workload
