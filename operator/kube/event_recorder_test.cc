#include "operator/kube/event_recorder.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <atomic>
#include <latch>

#include "tests/support/fake_api.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_event_recorder.h"

namespace scalableapp::kube {
namespace {

using std::chrono::minutes;
using testing::ElementsAre;
using testing::StartsWith;

ObjectReference app(const std::string& name) {
  return {"scalableapp.io/v1alpha1", "ScalableApp", "shop", name, "uid-" + name};
}
Event scaled(int to, const std::string& name = "web") {
  return {app(name), EventType::kNormal, "Scaled", fmt::format("to {}", to)};
}

struct CorrelatorTest : testing::Test {
  std::optional<EventWrite> correlate(const Event& event) {
    return correlator.correlate(event, now, fmt::format("{:04}", ++suffix));
  }
  EventCorrelator correlator;
  WallTime now{seconds(1'800'000'000)};
  int suffix = 0;
};

TEST_F(CorrelatorTest, TheSameEventAgainRaisesTheCountOfTheFirst) {
  const WallTime start = now;
  const auto first = correlate(scaled(3));
  ASSERT_TRUE(first);
  EXPECT_EQ(first->kind, EventWrite::Kind::kCreate);
  EXPECT_EQ(first->name, "web.0001");
  now += seconds(30);
  const auto second = correlate(scaled(3));
  ASSERT_TRUE(second);
  EXPECT_EQ(second->kind, EventWrite::Kind::kUpdate);
  EXPECT_EQ(second->name, "web.0001");
  EXPECT_EQ(second->count, 2);
  EXPECT_EQ(second->first, start);
  EXPECT_EQ(second->last, now);
}

TEST_F(CorrelatorTest, MoreThanTenAlikeInTenMinutesBecomeOneCombinedEvent) {
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(correlate(scaled(i))->kind, EventWrite::Kind::kCreate);
    now += seconds(40);
  }
  const auto combined = correlate(scaled(10));
  EXPECT_EQ(combined->kind, EventWrite::Kind::kCreate);
  EXPECT_EQ(combined->event.message, "(combined from similar events): to 10");
  now += seconds(40);
  const auto next = correlate(scaled(11));
  EXPECT_EQ(next->kind, EventWrite::Kind::kUpdate);
  EXPECT_EQ(next->name, combined->name);
  EXPECT_EQ(next->event.message, "(combined from similar events): to 11");
  EXPECT_EQ(next->count, 2);
}

TEST_F(CorrelatorTest, AfterAQuietWhileEventsStandByThemselvesAgain) {
  for (int i = 0; i < 12; ++i) correlate(scaled(i));
  now += minutes(11);
  EXPECT_EQ(correlate(scaled(50))->event.message, "to 50");
}

TEST_F(CorrelatorTest, OtherReasonsTypesAndObjectsAreNotMixedUp) {
  for (int i = 0; i < 12; ++i) correlate(scaled(i));
  Event warning = scaled(70);
  warning.type = EventType::kWarning;
  EXPECT_EQ(correlate(warning)->event.message, "to 70");
  Event other = scaled(71);
  other.reason = "RolledOut";
  EXPECT_EQ(correlate(other)->event.message, "to 71");
  EXPECT_EQ(correlate(scaled(72, "worker"))->event.message, "to 72");
}

TEST_F(CorrelatorTest, NewEventsBeyondTheBudgetJoinTheCombinedOneInsteadOfVanishing) {
  int creates = 0;
  int combined = 0;
  for (int i = 0; i < 300; ++i) {
    now += seconds(70);  // Slow enough not to count as similar, too fast for the budget.
    if (const auto write = correlate(scaled(i)); write->kind == EventWrite::Kind::kCreate) {
      ++creates;
    } else {
      EXPECT_THAT(write->event.message, StartsWith("(combined"));
      combined = write->count;
    }
  }
  // 25 at once, one more each 300 s of the 21,000 s, and the combined one itself.
  EXPECT_NEAR(creates, 25 + 70 + 1, 2);
  EXPECT_EQ(creates + combined - 1, 300);
}

TEST_F(CorrelatorTest, UpdatesBeyondTheBudgetAreMadeUpForByTheNext) {
  correlate(scaled(1));
  int updates = 0;
  for (int i = 0; i < 200; ++i) {
    now += seconds(1);
    if (correlate(scaled(1))) ++updates;
  }
  EXPECT_NEAR(updates, 25 + 200 / 30, 1);
  now += minutes(1);
  EXPECT_EQ(correlate(scaled(1))->count, 202);
}

TEST_F(CorrelatorTest, AnEventThatTheServerHasLetExpireIsMadeAnew) {
  correlate(scaled(1));
  now += minutes(61);
  const auto again = correlate(scaled(1));
  EXPECT_EQ(again->kind, EventWrite::Kind::kCreate);
  EXPECT_EQ(again->count, 1);
}

TEST_F(CorrelatorTest, LongTextsAreCutBetweenCharacters) {
  Event event{app(std::string(253, 'n')), EventType::kNormal, std::string(200, 'R'), ""};
  for (int i = 0; i < 600; ++i) event.message += "\xc3\xa9";
  event.message.insert(0, "x");
  const auto write = correlate(event);
  EXPECT_EQ(write->event.reason.size(), 128U);
  EXPECT_EQ(write->event.message.size(), 1023U);
  EXPECT_EQ(write->name.size(), 253U);
}

TEST_F(CorrelatorTest, MemoryIsBoundedAndTheLeastRecentlyUsedGoFirst) {
  correlate(scaled(1, "old"));
  for (int i = 0; i < static_cast<int>(EventCorrelator::kMaxObjects); ++i) {
    now += seconds(1);
    correlate(scaled(1, fmt::format("app{}", i)));
  }
  EXPECT_EQ(correlate(scaled(1, "app1000"))->kind, EventWrite::Kind::kUpdate);
  EXPECT_EQ(correlate(scaled(1, "old"))->kind, EventWrite::Kind::kCreate);
}

struct EventRecorderTest : testing::Test {
  FakeClock clock;
  Random random{1};
  FakeApi api;
};

TEST_F(EventRecorderTest, WritesWhatKubectlDescribeShows) {
  ApiEventRecorder recorder(api, clock, random, {"scalableapp-operator", "pod-1"});
  recorder.record({app("web"), EventType::kWarning, "MetricMissing", "p99: no data"});
  recorder.flush();
  const auto events = api.objects("events");
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0]["involvedObject"]["uid"], "uid-web");
  EXPECT_EQ(events[0]["involvedObject"]["kind"], "ScalableApp");
  EXPECT_EQ(events[0]["type"], "Warning");
  EXPECT_EQ(events[0]["reason"], "MetricMissing");
  EXPECT_EQ(events[0]["message"], "p99: no data");
  EXPECT_EQ(events[0]["firstTimestamp"], "2027-01-15T08:00:00Z");
  EXPECT_EQ(events[0]["source"]["component"], "scalableapp-operator");
}

TEST_F(EventRecorderTest, ARepetitionPatchesTheCount) {
  ApiEventRecorder recorder(api, clock, random, {"c", "i"});
  recorder.record(scaled(3));
  clock.advance(seconds(5));
  recorder.record(scaled(3));
  recorder.flush();
  ASSERT_EQ(api.objects("events").size(), 1U);
  EXPECT_EQ(api.objects("events")[0]["count"], 2);
  EXPECT_EQ(api.objects("events")[0]["lastTimestamp"], "2027-01-15T08:00:05Z");
}

TEST_F(EventRecorderTest, AnEventThatIsGoneIsCreatedAgainWithItsCount) {
  ApiEventRecorder recorder(api, clock, random, {"c", "i"});
  recorder.record(scaled(3));
  recorder.flush();
  const std::string name = api.objects("events")[0]["metadata"]["name"];
  ASSERT_TRUE(api.remove(kCoreEvents, {"shop", name}, {}, Propagation::kBackground));
  recorder.record(scaled(3));
  recorder.flush();
  ASSERT_EQ(api.objects("events").size(), 1U);
  EXPECT_EQ(api.objects("events")[0]["count"], 2);
}

TEST_F(EventRecorderTest, NeverBlocksItsCallersAndCountsWhatDoesNotFit) {
  std::latch gate(1);
  api.set_fault([&](std::string_view) -> Result<void> {
    gate.wait();
    return {};
  });
  ApiEventRecorder recorder(api, clock, random, {"c", "i"});
  const int kept = static_cast<int>(ApiEventRecorder::kQueueLimit);
  for (int i = 0; i < kept + 50; ++i) recorder.record(scaled(i));
  EXPECT_GE(recorder.dropped(), 49U);
  EXPECT_LE(recorder.dropped(), 50U);
  gate.count_down();
  recorder.flush();
}

TEST_F(EventRecorderTest, EventsMakeWayUntilTheRushIsOver) {
  std::atomic<bool> busy{true};
  ApiEventRecorder recorder(api, clock, random, {"c", "i"}, [&] { return busy.load(); });
  recorder.record(scaled(3));
  clock.await_sleepers(1);
  EXPECT_TRUE(api.calls().empty());
  busy = false;
  clock.advance(ApiEventRecorder::kLook);
  recorder.flush();
  EXPECT_EQ(api.objects("events").size(), 1U);
}

TEST_F(EventRecorderTest, EventsMakeWayForFiveSecondsAtMost) {
  ApiEventRecorder recorder(api, clock, random, {"c", "i"}, [] { return true; });
  recorder.record(scaled(3));
  clock.await_sleepers(1);
  clock.advance(ApiEventRecorder::kPatience);
  recorder.flush();
  EXPECT_EQ(api.objects("events").size(), 1U);
}

TEST_F(EventRecorderTest, WritesWhatIsLeftWhenItEndsUnlessTheServerIsAway) {
  {
    ApiEventRecorder recorder(api, clock, random, {"c", "i"});
    for (int i = 0; i < 5; ++i) recorder.record(scaled(i));
  }
  EXPECT_EQ(api.objects("events").size(), 5U);
  const auto before = api.calls().size();
  api.set_fault(
      [](std::string_view) -> Result<void> { return fail(ErrorCode::kUnavailable, "x"); });
  {
    ApiEventRecorder recorder(api, clock, random, {"c", "i"});
    recorder.record(scaled(0));
    recorder.flush();
    EXPECT_EQ(recorder.dropped(), 1U);
  }
  EXPECT_EQ(api.calls().size(), before + 1);
}

TEST(FakeEventRecorder, KeepsEventsAsText) {
  FakeEventRecorder recorder;
  api::ScalableApp web;
  web.metadata.name = "web";
  recorder.normal(web, "ScaledUp", "from 2 to 3");
  recorder.warning(web, "SpecInvalid", "no");
  EXPECT_THAT(recorder.events(),
              ElementsAre("Normal ScaledUp web: from 2 to 3", "Warning SpecInvalid web: no"));
}

}  // namespace
}  // namespace scalableapp::kube
