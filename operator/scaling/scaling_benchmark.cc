// Decisions per second on one core: 4 metrics, 12 pods, an hour of history behind a 1 h window. What
// a decision allocates, and what is kept of an app, are counters; they must not grow with time.
// Run: scaling_benchmark [--benchmark_filter=...]
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <new>

#include "operator/scaling/forecast.h"
#include "operator/scaling/record.h"
#include "operator/scaling/schedule.h"
#include "operator/scaling/test_support.h"

namespace {
// The benchmark is one thread.
std::size_t allocations = 0;
std::size_t allocated_bytes = 0;
}  // namespace

[[gnu::noinline]] void* operator new(std::size_t size) {
  ++allocations;
  allocated_bytes += size;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
// Out of line, or gcc 12 takes the pair for mismatched.
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace scalableapp::scaling {
namespace {

struct Scene {
  api::ScalableApp object;
  Observation observation;
  api::ScalingHistory history;
};

// Requests at `rate` a second that take 50 ms each, some 1.5 times as long at the 0.99 quantile.
MetricReading latency_at(double rate, int pods) {
  MetricReading latency = test::reading("latency", 0.12);
  for (int i = 0; i < pods; ++i) {
    latency.loads[fmt::format("pod-{}", i)] = {.requests_per_second = rate / pods,
                                               .errors_per_second = 0.01,
                                               .concurrency = 0.05 * rate / pods,
                                               .quantile_seconds = 0.12};
  }
  latency.in_flight = 0.05 * rate;
  latency.arrivals_per_second = rate;
  return latency;
}

// `beyond`: with all that goes beyond HPA, burst, fallback, forecasts and schedules.
Scene scene_after(int for_seconds, bool beyond) {
  Scene scene;
  scene.object.metadata.name = "web";
  auto behavior = test::hpa_behavior();
  behavior.scale_up.stabilization_window_seconds = 60;
  behavior.scale_down.stabilization_window_seconds = 3600;
  auto& spec = scene.object.spec;
  spec = test::app({test::cpu(), test::latency(), test::backlog(), test::needed()}, behavior);
  spec.metrics[2].drain_seconds = 60;
  MetricReading cpu{.name = "cpu"};
  for (int i = 0; i < 12; ++i) cpu.per_pod[fmt::format("pod-{}", i)] = 0.066;
  MetricReading backlog = test::reading("backlog", 245);
  backlog.arrivals_per_second = 20;
  backlog.completions_per_second = 30;
  scene.observation =
      test::observe(12, {cpu, latency_at(240, 12), backlog, test::reading("needed", 12)});
  if (beyond) {
    spec.burst.emplace();
    spec.prediction.emplace();
    for (auto& metric : spec.metrics) metric.fallback.emplace();
    scene.observation.schedules = {{"dinner", 10, std::nullopt}, {"night", std::nullopt, 400}};
    scene.observation.forecasts = {
        {"latency", test::kNow, 300, 0.1, "the same time last week"},
        {"backlog", test::kNow, 25, 0.1, "the trend"}};
  }
  // Decisions every 2 s over a load that falls, which is what leaves most runs behind.
  for (int second = 0; second < for_seconds; second += 2) {
    Observation observation = scene.observation;
    observation.readings[3].value = 200 - second / 20 % 180;
    scene.history =
        decide(test::kNow + seconds{second}, spec, observation, scene.history).history;
  }
  return scene;
}
Scene scene_after_an_hour() { return scene_after(3600, false); }

// What a copy of it allocates, and itself.
double bytes_of(const api::ScalingHistory& history) {
  const std::size_t before = allocated_bytes;
  const api::ScalingHistory copy = history;
  benchmark::DoNotOptimize(&copy);
  return static_cast<double>(allocated_bytes - before + sizeof(history));
}

void decide_on(Scene scene, int started_at, benchmark::State& state) {
  WallTime now = test::kNow + seconds{started_at};
  const std::size_t before = allocations;
  for (auto _ : state) {
    Decision decision =
        decide(now += milliseconds{1}, scene.object.spec, scene.observation, scene.history);
    benchmark::DoNotOptimize(decision.replicas);
    scene.history = std::move(decision.history);
  }
  const auto made = static_cast<double>(allocations - before);
  state.SetItemsProcessed(state.iterations());
  state.counters["allocations"] = made / static_cast<double>(state.iterations());
  state.counters["runs"] = static_cast<double>(scene.history.recommendations.size());
  state.counters["events"] = static_cast<double>(scene.history.scale_events.size());
  state.counters["history_bytes"] = bytes_of(scene.history);
}

void BM_Decide(benchmark::State& state) { decide_on(scene_after_an_hour(), 3600, state); }
BENCHMARK(BM_Decide);

void BM_DecideWithEverything(benchmark::State& state) {
  decide_on(scene_after(3600, true), 3600, state);
}
BENCHMARK(BM_DecideWithEverything);

// As BM_Decide, to be compared with: nothing may grow.
void BM_DecideAfterADay(benchmark::State& state) {
  decide_on(scene_after(86'400, false), 86'400, state);
}
BENCHMARK(BM_DecideAfterADay);

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
