#include "operator/rollout/analysis.h"

#include <algorithm>

#include <fmt/format.h>

namespace scalableapp::rollout {

void begin_step(api::AnalysisStatus& status) {
  for (auto& metric : status.metrics) metric.successful = 0;
}

Outcome outcome(const api::Analysis& analysis, const api::AnalysisStatus& status) {
  Outcome result{.verdict = api::Verdict::kSuccessful, .message = "every metric is good"};
  for (const api::AnalysisMetric& metric : analysis.metrics) {
    const auto found = std::ranges::find(status.metrics, metric.name, &api::AnalysisMetricStatus::name);
    const api::AnalysisMetricStatus said = found == status.metrics.end() ? api::AnalysisMetricStatus{} : *found;
    if (said.failed > analysis.failure_limit) {
      return {api::Verdict::kFailed, fmt::format("{}: {}", metric.name, said.value)};
    }
    if (said.inconclusive > analysis.inconclusive_limit) {
      result = {api::Verdict::kInconclusive, fmt::format("{}: {}", metric.name, said.value)};
    } else if (said.successful < analysis.count && result.verdict == api::Verdict::kSuccessful) {
      result = {};
    }
  }
  return result;
}

}  // namespace scalableapp::rollout
