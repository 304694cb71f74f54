#include "operator/kube/leader_elector.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <memory>

#include "tests/support/fake_api.h"
#include "tests/support/fake_clock.h"

namespace scalableapp::kube {
namespace {

const api::ObjectKey kLease{"system", "operator"};
const auto kUnreachable = [](std::string_view) -> Result<void> {
  return fail(ErrorCode::kUnavailable, "connection refused");
};

TEST(NextStep, FollowsTheRecordAndTheTimeSinceItLastChanged) {
  const MonotonicTime seen{seconds(100)};
  const auto record = [](std::string holder, int duration) {
    return LeaseRecord{.holder = std::move(holder), .duration = seconds(duration)};
  };
  struct Row {
    const char* name;
    std::optional<LeaseRecord> record;
    int ms_since;
    LeaseStep want;
  };
  const Row rows[] = {
      {"no lease", std::nullopt, 0, LeaseStep::kCreate},
      {"released", record("", 1), 0, LeaseStep::kTake},
      {"ours", record("me", 4), 0, LeaseStep::kRenew},
      {"ours though expired", record("me", 4), 60'000, LeaseStep::kRenew},
      {"another's, just seen", record("other", 4), 0, LeaseStep::kWait},
      {"another's, nearly over", record("other", 4), 3'999, LeaseStep::kWait},
      {"another's, over", record("other", 4), 4'000, LeaseStep::kTake},
      {"another's, longer than ours", record("other", 15), 4'000, LeaseStep::kWait},
      {"another's, no duration: ours counts", record("other", 0), 3'999, LeaseStep::kWait},
      {"another's, no duration, over", record("other", 0), 4'000, LeaseStep::kTake},
  };
  for (const Row& row : rows) {
    std::optional<LeaseObservation> observation;
    if (row.record) observation = LeaseObservation{*row.record, seen};
    EXPECT_EQ(next_step(observation, "me", seconds(4), seen + milliseconds(row.ms_since)), row.want)
        << row.name;
  }
}

TEST(ElectionTimes, MustBeOrderedSoThatALeaderStandsDownBeforeItsLeaseEnds) {
  EXPECT_TRUE(validate({}));
  EXPECT_FALSE(validate({.lease = seconds(3)}));
  EXPECT_FALSE(validate({.renew_deadline = milliseconds(600)}));
  EXPECT_TRUE(validate({.renew_deadline = milliseconds(601)}));
  EXPECT_FALSE(validate({.retry = milliseconds(0)}));
}

// One replica: its own way to the API, its elector and what the callbacks said.
struct Replica {
  Replica(FakeApi& server, const Clock& clock, Random& random, std::string identity)
      : way(server),
        elector(way, clock, random, {.lease = kLease, .identity = std::move(identity), .times = {}},
                {.on_started_leading = [this] { ++started; },
                 .on_stopped_leading = [this] { ++stopped; }}) {}

  // Lets a replica be cut off from the API by itself.
  struct Way final : Client {
    explicit Way(FakeApi& to) : api(to) {}
    FakeApi& api;
    std::atomic<bool> cut{false};
    Error error() const { return {ErrorCode::kUnavailable, "cut", {}}; }

    Result<std::string> get(const ResourceType& t, const api::ObjectKey& k) override {
      if (cut) return tl::unexpected(error());
      return api.get(t, k);
    }
    Result<std::string> list(const ResourceType& t, const ListOptions& o) override {
      return api.list(t, o);
    }
    Result<std::string> create(const ResourceType& t, std::string_view n,
                               std::string_view b) override {
      if (cut) return tl::unexpected(error());
      return api.create(t, n, b);
    }
    Result<std::string> apply(const ResourceType& t, const api::ObjectKey& k, std::string_view b,
                              std::string_view m, std::string_view s) override {
      return api.apply(t, k, b, m, s);
    }
    Result<std::string> patch(const ResourceType& t, const api::ObjectKey& k, std::string_view b,
                              PatchKind p, std::string_view s, std::string_view m) override {
      return api.patch(t, k, b, p, s, m);
    }
    Result<std::string> update(const ResourceType& t, const api::ObjectKey& k, std::string_view b,
                               std::string_view s) override {
      if (cut) return tl::unexpected(error());
      return api.update(t, k, b, s);
    }
    Result<void> remove(const ResourceType& t, const api::ObjectKey& k, const Preconditions& c,
                        Propagation p) override {
      return api.remove(t, k, c, p);
    }
  };

  Way way;
  std::atomic<int> started{0};
  std::atomic<int> stopped{0};
  LeaderElector elector;
};

struct LeaderElectorTest : testing::Test {
  nlohmann::json lease() { return api.objects("leases").at(0); }
  std::string holder() { return lease()["spec"]["holderIdentity"]; }

  // Moves time on in small steps; all threads get to act on each of them. Checks at every step that
  // no two lead. Returns once `done` holds; the time it took, or fails after a minute.
  template <typename Done>
  milliseconds run_until(std::initializer_list<Replica*> replicas, Done done) {
    const milliseconds step{10};
    milliseconds passed{0};
    clock.await_sleepers(replicas.size());
    while (!done()) {
      clock.advance(step);
      passed += step;
      clock.await_sleepers(replicas.size());
      int leaders = 0;
      for (const Replica* replica : replicas) leaders += replica->elector.is_leader() ? 1 : 0;
      EXPECT_LE(leaders, 1);
      if (passed > seconds(60)) {
        ADD_FAILURE() << "not done after a minute";
        break;
      }
    }
    return passed;
  }
  void run_for(std::initializer_list<Replica*> replicas, milliseconds duration) {
    const MonotonicTime end = clock.monotonic_now() + duration;
    run_until(replicas, [&] { return clock.monotonic_now() >= end; });
  }

  FakeClock clock;
  Random random{42};
  FakeApi api;
  Replica a{api, clock, random, "a"};
  Replica b{api, clock, random, "b"};
};

TEST_F(LeaderElectorTest, TheFirstCandidateCreatesTheLeaseAndLeads) {
  ASSERT_TRUE(a.elector.start());
  run_for({&a}, seconds(10));
  EXPECT_TRUE(a.elector.is_leader());
  EXPECT_EQ(a.elector.holder(), "a");
  EXPECT_EQ(a.started, 1);
  EXPECT_EQ(a.stopped, 0);
  const auto spec = lease()["spec"];
  EXPECT_EQ(spec["leaseDurationSeconds"], 4);
  EXPECT_EQ(spec["leaseTransitions"], 0);
  EXPECT_NE(spec["renewTime"], spec["acquireTime"]);
}

TEST_F(LeaderElectorTest, ALeaderRenewsWithoutReadingTheLease) {
  ASSERT_TRUE(a.elector.start());
  run_for({&a}, seconds(3));
  const auto calls = api.calls();
  ASSERT_GE(calls.size(), 6U);
  EXPECT_EQ(calls[0], "get leases system/operator");
  EXPECT_EQ(calls[1], "create leases system/operator");
  for (std::size_t i = 2; i < calls.size(); ++i)
    EXPECT_EQ(calls[i], "update leases system/operator");
}

TEST_F(LeaderElectorTest, ALeaderThatDiesIsReplacedWithinFiveSeconds) {
  ASSERT_TRUE(a.elector.start());
  clock.await_sleepers(1);
  ASSERT_TRUE(b.elector.start());
  // At any moment between two renewals.
  for (int kill_after_ms = 2'000; kill_after_ms < 2'700; kill_after_ms += 90) {
    Replica& leader = a.elector.is_leader() ? a : b;
    Replica& other = &leader == &a ? b : a;
    run_for({&a, &b}, milliseconds(kill_after_ms));
    ASSERT_TRUE(leader.elector.is_leader());
    leader.way.cut = true;
    const auto takeover = run_until({&a, &b}, [&] { return other.elector.is_leader(); });
    EXPECT_LT(takeover, seconds(5));
    EXPECT_EQ(leader.stopped, leader.started);
    leader.way.cut = false;
  }
  EXPECT_EQ(lease()["spec"]["leaseTransitions"], 8);
}

TEST_F(LeaderElectorTest, ACandidateInStepWithTheHolderSeesItsLastRenewalAtOnce) {
  ASSERT_TRUE(a.elector.start());
  clock.await_sleepers(1);
  ASSERT_TRUE(b.elector.start());
  for (int kill_after_ms = 10'000; kill_after_ms < 10'600; kill_after_ms += 90) {
    Replica& leader = a.elector.is_leader() ? a : b;
    Replica& other = &leader == &a ? b : a;
    run_for({&a, &b}, milliseconds(kill_after_ms));
    ASSERT_TRUE(leader.elector.is_leader());
    leader.way.cut = true;
    EXPECT_LE(run_until({&a, &b}, [&] { return other.elector.is_leader(); }), milliseconds(4'160));
    leader.way.cut = false;
  }
}

TEST_F(LeaderElectorTest, ACandidateAtRestLooksFewerThanThreeTimesASecond) {
  ASSERT_TRUE(a.elector.start());
  clock.await_sleepers(1);
  ASSERT_TRUE(b.elector.start());
  run_for({&a, &b}, seconds(60));
  EXPECT_LT(std::ranges::count(api.calls(), "get leases system/operator"), 60 * 3);
}

TEST_F(LeaderElectorTest, ALeaseThatRanOutIsTakenWithoutAnotherLook) {
  ASSERT_TRUE(a.elector.start());
  clock.await_sleepers(1);
  ASSERT_TRUE(b.elector.start());
  run_for({&a, &b}, seconds(10));
  a.way.cut = true;
  run_for({&a, &b}, seconds(1));
  api.set_fault([](std::string_view verb) -> Result<void> {
    return verb == "get" ? kUnreachable(verb) : Result<void>();
  });
  EXPECT_LE(run_until({&a, &b}, [&] { return b.elector.is_leader(); }), milliseconds(3'160));
}

TEST_F(LeaderElectorTest, ALeaseThatRanOutIsTakenEvenIfOthersEditIt) {
  ASSERT_TRUE(a.elector.start());
  clock.await_sleepers(1);
  ASSERT_TRUE(b.elector.start());
  run_for({&a, &b}, seconds(10));
  a.way.cut = true;
  run_for({&a, &b}, milliseconds(3'300));  // No more looks before the end.
  auto edited = lease();
  edited["metadata"]["labels"]["team"] = "shop";
  ASSERT_TRUE(api.update(kLeases, kLease, edited.dump(), ""));
  EXPECT_LE(run_until({&a, &b}, [&] { return b.elector.is_leader(); }), milliseconds(860));
  EXPECT_EQ(lease()["metadata"]["labels"]["team"], "shop");
}

TEST_F(LeaderElectorTest, AHolderThatRenewsAtTheLastMomentKeepsItsLease) {
  ASSERT_TRUE(a.elector.start());
  clock.await_sleepers(1);
  ASSERT_TRUE(b.elector.start());
  const std::string renewed = lease()["spec"]["renewTime"];
  run_until({&a, &b}, [&] { return lease()["spec"]["renewTime"] != renewed; });
  a.way.cut = true;
  run_for({&a, &b}, milliseconds(3'200));  // It has stood down, and its lease still runs.
  EXPECT_EQ(a.stopped, 1);
  a.way.cut = false;
  run_for({&a, &b}, seconds(10));
  EXPECT_TRUE(a.elector.is_leader());
  EXPECT_EQ(a.started, 2);
  EXPECT_EQ(b.started, 0);
}

TEST_F(LeaderElectorTest, ALeaderWithoutTheApiStandsDownByItselfAndLeadsAgainLater) {
  ASSERT_TRUE(a.elector.start());
  run_for({&a}, seconds(2));
  api.set_fault(kUnreachable);
  const auto led_on = run_until({&a}, [&] { return !a.elector.is_leader(); });
  EXPECT_LE(led_on, seconds(3));
  EXPECT_GE(led_on, milliseconds(2'400));
  EXPECT_EQ(a.stopped, 1);
  api.set_fault(nullptr);
  EXPECT_LE(run_until({&a}, [&] { return a.elector.is_leader(); }), milliseconds(600));
  EXPECT_EQ(a.started, 2);
  EXPECT_EQ(lease()["spec"]["leaseTransitions"], 0);
}

TEST_F(LeaderElectorTest, OneFailedRenewalDoesNotEndTheTerm) {
  ASSERT_TRUE(a.elector.start());
  run_for({&a}, seconds(2));
  api.set_fault(kUnreachable);
  run_for({&a}, seconds(1));
  api.set_fault(nullptr);
  run_for({&a}, seconds(5));
  EXPECT_TRUE(a.elector.is_leader());
  EXPECT_EQ(a.stopped, 0);
}

TEST_F(LeaderElectorTest, ALeaderThatStopsHandsOverAtOnce) {
  ASSERT_TRUE(a.elector.start());
  clock.await_sleepers(1);
  ASSERT_TRUE(b.elector.start());
  run_for({&a, &b}, seconds(3));
  ASSERT_TRUE(a.elector.is_leader());
  a.elector.stop();
  EXPECT_FALSE(a.elector.is_leader());
  EXPECT_EQ(a.stopped, 1);
  EXPECT_EQ(holder(), "");
  EXPECT_EQ(lease()["spec"]["leaseDurationSeconds"], 1);
  EXPECT_LE(run_until({&b}, [&] { return b.elector.is_leader(); }), milliseconds(600));
}

TEST_F(LeaderElectorTest, ACandidateThatStopsLeavesTheLeaseAlone) {
  ASSERT_TRUE(a.elector.start());
  clock.await_sleepers(1);
  ASSERT_TRUE(b.elector.start());
  run_for({&a, &b}, seconds(1));
  b.elector.stop();
  EXPECT_EQ(holder(), "a");
  EXPECT_TRUE(a.elector.is_leader());
}

TEST_F(LeaderElectorTest, ClocksThatJumpChangeNothing) {
  ASSERT_TRUE(a.elector.start());
  clock.await_sleepers(1);
  ASSERT_TRUE(b.elector.start());
  for (const int hours : {-5, 24, -100}) {
    clock.jump_wall(std::chrono::hours(hours));
    run_for({&a, &b}, seconds(10));
  }
  EXPECT_TRUE(a.elector.is_leader());
  EXPECT_EQ(a.stopped, 0);
  EXPECT_EQ(b.started, 0);
}

TEST_F(LeaderElectorTest, ALeaderWhoseLeaseWasTakenStandsDownAtItsNextRenewal) {
  ASSERT_TRUE(a.elector.start());
  run_for({&a}, seconds(2));
  auto stolen = lease();
  stolen["spec"]["holderIdentity"] = "thief";
  ASSERT_TRUE(api.update(kLeases, kLease, stolen.dump(), ""));
  EXPECT_LE(run_until({&a}, [&] { return !a.elector.is_leader(); }), milliseconds(600));
  EXPECT_EQ(a.stopped, 1);
  EXPECT_EQ(a.elector.holder(), "thief");
}

TEST_F(LeaderElectorTest, AnEditOfTheLeaseByOthersIsKeptAndDoesNotEndTheTerm) {
  ASSERT_TRUE(a.elector.start());
  run_for({&a}, seconds(2));
  auto edited = lease();
  edited["metadata"]["labels"]["team"] = "shop";
  ASSERT_TRUE(api.update(kLeases, kLease, edited.dump(), ""));
  run_for({&a}, seconds(5));
  EXPECT_EQ(a.stopped, 0);
  EXPECT_TRUE(a.elector.is_leader());
  EXPECT_EQ(lease()["metadata"]["labels"]["team"], "shop");
}

TEST_F(LeaderElectorTest, ALeaseThatIsDeletedIsMadeAgain) {
  ASSERT_TRUE(a.elector.start());
  run_for({&a}, seconds(2));
  ASSERT_TRUE(api.remove(kLeases, kLease, {}, Propagation::kBackground));
  run_for({&a}, seconds(2));
  EXPECT_TRUE(a.elector.is_leader());
  EXPECT_EQ(a.stopped, 1);
  EXPECT_EQ(holder(), "a");
}

TEST_F(LeaderElectorTest, ATakeoverWhoseAnswerWasLostIsFinishedNotRepeated) {
  auto old =
      nlohmann::json{{"metadata", {{"name", kLease.name}}}, {"spec", {{"holderIdentity", ""}}}};
  ASSERT_TRUE(api.create(kLeases, kLease.namespace_name, old.dump()));
  auto taken = lease();
  taken["spec"]["holderIdentity"] = "a";
  // The first update times out, though the server carried it out: it is the next get that shows it.
  bool first = true;
  api.set_fault([&](std::string_view verb) -> Result<void> {
    if (verb != "update" || !std::exchange(first, false)) return {};
    return fail(ErrorCode::kTimeout, "no answer");
  });
  ASSERT_TRUE(a.elector.start());
  clock.await_sleepers(1);
  EXPECT_FALSE(a.elector.is_leader());
  ASSERT_TRUE(api.update(kLeases, kLease, taken.dump(), ""));
  run_for({&a}, seconds(1));
  EXPECT_TRUE(a.elector.is_leader());
  EXPECT_EQ(a.started, 1);
}

TEST_F(LeaderElectorTest, AnswersThatAreNotALeaseAreAnErrorAndNothingElse) {
  ASSERT_TRUE(api.create(kLeases, kLease.namespace_name,
                         R"({"metadata": {"name": "operator"},
                             "spec": {"holderIdentity": 7, "leaseDurationSeconds": "x",
                                      "leaseTransitions": {}, "renewTime": []}})"));
  ASSERT_TRUE(a.elector.start());
  run_for({&a}, seconds(1));
  EXPECT_TRUE(a.elector.is_leader()) << "a holder that is not text is no holder";
}

TEST_F(LeaderElectorTest, OptionsThatMakeNoSenseAreRefused) {
  LeaderElector nameless(api, clock, random, {.lease = kLease, .identity = "", .times = {}}, {});
  EXPECT_FALSE(nameless.start());
  LeaderElector hasty(api, clock, random,
                      {.lease = kLease, .identity = "x", .times = {.lease = seconds(1)}}, {});
  EXPECT_FALSE(hasty.start());
}

}  // namespace
}  // namespace scalableapp::kube
