#include "operator/kube/watch_machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace scalableapp::kube {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::Field;
using testing::IsEmpty;
using Kind = WatchEvent::Kind;

json event(const char* type, const char* name, const char* version) {
  return {{"type", type},
          {"object", {{"metadata", {{"name", name}, {"resourceVersion", version}}}}}};
}

const json kGone = {{"type", "ERROR"}, {"object", {{"code", 410}, {"reason", "Expired"}}}};
const json kBroken = {{"type", "ERROR"}, {"object", {{"code", 500}, {"message", "etcd"}}}};

// A machine at a time that the test moves.
class WatchMachineTest : public testing::Test {
 protected:
  WatchMachine::Step step(const WatchInput& input) { return machine_.step(input, now_); }
  std::vector<Kind> kinds(const WatchInput& input) {
    std::vector<Kind> out;
    for (const WatchEvent& each : step(input).events) out.push_back(each.kind);
    return out;
  }
  WatchRequest next(const WatchInput& input) {
    auto result = step(input);
    EXPECT_TRUE(result.next);
    return result.next.value_or(WatchRequest{});
  }
  WatchRequest line(const json& value) { return next(WatchLine{&value}); }
  void list(const char* version) { step(ListPage{version, ""}); }
  static WatchEnded ended(ErrorCode code) { return {Error{code, "", {}}}; }

  WatchMachine machine_;
  MonotonicTime now_{seconds(1'000)};
};

MATCHER_P(ListNow, reason, "") {
  return arg.kind == WatchRequest::Kind::kList && arg.delay == milliseconds(0) &&
         arg.continue_token.empty() && std::string(arg.reason) == reason;
}
MATCHER_P(ListLater, reason, "") {
  return arg.kind == WatchRequest::Kind::kList && arg.delay > milliseconds(0) &&
         arg.continue_token.empty() && std::string(arg.reason) == reason;
}
MATCHER_P2(WatchNow, version, reason, "") {
  return arg.kind == WatchRequest::Kind::kWatch && arg.delay == milliseconds(0) &&
         arg.resource_version == version && std::string(arg.reason) == reason;
}
MATCHER_P2(WatchLater, version, reason, "") {
  return arg.kind == WatchRequest::Kind::kWatch && arg.delay > milliseconds(0) &&
         arg.resource_version == version && std::string(arg.reason) == reason;
}

TEST_F(WatchMachineTest, AListIsFollowedPageByPageAndThenWatchedFromItsVersion) {
  EXPECT_THAT(WatchMachine::start(), ListNow("start"));
  const json item = {{"metadata", {{"name", "a"}}}};
  EXPECT_THAT(kinds(ListItem{&item}), ElementsAre(Kind::kListBegin, Kind::kListItem));
  const WatchRequest page = next(ListPage{"10", "more"});
  EXPECT_EQ(page.kind, WatchRequest::Kind::kList);
  EXPECT_EQ(page.continue_token, "more");
  EXPECT_EQ(page.delay, milliseconds(0));
  EXPECT_THAT(kinds(ListItem{&item}), ElementsAre(Kind::kListItem));
  const auto last = step(ListPage{"10", ""});
  EXPECT_THAT(last.events, ElementsAre(Field(&WatchEvent::kind, Kind::kListEnd)));
  EXPECT_THAT(*last.next, WatchNow("10", "listed"));
}

TEST_F(WatchMachineTest, AnEmptyListStillReplacesEverything) {
  EXPECT_THAT(kinds(ListPage{"10", ""}), ElementsAre(Kind::kListBegin, Kind::kListEnd));
}

TEST_F(WatchMachineTest, AFailedListStartsOverAndForgetsWhatItHad) {
  const json item = {{"metadata", {{"name", "a"}}}};
  step(ListItem{&item});
  step(ListPage{"10", "more"});
  EXPECT_THAT(next(ListFailed{{ErrorCode::kUnavailable, "", {}}}), ListLater("unavailable"));
  EXPECT_THAT(kinds(ListItem{&item}), ElementsAre(Kind::kListBegin, Kind::kListItem));
}

TEST_F(WatchMachineTest, AnExpiredListIsRepeatedAtOnceAndThenWithBackoff) {
  const ListFailed gone{{ErrorCode::kGone, "", {}}};
  EXPECT_THAT(next(gone), ListNow("gone"));
  EXPECT_THAT(next(gone), ListLater("gone"));
  now_ += seconds(121);
  EXPECT_THAT(next(gone), ListNow("gone"));
}

TEST_F(WatchMachineTest, AListWithoutAVersionIsNoList) {
  EXPECT_THAT(next(ListPage{"", ""}), ListLater("decode"));
}

TEST_F(WatchMachineTest, EventsMoveTheVersionOn) {
  list("10");
  step(WatchStarted{});
  const json added = event("ADDED", "a", "11");
  const json modified = event("MODIFIED", "a", "12");
  const json deleted = event("DELETED", "a", "13");
  const json bookmark = event("BOOKMARK", "", "20");
  EXPECT_THAT(kinds(WatchLine{&added}), ElementsAre(Kind::kApply));
  EXPECT_THAT(kinds(WatchLine{&modified}), ElementsAre(Kind::kApply));
  EXPECT_THAT(kinds(WatchLine{&deleted}), ElementsAre(Kind::kDelete));
  EXPECT_EQ(machine_.resource_version(), "13");
  EXPECT_THAT(kinds(WatchLine{&bookmark}), IsEmpty());
  EXPECT_THAT(next(WatchEnded{}), WatchNow("20", "end"));
}

TEST_F(WatchMachineTest, OddEventsAreReportedAndTheWatchGoesOn) {
  list("10");
  for (const json& odd :
       {json(7), json::object(), json{{"type", "ADDED"}}, json{{"type", "ADDED"}, {"object", "x"}},
        json{{"type", 1}, {"object", json::object()}}, event("ADDED", "", "11"),
        event("ADDED", "a", ""), event("RENAMED", "a", "12")}) {
    const auto result = step(WatchLine{&odd});
    EXPECT_THAT(result.events, ElementsAre(Field(&WatchEvent::kind, Kind::kBadObject))) << odd;
    EXPECT_FALSE(result.next) << odd;
  }
  EXPECT_EQ(machine_.resource_version(), "12");
  const json nameless = json::object();
  EXPECT_THAT(kinds(ListItem{&nameless}), ElementsAre(Kind::kListBegin, Kind::kBadObject));
}

TEST_F(WatchMachineTest, GoneDuringAWatchListsAtOnceAndThenWithBackoff) {
  list("10");
  EXPECT_THAT(line(kGone), ListNow("gone"));
  list("20");
  EXPECT_THAT(next(ended(ErrorCode::kGone)), ListLater("gone"));
}

TEST_F(WatchMachineTest, FailuresWatchTheSameVersionAgainAfterAPause) {
  list("10");
  EXPECT_THAT(line(kBroken), WatchLater("10", "unavailable"));
  EXPECT_THAT(next(BadLine{}), WatchLater("10", "bad_line"));
  for (const ErrorCode code :
       {ErrorCode::kUnavailable, ErrorCode::kTooManyRequests, ErrorCode::kTimeout,
        ErrorCode::kUnauthorized, ErrorCode::kForbidden}) {
    EXPECT_THAT(next(ended(code)), WatchLater("10", std::string(to_string(code))));
  }
}

TEST_F(WatchMachineTest, AVersionOrTypeThatTheServerDoesNotKnowNeedsAList) {
  list("10");
  EXPECT_THAT(next(ended(ErrorCode::kNotFound)), ListLater("not_found"));
  EXPECT_THAT(next(ended(ErrorCode::kInvalid)), ListLater("invalid"));
}

TEST_F(WatchMachineTest, AnEmptyWatchThatEndsAtOnceIsAFailure) {
  list("10");
  step(WatchStarted{});
  now_ += milliseconds(999);
  EXPECT_THAT(next(WatchEnded{}), WatchLater("10", "short"));
  step(WatchStarted{});
  now_ += milliseconds(1'000);
  EXPECT_THAT(next(WatchEnded{}), WatchNow("10", "end"));
  step(WatchStarted{});
  const json bookmark = event("BOOKMARK", "", "20");
  step(WatchLine{&bookmark});
  EXPECT_THAT(next(WatchEnded{}), WatchNow("20", "end"));
}

TEST_F(WatchMachineTest, BackoffDoublesUpToItsCapAndStartsAnewAfterAQuietTime) {
  list("10");
  for (const int base : {800, 1'600, 3'200, 6'400, 12'800, 25'600, 15'000, 15'000}) {
    const milliseconds delay = next(ended(ErrorCode::kForbidden)).delay;
    EXPECT_GE(delay, milliseconds(base));
    EXPECT_LE(delay, milliseconds(std::min(2 * base, 30'000)));
    now_ += delay;
  }
  now_ += milliseconds(119'999);
  EXPECT_GE(next(ended(ErrorCode::kForbidden)).delay, milliseconds(15'000));
  now_ += seconds(150);
  EXPECT_LT(next(ended(ErrorCode::kForbidden)).delay, milliseconds(1'600));
}

TEST_F(WatchMachineTest, AServerThatIsAwayIsTriedAtLeastOnceASecond) {
  list("10");
  for (const int base : {250, 500, 500, 500, 500}) {
    const milliseconds delay = next(ended(ErrorCode::kUnavailable)).delay;
    EXPECT_GE(delay, milliseconds(base));
    EXPECT_LE(delay, milliseconds(std::min(2 * base, 1'000)));
    now_ += delay;
  }
  EXPECT_GE(next(ListFailed{{ErrorCode::kUnavailable, "", {}}}).delay, milliseconds(500));
  list("20");
  EXPECT_LT(next(ended(ErrorCode::kUnavailable)).delay, milliseconds(500));
}

TEST_F(WatchMachineTest, AnEventOrABookmarkMakesTheNextFailureAFirstOne) {
  list("10");
  for (const json& good : {event("ADDED", "a", "11"), event("BOOKMARK", "", "12")}) {
    for (int i = 0; i < 5; ++i) {
      now_ += next(ended(ErrorCode::kForbidden)).delay;
      now_ += next(ended(ErrorCode::kUnavailable)).delay;
    }
    step(WatchLine{&good});
    EXPECT_LT(next(ended(ErrorCode::kForbidden)).delay, milliseconds(1'600));
    EXPECT_LT(next(ended(ErrorCode::kUnavailable)).delay, milliseconds(500));
  }
}

TEST_F(WatchMachineTest, AListBetweenRefusalsDoesNotShortenTheirBackoff) {
  list("10");
  milliseconds delay{0};
  for (int i = 0; i < 4; ++i) {
    delay = next(ended(ErrorCode::kInvalid)).delay;
    now_ += delay;
    list("10");
  }
  EXPECT_GE(delay, milliseconds(6'400));
}

TEST_F(WatchMachineTest, RetryAfterIsTheLeastDelay) {
  list("10");
  EXPECT_EQ(next(WatchEnded{Error{ErrorCode::kTooManyRequests, "", seconds(17)}}).delay,
            seconds(17));
  EXPECT_EQ(next(ListFailed{Error{ErrorCode::kTooManyRequests, "", seconds(90)}}).delay,
            seconds(90));
  EXPECT_GE(next(ListFailed{Error{ErrorCode::kTooManyRequests, "", seconds(0)}}).delay, seconds(3));
}

TEST_F(WatchMachineTest, WatchesEndAtDifferentTimesAndSilenceIsNoticedAfterThat) {
  std::vector<seconds> timeouts;
  for (int i = 0; i < 100; ++i) {
    const WatchRequest watch = next(ListPage{"10", ""});
    EXPECT_EQ(watch.idle_timeout, watch.server_timeout + seconds(5));
    timeouts.push_back(watch.server_timeout);
  }
  EXPECT_GE(*std::min_element(timeouts.begin(), timeouts.end()), seconds(270));
  EXPECT_LE(*std::max_element(timeouts.begin(), timeouts.end()), seconds(310));
  EXPECT_GT(*std::max_element(timeouts.begin(), timeouts.end()),
            *std::min_element(timeouts.begin(), timeouts.end()) + seconds(20));
}

}  // namespace
}  // namespace scalableapp::kube
