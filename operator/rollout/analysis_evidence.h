// What the two revisions of an analysis did, in counts: how an interval's counts join those before it, and what a
// histogram's buckets say. Judges nothing (analysis.h). Pure.
#pragma once

#include <optional>
#include <vector>

#include "operator/api/scalable_app.h"
#include "operator/rollout/analysis.h"

namespace scalableapp::rollout {

// Beyond it old counts fade: all are halved, so that what has changed shows. (Half of a count says less than it
// could, never more.)
inline constexpr double kMostRequests = 20'000;
// So many of the stable revision's requests tell 1.1 % of failures from 0.1 %, however many the updated one has had.
inline constexpr double kEnoughRequests = 1'000;

// The updated revision's counts are summed up. The stable one's are weighted so that each interval has the weight
// that it has in the updated one's: an outage that hits both weighs the same on both sides, also where the updated
// one has come late, or gets a growing share of the traffic. (With plain sums 4 of 10 canaries failed by outages of 1
// in 20 intervals: analysis_simulation_test.cc.) `requests` is then the number that says as much without weights,
// (sum of w)^2 / sum of (w^2 / n). It is not let fall under kEnoughRequests, or a quarter of the updated revision's: as
// far as that takes, the weights become those of plain sums. So what the stable one did before a switch of all
// traffic at once stays, and probes that the app counts do not replace it. Of an interval in which only one of them has
// traffic, its counts are added as they are.
//
// Buckets of different bounds meet at the bounds that they share; if there are none, they begin anew.
void add_counts(const Measurement& measurement, api::AnalysisStatus& status);

// As Prometheus' histogram_quantile: linear within a bucket, the last bound for what lies beyond. Absent: no
// requests, or no bounds.
std::optional<double> histogram_quantile(double quantile, const std::vector<double>& bounds,
                                         const std::vector<double>& buckets);
// How many requests took longer than bounds[index].
double slower_than(std::size_t index, const std::vector<double>& buckets);

}  // namespace scalableapp::rollout
