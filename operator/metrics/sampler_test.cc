#include "operator/metrics/sampler.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "tests/support/fake_clock.h"
#include "tests/support/fake_transport.h"

namespace scalableapp::metrics {
namespace {

using ::testing::HasSubstr;

const api::ObjectKey kWeb{"ns", "web"};

constexpr const char* kSeven =
    R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"7"]}]}})";

class SamplerTest : public ::testing::Test {
 protected:
  SamplerTest() {
    sampler_.subscribe(kWeb, {{.id = "m", .text = "up{a=\"b\"} + 1"}});
    sampler_.start();
  }
  void await_told(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return told_ >= count; });
  }
  std::vector<std::string> results() {
    std::lock_guard lock(mutex_);
    return results_;
  }

  FakeClock clock_;
  kube::FakeTransport transport_;
  std::mutex mutex_;  // Guards told_ and results_.
  std::condition_variable changed_;
  int told_ = 0;
  std::vector<std::string> results_;
  Sampler sampler_{transport_,
                   clock_,
                   {.on_sample =
                        [this](const api::ObjectKey& app) {
                          EXPECT_EQ(app, kWeb);
                          sampler_.latest(app, "m");  // No lock of the sampler's is held.
                          std::lock_guard lock(mutex_);
                          ++told_;
                          changed_.notify_all();
                        },
                    .on_query =
                        [this](milliseconds, std::optional<ErrorCode> failure,
                               std::size_t queries) {
                          std::lock_guard lock(mutex_);
                          results_.push_back(
                              fmt::format("{} {}", failure ? to_string(*failure) : "ok", queries));
                        }}};
};

TEST_F(SamplerTest, AnAnswerIsStoredBeforeTheAppIsTold) {
  const auto request = transport_.await_requests(1)[0];
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.path_and_query, "/api/v1/query");
  EXPECT_EQ(request.content_type, "application/x-www-form-urlencoded");
  EXPECT_EQ(
      request.body,
      "timeout=2000ms&query=label_replace%28topk%282001%2C+up%7Ba%3D%22b%22%7D+%2B+1%0A%29%2C+"
      "%22scalableapp_query%22%2C+%220%22%2C+%22%22%2C+%22%22%29");
  EXPECT_FALSE(sampler_.latest(kWeb, "m"));
  const WallTime asked = clock_.wall_now();
  clock_.advance(milliseconds(40));
  transport_.answer(kube::HttpResponse{.status = 200, .body = kSeven});
  await_told(1);
  const auto result = sampler_.latest(kWeb, "m");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->samples, (std::vector<Sample>{{7, "", false, "{}"}}));
  EXPECT_EQ(result->at, asked);
  EXPECT_EQ(result->age, milliseconds(40));
  clock_.jump_wall(seconds(-3600));
  clock_.advance(milliseconds(10));
  EXPECT_EQ(sampler_.latest(kWeb, "m")->age, milliseconds(50)) << "age is no wall time";
  EXPECT_EQ(results(), std::vector<std::string>{"ok 1"});
}

TEST_F(SamplerTest, IsAskedAgainAtTheIntervalAndByOneThreadOnly) {
  transport_.answer(kube::HttpResponse{.status = 200, .body = kSeven});
  await_told(1);
  clock_.await_sleepers(2);
  clock_.advance(seconds(2));
  transport_.await_requests(2);
  clock_.advance(seconds(10));
  clock_.await_sleepers(1);
  EXPECT_EQ(transport_.await_requests(2).size(), 2U);
}

TEST_F(SamplerTest, AWrongQueryIsReportedWithPrometheusOwnWords) {
  for (const char* text : {"1:29: bad, from inside our own words", "1:3: bad"}) {
    transport_.answer(kube::HttpResponse{
        .status = 400,
        .body = fmt::format(R"({{"status":"error","errorType":"bad_data","error":"{}"}})", text)});
  }
  await_told(1);
  EXPECT_EQ(transport_.await_requests(2)[1].body, "timeout=2000ms&query=up%7Ba%3D%22b%22%7D+%2B+1");
  EXPECT_EQ(sampler_.latest(kWeb, "m")->error->message, "Prometheus: 1:3: bad");
  EXPECT_FALSE(sampler_.source_error());
  EXPECT_THAT(results(), testing::Each("invalid 1"));
}

TEST_F(SamplerTest, ALostSourceKeepsTheAnswerAndIsFoundAgainByAProbe) {
  transport_.answer(kube::HttpResponse{.status = 200, .body = kSeven});
  await_told(1);
  clock_.await_sleepers(2);
  transport_.answer(fail(ErrorCode::kUnavailable, "connection refused"));
  clock_.advance(seconds(2));
  await_told(2);
  EXPECT_EQ(sampler_.source_error()->message, "Prometheus: connection refused");
  EXPECT_EQ(sampler_.latest(kWeb, "m")->error->message, "Prometheus: connection refused");
  EXPECT_EQ(sampler_.latest(kWeb, "m")->age, seconds(2));
  EXPECT_EQ(sampler_.latest(kWeb, "m")->samples[0].value, 7);

  clock_.await_sleepers(2);
  transport_.answer(kube::HttpResponse{.status = 200, .body = kSeven});
  transport_.answer(kube::HttpResponse{.status = 200, .body = kSeven});
  clock_.advance(milliseconds(250));
  await_told(3);
  EXPECT_THAT(transport_.await_requests(4)[2].body, HasSubstr("query=vector%281%29"));
  EXPECT_FALSE(sampler_.source_error());
  EXPECT_EQ(sampler_.latest(kWeb, "m")->age, milliseconds(0));
}

TEST_F(SamplerTest, AnAddressThatIsNoUrlIsTheSourcesErrorAndNotTheQuerys) {
  transport_.answer(fail(ErrorCode::kInvalid, "not a URL"));
  await_told(1);
  EXPECT_TRUE(sampler_.source_error());
}

TEST_F(SamplerTest, AnAnswerThatIsTooLongIsTheQuerysErrorAndNotTheSources) {
  for (int i = 0; i < 2; ++i) {  // Within our own words, and as it was written.
    transport_.answer(fail(ErrorCode::kDecode, "an answer of over 9 bytes"));
  }
  await_told(1);
  EXPECT_EQ(sampler_.latest(kWeb, "m")->error->message, "Prometheus: an answer of over 9 bytes");
  EXPECT_FALSE(sampler_.source_error());
  EXPECT_THAT(results(), testing::Each("invalid 1"));
}

TEST_F(SamplerTest, StoppingCancelsARequestInFlight) {
  transport_.await_requests(1);
  sampler_.stop();
  EXPECT_FALSE(sampler_.latest(kWeb, "m"));
  EXPECT_TRUE(results().empty());
}

TEST_F(SamplerTest, UnsubscribingWhileARequestIsInFlightIsSafe) {
  transport_.await_requests(1);
  sampler_.unsubscribe(kWeb);
  transport_.answer(kube::HttpResponse{.status = 200, .body = kSeven});
  clock_.await_sleepers(2);
  EXPECT_FALSE(sampler_.latest(kWeb, "m"));
}

}  // namespace
}  // namespace scalableapp::metrics
