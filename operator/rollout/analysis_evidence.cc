#include "operator/rollout/analysis_evidence.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>

namespace scalableapp::rollout {
namespace {

using api::RevisionEvidence;

void scale(RevisionEvidence& evidence, double factor) {
  evidence.requests *= factor;
  evidence.errors *= factor;
  evidence.busy_seconds *= factor;
  evidence.cpu_seconds *= factor;
  for (double& bucket : evidence.buckets) bucket *= factor;
}

void add(RevisionEvidence& sum, const RevisionEvidence& more) {
  sum.requests += more.requests;
  sum.errors += more.errors;
  sum.busy_seconds += more.busy_seconds;
  sum.cpu_seconds += more.cpu_seconds;
  sum.buckets.resize(std::max(sum.buckets.size(), more.buckets.size()));
  for (std::size_t i = 0; i < more.buckets.size(); ++i) sum.buckets[i] += more.buckets[i];
}

// The buckets of some of their bounds.
void merge_buckets(const std::vector<double>& from, const std::vector<double>& to, std::vector<double>& buckets) {
  if (from == to) return;
  std::vector<double> merged(to.size() + 1);
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    const auto place = i < from.size() ? std::ranges::lower_bound(to, from[i]) : to.end();
    merged[static_cast<std::size_t>(place - to.begin())] += buckets[i];
  }
  buckets = std::move(merged);
}

void meet(api::AnalysisStatus& status, const std::vector<double>& bounds, RevisionEvidence& updated,
          RevisionEvidence& stable) {
  if (bounds.empty() || bounds == status.bounds) return;
  std::vector<double> shared;
  std::ranges::set_intersection(status.bounds, bounds, std::back_inserter(shared));
  if (shared.empty()) {
    status.updated.buckets.clear();
    status.stable.buckets.clear();
    status.bounds = bounds;
    return;
  }
  for (auto* side : {&status.updated, &status.stable}) merge_buckets(status.bounds, shared, side->buckets);
  for (auto* side : {&updated, &stable}) merge_buckets(bounds, shared, side->buckets);
  status.bounds = std::move(shared);
}

// A status may have been edited by hand.
void drop_misfits(api::AnalysisStatus& status) {
  const auto fits = [&](const RevisionEvidence& side) {
    return side.buckets.empty() || (!status.bounds.empty() && side.buckets.size() == status.bounds.size() + 1);
  };
  if (fits(status.updated) && fits(status.stable) && std::ranges::is_sorted(status.bounds)) return;
  status.bounds.clear();
  status.updated.buckets.clear();
  status.stable.buckets.clear();
}

// `stood_for`: so many requests of the updated revision `sum` has been the counterpart of; `stands_for`: `more` is.
void add_weighted(RevisionEvidence& sum, double stood_for, RevisionEvidence more, double stands_for) {
  if (sum.requests <= 0) return add(sum, more);
  const double before = sum.requests, now = more.requests;
  // With a ratio r of the weights of before and now, (1 + r)^2 / (r^2 / before + 1 / now) requests are left: as many as
  // wanted between the two roots of an equation.
  const double wanted = std::min(std::max(kEnoughRequests, (stood_for + stands_for) / 4), before + now);
  const double square = 1 - wanted / before, constant = 1 - wanted / now;
  const double root = std::sqrt(std::max(0.0, 1 - square * constant));
  double ratio = std::max(stood_for / stands_for, -constant / (1 + root));
  if (square < 0) ratio = std::min(ratio, (1 + root) / -square);
  const double left = (1 + ratio) * (1 + ratio) / (ratio * ratio / before + 1 / now);
  scale(sum, left * ratio / (1 + ratio) / before);
  scale(more, left / (1 + ratio) / now);
  add(sum, more);
}

}  // namespace

void add_counts(const Measurement& measurement, api::AnalysisStatus& status) {
  RevisionEvidence updated = measurement.updated, stable = measurement.stable;
  drop_misfits(status);
  meet(status, measurement.bounds, updated, stable);
  if (updated.requests > 0 && stable.requests > 0) {
    add_weighted(status.stable, status.updated.requests, std::move(stable), updated.requests);
  } else {
    add(status.stable, stable);
  }
  add(status.updated, updated);
  const bool is_too_much = (updated.requests > 0 ? status.updated : status.stable).requests > kMostRequests;
  if (!is_too_much) return;
  scale(status.updated, 0.5);
  if (status.stable.requests >= 2 * kEnoughRequests) scale(status.stable, 0.5);
}

std::optional<double> histogram_quantile(double quantile, const std::vector<double>& bounds,
                                         const std::vector<double>& buckets) {
  const double all = std::accumulate(buckets.begin(), buckets.end(), 0.0), rank = quantile * all;
  if (all <= 0 || bounds.empty()) return std::nullopt;
  double before = 0;
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    if (before + buckets[i] >= rank) {
      const double lower = i > 0 ? bounds[i - 1] : std::min(0.0, bounds[0]);
      return lower + (bounds[i] - lower) * (buckets[i] > 0 ? (rank - before) / buckets[i] : 1);
    }
    before += buckets[i];
  }
  return bounds.back();
}

double slower_than(std::size_t index, const std::vector<double>& buckets) {
  double sum = 0;
  for (std::size_t i = index + 1; i < buckets.size(); ++i) sum += buckets[i];
  return sum;
}

}  // namespace scalableapp::rollout
