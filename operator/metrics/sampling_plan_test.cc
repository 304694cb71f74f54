#include "operator/metrics/sampling_plan.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace scalableapp::metrics {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr WallTime kWall{seconds(1'800'000'000)};

Error error_of(ErrorCode code, std::string message = "no") {
  return {code, std::move(message), {}};
}

// The plan in a world where every request is answered at once, or after `latency`.
class SamplingPlanTest : public ::testing::Test {
 protected:
  using Responder = std::function<Result<Answer>(const SamplingPlan::Batch&)>;
  struct Request {
    milliseconds at;
    std::size_t queries;
    std::string text;
  };

  static api::ObjectKey app(int i) { return {"ns", fmt::format("app{}", i)}; }
  static Query query(std::string text, milliseconds interval = seconds(2)) {
    return {.id = "m", .text = std::move(text), .interval = interval};
  }
  static Result<Answer> ok(const SamplingPlan::Batch& batch, double value = 1) {
    Answer answer;
    answer.queries.resize(std::max<std::size_t>(batch.entries.size(), 1),
                          std::vector<Sample>{{value, "", false, "{}"}});
    return answer;
  }
  static bool asks(const SamplingPlan::Batch& batch, std::string_view text) {
    return batch.query.find(text) != std::string::npos;
  }

  void subscribe_apps(int count) {
    for (int i = 0; i < count; ++i) plan_.subscribe(app(i), {query(fmt::format("q<{}>", i))}, now_);
  }
  // Lets `duration` pass, answering each request at once with `respond`.
  void run(milliseconds duration, const Responder& respond) {
    const MonotonicTime end = now_ + duration;
    while (true) {
      const SamplingPlan::Step step = plan_.take(now_);
      tell(step.to_tell);
      if (step.batch) {
        requests_.push_back({now_ - start_, step.batch->entries.size(), step.batch->query});
        tell(
            plan_.complete(*step.batch, respond(*step.batch), kWall + (now_ - start_), now_, now_));
      } else if (step.to_tell.empty()) {
        const auto next = plan_.next_due();
        if (!next || *next >= end) break;
        ASSERT_GT(*next, now_) << "due, yet nothing to take";
        now_ = *next;
      }
    }
    now_ = end;
  }
  void run(milliseconds duration) {
    run(duration, [](const auto& batch) { return ok(batch); });
  }
  void tell(const std::vector<api::ObjectKey>& apps) {
    for (const auto& key : apps) ++told_[key];
  }
  std::size_t queries_asked() const {
    std::size_t count = 0;
    for (const auto& request : requests_) count += request.queries;
    return count;
  }
  std::optional<QueryResult> latest(int i) const { return plan_.latest(app(i), "m", now_); }

  const MonotonicTime start_{seconds(1'000)};
  MonotonicTime now_ = start_;
  SamplingPlan plan_{{}};
  std::vector<Request> requests_;
  std::map<api::ObjectKey, int> told_;
};

TEST_F(SamplingPlanTest, NothingIsAskedWithoutSubscribers) {
  EXPECT_FALSE(plan_.next_due());
  plan_.subscribe(app(1), {query("a")}, now_);
  plan_.unsubscribe(app(1));
  EXPECT_FALSE(plan_.next_due());
  EXPECT_FALSE(plan_.latest(app(1), "m", now_));
  EXPECT_FALSE(plan_.take(now_).batch);
}

TEST_F(SamplingPlanTest, ANewQueryIsAskedAtTheNextSlotTogetherWithOthers) {
  now_ += milliseconds(10);
  subscribe_apps(40);
  run(milliseconds(245));
  ASSERT_THAT(requests_, SizeIs(1));
  EXPECT_EQ(requests_[0].at, milliseconds(250));
  EXPECT_EQ(requests_[0].queries, 40U);
}

TEST_F(SamplingPlanTest, FiveHundredAppsAreSpreadOverTheIntervalInFullBatches) {
  subscribe_apps(500);
  run(seconds(2));
  requests_.clear();
  told_.clear();
  run(seconds(20));
  EXPECT_EQ(queries_asked(), 5000U);
  EXPECT_LE(requests_.size(), 200U);  // Ten a second.
  std::map<milliseconds, std::size_t> by_slot;
  for (const auto& request : requests_) by_slot[request.at] += request.queries;
  EXPECT_EQ(by_slot.size(), 80U);
  for (const auto& [at, queries] : by_slot) EXPECT_LT(queries, 100U) << at.count();
  for (const auto& [key, times] : told_) EXPECT_EQ(times, 10) << key.name;
}

TEST_F(SamplingPlanTest, TheSameTextIsAskedOnceAtTheShortestInterval) {
  plan_.subscribe(app(1), {query("a", seconds(4))}, now_);
  plan_.subscribe(app(2), {query("a", seconds(1))}, now_);
  run(seconds(8));
  EXPECT_NEAR(static_cast<double>(requests_.size()), 8, 1);
  EXPECT_THAT(requests_, Each(testing::Field(&Request::queries, 1U)));
  EXPECT_EQ(told_[app(1)], told_[app(2)]);
  plan_.unsubscribe(app(2));
  requests_.clear();
  run(seconds(8));
  EXPECT_NEAR(static_cast<double>(requests_.size()), 2, 1);
  EXPECT_TRUE(latest(1));
  EXPECT_FALSE(latest(2));
}

TEST_F(SamplingPlanTest, ResubscribingKeepsTheAnswersOfQueriesThatStay) {
  plan_.subscribe(app(1), {{.id = "a", .text = "qa"}, {.id = "b", .text = "qb"}}, now_);
  run(seconds(1));
  plan_.subscribe(app(1), {{.id = "a2", .text = "qa"}, {.id = "c", .text = "qc"}}, now_);
  EXPECT_FALSE(plan_.latest(app(1), "a", now_));
  EXPECT_FALSE(plan_.latest(app(1), "b", now_));
  EXPECT_FALSE(plan_.latest(app(1), "c", now_));
  ASSERT_TRUE(plan_.latest(app(1), "a2", now_));
  EXPECT_THAT(plan_.latest(app(1), "a2", now_)->samples, SizeIs(1));
}

TEST_F(SamplingPlanTest, ASlowAnswerIsNotAskedForAgainMeanwhile) {
  plan_.subscribe(app(1), {query("a")}, now_);
  const auto step = plan_.take(now_);
  ASSERT_TRUE(step.batch);
  for (int i = 0; i < 40; ++i) {
    now_ += milliseconds(250);
    EXPECT_FALSE(plan_.take(now_).batch);
  }
  EXPECT_THAT(plan_.complete(*step.batch, ok(*step.batch), kWall, start_, now_),
              ElementsAre(app(1)));
  EXPECT_FALSE(plan_.take(now_).batch) << "missed moments are not made up for";
  EXPECT_EQ(latest(1)->age, seconds(10)) << "an answer is as old as its question";
  EXPECT_EQ(latest(1)->at, kWall);
}

TEST_F(SamplingPlanTest, AnAnswerForAnUnsubscribedQueryIsDropped) {
  plan_.subscribe(app(1), {query("a")}, now_);
  const auto step = plan_.take(now_);
  plan_.unsubscribe(app(1));
  EXPECT_THAT(plan_.complete(*step.batch, ok(*step.batch), kWall, now_, now_), IsEmpty());
  EXPECT_FALSE(plan_.next_due());
}

TEST_F(SamplingPlanTest, OneWrongQueryHarmsNoOtherAndKeepsItsOwnError) {
  subscribe_apps(50);
  const auto respond = [](const SamplingPlan::Batch& batch) -> Result<Answer> {
    if (asks(batch, "q<17>")) return fail(ErrorCode::kInvalid, "1:2: parse error");
    return ok(batch);
  };
  run(milliseconds(250), respond);
  EXPECT_LE(requests_.size(), 14U);  // 1 + 2 log2(50), and as it was written.
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(latest(i)) << i;
    EXPECT_EQ(latest(i)->error.has_value(), i == 17);
    EXPECT_THAT(latest(i)->samples, SizeIs(i == 17 ? 0 : 1));
  }
  EXPECT_EQ(latest(17)->error->message, "1:2: parse error");
  EXPECT_FALSE(plan_.source_error());

  // From now on it is asked alone, ever more seldom, and batches grow together again.
  run(seconds(60), respond);
  requests_.clear();
  run(seconds(240), respond);
  int alone = 0;
  for (const auto& request : requests_) alone += request.text == "q<17>" ? 1 : 0;
  EXPECT_GE(alone, 3);
  EXPECT_LE(alone, 5);
  EXPECT_EQ(queries_asked() - static_cast<std::size_t>(alone), 49U * 120U);
  EXPECT_LE(requests_.size(), 240U * 4U + 5U) << "one request a slot";

  // Right at last, it joins the others again.
  run(seconds(130));
  EXPECT_FALSE(latest(17)->error);
  EXPECT_LT(latest(17)->age, seconds(3));
}

TEST_F(SamplingPlanTest, AQueryThatCouldBreakOutIsNeverCombined) {
  plan_.subscribe(app(1), {query("a) or (b")}, now_);
  plan_.subscribe(app(2), {query("c")}, now_);
  run(seconds(20));
  for (const auto& request : requests_) EXPECT_EQ(request.queries, 1U) << request.text;
}

TEST_F(SamplingPlanTest, AScalarIsFoundOutAndCombinedAsAVector) {
  subscribe_apps(10);
  plan_.subscribe(app(10), {query("scalar-query")}, now_);
  int rejected = 0;
  const auto respond = [&](const SamplingPlan::Batch& batch) -> Result<Answer> {
    if (asks(batch, "scalar-query") && !asks(batch, "vector(scalar-query") && !batch.is_raw) {
      ++rejected;
      return fail(ErrorCode::kInvalid, "expected type instant vector, got scalar");
    }
    auto answer = ok(batch);
    answer->is_scalar = batch.query == "scalar-query";
    return answer;
  };
  run(milliseconds(250), respond);
  EXPECT_THAT(latest(10)->samples, SizeIs(1));
  EXPECT_LE(std::exchange(rejected, 0), 5);
  run(seconds(30), respond);
  EXPECT_EQ(rejected, 0);
  EXPECT_LT(latest(10)->age, seconds(3));
}

TEST_F(SamplingPlanTest, AnErrorWithinAnAnswerIsThatQuerysAlone) {
  subscribe_apps(2);
  run(milliseconds(250), [](const SamplingPlan::Batch& batch) {
    auto answer = ok(batch);
    answer->queries[1] = fail(ErrorCode::kInvalid, "more than 5000 series");
    return answer;
  });
  EXPECT_FALSE(latest(0)->error);
  EXPECT_EQ(latest(1)->error->message, "more than 5000 series");
}

TEST_F(SamplingPlanTest, ASilentSourceIsProbedWhileAnswersGrowOld) {
  subscribe_apps(200);
  run(seconds(10));
  requests_.clear();
  told_.clear();
  const auto refuse = [](const auto&) -> Result<Answer> {
    return tl::unexpected(error_of(ErrorCode::kUnavailable, "connection refused"));
  };
  run(seconds(60), refuse);
  EXPECT_LE(requests_.size(), 40U);
  for (std::size_t i = 1; i < requests_.size(); ++i) {
    EXPECT_EQ(requests_[i].text, "vector(1)");
    EXPECT_LE(requests_[i].at - requests_[i - 1].at, seconds(2));
  }
  ASSERT_TRUE(plan_.source_error());
  for (int i = 0; i < 200; ++i) {
    EXPECT_THAT(latest(i)->samples, SizeIs(1));
    EXPECT_GE(latest(i)->age, seconds(60));
    EXPECT_LE(latest(i)->age, seconds(62));
    EXPECT_EQ(latest(i)->error->message, "connection refused");
    EXPECT_NEAR(told_[app(i)], 30, 1) << "told at its interval all the same";
  }

  // It is back: within one probe every query has been answered.
  requests_.clear();
  run(milliseconds(2001));
  EXPECT_FALSE(plan_.source_error());
  for (int i = 0; i < 200; ++i) {
    EXPECT_FALSE(latest(i)->error);
    EXPECT_LE(latest(i)->age, seconds(2));
  }
}

TEST_F(SamplingPlanTest, ARetryAfterIsKept) {
  subscribe_apps(1);
  run(seconds(7), [](const auto&) -> Result<Answer> {
    Error error = error_of(ErrorCode::kTooManyRequests);
    error.retry_after = seconds(3);
    return tl::unexpected(error);
  });
  ASSERT_THAT(requests_, SizeIs(3));
  EXPECT_EQ(requests_[1].at - requests_[0].at, seconds(3));
}

TEST_F(SamplingPlanTest, ASlowQueryIsIsolatedBySizeAndAskedSeldom) {
  subscribe_apps(50);
  const auto respond = [](const SamplingPlan::Batch& batch) -> Result<Answer> {
    if (asks(batch, "q<3>")) return fail(ErrorCode::kTimeout, "query timed out");
    return ok(batch);
  };
  run(seconds(30), respond);
  requests_.clear();
  told_.clear();
  run(seconds(120), respond);
  int slow = 0;
  for (const auto& request : requests_)
    slow += request.text.find("q<3>") != std::string::npos ? 1 : 0;
  EXPECT_LE(slow, 6);
  EXPECT_THAT(latest(3)->error->message, HasSubstr("timed out"));
  for (int i = 0; i < 50; ++i) {
    if (i == 3) continue;
    EXPECT_LE(latest(i)->age, seconds(3)) << i;
    EXPECT_FALSE(latest(i)->error) << i;
  }
}

TEST_F(SamplingPlanTest, ASlowQueryCostsNoOtherASample) {
  subscribe_apps(50);
  const auto respond = [](const SamplingPlan::Batch& batch) -> Result<Answer> {
    if (asks(batch, "q<3>")) return fail(ErrorCode::kTimeout, "query timed out");
    return ok(batch);
  };
  run(seconds(2), respond);
  EXPECT_FALSE(plan_.source_error());
  EXPECT_THAT(latest(3)->error->message, HasSubstr("timed out"));
  for (const auto& request : requests_) EXPECT_NE(request.text, "vector(1)");
  for (int i = 0; i < 50; ++i) {
    if (i == 3) continue;
    EXPECT_FALSE(latest(i)->error) << i;
    EXPECT_LE(latest(i)->age, seconds(2)) << i;
  }
}

TEST_F(SamplingPlanTest, ASourceThatIsTooSlowForAProbeIsSilent) {
  subscribe_apps(4);
  run(seconds(1), [](const auto&) -> Result<Answer> {
    return fail(ErrorCode::kUnavailable, "no answer");
  });
  run(seconds(5), [](const auto&) -> Result<Answer> {
    return fail(ErrorCode::kTimeout, "query timed out");
  });
  ASSERT_TRUE(plan_.source_error());
  EXPECT_EQ(plan_.source_error()->code, ErrorCode::kTimeout);
}

TEST_F(SamplingPlanTest, HalvesOfARejectedBatchSurviveTheSourcesSilence) {
  subscribe_apps(8);
  int calls = 0;
  run(milliseconds(500), [&](const SamplingPlan::Batch&) -> Result<Answer> {
    if (++calls == 1) return fail(ErrorCode::kInvalid, "wrong");
    return tl::unexpected(error_of(ErrorCode::kUnavailable));
  });
  for (int i = 0; i < 8; ++i) EXPECT_TRUE(latest(i) && latest(i)->error) << i;
  run(seconds(5));
  for (int i = 0; i < 8; ++i) EXPECT_LE(latest(i)->age, seconds(2)) << i;
}

TEST_F(SamplingPlanTest, ACancelledRequestCountsAsNeverSent) {
  subscribe_apps(3);
  const auto step = plan_.take(now_);
  EXPECT_THAT(plan_.complete(*step.batch, tl::unexpected(error_of(ErrorCode::kCancelled)), kWall,
                             now_, now_),
              IsEmpty());
  EXPECT_FALSE(plan_.source_error());
  EXPECT_TRUE(plan_.take(now_).batch);
}

TEST_F(SamplingPlanTest, AnIntervalUnderASlotIsTakenAsASlot) {
  plan_.subscribe(app(1), {query("a", milliseconds(0))}, now_);
  run(seconds(1));
  EXPECT_EQ(requests_.size(), 4U);
}

}  // namespace
}  // namespace scalableapp::metrics
