// Whether a new revision is as good as the one before it, from what both did at the same time. Pure: adds one
// measurement at a time to api::AnalysisStatus and says what follows from all of them.
//
// ErrorRate and Latency compare counts: of failed requests, and of requests slower than a bound of the
// histogram near the stable revision's quantile. A share that is higher by chance is not worse: a measurement
// is bad only where Fisher's exact test (R. A. Fisher, 1922; one-sided, on all requests since the
// analysis began) is significant, and the difference is at least AnalysisMetric::max_increase. The n-th look
// may be wrong with a probability of kFalseAlarms * 6 / (pi^2 n^2), so that over a whole rollout, however
// long, a metric takes a revision that is as good as the stable one for worse with a probability of
// kFalseAlarms at most, if requests are independent (alpha spending; the sum of 1/n^2 is pi^2/6, and
// the union bound).
// Restarts and Prometheus values are bare thresholds.
//
// Slow requests are not independent: they wait for each other, and come in clumps. So a Latency has to be bad in two
// measurements in a row, the second also by its own interval alone, and none is judged while the app has fewer
// pods than its load needs. (Of 200 simulated canaries of a good version at high load 35 were taken back without that,
// 2 with it; scripts/bench/rollouts --rate 300.)
//
// It is good where the difference is smaller. Where it is not, and may be chance, it is neither: more requests
// are waited for, until the updated revision has had kMostRequests / 2 (analysis_evidence.h). Without new
// requests nothing is judged anew.
//
// Whatever hits both at the same time, such as an outage of what they depend on, is no one's fault: the stable
// revision's requests are weighted to stand for the same times as the updated one's (analysis_evidence.h).
//
// Requests that the updated revision needs until it fails, with as many of the stable one beside them, a look at every
// 100, the defaults (1 point, 25 %), and Prometheus' default buckets; half of the rollouts / 95 of 100:
//   5 % errors instead of 0.1 %                        200 /  400
//   2 % errors instead of 0.1 %                        700 / 1400
//   2 times slower, p99, exponential                   300 /  600
//   2 times slower, p99, log-normal with sigma 1.5    3200 / over 5000, by p90 500 / 1100
// (analysis_simulation_test.cc prints more.) A revision of the first or third row passes three measurements
// in fewer than 1 of 100 rollouts; one that is as good does so in 4 looks in half of them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "operator/api/scalable_app.h"
#include "operator/base/time.h"

namespace scalableapp::rollout {

inline constexpr double kFalseAlarms = 0.01;

// What one interval has shown.
struct Measurement {
  WallTime at{};
  // Of the interval only. bounds is empty where the app's pods expose no histogram, and nothing is counted where they
  // do not expose the metrics for it.
  std::vector<double> bounds;  // Seconds, ascending; buckets have one more element than it.
  api::RevisionEvidence updated;
  api::RevisionEvidence stable;
  int restarts = 0;                          // Of the updated revision's pods, in all.
  // The app had fewer pods than its load needs. Both revisions suffer alike; but where only one of them had
  // traffic, that is not what it is like, and nothing is counted.
  bool is_short_of_pods = false;
  std::map<std::string, double> values;      // Prometheus metrics by name.
  // Why there is no value for a metric, by name; no histogram for a Latency. "": for all that is counted.
  std::map<std::string, std::string> missing;
};

// Whether the app has been short of pods within the last two intervals: it has scaled up, or its metrics asked for a
// burst. `missing`: so many of the wanted pods are not available now.
bool is_short_of_pods(WallTime now, const api::Analysis& analysis, const api::ScalingHistory& history, int missing);

// When the next measurement is due; at once if there was none.
WallTime next_measurement(const api::Analysis& analysis, const api::AnalysisStatus& status, WallTime now);

// `status` with the measurement added and judged. One that comes before 9/10 of an interval are over is ignored: the
// same answer may be shown many times.
api::AnalysisStatus measure(const api::Analysis& analysis, const Measurement& measurement, api::AnalysisStatus status);
// A step of the rollout begins: it counts its own good measurements. What was counted of requests stays.
void begin_step(api::AnalysisStatus& status);

struct Outcome {
  api::Verdict verdict = api::Verdict::kNone;  // kNone: it goes on.
  std::string message;  // For a person: the metric, its value, and what it should be.
};
// Failed: a metric has more bad measurements than failureLimit. Inconclusive: more such than
// inconclusiveLimit; what is missing is one as long as it is missing: a Prometheus value from the fifth time in a row
// on, what is counted from the (count + 3)rd on. Successful: each has `count` good ones in this step.
Outcome outcome(const api::Analysis& analysis, const api::AnalysisStatus& status);

// What a request costs in the updated revision, as a multiple of what it costs in the stable one.
struct CapacityChange {
  std::optional<double> cpu;   // CPU seconds a request.
  std::optional<double> busy;  // Response time a request.
};
// Unset where either side has had fewer than `min_requests`. CPU that a pod uses without requests is in it: right
// while the pods of both are about as busy.
CapacityChange capacity_change(const api::AnalysisStatus& status, int min_requests);
// By a tenth or more, in either.
bool needs_more(const CapacityChange& change);
// That for a person, from a tenth more or less on; else empty. By CPU where that is so, else by response time.
std::string describe(const CapacityChange& change, const std::string& stable_revision, int desired_replicas,
                     int max_replicas);

}  // namespace scalableapp::rollout
