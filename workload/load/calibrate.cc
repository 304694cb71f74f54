#include "workload/load/calibrate.h"

#include <fmt/format.h>

#include <cmath>
#include <future>
#include <nlohmann/json.hpp>

#include "workload/common/http_server.h"
#include "workload/load/generator.h"

namespace scalableapp::workload {
namespace {

constexpr int kTries = 10;
constexpr double kSecondsOfTry = 0.5;
constexpr double kFirstRate = 2000;

RunSpec try_of(double rate, int port) {
  MixEntry entry;
  entry.target = {"127.0.0.1", port};
  entry.path = TextTemplate::parse("/").value();
  RunSpec spec;
  spec.streams.emplace_back();
  auto& stream = spec.streams.back();
  stream.profile.phases = {{"", {{.duration = kSecondsOfTry, .from = rate, .to = rate}}}};
  stream.mix.add(std::move(entry));
  return spec;
}

}  // namespace

Calibration calibrate() {
  const auto server =
      HttpServer::start({.address = "127.0.0.1"}, [](const HttpRequest&, const Respond& respond) {
        respond({200, "ok\n", "text/plain"});
      });
  Calibration found;
  if (!server) return found;
  std::promise<void> end;
  const auto generator = Generator::create({}, nullptr, [&end] { end.set_value(); });
  double rate = kFirstRate;
  for (int count = 0; count < kTries; ++count) {
    auto ended = end.get_future();
    if (!generator->start(try_of(rate, (*server)->port()))) break;
    ended.wait();
    end = {};
    std::promise<std::string> report;
    generator->report([&report](std::string text) { report.set_value(std::move(text)); });
    const auto parsed = nlohmann::json::parse(report.get_future().get());
    const double lag = parsed["total"]["schedule_lag_p99_ms"].get<double>();
    const bool is_kept = lag < kCalibrationLagMs && parsed["total"]["failed"] == 0;
    if (is_kept) {
      found.rate = rate;
      found.lag_p99_ms = lag;
    } else {
      found.too_fast = rate;
    }
    // Doubled, or halved, until one was kept and one was not; then the middle between them.
    rate = found.too_fast == 0 ? 2 * rate
           : found.rate == 0   ? rate / 2
                               : std::sqrt(found.rate * found.too_fast);
  }
  return found;
}

std::string describe(const Calibration& calibration) {
  if (calibration.rate == 0) {
    return fmt::format("no rate was kept, not even {:.0f}/s: this machine is too busy to measure\n",
                       calibration.too_fast);
  }
  return fmt::format("kept {:.0f} requests/s, 99 % of them at most {:.1f} ms late; {}\n",
                     calibration.rate, calibration.lag_p99_ms,
                     calibration.too_fast == 0
                         ? "more was not tried"
                         : fmt::format("late at {:.0f}/s", calibration.too_fast));
}

}  // namespace scalableapp::workload
