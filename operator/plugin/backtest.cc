#include "operator/plugin/backtest.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "operator/kube/paths.h"
#include "operator/metrics/prometheus_answer.h"
#include "operator/metrics/promql.h"
#include "operator/plugin/table.h"

namespace scalableapp::plugin {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
// Prometheus refuses more than 11 000 points of a series.
constexpr std::size_t kMaxPoints = 10'000;
// Without waiting, that is: in the quiet tenth of the time.
constexpr double kQuietQuantile = 0.1;
// The demo's worker counts its jobs so; others name a --load-query.
constexpr std::string_view kJobsMetric = "jobs_processed_total";
constexpr std::string_view kJobDurationMetric = "job_duration_seconds";

std::int64_t unix_seconds(WallTime time) {
  return std::chrono::duration_cast<seconds>(time.time_since_epoch()).count();
}

Error about_query(const std::string& query, const Error& error) {
  return {error.code, fmt::format("query {}: {}", query, error.message), {}};
}

std::size_t count_known(const std::vector<double>& values) {
  return static_cast<std::size_t>(
      std::ranges::count_if(values, [](double value) { return !std::isnan(value); }));
}

// Of the values that are known; NaN if there are none.
double quantile(std::vector<double> values, double share) {
  std::erase_if(values, [](double value) { return std::isnan(value); });
  if (values.empty()) return kNaN;
  const auto at = static_cast<std::size_t>(share * static_cast<double>(values.size() - 1));
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(at));
  return values[at];
}

// What is asked of this Prometheus about this app.
class Recorder {
 public:
  Recorder(kube::HttpTransport& prometheus, const api::ScalableApp& app,
           const simulation::Workload& assumed, const RecordingOptions& options)
      : prometheus_(prometheus), app_(app), options_(options), key_(app.metadata.key()) {
    recording_.workload = assumed;
    const auto step = options.step.count();
    // On the step's grid, so that the same range gives the same points.
    const std::int64_t last = unix_seconds(options.end) / step * step;
    count_ = static_cast<std::size_t>(options.range.count() / step) + 1;
    start_ = WallTime(seconds(last - static_cast<std::int64_t>(count_ - 1) * step));
    selector_ = metrics::render_template(R"q({namespace="$(namespace)",pod=~"$(pods)"})q", key_);
    // As long as the app's own windows, which fit its scrape interval.
    std::int64_t window = step;
    for (const auto& metric : app.spec.metrics)
      window = std::max<std::int64_t>(window, metric.window_seconds);
    window_ = fmt::format("{}s", window);
  }

  Result<Recording> run() {
    auto load = read_load();
    if (!load) return tl::unexpected(load.error());
    load_ = std::move(*load);
    if (auto built = build_trace(); !built) return tl::unexpected(built.error());
    measure_service_time();
    measure_cpu();
    measure_startup();
    note_assumed();
    note_what_happened();
    return std::move(recording_);
  }

 private:
  Result<std::vector<double>> ask(const std::string& query) {
    return query_range(prometheus_, {query, start_, options_.step, count_});
  }
  // What is merely good to know.
  std::vector<double> ask_for_more(const std::string& query) {
    auto values = ask(query);
    return values ? std::move(*values) : std::vector<double>(count_, kNaN);
  }
  std::string rate_of(std::string_view metric) const {
    return fmt::format("sum(rate({}{}[{}]))", metric, selector_, window_);
  }

  const api::MetricSpec* metric_of(api::MetricType type) const {
    const auto found = std::ranges::find(app_.spec.metrics, type, &api::MetricSpec::type);
    return found == app_.spec.metrics.end() ? nullptr : &*found;
  }
  bool is_queue() const {
    return metric_of(api::MetricType::kQueueLength) != nullptr &&
           metric_of(api::MetricType::kLatency) == nullptr;
  }

  tl::unexpected<Error> no_data(const std::string& query, std::string_view what) const {
    return fail(ErrorCode::kNotFound,
                fmt::format("no data for {} from {} to {}: query {}{}", what,
                            format_rfc3339(start_), format_rfc3339(options_.end), query,
                            options_.load_query.empty() && what == "the load"
                                ? "; name another with --load-query"
                                : ""));
  }

  Result<std::vector<double>> read_load() {
    std::string query = metrics::render_template(options_.load_query, key_);
    if (query.empty() && is_queue()) return read_arrivals();
    if (query.empty()) query = rate_of(fmt::format("{}_count", metrics::kLatencyMetric));
    auto load = ask(query);
    if (load && count_known(*load) == 0) return no_data(query, "the load");
    load_name_ = query;
    return load;
  }

  // Jobs that came are those that were done and those by which the queue grew.
  Result<std::vector<double>> read_arrivals() {
    const std::string length_query =
        metrics::render(*metric_of(api::MetricType::kQueueLength), key_);
    const std::string done_query = rate_of(kJobsMetric);
    const auto length = ask(length_query);
    if (!length) return length;
    if (count_known(*length) == 0) return no_data(length_query, "the queue's length");
    auto arrivals = ask(done_query);
    if (!arrivals) return arrivals;
    if (count_known(*arrivals) == 0) return no_data(done_query, "the load");
    const auto step = static_cast<double>(options_.step.count());
    for (std::size_t i = count_ - 1; i > 0; --i) {
      const double growth = ((*length)[i] - (*length)[i - 1]) / step;
      (*arrivals)[i] = std::max(0.0, (*arrivals)[i] + growth);
      if (std::isnan(growth)) (*arrivals)[i] = kNaN;
    }
    load_name_ = done_query + ", and the growth of " + length_query;
    return arrivals;
  }

  Result<void> build_trace() {
    const auto first = static_cast<std::size_t>(
        std::ranges::find_if(load_, [](double value) { return !std::isnan(value); }) -
        load_.begin());
    simulation::Trace& trace = recording_.trace;
    trace.name = fmt::format("{}, {} to {}", api::to_string(key_),
                             format_rfc3339(start_ + options_.step * first),
                             format_rfc3339(start_ + options_.step * (count_ - 1)));
    recording_.start = start_ + options_.step * first;
    std::size_t missing = 0;
    double held = 0;
    for (std::size_t i = first; i < count_; ++i) {
      if (std::isnan(load_[i])) {
        ++missing;
      } else {
        held = std::max(0.0, load_[i]);
      }
      trace.seconds.push_back(static_cast<double>((i - first)) *
                              static_cast<double>(options_.step.count()));
      trace.requests_per_second.push_back(held);
    }
    note("Load: measured, {}, every {}.", load_name_, format_duration(options_.step));
    if (first > 0) note("Load: there is none before {}.", format_rfc3339(recording_.start));
    if (missing > 0) {
      note("Load: {} of {} steps have no data; the value before them was held.", missing,
           count_ - first);
    }
    for (const api::MetricSpec& metric : app_.spec.metrics) {
      if (metric.type != api::MetricType::kPrometheus) continue;
      const std::string query = metrics::render(metric, key_);
      auto values = ask(query);
      if (!values) return tl::unexpected(values.error());
      const auto known =
          std::ranges::find_if(*values, [](double value) { return !std::isnan(value); });
      if (known == values->end()) return no_data(query, metric.name);
      double value = *known;
      std::vector<double>& column = trace.columns[metric.name];
      for (std::size_t i = first; i < count_; ++i) {
        if (!std::isnan((*values)[i])) value = (*values)[i];
        column.push_back(value);
      }
      note("{}: measured; played as it was recorded, though another size might have changed it.",
           metric.name);
    }
    return {};
  }

  void measure_service_time() {
    double& service = recording_.workload.service_seconds;
    if (options_.given.contains("service-time")) return;
    const std::string_view metric = is_queue() ? kJobDurationMetric : metrics::kLatencyMetric;
    const std::string query = fmt::format("{} / {}", rate_of(fmt::format("{}_sum", metric)),
                                          rate_of(fmt::format("{}_count", metric)));
    const double measured = quantile(ask_for_more(query), kQuietQuantile);
    if (!(measured > 0)) return;
    service = measured;
    is_measured_.insert("service-time");
    note("Service time: {} measured, the mean in the quietest tenth of the time.",
         duration(service));
  }

  void measure_cpu() {
    double& cpu = recording_.workload.cpu_seconds_per_request;
    if (options_.given.contains("cpu-per-request")) return;
    auto used = ask_for_more(rate_of(metrics::kCpuMetric));
    for (std::size_t i = 0; i < count_; ++i) used[i] = load_[i] > 0 ? used[i] / load_[i] : kNaN;
    const double measured = quantile(std::move(used), 0.5);
    if (!(measured > 0)) return;
    cpu = measured;
    is_measured_.insert("cpu-per-request");
    note("CPU per request: {} measured, the median.", duration(cpu));
  }

  void measure_startup() {
    const double ready = app_.status.history.warm_up_seconds;
    if (!(ready > 0) || options_.given.contains("startup")) return;
    // minWarmSeconds comes on top in the simulator.
    recording_.workload.startup_seconds =
        std::max(0.1, ready - app_.spec.readiness.min_warm_seconds);
    is_measured_.insert("startup");
    note("Start-up: {} measured, by the operator, from a pod's creation until it is ready.",
         duration(ready));
  }

  void note_assumed() {
    const simulation::Workload& workload = recording_.workload;
    std::string text;
    const auto say = [&](const char* flag, const std::string& value) {
      if (is_measured_.contains(flag)) return;
      text += fmt::format("{}--{} {}{}", text.empty() ? "" : ", ", flag, value,
                          options_.given.contains(flag) ? " (given)" : "");
    };
    say("service-time", duration(workload.service_seconds));
    say("service-cv", fmt::format("{}", workload.service_cv));
    say("concurrency", fmt::format("{}", workload.concurrency));
    say("cpu-per-request", duration(workload.cpu_seconds_per_request));
    say("startup", duration(workload.startup_seconds));
    say("warmup", duration(workload.warmup_seconds));
    note("Assumed: {}.", text);
  }

  void note_what_happened() {
    const auto step = static_cast<double>(options_.step.count());
    const auto pods = ask_for_more(fmt::format("count(count by (pod) (rate({}{}[{}])))",
                                               metrics::kCpuMetric, selector_, window_));
    if (count_known(pods) > 0) {
      double replica_seconds = 0, most = 0;
      for (const double value : pods) {
        if (std::isnan(value)) continue;
        replica_seconds += value * step;
        most = std::max(most, value);
      }
      note("What really ran: {} replica-seconds, at most {} pods.", short_number(replica_seconds),
           short_number(most));
    }
    const api::MetricSpec* latency = metric_of(api::MetricType::kLatency);
    if (latency == nullptr || !latency->query.empty()) return;
    const auto values =
        ask_for_more(fmt::format("histogram_quantile({}, sum by (le) (rate({}_bucket{}[{}])))",
                                 latency->quantile, metrics::kLatencyMetric, selector_, window_));
    if (count_known(values) == 0) return;
    const auto over =
        std::ranges::count_if(values, [&](double value) { return value > latency->target; });
    note("What really happened: p{:g} over {} for {} s.", latency->quantile * 100,
         duration(latency->target), short_number(static_cast<double>(over) * step));
  }

  static std::string duration(double seconds_count) {
    return seconds_count < 1 ? fmt::format("{:.3g}ms", seconds_count * 1000)
                             : fmt::format("{:.4g}s", seconds_count);
  }

  template <typename... Arguments>
  void note(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    recording_.notes.push_back(fmt::format(format, std::forward<Arguments>(arguments)...));
  }

  kube::HttpTransport& prometheus_;
  const api::ScalableApp& app_;
  const RecordingOptions& options_;
  api::ObjectKey key_;
  WallTime start_{};
  std::size_t count_ = 0;
  std::string selector_, window_, load_name_;
  std::vector<double> load_;
  std::set<std::string> is_measured_;
  Recording recording_;
};

}  // namespace

Result<Recording> read_recording(kube::HttpTransport& prometheus, const api::ScalableApp& app,
                                 const simulation::Workload& assumed,
                                 const RecordingOptions& options) {
  return Recorder(prometheus, app, assumed, options).run();
}

Result<std::vector<double>> query_range(kube::HttpTransport& prometheus, const RangeQuery& query) {
  std::vector<double> values(query.count, kNaN);
  for (std::size_t first = 0; first < query.count; first += kMaxPoints) {
    const std::size_t last = std::min(first + kMaxPoints, query.count) - 1;
    const kube::HttpRequest request{
        .path_and_query = fmt::format(
            "/api/v1/query_range?query={}&start={}&end={}&step={}",
            kube::percent_encode(query.text), unix_seconds(query.start + query.step * first),
            unix_seconds(query.start + query.step * last), query.step.count())};
    const auto response = prometheus.send(request, {});
    if (!response) return tl::unexpected(about_query(query.text, response.error()));
    if (!response->ok()) {
      return tl::unexpected(
          about_query(query.text, metrics::parse_failure(response->status, response->body)));
    }
    const auto read = metrics::parse_range_answer(response->body, query.start + query.step * first, query.step,
                                                  last - first + 1);
    if (!read) return tl::unexpected(about_query(query.text, read.error()));
    std::ranges::copy(*read, values.begin() + static_cast<std::ptrdiff_t>(first));
  }
  return values;
}

}  // namespace scalableapp::plugin
