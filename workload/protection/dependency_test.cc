#include "workload/protection/dependency.h"

#include <gtest/gtest.h>

#include "workload/common/metrics_page.h"
#include "workload/protection/protection_metrics.h"

namespace scalableapp::workload {
namespace {

// How often an outage of `calls` calls is tried.
int tries_in_an_outage(double share, int calls) {
  RetryBudget budget(share);
  int tries = 0;
  for (int count = 0; count < calls; ++count) {
    budget.call_made();
    ++tries;
    for (int retry = 1; retry < Dependency::kMostTries && budget.try_retry(); ++retry) ++tries;
  }
  return tries;
}

TEST(RetryBudget, AnOutageIsNotMultipliedByTheNumberOfTries) {
  EXPECT_EQ(tries_in_an_outage(0, 1000), 1000);
  EXPECT_LE(tries_in_an_outage(0.1, 1000), 1000 + 100 + 10);
  EXPECT_GE(tries_in_an_outage(0.1, 1000), 1000 + 100);
  EXPECT_GE(tries_in_an_outage(1, 1000), 2000);  // The budget off: a storm.
}

TEST(RetryBudget, ABlipIsRetriedAwayAndAQuietHourPaysForNoStorm) {
  RetryBudget budget(0.1);
  for (int count = 0; count < 100'000; ++count) budget.call_made();
  int retries = 0;
  while (budget.try_retry()) ++retries;
  EXPECT_EQ(retries, RetryBudget::kMostSaved);
}

TEST(RetryPause, DoublesUpToItsCapLessItsJitter) {
  EXPECT_EQ(retry_pause(1, 0), milliseconds(25));
  EXPECT_EQ(retry_pause(2, 0), milliseconds(50));
  EXPECT_EQ(retry_pause(100, 0), milliseconds(500));
  EXPECT_EQ(retry_pause(2, 0.5), milliseconds(25));
}

class DependencyTest : public ::testing::Test {
 protected:
  // A dependency that answers with these in turn, then with success.
  Result<int> answer() {
    ++calls_;
    if (errors_.empty()) return 7;
    const auto code = errors_.front();
    errors_.erase(errors_.begin());
    return fail(code, "scripted");
  }
  Result<int> call(Dependency& dependency, Retry retry) {
    return dependency.call(retry, [this] { return answer(); });
  }
  bool page_has(const std::string& line) const { return page_.render().find(line + "\n") != std::string::npos; }

  MetricsPage page_;
  ProtectionMetrics metrics_{page_.registry()};
  std::vector<ErrorCode> errors_;
  int calls_ = 0;
};

TEST_F(DependencyTest, ABlipIsRetriedIfTheCallMayBeMadeTwice) {
  Dependency dependency("shop", true, 0.1, metrics_);
  errors_ = {ErrorCode::kUnavailable, ErrorCode::kTimeout};
  EXPECT_EQ(call(dependency, Retry::kAllowed).value(), 7);
  EXPECT_EQ(calls_, 3);
  EXPECT_TRUE(page_has("retries_total{dependency=\"shop\"} 2"));

  errors_ = {ErrorCode::kUnavailable};
  EXPECT_FALSE(call(dependency, Retry::kNever));
  EXPECT_EQ(calls_, 4);
}

TEST_F(DependencyTest, ErrorsThatAreAnswersAreNeitherRetriedNorFailures) {
  Dependency dependency("shop", true, 0.1, metrics_);
  errors_ = std::vector<ErrorCode>(50, ErrorCode::kNotFound);
  for (int count = 0; count < 50; ++count) {
    EXPECT_EQ(call(dependency, Retry::kAllowed).error().code, ErrorCode::kNotFound);
  }
  EXPECT_EQ(calls_, 50);
  EXPECT_EQ(dependency.state(), CircuitBreaker::State::kClosed);
}

TEST_F(DependencyTest, WhenItsBudgetIsSpentACallIsTriedOnce) {
  Dependency dependency("shop", true, 0, metrics_);
  errors_ = {ErrorCode::kUnavailable};
  EXPECT_FALSE(call(dependency, Retry::kAllowed));
  EXPECT_EQ(calls_, 1);
  EXPECT_TRUE(page_has("retry_budget_exhausted_total{dependency=\"shop\"} 1"));
}

TEST_F(DependencyTest, AnOpenCircuitAnswersWithoutACallAndSaysWhenToTryAgain) {
  Dependency dependency("shop", true, 0, metrics_);
  EXPECT_TRUE(page_has("circuit_breaker_state{dependency=\"shop\"} 0"));
  errors_ = std::vector<ErrorCode>(100, ErrorCode::kUnavailable);
  for (int count = 0; count < 20; ++count) call(dependency, Retry::kNever);
  EXPECT_EQ(calls_, 10);
  const auto refused = call(dependency, Retry::kNever);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_GT(refused.error().retry_after.value(), milliseconds(0));
  EXPECT_TRUE(page_has("circuit_breaker_state{dependency=\"shop\"} 2"));
  EXPECT_TRUE(page_has("circuit_breaker_transitions_total{dependency=\"shop\",to=\"open\"} 1"));
  EXPECT_TRUE(page_has("circuit_breaker_refused_total{dependency=\"shop\"} 11"));
}

TEST_F(DependencyTest, WithItsBreakerOffEveryCallIsMade) {
  Dependency dependency("shop", false, 0, metrics_);
  errors_ = std::vector<ErrorCode>(20, ErrorCode::kUnavailable);
  for (int count = 0; count < 20; ++count) call(dependency, Retry::kNever);
  EXPECT_EQ(calls_, 20);
}

}  // namespace
}  // namespace scalableapp::workload
