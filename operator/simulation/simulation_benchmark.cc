// How long a day takes: a sine of 100 requests a second on the mean, a decision every 2 s.
// Run: simulation_benchmark [--benchmark_filter=...]
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "operator/simulation/simulation.h"

namespace scalableapp::simulation {
namespace {

void BM_Day(benchmark::State& state) {
  api::ScalableApp app;
  app.metadata.name = "web";
  app.spec.min_replicas = 2;
  app.spec.max_replicas = 40;
  app.spec.cpu_request_cores = 0.03;
  app.spec.metrics.resize(2);
  app.spec.metrics[0].name = "latency";
  app.spec.metrics[0].type = api::MetricType::kLatency;
  app.spec.metrics[0].target = 0.25;
  app.spec.metrics[1].name = "cpu";
  app.spec.metrics[1].target = 0.7;
  Trace trace{.name = "day"};
  for (int second = 0; second < 86400; second += 60) {
    trace.seconds.push_back(second);
    trace.requests_per_second.push_back(
        100 - 80 * std::cos(second * 2 * std::numbers::pi / 86400));
  }
  std::int64_t requests = 0;
  for (auto _ : state) {
    const auto result = simulate(app, trace, {}, static_cast<Policy>(state.range(0)));
    benchmark::DoNotOptimize(result);
    if (result) requests += result->arrived;
  }
  state.SetItemsProcessed(requests);
  state.SetLabel(to_string(static_cast<Policy>(state.range(0))));
}
BENCHMARK(BM_Day)->DenseRange(0, 3)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace scalableapp::simulation

BENCHMARK_MAIN();
