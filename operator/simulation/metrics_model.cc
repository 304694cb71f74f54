#include "operator/simulation/metrics_model.h"

#include <fmt/format.h>

#include <algorithm>

namespace scalableapp::simulation {
namespace {

// The way of an answer: asked, evaluated, delivered.
constexpr milliseconds kAnswerAge{100};

// visit(pod, the fleet that it is of)
template <typename Visit>
void for_each_pod(Fleets fleets, Visit visit) {
  for (const Fleet* fleet : fleets) {
    for (const auto& pod : fleet->pods()) visit(*pod, *fleet);
    for (const auto& pod : fleet->departed()) visit(*pod, *fleet);
  }
}

// Values of the last decision are overwritten in place; what nobody overwrote is removed.
constexpr double kUntouched = -1;

}  // namespace

double extrapolation(double window, double covered, int samples, double to_first, double to_last,
                     double first_value, double difference) {
  const double interval = covered / (samples - 1);
  const double limit = interval * 1.1;
  if (to_first >= limit) to_first = interval / 2;
  if (difference > 0) to_first = std::min(to_first, covered * first_value / difference);
  if (to_last >= limit) to_last = interval / 2;
  return (covered + to_first + to_last) / covered / window;
}

std::optional<double> histogram_quantile(double quantile,
                                         const std::array<double, kBuckets>& buckets) {
  double total = 0;
  for (const double count : buckets) total += count;
  if (!(total > 0)) return std::nullopt;
  const double rank = quantile * total;
  double below = 0;
  for (std::size_t i = 0; i + 1 < kBuckets; ++i) {
    if (buckets[i] > 0 && below + buckets[i] >= rank) {
      const double begin = i == 0 ? 0 : kLatencyBounds[i - 1];
      return begin + (kLatencyBounds[i] - begin) * (rank - below) / buckets[i];
    }
    below += buckets[i];
  }
  return kLatencyBounds.back();
}

void MetricsModel::scrape(milliseconds now, std::span<Fleet* const> fleets) {
  if (now >= next_queue_scrape_) {
    next_queue_scrape_ = now + scrape_;
    for (Fleet* fleet : fleets) fleet->forget_departed(now - keep_ - scrape_);
    std::erase_if(queue_, [&](const auto& sample) { return sample.at < now - keep_ - scrape_; });
    Fleet& first = *fleets.front();
    // Else what came since the last second counts as waiting, though workers are free.
    if (first.is_queue()) first.advance(in_seconds(now));
    queue_.push_back({now, first.queue().waiting()});
  }
  for (Fleet* fleet : fleets) {
    for (const auto& pod : fleet->pods()) scrape_pod(now, *fleet, *pod);
  }
}

void MetricsModel::scrape_pod(milliseconds now, const Fleet& fleet, Pod& pod) const {
  if (!pod.runs()) return;
  if (pod.next_scrape == kNever) {
    const milliseconds since = (now - pod.scrape_phase % scrape_ + scrape_) % scrape_;
    pod.next_scrape = since.count() == 0 ? now : now + scrape_ - since;
  }
  if (now < pod.next_scrape) return;
  pod.next_scrape = now + scrape_;
  pod.station.advance(in_seconds(now));
  const auto kept = static_cast<std::size_t>((keep_ + scrape_) / scrape_ + 1);
  if (pod.samples.size() >= 2 * kept) {
    pod.samples.erase(pod.samples.begin(), pod.samples.end() - static_cast<std::ptrdiff_t>(kept));
  }
  pod.samples.push_back({now, static_cast<int>(fleet.in_progress(pod)), pod.counters});
}

api::RevisionEvidence MetricsModel::evidence(milliseconds now, const Fleet& fleet,
                                             milliseconds window) const {
  api::RevisionEvidence evidence;
  evidence.buckets.resize(kBuckets);
  const Fleet* one[] = {&fleet};
  for_each_pod(one, [&](const Pod& pod, const Fleet&) {
    const auto range = range_of(pod, now, window);
    if (!range) return;
    const Counters& first = range->first->counters;
    const Counters& last = range->last->counters;
    const double increase = range->factor * in_seconds(window);
    const double finished = static_cast<double>(last.finished - first.finished) * increase;
    evidence.requests += finished;
    evidence.errors += static_cast<double>(last.errors - first.errors) * increase;
    evidence.busy_seconds += (last.duration_seconds - first.duration_seconds) * increase;
    evidence.cpu_seconds += finished * fleet.cpu_seconds_per_request();
    for (std::size_t i = 0; i < kBuckets; ++i) {
      evidence.buckets[i] += static_cast<double>(last.buckets[i] - first.buckets[i]) * increase;
    }
  });
  return evidence;
}

std::optional<MetricsModel::Range> MetricsModel::range_of(const Pod& pod, milliseconds now,
                                                          milliseconds window) const {
  if (pod.samples.size() < 2 || pod.samples.back().at <= now - window) return std::nullopt;
  const Sample* last = &pod.samples.back();
  const Sample* first = last;
  while (first != pod.samples.data() && (first - 1)->at > now - window) --first;
  if (first == last) return std::nullopt;
  const double factor = extrapolation(
      in_seconds(window), in_seconds(last->at - first->at), static_cast<int>(last - first) + 1,
      in_seconds(first->at - (now - window)), in_seconds(now - last->at),
      static_cast<double>(first->counters.finished),
      static_cast<double>(last->counters.finished - first->counters.finished));
  return Range{first, last, factor};
}

double MetricsModel::requests_per_second(milliseconds now, Fleets fleets,
                                         milliseconds window) const {
  double sum = 0;
  for_each_pod(fleets, [&](const Pod& pod, const Fleet&) {
    if (const auto range = range_of(pod, now, window)) {
      sum += static_cast<double>(range->last->counters.finished - range->first->counters.finished) *
             range->factor;
    }
  });
  return sum;
}

std::optional<double> MetricsModel::queue_length() const {
  if (queue_.empty()) return std::nullopt;
  return static_cast<double>(queue_.back().length);
}

void MetricsModel::read(milliseconds now, const api::MetricSpec& metric, Fleets fleets,
                        scaling::MetricReading& reading) const {
  reading.name = metric.name;
  reading.age = kAnswerAge;
  reading.value.reset();
  reading.in_flight.reset();
  reading.arrivals_per_second.reset();
  reading.completions_per_second.reset();
  reading.missing.clear();
  reading.idle = false;
  if (metric.type == api::MetricType::kLatency) read_latency(now, metric, fleets, reading);
  if (metric.type == api::MetricType::kCpu) read_cpu(now, metric, fleets, reading);
  if (metric.type == api::MetricType::kQueueLength) read_queue(now, metric, fleets, reading);
}

void MetricsModel::read_latency(milliseconds now, const api::MetricSpec& metric, Fleets fleets,
                                scaling::MetricReading& reading) const {
  const milliseconds window = seconds{metric.window_seconds};
  const milliseconds soon = seconds{scaling::arrivals_window_seconds(metric.window_seconds)};
  std::array<double, kBuckets> all{};
  double finished_per_second = 0, arrivals = 0, in_flight = 0;
  bool is_known = false, has_gauge = false, has_arrivals = false;
  for (auto& [name, load] : reading.loads) load.requests_per_second = kUntouched;
  for_each_pod(fleets, [&](const Pod& pod, const Fleet&) {
    if (!pod.samples.empty() && pod.phase != Pod::Phase::kGone &&
        pod.samples.back().at > now - window) {
      has_gauge = true;
      in_flight += pod.samples.back().in_progress;
    }
    // Over a third of the window: what was finished, refused, and what came to be in flight.
    if (const auto lately = range_of(pod, now, soon)) {
      has_arrivals = true;
      const auto count = lately->last->counters.finished - lately->first->counters.finished +
                         lately->last->counters.refused - lately->first->counters.refused +
                         lately->last->in_progress - lately->first->in_progress;
      arrivals += static_cast<double>(count) * lately->factor;
    }
    const auto range = range_of(pod, now, window);
    if (!range) return;
    is_known = true;
    const Counters& first = range->first->counters;
    const Counters& last = range->last->counters;
    std::array<double, kBuckets> own;
    for (std::size_t i = 0; i < kBuckets; ++i) {
      own[i] = static_cast<double>(last.buckets[i] - first.buckets[i]) * range->factor;
      all[i] += own[i];
    }
    scaling::PodLoad& load = reading.loads[pod.name];
    load.requests_per_second = static_cast<double>(last.finished - first.finished) * range->factor;
    load.errors_per_second = static_cast<double>(last.errors - first.errors) * range->factor;
    load.concurrency = (last.duration_seconds - first.duration_seconds) * range->factor;
    load.quantile_seconds = histogram_quantile(metric.quantile, own);
    finished_per_second += load.requests_per_second;
  });
  std::erase_if(reading.loads,
                [](const auto& entry) { return entry.second.requests_per_second < 0; });
  if (!is_known) {
    reading.missing = "empty answer: no pod was scraped twice within the window";
  } else if (finished_per_second > 0) {
    reading.value = histogram_quantile(metric.quantile, all);
  } else if (has_gauge && in_flight == 0) {
    reading.idle = true;
  } else {
    reading.missing =
        fmt::format("empty answer: no request was finished within {}s", metric.window_seconds);
  }
  // The details are told only beside a value.
  if (reading.value) {
    if (has_gauge) reading.in_flight = in_flight;
    if (has_arrivals) reading.arrivals_per_second = std::max(0.0, arrivals);
  } else {
    reading.loads.clear();
  }
}

void MetricsModel::read_cpu(milliseconds now, const api::MetricSpec& metric, Fleets fleets,
                            scaling::MetricReading& reading) const {
  for (auto& [name, cores] : reading.per_pod) cores = kUntouched;
  for_each_pod(fleets, [&](const Pod& pod, const Fleet& fleet) {
    const auto range = range_of(pod, now, seconds{metric.window_seconds});
    if (!range) return;
    reading.per_pod[pod.name] =
        static_cast<double>(range->last->counters.finished - range->first->counters.finished) *
        range->factor * fleet.cpu_seconds_per_request();
  });
  std::erase_if(reading.per_pod, [](const auto& entry) { return entry.second < 0; });
  if (reading.per_pod.empty()) {
    reading.missing = "empty answer: no pod was scraped twice within the window";
  }
}

void MetricsModel::read_queue(milliseconds now, const api::MetricSpec& metric, Fleets fleets,
                              scaling::MetricReading& reading) const {
  const milliseconds window = seconds{metric.window_seconds};
  if (queue_.empty()) {
    reading.missing = "empty answer: not scraped yet";
    return;
  }
  reading.value = static_cast<double>(queue_.back().length);
  if (!metric.drain_seconds) return;  // Not asked for then.
  reading.completions_per_second = requests_per_second(now, fleets, window);
  // Of the jobs that were done, and of how the queue grew meanwhile.
  const auto first = std::ranges::find_if(
      queue_, [&](const QueueSample& sample) { return sample.at > now - window; });
  if (first != queue_.end() && first->at < queue_.back().at) {
    const double growth = static_cast<double>(queue_.back().length - first->length) /
                          in_seconds(queue_.back().at - first->at);
    reading.arrivals_per_second = std::max(0.0, *reading.completions_per_second + growth);
  }
}

}  // namespace scalableapp::simulation
