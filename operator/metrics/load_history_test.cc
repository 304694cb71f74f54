#include "operator/metrics/load_history.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "tests/support/fake_clock.h"
#include "tests/support/fake_transport.h"

namespace scalableapp::metrics {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

const api::ObjectKey kWeb{"ns", "web"};
const api::ObjectKey kShop{"ns", "shop"};

// FakeClock begins at 1'800'000'000, which is a multiple of the step.
constexpr std::int64_t kBegin = 1'800'000'000;

kube::HttpResponse points(const std::string& values) {
  return {.status = 200,
          .body = fmt::format(R"({{"status":"success","data":{{"resultType":"matrix",)"
                              R"("result":[{{"metric":{{}},"values":[{}]}}]}}}})",
                              values)};
}
std::string point(std::int64_t time, double value) {
  return fmt::format(R"([{},"{}"])", time, value);
}

class LoadHistoryTest : public ::testing::Test {
 protected:
  // Answers the next request, `takes` after it was sent, and waits until that was dealt with.
  void answer(kube::FakeTransport::Answer reply, milliseconds takes = milliseconds(0)) {
    transport_.await_requests(++asked_);
    clock_.advance(takes);
    transport_.answer(std::move(reply));
    clock_.await_sleepers(1);
  }
  std::string body(std::size_t request) {
    return transport_.await_requests(request + 1)[request].body;
  }

  FakeClock clock_;
  kube::FakeTransport transport_;
  std::size_t asked_ = 0;
  LoadHistory history_{transport_, clock_};
};

TEST_F(LoadHistoryTest, AllOfItIsAskedForAtFirstAndTimesAreThoseOfTheMiddleOfTheWindow) {
  history_.subscribe(kWeb, {{.metric = "latency", .text = "sum(rate(x[5m]))", .days = 1}});
  EXPECT_EQ(history_.latest(kWeb, "latency"), nullptr);
  history_.start();
  answer(points(point(kBegin - 600, 7) + "," + point(kBegin, 8)));
  const auto request = transport_.await_requests(1)[0];
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.path_and_query, "/api/v1/query_range");
  EXPECT_EQ(request.content_type, "application/x-www-form-urlencoded");
  EXPECT_EQ(request.body,
            "timeout=20000ms&start=1799913900&end=1800000000&step=300&"
            "query=sum%28rate%28x%5B5m%5D%29%29");
  const auto series = history_.latest(kWeb, "latency");
  ASSERT_NE(series, nullptr);
  EXPECT_EQ(series->values.size(), 288U);
  EXPECT_EQ(series->step, seconds(300));
  EXPECT_EQ(series->begin + 287 * seconds(300), clock_.wall_now() - seconds(150));
  EXPECT_EQ(series->values[287], 8);
  EXPECT_TRUE(std::isnan(series->values[286]));
  EXPECT_EQ(series->values[285], 7);
  EXPECT_FALSE(history_.error(kWeb, "latency"));
  EXPECT_EQ(history_.latest(kWeb, "other"), nullptr);
  EXPECT_EQ(history_.latest(kShop, "latency"), nullptr);
}

TEST_F(LoadHistoryTest, LaterOnlyWhatIsNewIsAskedForAndOnceADayAllOfIt) {
  history_.subscribe(kWeb, {{.metric = "m", .text = "x", .days = 1}});
  history_.start();
  answer(points(point(kBegin - 300, 1) + "," + point(kBegin, 2)));
  const auto first = history_.latest(kWeb, "m");
  clock_.advance(seconds(661));  // A tenth more at most.
  answer(points(point(kBegin, 3) + "," + point(kBegin + 600, 4)));
  EXPECT_THAT(body(1), HasSubstr("start=1800000000&end=1800000600&"));
  const auto second = history_.latest(kWeb, "m");
  ASSERT_NE(second, first);
  EXPECT_EQ(first->values[287], 2) << "a series that was given out does not change";
  EXPECT_EQ(second->values.size(), 288U);
  EXPECT_EQ(second->begin, first->begin + seconds(600));
  EXPECT_EQ(second->values[284], 1);
  EXPECT_EQ(second->values[285], 3) << "the last point came too early";
  EXPECT_TRUE(std::isnan(second->values[286]));
  EXPECT_EQ(second->values[287], 4);

  clock_.advance(seconds(86'400));
  answer(points(point(kBegin + 86'700, 5)));
  EXPECT_THAT(body(2), HasSubstr("start=1800000900&end=1800087000&"));
  const auto third = history_.latest(kWeb, "m");
  EXPECT_EQ(third->values[286], 5);
  EXPECT_TRUE(std::isnan(third->values[0]));
}

TEST_F(LoadHistoryTest, RestsAsLongAsAnAnswerTook) {
  history_.subscribe(kShop, {{.metric = "m", .text = "first"}});
  history_.subscribe(kWeb, {{.metric = "m", .text = "second"}});
  history_.start();
  answer(points(""), seconds(4));
  clock_.advance(milliseconds(3'999));
  EXPECT_EQ(transport_.await_requests(1).size(), 1U);
  clock_.advance(milliseconds(1));
  EXPECT_THAT(body(1), HasSubstr("query=second"));
}

TEST_F(LoadHistoryTest, AWrongQueryIsTheAppsErrorAndHoldsUpNobody) {
  history_.subscribe(kShop, {{.metric = "m", .text = "wrong"}});
  history_.subscribe(kWeb, {{.metric = "m", .text = "right"}});
  history_.start();
  transport_.await_requests(1);
  transport_.answer(kube::HttpResponse{
      .status = 400, .body = R"({"status":"error","errorType":"bad_data","error":"1:3: bad"})"});
  ++asked_;
  answer(points(point(kBegin, 1)));
  EXPECT_EQ(history_.error(kShop, "m")->message, "Prometheus: 1:3: bad");
  EXPECT_EQ(history_.latest(kShop, "m"), nullptr);
  EXPECT_NE(history_.latest(kWeb, "m"), nullptr);
}

TEST_F(LoadHistoryTest, ALostSourceKeepsWhatIsKnownAndIsTriedEveryHalfMinute) {
  history_.subscribe(kWeb, {{.metric = "m", .text = "x"}});
  history_.start();
  answer(points(point(kBegin, 2)));
  const auto known = history_.latest(kWeb, "m");
  clock_.advance(seconds(700));
  answer(fail(ErrorCode::kUnavailable, "connection refused"));
  EXPECT_EQ(history_.latest(kWeb, "m"), known);
  EXPECT_EQ(history_.error(kWeb, "m")->message, "Prometheus: connection refused");
  clock_.advance(milliseconds(29'999));
  EXPECT_EQ(transport_.await_requests(2).size(), 2U);
  clock_.advance(milliseconds(1));
  answer(points(point(kBegin + 600, 3)));
  EXPECT_FALSE(history_.error(kWeb, "m"));
  EXPECT_NE(history_.latest(kWeb, "m"), known);
}

TEST_F(LoadHistoryTest, AQueryThatStaysKeepsItsSeriesAndAnotherTextBeginsAnew) {
  const LoadQuery query{.metric = "m", .text = "x"};
  history_.subscribe(kWeb, {query});
  history_.start();
  answer(points(point(kBegin, 2)));
  const auto known = history_.latest(kWeb, "m");
  history_.subscribe(kWeb, {query});
  EXPECT_EQ(history_.latest(kWeb, "m"), known);
  history_.subscribe(kWeb, {{.metric = "m", .text = "y"}});
  EXPECT_EQ(history_.latest(kWeb, "m"), nullptr);
  EXPECT_THAT(body(1), HasSubstr("query=y"));
  // Its answer comes when nobody wants it any more.
  history_.unsubscribe(kWeb);
  answer(points(point(kBegin, 2)));
  EXPECT_EQ(history_.latest(kWeb, "m"), nullptr);
}

TEST_F(LoadHistoryTest, StoppingCancelsARequestInFlight) {
  history_.subscribe(kWeb, {{.metric = "m", .text = "x", .days = 400}});
  history_.start();
  EXPECT_THAT(body(0), StartsWith("timeout=20000ms&start=1797408300&")) << "30 days at most";
  history_.stop();
  EXPECT_EQ(history_.latest(kWeb, "m"), nullptr);
}

}  // namespace
}  // namespace scalableapp::metrics
