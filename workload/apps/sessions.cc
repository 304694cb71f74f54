#include "workload/apps/sessions.h"

#include <fmt/format.h>
#include <prometheus/counter.h>
#include <prometheus/registry.h>

#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>

#include "workload/apps/answer.h"
#include "workload/cache/lru.h"
#include "workload/common/random_id.h"

namespace scalableapp::workload {
namespace {

prometheus::Counter& counter(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
}

// Where the users of sessions are kept. Thread-safe but for the connection, which is the caller's.
class SessionStore {
 public:
  virtual ~SessionStore() = default;
  virtual Result<void> put(const std::string& id, const std::string& user, RedisConnection& redis) = 0;
  // None: not known. Its life starts anew.
  virtual Result<std::optional<std::string>> find(const std::string& id, RedisConnection& redis) = 0;
};

class InRedis final : public SessionStore {
 public:
  explicit InRedis(int ttl_seconds) : ttl_(fmt::format("{}", ttl_seconds)) {}

  Result<void> put(const std::string& id, const std::string& user, RedisConnection& redis) override {
    return redis.run_twice_at_most({"SET", "session:" + id, user, "EX", ttl_}).map([](const RedisReply&) {});
  }
  Result<std::optional<std::string>> find(const std::string& id, RedisConnection& redis) override {
    return redis.run_twice_at_most({"GETEX", "session:" + id, "EX", ttl_}).map([](const RedisReply& reply) {
      return reply.is_nil ? std::nullopt : std::optional(reply.text);
    });
  }

 private:
  const std::string ttl_;
};

// What a stateful service does: a session is where it began and goes with its pod.
class InTheProcess final : public SessionStore {
 public:
  explicit InTheProcess(int ttl_seconds) : ttl_(seconds(ttl_seconds)) {}

  Result<void> put(const std::string& id, const std::string& user, RedisConnection&) override {
    const std::lock_guard lock(mutex_);
    const Instant until = instant_now() + ttl_;
    sessions_.put(id, {user}, until, until);
    return {};
  }
  Result<std::optional<std::string>> find(const std::string& id, RedisConnection&) override {
    const std::lock_guard lock(mutex_);
    const Instant now = instant_now();
    auto found = sessions_.find(id, now);
    if (!found) return std::nullopt;
    sessions_.put(id, found->value, now + ttl_, now + ttl_);
    return found->value.text;
  }

 private:
  const seconds ttl_;
  std::mutex mutex_;  // Guards the next.
  Lru sessions_{16 * 1024 * 1024, 100'000};
};

class Sessions final : public RouteFamily {
 public:
  explicit Sessions(const AppParts& parts)
      : ttl_(fmt::format("{}", parts.session_ttl_seconds)),
        store_(make_store(parts)),
        created_(counter(parts.registry, "sessions_created_total", "Sessions begun.")),
        verified_(counter(parts.registry, "sessions_verified_total", "Sessions found.")),
        unknown_(counter(parts.registry, "sessions_unknown_total",
                         "Session ids that are not known.")) {}

  std::vector<Route> routes() override {
    return {{"POST", "/login", Priority::kCritical, [this](Call& call) { return log_in(call); }},
            {"GET", "/session", Priority::kNormal, [this](Call& call) { return show(call); }}};
  }

 private:
  static std::unique_ptr<SessionStore> make_store(const AppParts& parts) {
    if (parts.keeps_sessions_itself) return std::make_unique<InTheProcess>(parts.session_ttl_seconds);
    return std::make_unique<InRedis>(parts.session_ttl_seconds);
  }

  Result<HttpResponse> log_in(Call& call) {
    const auto user = call.request.query.find("user");
    const std::string name = user == call.request.query.end() ? "anonymous" : user->second;
    if (name.empty() || name.size() > 64) {
      return fail(ErrorCode::kInvalid, "user must have 1 to 64 characters");
    }
    return create(call, name);
  }

  Result<HttpResponse> show(Call& call) {
    std::string id(call.request.header("X-Session"));
    if (id.empty()) id = call.request.cookie("session");
    if (id.empty()) return create(call, "anonymous");
    const auto user = store_->find(id, call.redis);
    if (!user) return tl::unexpected(user.error());
    if (!*user) {
      unknown_.Increment();
      return fail(ErrorCode::kUnauthorized, "no such session");
    }
    verified_.Increment();
    return json_answer(200, {{"user", **user}});
  }

  Result<HttpResponse> create(Call& call, const std::string& user) {
    const std::string id = random_id();
    if (auto put = store_->put(id, user, call.redis); !put) return tl::unexpected(put.error());
    created_.Increment();
    auto response = json_answer(200, {{"session", id}, {"user", user}});
    response.headers.emplace_back(
        "Set-Cookie",
        fmt::format("session={}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax", id, ttl_));
    return response;
  }

  const std::string ttl_;
  const std::unique_ptr<SessionStore> store_;
  prometheus::Counter& created_;
  prometheus::Counter& verified_;
  prometheus::Counter& unknown_;
};

}  // namespace

std::unique_ptr<RouteFamily> make_sessions(const AppParts& parts) {
  return std::make_unique<Sessions>(parts);
}

}  // namespace scalableapp::workload
