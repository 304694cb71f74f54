// The built-in queries, the combination of queries and the sampler against a real Prometheus, which
// scrapes a page of this test's. Skipped where there is no Prometheus in PATH.
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "operator/kube/cpprest_transport.h"
#include "operator/metrics/analysis_queries.h"
#include "operator/metrics/details.h"
#include "operator/metrics/load_history.h"
#include "operator/metrics/promql.h"
#include "operator/metrics/sampler.h"
#include "operator/platform/clock.h"
#include "operator/platform/http_server.h"

namespace scalableapp::metrics {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::Value;

constexpr int kManyApps = 500;

std::uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ::bind(fd, reinterpret_cast<sockaddr*>(&address), size);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(fd);
  return ntohs(address.sin_port);
}

// A Prometheus of this test's own, in a folder of its own. Started again with its data by start().
class Prometheus {
 public:
  explicit Prometheus(std::uint16_t scraped_port) {
    char folder[] = "/tmp/metrics_integration_test.XXXXXX";
    folder_ = ::mkdtemp(folder);
    std::ofstream(folder_ / "prometheus.yml") << fmt::format(
        "global: {{scrape_interval: 250ms, scrape_timeout: 250ms}}\n"
        "scrape_configs:\n"
        "- {{job_name: test, honor_labels: true, static_configs: [{{targets: "
        "['127.0.0.1:{}']}}]}}\n",
        scraped_port);
    start();
  }
  ~Prometheus() {
    stop();
    std::filesystem::remove_all(folder_);
  }

  void start() {
    std::vector<std::string> words{"prometheus",
                                   "--config.file=" + (folder_ / "prometheus.yml").string(),
                                   "--storage.tsdb.path=" + (folder_ / "data").string(),
                                   fmt::format("--web.listen-address=127.0.0.1:{}", port_)};
    std::vector<char*> arguments;
    for (auto& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    const std::string log = (folder_ / "log").string();
    ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(),
                                       O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    if (::posix_spawnp(&pid_, "prometheus", &actions, nullptr, arguments.data(), environ) != 0) {
      pid_ = 0;
    }
    ::posix_spawn_file_actions_destroy(&actions);
  }
  void stop() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

  bool is_running() const { return pid_ != 0; }
  std::string url() const { return fmt::format("http://127.0.0.1:{}", port_); }
  // User and system time so far.
  milliseconds cpu_time() const {
    std::ifstream stat(fmt::format("/proc/{}/stat", pid_));
    std::string field;
    long ticks = 0;
    for (int i = 1; i <= 15 && stat >> field; ++i) {
      if (i >= 14) ticks += std::stol(field);
    }
    return milliseconds(ticks * 1000 / ::sysconf(_SC_CLK_TCK));
  }

 private:
  std::filesystem::path folder_;
  std::uint16_t port_ = free_port();
  pid_t pid_ = 0;
};

milliseconds own_cpu_time() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& time) {
    return seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
  };
  return std::chrono::duration_cast<milliseconds>(of(usage.ru_utime) + of(usage.ru_stime));
}

class MetricsIntegrationTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    page_ = start_http_server({.address = "127.0.0.1", .port = 0, .threads = 2},
                              {{"/metrics",
                                [](const ServerRequest&) {
                                  return ServerResponse{.content_type = "text/plain; version=0.0.4",
                                                        .body = page_text()};
                                }}})
                .value();
    prometheus_ = std::make_unique<Prometheus>(page_->port());
  }
  static void TearDownTestSuite() {
    prometheus_.reset();
    page_.reset();
  }
  void SetUp() override {
    if (!prometheus_->is_running()) GTEST_SKIP() << "no prometheus in PATH";
    transport_ = kube::make_cpprest_transport(
                     {.base_url = prometheus_->url(), .request_timeout = kRequestTimeout}, clock_)
                     .value();
    ASSERT_TRUE(eventually([] { return true; }, "vector(1)")) << "Prometheus does not start";
    sampler_ = std::make_unique<Sampler>(
        *transport_, clock_,
        SamplerObserver{.on_query = [this](milliseconds, std::optional<ErrorCode>,
                                           std::size_t) { ++requests_; }});
    sampler_->start();
  }

  // What the exporter of all the apps says: "busy" serves 100 requests a second in 10 to 25 ms with
  // 0.5 and 0.25 cores; "idle" served a few long ago; "stuck" the same, with one not answered;
  // "untold" the same, and does not tell whether one waits. Of "served" further down.
  static std::string page_text() {
    const double t =
        std::chrono::duration<double>(clock_.monotonic_now() - MonotonicTime{}).count();
    std::string out;
    const auto line = [&out]<typename... Args>(fmt::format_string<Args...> format, Args&&... args) {
      fmt::format_to(std::back_inserter(out), format, std::forward<Args>(args)...);
      out += '\n';
    };
    const auto histogram = [&](const char* pod, double count) {
      for (const auto& [le, share] : std::initializer_list<std::pair<const char*, double>>{
               {"0.01", 0}, {"0.025", 1}, {"+Inf", 1}}) {
        line("http_request_duration_seconds_bucket{{namespace=\"ns\",pod=\"{}\",le=\"{}\"}} {}",
             pod, le, std::floor(count * share));
      }
      line("http_request_duration_seconds_count{{namespace=\"ns\",pod=\"{}\"}} {}", pod,
           std::floor(count));
    };
    const auto served = [&](const char* pod, double count, std::array<double, 3> within, double failed,
                            double cpu) {
      const std::string labels = fmt::format("namespace=\"ns\",pod=\"{}\"", pod);
      constexpr std::array<const char*, 3> kBounds{"0.1", "0.25", "0.5"};
      for (std::size_t i = 0; i < 3; ++i) {
        line("http_request_duration_seconds_bucket{{{},le=\"{}\"}} {}", labels, kBounds[i],
             std::floor(count * within[i]));
      }
      line("http_request_duration_seconds_bucket{{{},le=\"+Inf\"}} {}", labels, std::floor(count));
      line("http_request_duration_seconds_count{{{},code=\"200\"}} {}", labels, std::floor(count * (1 - failed)));
      line("http_request_duration_seconds_count{{{},code=\"500\"}} {}", labels, std::floor(count * failed));
      line("process_cpu_seconds_total{{{}}} {}", labels, cpu);
    };
    histogram("busy-5d5d5d5d5d-x7k2p", t * 50);
    histogram("busy-5d5d5d5d5d-zq4rs", t * 50);
    histogram("idle-5d5d5d5d5d-x7k2p", 7);
    histogram("stuck-5d5d5d5d5d-x7k2p", 7);
    histogram("untold-5d5d5d5d5d-x7k2p", 7);
    line("http_requests_in_flight{{namespace=\"ns\",pod=\"idle-5d5d5d5d5d-x7k2p\"}} 0");
    line("http_requests_in_flight{{namespace=\"ns\",pod=\"stuck-5d5d5d5d5d-x7k2p\"}} 1");
    line("process_cpu_seconds_total{{namespace=\"ns\",pod=\"busy-5d5d5d5d5d-x7k2p\"}} {}", t * 0.5);
    line("process_cpu_seconds_total{{namespace=\"ns\",pod=\"busy-5d5d5d5d5d-zq4rs\"}} {}", t * 0.25);
    line("process_cpu_seconds_total{{namespace=\"ns\",pod=\"busy-too-5d5d5d5d5d-x7k2p\"}} {}", t * 9);
    served("served-2222222222-aaaaa", t * 400, {0.9, 1, 1}, 0.001, t * 0.4);
    served("served-2222222222-bbbbb", t * 400, {0.9, 1, 1}, 0.001, t * 0.4);
    served("served-4444444444-ccccc", t * 400, {0.9, 1, 1}, 0.001, t * 0.4);
    served("served-9999999999-ddddd", t * 200, {0.5, 0.88, 1}, 0.05, t * 0.4);
    if (queue_is_known_) line("queue_length{{namespace=\"ns\",queue=\"jobs\"}} 42");
    for (int i = 0; i < kManyApps; ++i) {
      line("queue_length{{namespace=\"many\",queue=\"app{}\"}} {}", i, i);
    }
    return out;
  }

  // Until `done`, at most 20 s; false if it never was. With `probe` also until that query works.
  bool eventually(const std::function<bool()>& done, const std::string& probe = {}) {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    const MonotonicTime deadline = clock_.monotonic_now() + seconds(20);
    while (clock_.monotonic_now() < deadline) {
      const bool works = probe.empty() || [&] {
        const auto response =
            transport_->send({.path_and_query = "/api/v1/query?query=" + probe}, {});
        return response && response->ok();
      }();
      if (works && done()) return true;
      clock_.wait_until(never, lock, clock_.monotonic_now() + milliseconds(20), {});
    }
    return false;
  }
  void pass(milliseconds duration) {
    const MonotonicTime until = clock_.monotonic_now() + duration;
    eventually([&] { return clock_.monotonic_now() >= until; });
  }

  static api::MetricSpec metric_of(api::MetricType type, std::string query = {}) {
    return {.name = "m", .type = type, .query = std::move(query), .window_seconds = 2};
  }
  void subscribe(const api::ObjectKey& app, const api::MetricSpec& metric) {
    sampler_->subscribe(app, {query_of(metric, app, 1)});
  }
  scaling::MetricReading reading(const api::ObjectKey& app, const api::MetricSpec& metric) {
    return to_reading(metric, sampler_->latest(app, "m"));
  }

  inline static SystemClock clock_;
  inline static std::atomic<bool> queue_is_known_ = true;
  inline static std::unique_ptr<HttpServer> page_;
  inline static std::unique_ptr<Prometheus> prometheus_;
  std::unique_ptr<kube::HttpTransport> transport_;
  std::atomic<int> requests_ = 0;
  std::unique_ptr<Sampler> sampler_;
};

TEST_F(MetricsIntegrationTest, BuiltInQueriesFindWhatAWorkloadExposes) {
  const auto latency = metric_of(api::MetricType::kLatency);
  const auto cpu = metric_of(api::MetricType::kCpu);
  auto queue = metric_of(api::MetricType::kQueueLength);
  queue.queue = "jobs";
  const api::ObjectKey busy{"ns", "busy"}, worker{"ns", "worker"};
  sampler_->subscribe(busy, {query_of(latency, busy, 1)});
  subscribe(worker, queue);
  ASSERT_TRUE(eventually([&] { return reading(busy, latency).value.has_value(); }));
  EXPECT_NEAR(*reading(busy, latency).value, 0.02485, 0.0001);  // 99 % of 10 to 25 ms.
  ASSERT_TRUE(eventually([&] { return reading(worker, queue).value.has_value(); }));
  EXPECT_EQ(reading(worker, queue).value, 42);

  // A rate is too low until its window is full of samples.
  subscribe(busy, cpu);
  EXPECT_TRUE(eventually([&] {
    return Value(reading(busy, cpu).per_pod,
                 ElementsAre(Pair("busy-5d5d5d5d5d-x7k2p", DoubleNear(0.5, 0.05)),
                             Pair("busy-5d5d5d5d5d-zq4rs", DoubleNear(0.25, 0.025))));
  }));
}

TEST_F(MetricsIntegrationTest, NoTrafficIsToldFromNoDataAndFromNothingFinished) {
  const auto latency = metric_of(api::MetricType::kLatency);
  for (const char* name : {"idle", "stuck", "untold", "unknown"}) subscribe({"ns", name}, latency);
  ASSERT_TRUE(eventually([&] { return reading({"ns", "idle"}, latency).idle; }));
  for (const char* name : {"stuck", "untold", "unknown"}) {
    ASSERT_TRUE(eventually([&] { return sampler_->latest({"ns", name}, "m").has_value(); }));
    EXPECT_FALSE(reading({"ns", name}, latency).idle) << name;
    EXPECT_THAT(reading({"ns", name}, latency).missing, HasSubstr("empty answer")) << name;
  }
}

TEST_F(MetricsIntegrationTest, AGaugeThatIsNoLongerExposedIsMissingAfterItsWindow) {
  auto queue = metric_of(api::MetricType::kQueueLength);
  queue.queue = "jobs";
  const api::ObjectKey app{"ns", "worker"};
  subscribe(app, queue);
  ASSERT_TRUE(eventually([&] { return reading(app, queue).value.has_value(); }));
  const MonotonicTime stopped = clock_.monotonic_now();
  queue_is_known_ = false;
  EXPECT_TRUE(eventually([&] { return !reading(app, queue).value; }));
  EXPECT_LT(clock_.monotonic_now() - stopped, seconds(6));
  queue_is_known_ = true;
}

TEST_F(MetricsIntegrationTest, MistakesInQueriesStayWithTheAppsThatMadeThem) {
  struct Case {
    const char* query;
    const char* error;  // Of Prometheus 2 and 3 alike; empty: a value of 1.
  };
  const Case cases[] = {
      {"vector(1)", ""},
      {"vector(1) # with a comment", ""},
      {"1", ""},
      {"vector(1) or\n# two lines\nvector(2)", ""},
      {"label_replace(vector(1), 'scalableapp_query', '7', '', '')", ""},
      {"up{job='test'} == 1", ""},
      {"sum(", "parse error"},
      {"vector(1)) or (vector(2)", "parse error"},
      {"vector(1), \"scalableapp_query\", \"0\", \"\", \"\") or label_replace((vector(5)",
       "parse error"},
      {"no_such_function(up)", "unknown function"},
      {"'text'", "string"},
      {"up[1m]", "matrix"},
      {"queue_length{namespace='many'}", "500 series where one number is wanted"},
      {"label_replace(queue_length, 'queue', 'x', '', '') * on() up", "same labelset"},
      {"vector(0) / vector(0)", "NaN"},
      {"vector(1) / vector(0)", "infinite"},
      {"nothing_of_this_name", "empty answer"},
  };
  int i = 0;
  for (const Case& c : cases) {
    subscribe({"mistakes", fmt::format("app{}", i++)},
              metric_of(api::MetricType::kPrometheus, c.query));
  }
  i = 0;
  for (const Case& c : cases) {
    const api::ObjectKey app{"mistakes", fmt::format("app{}", i++)};
    ASSERT_TRUE(eventually([&] { return sampler_->latest(app, "m").has_value(); })) << c.query;
    const auto found = reading(app, metric_of(api::MetricType::kPrometheus, c.query));
    if (*c.error == '\0') {
      EXPECT_EQ(found.value, 1) << c.query << ": " << found.missing;
    } else {
      EXPECT_FALSE(found.value) << c.query;
      EXPECT_THAT(found.missing, HasSubstr(c.error)) << c.query;
    }
  }
}

TEST_F(MetricsIntegrationTest, TheLoadOfThirtyDaysIsASeriesOrAnError) {
  const auto transport = kube::make_cpprest_transport({.base_url = prometheus_->url(),
                                                       .request_timeout = kHistoryRequestTimeout,
                                                       .max_body_bytes = kMaxHistoryBytes},
                                                      clock_)
                             .value();
  LoadHistory history(*transport, clock_);
  const api::ObjectKey app{"ns", "busy"};
  std::vector<LoadQuery> queries{{.metric = "days", .text = "vector(time())", .days = 30},
                                 {.metric = "none", .text = "nothing_of_this_name"},
                                 {.metric = "wrong", .text = "sum("},
                                 {.metric = "many", .text = "vector(1) or label_replace(vector(1), 'a', 'b', '', '')"}};
  // The built-in ones are at least PromQL.
  for (const auto type : {api::MetricType::kLatency, api::MetricType::kCpu, api::MetricType::kQueueLength}) {
    api::MetricSpec metric = metric_of(type);
    metric.name = fmt::format("built in {}", static_cast<int>(type));
    queries.push_back(load_query(metric, app, 1).value());
    metric.name += " too";
    metric.drain_seconds = 30;
    queries.push_back(load_query(metric, app, 1).value());
  }
  history.subscribe(app, queries);
  history.start();
  ASSERT_TRUE(eventually([&] {
    return std::ranges::all_of(queries, [&](const LoadQuery& query) {
      return history.latest(app, query.metric) || history.error(app, query.metric);
    });
  }));
  for (const LoadQuery& query : queries) {
    const auto error = history.error(app, query.metric);
    if (query.metric == "wrong") {
      EXPECT_THAT(error->message, HasSubstr("parse error"));
    } else if (query.metric == "many") {
      EXPECT_THAT(error->message, HasSubstr("2 series where one is wanted"));
    } else {
      EXPECT_FALSE(error) << query.metric << ": " << error->message;
    }
  }
  const auto days = history.latest(app, "days");
  ASSERT_EQ(days->values.size(), 30U * 288U);
  for (std::size_t i = 0; i < days->values.size(); ++i) {
    const WallTime at = days->begin + static_cast<std::int64_t>(i) * days->step + seconds{150};
    ASSERT_NEAR(days->values[i], std::chrono::duration<double>(at.time_since_epoch()).count(), 100);
  }
  EXPECT_TRUE(std::isnan(history.latest(app, "none")->values.back()));
}

// "served" has a stable revision of two pods, another like it, and one that fails 5 % of its requests, takes twice as
// long for them and needs twice the CPU.
TEST_F(MetricsIntegrationTest, AWorseRevisionIsToldFromOneThatIsAsGood) {
  const api::Analysis analysis{
      .interval_seconds = 1,
      .metrics = {{.name = "errors", .type = api::AnalysisMetricType::kErrorRate, .max_increase = 1},
                  {.name = "p99", .type = api::AnalysisMetricType::kLatency, .max_increase = 25},
                  {.name = "cores",
                   .type = api::AnalysisMetricType::kPrometheus,
                   .query = "sum(rate(process_cpu_seconds_total{pod=~\"$(newPods)\"}[2s])) / "
                            "sum(rate(process_cpu_seconds_total{pod=~\"$(stablePods)\"}[2s]))",
                   .success = {.at_most = 2}}}};
  const api::ObjectKey app{"ns", "served"};
  const auto until = [&](const std::string& updated, api::Verdict verdict) {
    sampler_->subscribe(app, analysis_queries(app, {.updated = {updated}, .stable = {"served-2222222222"}}, analysis));
    api::AnalysisStatus status;
    EXPECT_TRUE(eventually([&] {
      const auto measurement = read_measurement(
          analysis, [&](const std::string& id) { return sampler_->latest(app, id); }, 0, clock_.wall_now());
      // A Prometheus that has just started knows of no target.
      if (measurement && measurement->missing.empty()) status = rollout::measure(analysis, *measurement, status);
      return rollout::outcome(analysis, status).verdict == verdict && status.metrics[1].last == verdict;
    })) << status.message;
    return status;
  };
  const api::AnalysisStatus as_good = until("served-4444444444", api::Verdict::kSuccessful);
  EXPECT_NEAR(as_good.stable.requests / as_good.updated.requests, 2, 0.2);
  EXPECT_NEAR(*rollout::capacity_change(as_good, 100).cpu, 1, 0.1);

  const api::AnalysisStatus worse = until("served-9999999999", api::Verdict::kFailed);
  EXPECT_NEAR(worse.updated.errors / worse.updated.requests, 0.05, 0.005);
  EXPECT_NEAR(worse.stable.errors / worse.stable.requests, 0.001, 0.002);
  EXPECT_EQ(worse.metrics[0].last, api::Verdict::kFailed) << worse.metrics[0].value;
  EXPECT_EQ(worse.metrics[1].last, api::Verdict::kFailed) << worse.metrics[1].value;
  EXPECT_NEAR(std::stod(worse.metrics[1].value.substr(4)), 479, 10) << "milliseconds: 250 and 11/12 of 250";
  EXPECT_NEAR(std::stod(worse.metrics[2].value), 0.5, 0.05);
  EXPECT_NEAR(*rollout::capacity_change(worse, 100).cpu, 2, 0.2);
}

TEST_F(MetricsIntegrationTest, AMeasurementCountsTheRequestsOfItsIntervalAndGuessesNone) {
  const api::Analysis analysis{.interval_seconds = 1, .metrics = {}};
  const api::ObjectKey app{"ns", "served"};
  sampler_->subscribe(
      app, analysis_queries(app, {.updated = {"served-4444444444"}, .stable = {"served-2222222222"}}, analysis));
  api::AnalysisStatus status;
  double counted = 0;
  int measurements = 0;
  ASSERT_TRUE(eventually([&] {
    const auto measurement = read_measurement(
        analysis, [&](const std::string& id) { return sampler_->latest(app, id); }, 0, clock_.wall_now());
    const auto last = status.measured_at;
    if (measurement && measurement->updated.requests > 0) status = rollout::measure(analysis, *measurement, status);
    if (status.measured_at == last) return false;
    counted += measurement->updated.requests;
    EXPECT_EQ(counted, std::floor(counted));
    return ++measurements == 8;
  }));
  EXPECT_NEAR(counted / measurements, 400, 40);
}

TEST_F(MetricsIntegrationTest, ARestartOfPrometheusIsSurvived) {
  const auto metric = metric_of(api::MetricType::kPrometheus, "vector(3)");
  const api::ObjectKey app{"ns", "a"};
  subscribe(app, metric);
  ASSERT_TRUE(eventually([&] { return reading(app, metric).value == 3; }));
  prometheus_->stop();
  ASSERT_TRUE(eventually([&] { return sampler_->source_error().has_value(); }));
  ASSERT_TRUE(eventually([&] { return reading(app, metric).age > seconds(2); }));
  EXPECT_EQ(reading(app, metric).value, 3);
  EXPECT_THAT(reading(app, metric).missing, HasSubstr("Prometheus: "));
  prometheus_->start();
  ASSERT_TRUE(eventually([&] { return !sampler_->source_error(); }));
  ASSERT_TRUE(eventually([&] { return reading(app, metric).age < seconds(1); }));
  EXPECT_EQ(reading(app, metric).missing, "");
}

TEST_F(MetricsIntegrationTest, FiveHundredAppsEveryTwoSecondsAreAllFresh) {
  constexpr int kSeconds = 6;
  struct Cost {
    milliseconds own, theirs;
  };
  const auto cost_of_waiting = [&] {
    const Cost before{own_cpu_time(), prometheus_->cpu_time()};
    pass(seconds(kSeconds));
    return Cost{own_cpu_time() - before.own, prometheus_->cpu_time() - before.theirs};
  };
  const Cost idle = cost_of_waiting();
  const auto metric = metric_of(api::MetricType::kQueueLength);
  for (int i = 0; i < kManyApps; ++i) {
    const api::ObjectKey app{"many", fmt::format("app{}", i)};
    sampler_->subscribe(app, {query_of(metric, app, 2)});
  }
  ASSERT_TRUE(eventually([&] {
    return reading({"many", fmt::format("app{}", kManyApps - 1)}, metric).value.has_value();
  }));
  const int requests = requests_;
  const Cost busy = cost_of_waiting();
  for (int i = 0; i < kManyApps; ++i) {
    const auto found = reading({"many", fmt::format("app{}", i)}, metric);
    EXPECT_EQ(found.value, i) << found.missing;
    EXPECT_LE(found.age, seconds(3));
  }
  fmt::print(
      "{} queries every 2 s: {} requests/s, {} ms/s of this process, {} ms/s of Prometheus\n",
      kManyApps, (requests_ - requests) / kSeconds, (busy.own - idle.own).count() / kSeconds,
      (busy.theirs - idle.theirs).count() / kSeconds);
}

}  // namespace
}  // namespace scalableapp::metrics
