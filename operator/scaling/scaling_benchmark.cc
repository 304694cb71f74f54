// Decisions per second on one core: 4 metrics, 12 pods, an hour of history behind a 1 h window.
// Run: scaling_benchmark [--benchmark_filter=...]
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cmath>

#include "operator/scaling/forecast.h"
#include "operator/scaling/record.h"
#include "operator/scaling/schedule.h"
#include "operator/scaling/test_support.h"

namespace scalableapp::scaling {
namespace {

struct Scene {
  api::ScalableApp object;
  Observation observation;
  api::ScalingHistory history;
};

Scene scene_after_an_hour() {
  Scene scene;
  scene.object.metadata.name = "web";
  auto behavior = test::hpa_behavior();
  behavior.scale_up.stabilization_window_seconds = 60;
  behavior.scale_down.stabilization_window_seconds = 3600;
  scene.object.spec =
      test::app({test::cpu(), test::latency(), test::backlog(), test::needed()}, behavior);
  MetricReading cpu{.name = "cpu"};
  for (int i = 0; i < 12; ++i) cpu.per_pod[fmt::format("pod-{}", i)] = 0.066;
  scene.observation =
      test::observe(12, {cpu, test::reading("latency", 0.21), test::reading("backlog", 245),
                         test::reading("needed", 12)});
  // An hour of decisions every 2 s over a load that falls, which is what leaves most runs behind.
  for (int second = 0; second < 3600; second += 2) {
    Observation observation = scene.observation;
    observation.readings[3].value = 200 - second / 20;
    scene.history =
        decide(test::kNow + seconds{second}, scene.object.spec, observation, scene.history).history;
  }
  return scene;
}

void BM_Decide(benchmark::State& state) {
  Scene scene = scene_after_an_hour();
  WallTime now = test::kNow + seconds{3600};
  for (auto _ : state) {
    Decision decision =
        decide(now += milliseconds{1}, scene.object.spec, scene.observation, scene.history);
    benchmark::DoNotOptimize(decision.replicas);
    scene.history = std::move(decision.history);
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["runs"] = static_cast<double>(scene.history.recommendations.size());
  state.counters["events"] = static_cast<double>(scene.history.scale_events.size());
}
BENCHMARK(BM_Decide);

void BM_Record(benchmark::State& state) {
  const Scene scene = scene_after_an_hour();
  const WallTime now = test::kNow + seconds{3600};
  const Decision decision = decide(now, scene.object.spec, scene.observation, scene.history);
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        render_record(now, scene.object, scene.observation, scene.history, decision));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Record);

LoadSeries fifteen_days() {
  LoadSeries history{test::kNow - seconds{15 * 86'400}, seconds{300}, {}};
  for (int i = 0; i <= 15 * 288; ++i) {
    history.values.push_back(static_cast<float>(200 + 100 * std::sin(i / 45.8)));
  }
  return history;
}

void BM_LearnFifteenDays(benchmark::State& state) {
  const LoadSeries history = fifteen_days();
  for (auto _ : state) benchmark::DoNotOptimize(learn(history, seconds{300}));
}
BENCHMARK(BM_LearnFifteenDays);

void BM_Forecast(benchmark::State& state) {
  const LoadSeries history = fifteen_days();
  const ForecastModel model = learn(history, seconds{60});
  std::vector<LoadPoint> recent;
  for (int i = 300; i >= 0; i -= 2) recent.push_back({test::kNow - seconds{i}, 200.0 + i % 7});
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        forecast("latency", history, model, recent, test::kNow, seconds{60}));
  }
}
BENCHMARK(BM_Forecast);

// Four schedules, each of a week's length, so that the whole week is looked at.
void BM_ActiveSchedules(benchmark::State& state) {
  const std::vector<api::Schedule> schedules(
      4, {"sale", "0 18 1 1,6 *", "UTC", 7 * 86'400, 10, std::nullopt});
  for (auto _ : state) {
    benchmark::DoNotOptimize(active_schedules(test::kNow, seconds{60}, schedules, {}));
  }
}
BENCHMARK(BM_ActiveSchedules);

}  // namespace
}  // namespace scalableapp::scaling

BENCHMARK_MAIN();
