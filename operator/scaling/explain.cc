#include "operator/scaling/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace scalableapp::scaling {
namespace {

// A sentence that names more metrics is not read; status.metrics has them all.
constexpr std::size_t kMetricsNamed = 3;

std::string clause_of(const Signal& signal) {
  const api::MetricSpec& metric = *signal.metric;
  if (signal.idle) return fmt::format("{} idle needs {}", metric.name, *signal.proposal);
  if (signal.fallback) {
    return fmt::format("{} missing ({}), its fallback is {}", metric.name, signal.missing,
                       metric.fallback->replicas);
  }
  if (!signal.proposal) return fmt::format("{} missing ({})", metric.name, signal.missing);
  const std::string value = format_value(metric.type, *signal.value);
  const std::string target =
      format_value(metric.type, metric.target) + (is_total(metric) ? " per replica" : "");
  if (signal.activates) {
    return fmt::format("{} {} over its activation threshold {} needs {}", metric.name, value,
                       format_value(metric.type, metric.activation_threshold), *signal.proposal);
  }
  if (signal.by_drain) {
    return fmt::format("{} {} and {:.3g} more a second, to be gone within {}, needs {}", metric.name, value,
                       signal.load, format_duration(seconds{*metric.drain_seconds}), *signal.proposal);
  }
  if (signal.not_capacity_bound) {
    return fmt::format("{} {} over {} is not for want of replicas", metric.name, value, target);
  }
  if (signal.by_capacity) {
    const char* relation = signal.ratio > 1 ? "over" : "within";
    const std::string load = fmt::format("at {:.4g} req/s", signal.load);
    return signal.within_tolerance
               ? fmt::format("{} {} {} {} {}", metric.name, value, relation, target, load)
               : fmt::format("{} {} {} {} needs {} {}", metric.name, value, relation, target,
                             *signal.proposal, load);
  }
  if (signal.within_tolerance) return fmt::format("{} {} near {}", metric.name, value, target);
  return fmt::format("{} {} {} {} needs {}", metric.name, value,
                     signal.ratio > 1 ? "over" : "under", target, *signal.proposal);
}

// What the metrics say, the most demanding first; on the way up only those that ask for more.
std::string needs(int current, int proposed, std::span<const Signal> signals) {
  std::vector<const Signal*> named;
  for (const Signal& signal : signals) {
    if (proposed <= current || signal.proposal.value_or(0) > current) named.push_back(&signal);
  }
  std::ranges::sort(named, [](const Signal* a, const Signal* b) {
    const int left = a->proposal.value_or(-1), right = b->proposal.value_or(-1);
    return left != right ? left > right : a->metric->name < b->metric->name;
  });
  std::string text;
  for (std::size_t i = 0; i < std::min(named.size(), kMetricsNamed); ++i) {
    if (i > 0) text += "; ";
    text += clause_of(*named[i]);
  }
  if (named.size() > kMetricsNamed) {
    fmt::format_to(std::back_inserter(text), "; and {} more", named.size() - kMetricsNamed);
  }
  return text.empty() ? "spec.metrics is empty" : text;
}

bool is_bound(const Step& step) {
  return step.name == "minReplicas" || step.name == "maxReplicas" || step.name == "override" ||
         step.name == "scheduledMin" || step.name == "scheduledMax" || step.name == "forecast" ||
         step.name == "scaleToZero";
}

}  // namespace

const char* type_name(api::MetricType type) {
  switch (type) {
    case api::MetricType::kLatency:
      return "Latency";
    case api::MetricType::kCpu:
      return "CPU";
    case api::MetricType::kQueueLength:
      return "QueueLength";
    case api::MetricType::kPrometheus:
      return "Prometheus";
  }
  return "";
}

std::string format_value(api::MetricType type, double value) {
  if (type == api::MetricType::kCpu) return fmt::format("{:.0f}%", value * 100);
  if (type == api::MetricType::kLatency) {
    // 999.5 ms would be written as 1e+03ms.
    return value < 0.9995 ? fmt::format("{:.3g}ms", value * 1e3) : fmt::format("{:.3g}s", value);
  }
  return value >= 1000 && value < 1e15 ? fmt::format("{:.0f}", value)
                                       : fmt::format("{:.4g}", value);
}

std::string sentence(const api::ScalableAppSpec& spec, const Decision& decision,
                     std::span<const Signal> signals) {
  const int from = decision.from, to = decision.replicas;
  const int proposed = decision.steps.front().after;
  const char* mode = spec.paused ? "paused: " : spec.dry_run ? "dry run: " : "";
  if (spec.override_replicas) {
    return from == to ? fmt::format("{}held at {} by spec.replicas.override", mode, to)
                      : fmt::format("{}{} -> {}: spec.replicas.override", mode, from, to);
  }
  std::string text = mode;
  const auto out = std::back_inserter(text);
  if (from != to) {
    fmt::format_to(out, "{} -> {}: {}{}", from, to, decision.in_burst && to > from ? "burst: " : "",
                   needs(from, proposed, signals));
    for (auto step = decision.steps.begin() + 1; step != decision.steps.end(); ++step) {
      const char* verb = !is_bound(*step)                  ? "held to"
                         : step->after > step->before      ? "raised to"
                         : step->name == "scaleToZero"     ? "taken to"
                                                           : "held to";
      fmt::format_to(out, "; {} {} by {}", verb, step->after, step->detail);
    }
  } else if (decision.clamps.empty()) {
    fmt::format_to(out, "stays at {}: {}", to, needs(from, proposed, signals));
  } else if (proposed ==
             from) {  // The metrics ask for no change; a bound met another step halfway.
    fmt::format_to(out, "stays at {}: {}", to, decision.steps.back().detail);
  } else {
    const Step& step = decision.steps.back();
    fmt::format_to(out, "held at {}: scale-{} to {} {} {}", to, proposed > from ? "up" : "down",
                   proposed, is_bound(step) ? "stops at" : "waits for", step.detail);
  }
  return text;
}

}  // namespace scalableapp::scaling
