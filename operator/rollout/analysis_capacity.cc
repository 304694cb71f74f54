#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "operator/rollout/analysis.h"

namespace scalableapp::rollout {
namespace {

// What is told of: a tenth more or less.
constexpr double kMore = 1.1, kLess = 0.9;

bool is_more(const std::optional<double>& ratio) { return ratio && *ratio >= kMore; }
bool is_news(const std::optional<double>& ratio) { return is_more(ratio) || (ratio && *ratio <= kLess); }

}  // namespace

bool needs_more(const CapacityChange& change) { return is_more(change.cpu) || is_more(change.busy); }

CapacityChange capacity_change(const api::AnalysisStatus& status, int min_requests) {
  const api::RevisionEvidence &updated = status.updated, &stable = status.stable;
  if (updated.requests < min_requests || stable.requests < min_requests) return {};
  const auto ratio = [&](double api::RevisionEvidence::*cost) -> std::optional<double> {
    if (!(updated.*cost > 0) || !(stable.*cost > 0)) return std::nullopt;
    return (updated.*cost / updated.requests) / (stable.*cost / stable.requests);
  };
  return {.cpu = ratio(&api::RevisionEvidence::cpu_seconds), .busy = ratio(&api::RevisionEvidence::busy_seconds)};
}

std::string describe(const CapacityChange& change, const std::string& stable_revision, int desired_replicas,
                     int max_replicas) {
  // What asks for more pods is told first.
  const bool is_cpu = is_more(change.cpu) || (is_news(change.cpu) && !is_more(change.busy));
  if (!is_cpu && !is_news(change.busy)) return {};
  const double ratio = is_cpu ? *change.cpu : *change.busy;
  const int needed = static_cast<int>(std::min(std::ceil(desired_replicas * ratio - 1e-9), 1e6));
  const std::string times = ratio < 10 ? fmt::format("{:.2g}", ratio) : fmt::format("{:.0f}", ratio);
  std::string text = is_cpu ? fmt::format("a request needs {} times the CPU of revision {}", times, stable_revision)
                            : fmt::format("a request takes {} times as long as in revision {}", times, stable_revision);
  if (needed == desired_replicas) return text;
  text += fmt::format("; about {} replicas instead of {} would {}", needed, desired_replicas,
                      ratio > 1 ? "be needed" : "do");
  if (needed > max_replicas) text += fmt::format(", and spec.replicas.max is {}", max_replicas);
  return text;
}

}  // namespace scalableapp::rollout
