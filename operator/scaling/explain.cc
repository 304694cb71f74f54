#include "operator/scaling/explain.h"

#include <algorithm>
#include <array>

#include "operator/scaling/text.h"

namespace scalableapp::scaling {
namespace {

// A sentence that names more metrics is not read; status.metrics has them all.
constexpr std::size_t kMetricsNamed = 3;
constexpr std::size_t kUsualLength = 240;  // Of a sentence.

void append_clause(std::string& text, const Signal& signal, const api::MetricStatus& status) {
  const api::MetricSpec& metric = *signal.metric;
  if (signal.idle) return append(text, metric.name, " idle needs ", *signal.proposal);
  if (signal.fallback) {
    return append(text, metric.name, " missing (", signal.missing, "), its fallback is ", metric.fallback->replicas);
  }
  if (!signal.proposal) return append(text, metric.name, " missing (", signal.missing, ")");
  append(text, metric.name, " ", status.current);
  if (signal.activates) {
    return append(text, " over its activation threshold ", format_value(metric.type, metric.activation_threshold),
                  " needs ", *signal.proposal);
  }
  if (signal.by_drain) {
    return append(text, " and ", Significant{signal.load}, " more a second, to be gone within ",
                  format_duration(seconds{*metric.drain_seconds}), ", needs ", *signal.proposal);
  }
  const bool is_over = signal.ratio > 1;
  if (signal.not_capacity_bound) {
    append(text, " over ");
  } else if (signal.by_capacity) {
    append(text, is_over ? " over " : " within ");
  } else if (signal.within_tolerance) {
    append(text, " near ");
  } else {
    append(text, is_over ? " over " : " under ");
  }
  append(text, status.target);
  if (is_total(metric)) append(text, " per replica");
  if (signal.not_capacity_bound) return append(text, " is not for want of replicas");
  if (!signal.within_tolerance) append(text, " needs ", *signal.proposal);
  if (signal.by_capacity) append(text, " at ", Significant{signal.load, 4}, " req/s");
}

bool comes_first(const Signal& a, const Signal& b) {
  const int left = a.proposal.value_or(-1), right = b.proposal.value_or(-1);
  return left != right ? left > right : a.metric->name < b.metric->name;
}

// What the metrics say, the most demanding first; on the way up only those that ask for more.
void append_needs(std::string& text, const Decision& decision, std::span<const Signal> signals) {
  const int proposed = decision.steps.front().after;
  std::array<std::size_t, kMetricsNamed + 1> first{};
  std::size_t named = 0;
  for (std::size_t i = 0; i < signals.size(); ++i) {
    if (proposed > decision.from && signals[i].proposal.value_or(0) <= decision.from) continue;
    std::size_t place = std::min(named++, kMetricsNamed);
    for (; place > 0 && comes_first(signals[i], signals[first[place - 1]]); --place) first[place] = first[place - 1];
    first[place] = i;
  }
  for (std::size_t i = 0; i < std::min(named, kMetricsNamed); ++i) {
    if (i > 0) append(text, "; ");
    append_clause(text, signals[first[i]], decision.metrics[first[i]]);
  }
  if (named > kMetricsNamed) append(text, "; and ", named - kMetricsNamed, " more");
  if (named == 0) append(text, "spec.metrics is empty");
}

bool is_bound(const Step& step) {
  return step.name == "minReplicas" || step.name == "maxReplicas" || step.name == "override" ||
         step.name == "scheduledMin" || step.name == "scheduledMax" || step.name == "forecast" ||
         step.name == "expectedLoad" ||
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
  if (type == api::MetricType::kCpu) return text_of(Rounded{value * 100}, "%");
  if (type == api::MetricType::kLatency) {
    // 999.5 ms would be written as 1e+03ms.
    return value < 0.9995 ? text_of(Significant{value * 1e3}, "ms") : text_of(Significant{value}, "s");
  }
  return value >= 1000 && value < 1e15 ? text_of(Rounded{value}) : text_of(Significant{value, 4});
}

std::string end_of_hold(const api::ScalableAppSpec& spec) {
  return spec.override_until ? " until " + format_rfc3339(*spec.override_until) : std::string{};
}

std::string sentence(const api::ScalableAppSpec& spec, const Decision& decision,
                     std::span<const Signal> signals) {
  const int from = decision.from, to = decision.replicas;
  const int proposed = decision.steps.front().after;
  std::string text;
  text.reserve(kUsualLength);
  append(text, spec.paused ? "paused: " : spec.dry_run ? "dry run: " : "");
  if (const Step& last = decision.steps.back(); last.name == "override") {
    if (from == to) {
      append(text, "held at ", to, " by ", last.detail);
    } else {
      append(text, from, " -> ", to, ": ", last.detail);
    }
    return text;
  }
  if (from != to) {
    append(text, from, " -> ", to, decision.in_burst && to > from ? ": burst: " : ": ");
    append_needs(text, decision, signals);
    for (auto step = decision.steps.begin() + 1; step != decision.steps.end(); ++step) {
      const char* verb = !is_bound(*step)              ? "held to"
                         : step->after > step->before  ? "raised to"
                         : step->name == "scaleToZero" ? "taken to"
                                                       : "held to";
      append(text, "; ", verb, " ", step->after, " by ", step->detail);
    }
  } else if (decision.clamps.empty()) {
    append(text, "stays at ", to, ": ");
    append_needs(text, decision, signals);
  } else if (proposed ==
             from) {  // The metrics ask for no change; a bound met another step halfway.
    append(text, "stays at ", to, ": ", decision.steps.back().detail);
  } else {
    const Step& step = decision.steps.back();
    append(text, "held at ", to, ": scale-", proposed > from ? "up" : "down", " to ", proposed,
           is_bound(step) ? " stops at " : " waits for ", step.detail);
  }
  return text;
}

}  // namespace scalableapp::scaling
