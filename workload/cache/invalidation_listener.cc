#include "workload/cache/invalidation_listener.h"

#include <utility>

#include "operator/platform/clock.h"
#include "workload/cache/redis_tier.h"

namespace scalableapp::workload {
namespace {

constexpr milliseconds kPoll{100};  // How soon it sees that it is to stop.
constexpr seconds kPingAfter{1};
constexpr seconds kLostAfter{3};
constexpr milliseconds kRetryAfter{100};

}  // namespace

InvalidationListener::InvalidationListener(RedisOptions server, Events events)
    : server_(std::move(server)), events_(std::move(events)), thread_([this](const std::stop_token& stop) {
        run(stop);
      }) {}

InvalidationListener::~InvalidationListener() = default;

void InvalidationListener::run(const std::stop_token& stop) {
  SystemClock clock;
  Random random;
  do {
    RedisConnection connection(server_);
    if (!connection.run_once({{"SUBSCRIBE", kInvalidationChannel}})) continue;
    events_.subscribed();
    if (const auto heard = listen(connection, stop); !heard) events_.lost(heard.error());
  } while (sleep_for(clock, kRetryAfter + milliseconds(static_cast<int>(100 * random.uniform())), stop));
}

Result<void> InvalidationListener::listen(RedisConnection& connection, const std::stop_token& stop) {
  Instant heard_at = instant_now();
  Instant pinged_at = heard_at;
  while (!stop.stop_requested()) {
    const auto received = connection.receive(kPoll);
    if (!received) return tl::unexpected(received.error());
    const Instant now = instant_now();
    if (received->has_value()) {
      heard_at = now;
      const auto& parts = (*received)->items;  // "message", channel, key; or "pong" and nothing.
      if (parts.size() == 3 && parts[0].text == "message") events_.invalidated(parts[2].text);
    } else if (now >= heard_at + kLostAfter) {
      return fail(ErrorCode::kTimeout, "redis: the subscription is silent");
    } else if (now >= std::max(heard_at, pinged_at) + kPingAfter) {
      pinged_at = now;
      if (auto sent = connection.send({"PING"}); !sent) return tl::unexpected(sent.error());
    }
  }
  return {};
}

}  // namespace scalableapp::workload
