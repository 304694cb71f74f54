#include "workload/apps/recommender.h"

#include <fmt/format.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <thread>

#include "workload/apps/answer.h"
#include "workload/apps/query.h"
#include "workload/common/burn.h"
#include "workload/common/instant.h"
#include "workload/protection/dependency.h"

namespace scalableapp::workload {
namespace {

class Recommendations final : public RouteFamily {
 public:
  explicit Recommendations(const AppParts& parts) : recommender_(*parts.recommender) {}

  std::vector<Route> routes() override {
    return {{"GET", "/recommendations", Priority::kNormal, [this](Call& call) { return recommend(call); }}};
  }

 private:
  Result<HttpResponse> recommend(Call& call) {
    const auto user = user_of(call.request);
    if (!user) return tl::unexpected(user.error());
    return recommender_.place_for(*user).map([](std::size_t place) { return json_answer(200, {{"place", place}}); });
  }

  Recommender& recommender_;
};

// Query values are the client's; whatever could mean something in a URL is written as its code.
std::string percent_encoded(const std::string& text) {
  std::string encoded;
  for (const char byte : text) {
    const bool is_plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9');
    encoded += is_plain ? std::string(1, byte) : fmt::format("%{:02X}", static_cast<unsigned char>(byte));
  }
  return encoded;
}

}  // namespace

Recommender::Recommender(HostPort server, milliseconds timeout, Dependency& dependency)
    : server_(std::move(server)), timeout_(timeout), dependency_(&dependency) {}
Recommender::~Recommender() = default;

Result<std::size_t> Recommender::place_for(const std::string& user) {
  if (dependency_ != nullptr) return dependency_->call(Retry::kAllowed, [&] { return ask(user); });
  if (cost_.cpu_ms > 0) burn_cpu(cost_.cpu_ms);
  if (cost_.wait_ms > 0) std::this_thread::sleep_for(to_duration(cost_.wait_ms / 1000));
  return std::hash<std::string>{}(user) % 1000;
}

Result<std::size_t> Recommender::ask(const std::string& user) {
  std::unique_ptr<HttpClient> client;
  {
    const std::lock_guard lock(mutex_);
    if (!clients_.empty()) {
      client = std::move(clients_.back());
      clients_.pop_back();
    }
  }
  if (client == nullptr) client = std::make_unique<HttpClient>(server_);
  const auto answer = client->ask("GET", "/recommendations?user=" + percent_encoded(user), "", timeout_);
  {
    const std::lock_guard lock(mutex_);
    clients_.push_back(std::move(client));
  }
  if (!answer) return tl::unexpected(answer.error());
  if (answer->status >= 500) return fail(ErrorCode::kUnavailable, fmt::format("recommendations: {}", answer->status));
  const auto body = nlohmann::json::parse(answer->body, nullptr, false);
  if (answer->status != 200 || !body.is_object() || !body.contains("place") || !body["place"].is_number_unsigned()) {
    return fail(ErrorCode::kDecode, fmt::format("recommendations: status {}, no place", answer->status));
  }
  return body["place"].get<std::size_t>();
}

std::unique_ptr<RouteFamily> make_recommendations(const AppParts& parts) {
  return std::make_unique<Recommendations>(parts);
}

}  // namespace scalableapp::workload
