#include "operator/scaling/outliers.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "operator/scaling/explain.h"

namespace scalableapp::scaling {
namespace {

constexpr std::size_t kFewestPods = 3;  // Of two nobody can say which one is the odd one.
constexpr double kFewestRequests = 20;  // In the window, of a pod.
constexpr double kTimesSlower = 3;
constexpr double kErrorShare = 0.2;
constexpr double kTimesMoreErrors = 5;

struct Judged {
  const std::string* pod = nullptr;
  double mean_seconds = 0;
  double error_share = 0;
};

double median(std::vector<Judged>& pods, double Judged::* value) {
  const auto middle = pods.begin() + static_cast<std::ptrdiff_t>(pods.size() / 2);
  std::ranges::nth_element(pods, middle, {}, value);
  return (*middle).*value;
}

void find_in(WallTime now, const api::MetricSpec& metric, const MetricReading& reading, const Observation& observation,
             std::vector<std::pair<double, Outlier>>& found) {
  const WallTime begin = now - reading.age - seconds{metric.window_seconds};
  const auto requests_of = [&](const PodLoad& load) { return load.requests_per_second * metric.window_seconds; };
  const auto mean_of = [](const PodLoad& load) { return load.concurrency / load.requests_per_second; };
  const auto error_share_of = [](const PodLoad& load) { return load.errors_per_second / load.requests_per_second; };
  // Mostly every pod does well, and there is nothing to compare.
  if (std::ranges::none_of(reading.loads, [&](const auto& entry) {
        return mean_of(entry.second) > metric.target / 2 || error_share_of(entry.second) > kErrorShare;
      })) {
    return;
  }
  std::vector<Judged> pods;
  pods.reserve(reading.loads.size());
  for (const PodState& pod : observation.pods) {
    // One that has just begun has less to do, one that others have just joined still has their work.
    if (!pod.serving || (pod.ready_since && *pod.ready_since > begin)) continue;
    const auto load = reading.loads.find(pod.name);
    if (load == reading.loads.end() || requests_of(load->second) < kFewestRequests) continue;
    pods.push_back({.pod = &pod.name,
                    .mean_seconds = mean_of(load->second),
                    .error_share = error_share_of(load->second)});
  }
  if (pods.size() < kFewestPods) return;
  const double usual_seconds = median(pods, &Judged::mean_seconds);
  const double usual_errors = median(pods, &Judged::error_share);
  const auto is_slow = [&](const Judged& pod) {
    return pod.mean_seconds > kTimesSlower * usual_seconds && pod.mean_seconds > metric.target / 2;
  };
  const auto is_failing = [&](const Judged& pod) {
    return pod.error_share > kErrorShare && pod.error_share > kTimesMoreErrors * usual_errors;
  };
  const auto odd = static_cast<std::size_t>(
      std::ranges::count_if(pods, [&](const Judged& pod) { return is_slow(pod) || is_failing(pod); }));
  if (odd == 0 || odd * 3 > pods.size()) return;
  for (const Judged& pod : pods) {
    if (is_slow(pod)) {
      found.push_back({pod.mean_seconds / usual_seconds,
                       {.pod = *pod.pod,
                        .why = fmt::format("a request takes {} on average, {} on the others",
                                           format_value(api::MetricType::kLatency, pod.mean_seconds),
                                           format_value(api::MetricType::kLatency, usual_seconds))}});
    } else if (is_failing(pod)) {
      found.push_back({100 * pod.error_share,
                       {.pod = *pod.pod,
                        .why = fmt::format("{:.0f}% of its requests fail, {:.0f}% on the others",
                                           100 * pod.error_share, 100 * usual_errors)}});
    }
  }
}

}  // namespace

std::vector<Outlier> find_outliers(WallTime now, const api::ScalableAppSpec& spec, const Observation& observation) {
  std::vector<std::pair<double, Outlier>> found;
  for (const api::MetricSpec& metric : spec.metrics) {
    if (metric.type != api::MetricType::kLatency) continue;
    for (const MetricReading& reading : observation.readings) {
      if (reading.name == metric.name && !reading.loads.empty()) {
        find_in(now, metric, reading, observation, found);
      }
    }
  }
  if (found.empty()) return {};
  std::ranges::sort(found, [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second.pod < b.second.pod;
  });
  const auto serving = std::ranges::count_if(observation.pods, &PodState::serving);
  auto may_go = spec.outliers.action == api::OutlierAction::kEject
                    ? std::max<std::ptrdiff_t>(1, serving * spec.outliers.max_ejected_percent / 100)
                    : 0;
  std::vector<Outlier> outliers;
  for (auto& [badness, outlier] : found) {
    if (std::ranges::find(outliers, outlier.pod, &Outlier::pod) != outliers.end()) continue;
    outlier.eject = may_go-- > 0;
    outliers.push_back(std::move(outlier));
  }
  std::ranges::sort(outliers, {}, &Outlier::pod);
  return outliers;
}

}  // namespace scalableapp::scaling
