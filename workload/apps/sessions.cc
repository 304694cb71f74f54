#include "workload/apps/sessions.h"

#include <fmt/format.h>
#include <prometheus/counter.h>
#include <prometheus/registry.h>

#include <nlohmann/json.hpp>

#include "workload/apps/answer.h"
#include "workload/common/random_id.h"

namespace scalableapp::workload {
namespace {

prometheus::Counter& counter(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
}

class Sessions final : public RouteFamily {
 public:
  explicit Sessions(const AppParts& parts)
      : ttl_(fmt::format("{}", parts.session_ttl_seconds)),
        created_(counter(parts.registry, "sessions_created_total", "Sessions written to Redis.")),
        verified_(counter(parts.registry, "sessions_verified_total", "Sessions found in Redis.")),
        unknown_(counter(parts.registry, "sessions_unknown_total",
                         "Session ids that Redis did not know.")) {}

  std::vector<Route> routes() override {
    return {{"POST", "/login", Priority::kCritical, [this](Call& call) { return log_in(call); }},
            {"GET", "/session", Priority::kNormal, [this](Call& call) { return show(call); }}};
  }

 private:
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
    const auto user = call.redis.run_twice_at_most({"GETEX", "session:" + id, "EX", ttl_});
    if (!user) return tl::unexpected(user.error());
    if (user->is_nil) {
      unknown_.Increment();
      return fail(ErrorCode::kUnauthorized, "no such session");
    }
    verified_.Increment();
    return json_answer(200, {{"user", user->text}});
  }

  Result<HttpResponse> create(Call& call, const std::string& user) {
    const std::string id = random_id();
    const auto set = call.redis.run_twice_at_most({"SET", "session:" + id, user, "EX", ttl_});
    if (!set) return tl::unexpected(set.error());
    created_.Increment();
    auto response = json_answer(200, {{"session", id}, {"user", user}});
    response.headers.emplace_back(
        "Set-Cookie",
        fmt::format("session={}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax", id, ttl_));
    return response;
  }

  const std::string ttl_;
  prometheus::Counter& created_;
  prometheus::Counter& verified_;
  prometheus::Counter& unknown_;
};

}  // namespace

std::unique_ptr<RouteFamily> make_sessions(const AppParts& parts) {
  return std::make_unique<Sessions>(parts);
}

}  // namespace scalableapp::workload
