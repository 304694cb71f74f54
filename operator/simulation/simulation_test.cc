#include "operator/simulation/simulation.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace scalableapp::simulation {
namespace {

using ::testing::HasSubstr;

constexpr Policy kAll[] = {Policy::kScalableApp, Policy::kHpa, Policy::kKeda, Policy::kKpa};

api::MetricSpec metric(const char* name, api::MetricType type, double target) {
  api::MetricSpec metric;
  metric.name = name;
  metric.type = type;
  metric.target = target;
  if (type == api::MetricType::kQueueLength) metric.target_type = api::TargetType::kAverageValue;
  return metric;
}

api::ScalableApp app_with(std::vector<api::MetricSpec> metrics) {
  api::ScalableApp app;
  app.metadata.name = "web";
  app.spec.min_replicas = 2;
  app.spec.max_replicas = 30;
  app.spec.metrics = std::move(metrics);
  app.spec.cpu_request_cores = 0.07;
  app.spec.behavior.scale_down.stabilization_window_seconds = 30;
  return app;
}
api::ScalableApp service() {
  return app_with({metric("latency", api::MetricType::kLatency, 0.25),
                   metric("cpu", api::MetricType::kCpu, 0.7)});
}
api::ScalableApp worker() {
  return app_with({metric("backlog", api::MetricType::kQueueLength, 20)});
}
Workload jobs() {
  Workload workload;
  workload.service_seconds = 0.1;
  workload.concurrency = 1;
  return workload;
}

Trace trace_of(const std::string& rows, const std::string& columns = "") {
  auto trace = parse_trace("t.csv", "seconds,requests_per_second" + columns + "\n" + rows);
  EXPECT_TRUE(trace) << trace.error().message;
  return *trace;
}
Trace spike() { return trace_of("0,100\n60,600\n180,100\n240,100\n"); }

PolicyResult run(const api::ScalableApp& app, const Trace& trace, Policy policy,
                 const Workload& workload = {}, const Options& options = {}) {
  auto result = simulate(app, trace, workload, policy, options);
  EXPECT_TRUE(result) << result.error().message;
  return result.value_or(PolicyResult{});
}

TEST(Simulation, EveryRequestIsServedOrFailedOrInTheAppAtTheEnd) {
  for (const Policy policy : kAll) {
    const PolicyResult web = run(service(), spike(), policy);
    EXPECT_NEAR(static_cast<double>(web.arrived), 60 * 100 + 120 * 600 + 120 * 100, 1000);
    EXPECT_EQ(web.served + web.failed + web.unfinished, web.arrived) << web.name;
    Workload slow = jobs();
    slow.termination_grace_seconds = 0;
    const PolicyResult work = run(worker(), trace_of("0,5\n60,80\n120,5\n500,5\n"), policy, slow);
    EXPECT_EQ(work.served + work.failed + work.unfinished, work.arrived) << work.name;
    EXPECT_GT(work.scale_events, 0) << work.name;
  }
}

TEST(Simulation, TheSameSeedGivesTheSameResultAndAnotherSeedAnother) {
  for (const Policy policy : kAll) {
    const PolicyResult first = run(service(), spike(), policy);
    EXPECT_EQ(run(service(), spike(), policy), first);
    Workload other;
    other.seed = 2;
    EXPECT_NE(run(service(), spike(), policy, other), first);
  }
}

TEST(Simulation, EveryPolicyMeetsTheSameLoad) {
  const auto arrived = run(service(), spike(), Policy::kScalableApp).arrived;
  for (const Policy policy : kAll) EXPECT_EQ(run(service(), spike(), policy).arrived, arrived);
}

TEST(Simulation, EnoughPodsMeetTheLevelAndTooFewDoNot) {
  api::ScalableApp app = service();
  const Trace steady = trace_of("0,200\n60,200\n");
  for (const auto& [replicas, missed] : {std::pair{6, 0.0}, {1, 110.0}}) {
    app.spec.min_replicas = app.spec.max_replicas = replicas;
    const PolicyResult result = run(app, steady, Policy::kScalableApp);
    EXPECT_EQ(result.measured_seconds, 110);  // All but the first 10 s.
    EXPECT_EQ(result.slo_violation_seconds, missed);
    EXPECT_EQ(result.recovery_seconds, missed);
    EXPECT_EQ(result.replica_seconds, 120 * replicas);
    EXPECT_EQ(result.scale_events, 0);
    EXPECT_EQ(result.max_replicas, replicas);
  }
}

TEST(Simulation, ASecondMayMissTheTargetWithTheQuantilesShare) {
  // Errors are answers, and slowness is a share of the requests: all take either 0.1 or nothing.
  api::ScalableApp app = service();
  app.spec.min_replicas = app.spec.max_replicas = 10;
  app.spec.metrics[0].quantile = 0.5;
  Workload workload;
  workload.service_cv = 2;  // Its median is far under its mean.
  workload.concurrency = 100;
  app.spec.metrics[0].target = 0.040;
  EXPECT_EQ(run(app, trace_of("0,100\n60,100\n"), Policy::kHpa, workload).slo_violation_seconds, 0);
  app.spec.metrics[0].quantile = 0.99;
  EXPECT_EQ(run(app, trace_of("0,100\n60,100\n"), Policy::kHpa, workload).slo_violation_seconds,
            110);
}

TEST(Simulation, BeginsWithWhatFitsTheFirstRow) {
  const Trace steady = trace_of("0,300\n10,300\n");
  // 300/s * 40 ms = 12 busy of 4 a pod, at 60 %: 5.
  EXPECT_EQ(run(service(), steady, Policy::kHpa).points.front().replicas_serving, 5);
  Options options;
  options.initial_replicas = 9;
  EXPECT_EQ(run(service(), steady, Policy::kHpa, {}, options).points.front().replicas_serving, 9);
  EXPECT_EQ(run(service(), trace_of("0,1\n"), Policy::kHpa).points.front().replicas_serving, 2);
}

TEST(Simulation, WindowsAreFullAndTheCountIsHeldWhenTheTraceBegins) {
  for (const Policy policy : kAll) {
    Options options;
    options.initial_replicas = 12;
    const PolicyResult result = run(service(), trace_of("0,100\n60,100\n"), policy, {}, options);
    EXPECT_EQ(result.points.front().replicas_serving, 12) << result.name;
    for (const Message& message : result.messages) {
      EXPECT_THAT(message.text, testing::Not(HasSubstr("missing"))) << result.name;
      EXPECT_GE(message.seconds, 0);
    }
  }
}

TEST(Simulation, ASlowDependencyMakesRequestsSlow) {
  api::ScalableApp app = service();
  app.spec.min_replicas = app.spec.max_replicas = 20;
  const PolicyResult result =
      run(app, trace_of("0,20,1\n60,20,10\n120,20,1\n180,20,1\n", ",service_factor"), Policy::kHpa);
  EXPECT_NEAR(result.slo_violation_seconds, 60, 2);  // 400 ms over 250 ms.
}

TEST(Simulation, ErrorsFailThatShareOfTheRequests) {
  const PolicyResult result =
      run(service(), trace_of("0,100,0.2\n600,100,0.2\n", ",error_ratio"), Policy::kHpa);
  EXPECT_NEAR(static_cast<double>(result.failed) / static_cast<double>(result.arrived), 0.2, 0.005);
}

TEST(Simulation, AColumnFeedsTheMetricOfItsName) {
  api::ScalableApp app = app_with({metric("orders", api::MetricType::kPrometheus, 10)});
  app.spec.metrics[0].target_type = api::TargetType::kAverageValue;
  const Trace trace = trace_of("0,10,20\n60,10,120\n120,10,120\n", ",orders");
  for (const Policy policy : {Policy::kScalableApp, Policy::kHpa}) {
    EXPECT_EQ(run(app, trace, policy).max_replicas, 12);
  }
}

TEST(Simulation, AQueueAppMayGoToZeroAndComeBack) {
  api::ScalableApp app = worker();
  app.spec.min_replicas = 0;
  app.spec.idle_seconds = 60;
  const Trace trace = trace_of("0,5\n60,0\n900,5\n1200,5\n");
  for (const Policy policy : kAll) {
    const PolicyResult result = run(app, trace, policy, jobs());
    int lowest = 1000;
    for (const Point& point : result.points) lowest = std::min(lowest, point.replicas_desired);
    EXPECT_EQ(lowest, policy == Policy::kHpa ? 1 : 0) << result.name;  // HPA has no way back.
    EXPECT_GT(result.points.back().replicas_serving, 0) << result.name;
    EXPECT_EQ(result.failed, 0) << result.name;
  }
}

TEST(Simulation, HpaActsOnlyEvery15Seconds) {
  const PolicyResult result = run(service(), spike(), Policy::kHpa);
  ASSERT_GT(result.messages.size(), 1U);
  for (const Message& message : result.messages) {
    EXPECT_EQ(std::fmod(message.seconds - 7, 15), 0) << message.text;
  }
}

TEST(Simulation, SettingsSayWhatThePeerLooksAt) {
  EXPECT_THAT(run(service(), spike(), Policy::kHpa).settings,
              HasSubstr("70 requests/s per pod (70% of a pod's true capacity)"));
  EXPECT_THAT(run(service(), spike(), Policy::kKeda).settings, HasSubstr("polling 30s"));
  EXPECT_THAT(run(service(), spike(), Policy::kKpa).settings,
              HasSubstr("concurrency per pod 2.8 (70% of 4)"));
  EXPECT_THAT(run(worker(), spike(), Policy::kKpa, jobs()).settings,
              HasSubstr("jobs waiting or in progress"));
}

TEST(Simulation, PointsAndMessagesAreBounded) {
  Options options;
  options.max_points = 50;
  options.max_messages = 4;
  const PolicyResult result = run(service(), spike(), Policy::kScalableApp, {}, options);
  EXPECT_LE(result.points.size(), 50U);
  EXPECT_GE(result.points.size(), 25U);
  EXPECT_EQ(result.messages.size(), 4U);
  EXPECT_NEAR(result.points.front().arrivals_per_second, 100, 15);
  EXPECT_EQ(run(service(), spike(), Policy::kScalableApp).points.size(), 300U);
}

TEST(Simulation, TheAdvisorSeesTheLoadSoFarBeforeEveryDecision) {
  int calls = 0;
  LoadSoFar last;
  Options options;
  options.advisor = [&](WallTime now, const LoadSoFar& load, const api::ScalingHistory&,
                        scaling::Observation& observation) {
    if (now < options.start) return;
    EXPECT_EQ(now, options.start + seconds{2 * calls});
    ++calls;
    EXPECT_TRUE(observation.forecasts.empty());
    observation.forecasts.push_back({});
    last = load;
  };
  run(service(), trace_of("0,100\n60,100\n"), Policy::kScalableApp, {}, options);
  EXPECT_EQ(calls, 60);
  ASSERT_EQ(last.arrivals_per_second.size(), 41U);  // 300 s before the trace, 110 s of it.
  EXPECT_NEAR(last.arrivals_per_second[35], 100, 15);
  EXPECT_NEAR(last.cores[35], 0.1, 0.015);
  EXPECT_EQ(last.start, options.start - seconds{300});
}

TEST(Simulation, SaysWhatIsWrongWithItsArguments) {
  const auto error = [](const api::ScalableApp& app, const Trace& trace, const Workload& workload) {
    const auto result = simulate(app, trace, workload, Policy::kScalableApp);
    return result ? std::string("none") : result.error().message;
  };
  api::ScalableApp app = service();
  Workload workload;
  EXPECT_EQ(error(app, Trace{"t.csv", {}, {}, {}}, workload), "t.csv: has no rows");
  EXPECT_THAT(error(app, trace_of("0,1,2\n", ",orders"), workload), HasSubstr("\"orders\""));
  workload.concurrency = 0;
  EXPECT_EQ(error(app, spike(), workload), "workload: concurrency is 0, must be from 1 to 10000");
  app.spec.metrics.push_back(metric("backlog", api::MetricType::kQueueLength, 1));
  EXPECT_THAT(error(app, spike(), {}), HasSubstr("both Latency and QueueLength"));
  app.problems = {"spec.replicas.max: must be set"};
  EXPECT_EQ(error(app, spike(), {}), "spec.replicas.max: must be set");
}

TEST(LoadTurns, AreThePeaksAndValleysThatMatter) {
  EXPECT_EQ(load_turns(trace_of("0,100\n600,100\n")), 0);
  EXPECT_EQ(load_turns(trace_of("0,100\n600,500\n1200,500\n")), 0);                      // A step.
  EXPECT_EQ(load_turns(trace_of("0,100\n600,500\n1200,100\n1800,100\n")), 1);            // A spike.
  EXPECT_EQ(load_turns(trace_of("0,1\n600,9\n1200,1\n1800,9\n2400,1\n3000,1\n")), 3);    // Two.
  EXPECT_EQ(load_turns(trace_of("0,100\n600,500\n1200,450\n1800,500\n2400,500\n")), 0);  // A dent.
  EXPECT_EQ(load_turns(trace_of("0,100\n600,103\n1200,98\n1800,101\n")), 0);             // Noise.
  std::string day;
  for (int second = 0; second < 86400; second += 60) {
    day += fmt::format("{},{}\n", second,
                       100 - 80 * std::cos(second * 2 * std::numbers::pi / 86400));
  }
  EXPECT_EQ(load_turns(trace_of(day)), 1);
}

}  // namespace
}  // namespace scalableapp::simulation
