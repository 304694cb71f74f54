#include "workload/apps/recommender.h"

#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include "workload/common/http_server.h"
#include "workload/common/instant.h"
#include "workload/protection/dependency.h"
#include "workload/protection/protection_metrics.h"

namespace scalableapp::workload {
namespace {

// Takes every question and answers none.
struct HangingServer {
  std::mutex mutex;  // Guards the next.
  std::vector<Respond> kept;
  std::unique_ptr<HttpServer> server =
      HttpServer::start({.address = "127.0.0.1"}, [this](const HttpRequest&, Respond respond) {
        const std::lock_guard lock(mutex);
        kept.push_back(std::move(respond));
      }).value();
};

std::size_t asked_of_a_hanging_one(bool with_breaker) {
  HangingServer hanging;
  prometheus::Registry registry;
  ProtectionMetrics metrics(registry);
  Dependency dependency("recommendations", with_breaker, 0, metrics);
  Recommender recommender({"127.0.0.1", hanging.server->port()}, milliseconds(5), dependency);
  for (int call = 0; call < 60; ++call) EXPECT_FALSE(recommender.place_for("u"));
  const std::lock_guard lock(hanging.mutex);
  const std::size_t asked = hanging.kept.size();
  for (const auto& respond : hanging.kept) respond({503});
  hanging.kept.clear();
  return asked;
}

TEST(Recommender, AServiceThatHangsIsLeftAloneAndOnlyWithABreaker) {
  EXPECT_GT(asked_of_a_hanging_one(false), 50u) << "each held its caller for the whole time-out";
  EXPECT_LT(asked_of_a_hanging_one(true), 20u);
}

TEST(Recommender, AnotherServiceIsAskedWithTheUserAndItsAnswerCounts) {
  std::string path;
  std::string user;
  const auto server = HttpServer::start({.address = "127.0.0.1"}, [&](HttpRequest request, const Respond& respond) {
                        path = request.path;
                        user = request.query["user"];
                        respond({200, R"({"place": 17})"});
                      }).value();
  prometheus::Registry registry;
  ProtectionMetrics metrics(registry);
  Dependency dependency("recommendations", true, 0, metrics);
  Recommender recommender({"127.0.0.1", server->port()}, seconds(5), dependency);
  EXPECT_EQ(recommender.place_for("a&b=c d").value(), 17u);
  EXPECT_EQ(path, "/recommendations");
  EXPECT_EQ(user, "a&b=c d");
}

TEST(Recommender, AnswersThatAreNoneAreErrors) {
  const auto server = HttpServer::start({.address = "127.0.0.1"}, [&](const HttpRequest& request, const Respond& respond) {
                        respond({request.query.at("user") == "down" ? 503 : 200, "[]"});
                      }).value();
  prometheus::Registry registry;
  ProtectionMetrics metrics(registry);
  Dependency dependency("recommendations", false, 0, metrics);
  Recommender recommender({"127.0.0.1", server->port()}, seconds(5), dependency);
  EXPECT_EQ(recommender.place_for("down").error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(recommender.place_for("odd").error().code, ErrorCode::kDecode);
}

}  // namespace
}  // namespace scalableapp::workload
