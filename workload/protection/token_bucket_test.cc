#include "workload/protection/token_bucket.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "workload/testing/eventually.h"
#include "workload/testing/process.h"

namespace scalableapp::workload {
namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

HttpRequest request_with(Headers headers) {
  HttpRequest request;
  request.headers = std::move(headers);
  request.peer = "10.0.0.9";
  return request;
}

TEST(ClientOf, TakesTheMostTellingIdThatThereIs) {
  const Headers all = {{"X-Forwarded-For", "1.1.1.1, 2.2.2.2"}, {"Cookie", "a=b; session=s1"}, {"x-client-id", "me"}};
  const auto client = client_of(request_with(all));
  EXPECT_EQ(client, client_of(request_with({{"X-Client-Id", "me"}})));
  const auto session = client_of(request_with({all[0], all[1]}));
  EXPECT_EQ(session, client_of(request_with({{"X-Session", "s1"}})));
  const auto hop = client_of(request_with({all[0]}));
  EXPECT_EQ(hop, client_of(request_with({{"X-Forwarded-For", "6.6.6.6"}, {"X-Forwarded-For", "9.9.9.9 ,2.2.2.2 "}})));
  EXPECT_NE(hop, client_of(request_with({{"X-Forwarded-For", "2.2.2.2, 1.1.1.1"}})));
  EXPECT_EQ(client_of(request_with({{"X-Forwarded-For", " , "}})), client_of(request_with({})));
  EXPECT_NE(client_of(request_with({{"X-Client-Id", "s1"}})), session);
}

TEST(ClientOf, HasALengthThatNoClientChooses) {
  EXPECT_EQ(client_of(request_with({{"X-Client-Id", std::string(7000, 'x')}})).size(), 17U);
  EXPECT_EQ(client_of(request_with({{"X-Client-Id", std::string("\0\r\n", 3)}})).size(), 17U);
}

TEST(RateLimitHeaders, SayWhatIsLeftAndWhenToComeBack) {
  const RateLimit limit{.per_second = 2, .burst = 10};
  EXPECT_EQ(rate_limit_headers({.allowed = true, .remaining = 6.9, .full_after_seconds = 1.55}, limit),
            (Headers{{"RateLimit-Limit", "10"},
                     {"RateLimit-Remaining", "6"},
                     {"RateLimit-Reset", "2"},
                     {"RateLimit-Policy", "\"client\";q=10;w=5"},
                     {"RateLimit", "\"client\";r=6;t=2"}}));
  const auto refused = rate_limit_headers(
      {.allowed = false, .remaining = 0.4, .full_after_seconds = 4.8, .retry_after_seconds = 0.3}, limit);
  EXPECT_EQ(refused[1].second, "0");
  EXPECT_EQ(refused.back(), (std::pair<std::string, std::string>("Retry-After", "1")));
}

class TokenBucket : public ::testing::Test {
 protected:
  void SetUp() override {
    server_ = RedisServer::start();
    if (server_ == nullptr) GTEST_SKIP() << "no redis-server on PATH";
    redis_ = connect();
  }
  std::unique_ptr<RedisConnection> connect() const {
    return std::make_unique<RedisConnection>(
        RedisOptions{.server = {"127.0.0.1", server_->port()}, .command_timeout = seconds(5)});
  }
  TokenVerdict take(const RateLimit& limit, const std::string& client = "a") {
    return take_token(*redis_, client, limit).value();
  }
  double redis_seconds() {
    const auto time = redis_->run_once({{"TIME"}}).value();
    return std::stod(time.items[0].text) + std::stod(time.items[1].text) * 1e-6;
  }

  std::unique_ptr<RedisServer> server_;
  std::unique_ptr<RedisConnection> redis_;
};

// So slow that nothing comes back within a test.
constexpr RateLimit kOnce{.per_second = 0.01, .burst = 5};

TEST_F(TokenBucket, GivesItsBurstThenRefuses) {
  for (int left = 4; left >= 0; --left) {
    const auto verdict = take(kOnce);
    EXPECT_TRUE(verdict.allowed);
    EXPECT_NEAR(verdict.remaining, left, 0.1);
    EXPECT_NEAR(verdict.full_after_seconds, 100.0 * (5 - left), 20);
  }
  const auto refused = take(kOnce);
  EXPECT_FALSE(refused.allowed);
  EXPECT_NEAR(refused.retry_after_seconds, 100, 20);
  EXPECT_NEAR(refused.full_after_seconds, 500, 20);
}

TEST_F(TokenBucket, IsEachClientsOwn) {
  while (take(kOnce, "greedy").allowed) continue;
  EXPECT_TRUE(take(kOnce, "modest").allowed);
}

TEST_F(TokenBucket, RefillsAtItsRateUpToItsBurst) {
  const RateLimit limit{.per_second = 200, .burst = 20};
  const double began = redis_seconds();
  int allowed = 0;
  double ended = began;
  while (ended < began + 0.5) {
    if (take(limit).allowed) ++allowed;
    ended = redis_seconds();
  }
  const double most = limit.burst + limit.per_second * (ended - began);
  EXPECT_LE(allowed, most + 1);
  EXPECT_GE(allowed, most * 0.8);
}

TEST_F(TokenBucket, ExpiresWhenItIsFullAgain) {
  const RateLimit fast{.per_second = 100, .burst = 10};
  take(fast, "idle");
  EXPECT_TRUE(eventually([&] { return redis_->run_once({{"DBSIZE"}}).value().integer == 0; }));
  take(kOnce, "a");
  const auto life = redis_->run_once({{"PTTL", "rate:a"}}).value().integer;
  EXPECT_GT(life, 90'000);
  EXPECT_LE(life, 100'001);
}

TEST_F(TokenBucket, HealsWhenTheLimitWasRaisedOrTheKeyIsFromAnotherTime) {
  while (take(kOnce).allowed) continue;
  const RateLimit raised{.per_second = 1000, .burst = 5};
  EXPECT_TRUE(eventually([&] { return take(raised).allowed; }));
}

TEST_F(TokenBucket, IsOneForTwoProcesses) {
  const RateLimit limit{.per_second = 0.01, .burst = 60};
  const auto take_all = [&] {
    const auto redis = connect();
    int taken = 0;
    while (take_token(*redis, "shared", limit).value().allowed) ++taken;
    return taken;
  };
  const pid_t child = fork();
  if (child == 0) _exit(take_all());
  const int here = take_all();
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(here + WEXITSTATUS(status), 60);
}

TEST_F(TokenBucket, AnswersWithAnErrorWhenRedisIsDown) {
  server_->stop();
  EXPECT_FALSE(take_token(*redis_, "a", kOnce));
}

}  // namespace
}  // namespace scalableapp::workload
