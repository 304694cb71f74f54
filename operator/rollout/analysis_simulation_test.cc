// How often the analysis takes a good revision for a bad one, and how long a bad one lasts: many rollouts with drawn
// requests. The tables that it prints are those of analysis.h and of docs/.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "operator/rollout/analysis.h"

namespace scalableapp::rollout {
namespace {

// Those of Prometheus' client libraries.
const std::vector<double> kBounds{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
constexpr int kLooks = 50;

// The share of requests that take longer than so many seconds.
using Tail = std::function<double(double seconds)>;
Tail exponential(double mean) {
  return [mean](double x) { return std::exp(-x / mean); };
}
Tail log_normal(double median, double sigma) {
  return [=](double x) { return std::erfc(std::log(x / median) / sigma / std::numbers::sqrt2) / 2; };
}
Tail pareto(double least) {  // Its variance is infinite.
  return [least](double x) { return x < least ? 1 : std::pow(least / x, 1.5); };
}

struct Service {
  double error_share = 0.001;
  Tail slower_than = exponential(0.05);
};
Service slower(Tail tail) { return {.slower_than = std::move(tail)}; }
Service narrow(double median) { return slower(log_normal(median, 0.5)); }
Service wide(double median) { return slower(log_normal(median, 1.5)); }
// Requests of an interval.
struct Traffic {
  double updated = 100;
  double stable = 100;
};

class Rollouts {
 public:
  explicit Rollouts(std::uint64_t seed) : random_(seed) {}

  api::RevisionEvidence serve(const Service& service, double requests) {
    api::RevisionEvidence evidence;
    if (requests <= 0) return evidence;
    long left = std::poisson_distribution<long>(requests)(random_);
    evidence.requests = static_cast<double>(left);
    evidence.errors = static_cast<double>(some_of(left, service.error_share));
    double before = 1;
    for (const double bound : kBounds) {
      const double slower = std::min(service.slower_than(bound), before);
      const long here = some_of(left, before > 0 ? 1 - slower / before : 0);
      evidence.buckets.push_back(static_cast<double>(here));
      left -= here;
      before = slower;
    }
    evidence.buckets.push_back(static_cast<double>(left));
    return evidence;
  }

  // `at` gives what there is at each look.
  struct Look {
    Service updated, stable;
    Traffic traffic;
  };
  struct End {
    api::Verdict verdict = api::Verdict::kNone;
    int look = 0;
  };
  // With `until_good` also a success ends it.
  End run(const api::Analysis& analysis, int looks, bool until_good, const std::function<Look(int)>& at) {
    api::AnalysisStatus status;
    for (int look = 1; look <= looks; ++look) {
      const Look now = at(look);
      Measurement measurement{.at = WallTime{seconds{10 * look}}, .bounds = kBounds};
      measurement.updated = serve(now.updated, now.traffic.updated);
      measurement.stable = serve(now.stable, now.traffic.stable);
      status = measure(analysis, measurement, status);
      const api::Verdict verdict = outcome(analysis, status).verdict;
      if (verdict == api::Verdict::kFailed || (until_good && verdict == api::Verdict::kSuccessful)) {
        return {verdict, look};
      }
    }
    return {};
  }
  // The look at which the analysis fails, were it never over otherwise; 0: none.
  int look_that_fails(const api::Analysis& analysis, const std::function<Look(int)>& at) {
    return run(analysis, kLooks, false, at).look;
  }
  double uniform(double from, double to) { return std::uniform_real_distribution<>(from, to)(random_); }
  bool happens(double probability) { return uniform(0, 1) < probability; }

 private:
  long some_of(long count, double share) {
    return count > 0 ? std::binomial_distribution<long>(count, std::clamp(share, 0.0, 1.0))(random_) : 0;
  }
  std::mt19937_64 random_;
};

api::Analysis analysis_of(api::AnalysisMetricType type) {
  const bool is_errors = type == api::AnalysisMetricType::kErrorRate;
  return {.metrics = {{.name = "m", .type = type, .max_increase = is_errors ? 1.0 : 25.0}}};
}
const api::Analysis kErrors = analysis_of(api::AnalysisMetricType::kErrorRate);
const api::Analysis kLatency = analysis_of(api::AnalysisMetricType::kLatency);

// In which share of the rollouts the analysis fails a revision that does what the stable one does.
double false_alarms(const api::Analysis& analysis, int rollouts, std::uint64_t seed,
                    const std::function<std::function<Rollouts::Look(int)>(Rollouts&)>& rollout) {
  Rollouts all(seed);
  int alarms = 0;
  for (int i = 0; i < rollouts; ++i) alarms += all.look_that_fails(analysis, rollout(all)) > 0;
  return static_cast<double>(alarms) / rollouts;
}
// With three standard deviations for chance.
double bearable(int rollouts) { return kFalseAlarms + 3 * std::sqrt(kFalseAlarms / rollouts); }

struct Course {
  const char* name;
  std::function<Traffic(int look)> traffic;
};
const std::vector<Course> kCourses{
    {"half and half", [](int) { return Traffic{100, 100}; }},
    {"canary 5, 20, 50 %", [](int look) { return look < 15   ? Traffic{50, 950}
                                                 : look < 30 ? Traffic{200, 800}
                                                             : Traffic{500, 500}; }},
    {"rolling", [](int look) { return Traffic{std::min(look, 10) * 50.0, std::max(10 - look, 0) * 50.0}; }},
    {"blue-green", [](int look) { return look < 10 ? Traffic{0, 200} : Traffic{200, 0}; }},
    {"much traffic", [](int) { return Traffic{3000, 30'000}; }},
    {"little traffic", [](int) { return Traffic{10, 40}; }},
};

// Any difference is one that matters: only the test is in the way of an alarm.
api::Analysis strict(api::Analysis analysis) {
  analysis.metrics[0].max_increase = 0.01;
  return analysis;
}

TEST(AnalysisSimulation, TakesAGoodRevisionForABadOneInOneRolloutOfAHundredAtMost) {
  constexpr int kRollouts = 2000;
  constexpr std::uint64_t kSeed = 20'240'501;
  fmt::print("false alarms in {} rollouts of {} looks, seed {}\n", kRollouts, kLooks, kSeed);
  for (const Course& course : kCourses) {
    const double share = false_alarms(strict(kErrors), kRollouts, kSeed, [&](Rollouts&) {
      const Service service{.error_share = 0.01, .slower_than = [](double) { return 0.0; }};
      return [=, &course](int look) { return Rollouts::Look{service, service, course.traffic(look)}; };
    });
    fmt::print("  1 % errors, {}: {:.2f} %\n", course.name, share * 100);
    EXPECT_LE(share, bearable(kRollouts)) << course.name;
  }
}

TEST(AnalysisSimulation, HeavyTailsAreNoSlowness) {
  constexpr int kRollouts = 300;
  constexpr std::uint64_t kSeed = 7;
  fmt::print("false alarms of latency in {} rollouts of {} looks, seed {}\n", kRollouts, kLooks, kSeed);
  const std::vector<std::pair<const char*, std::function<Tail(double)>>> kinds{
      {"exponential", exponential},
      {"log-normal, sigma 1.5", [](double scale) { return log_normal(scale, 1.5); }},
      {"Pareto, alpha 1.5", pareto}};
  for (const Course& course : kCourses) {
    for (const auto& [name, kind] : kinds) {
      const double share = false_alarms(strict(kLatency), kRollouts, kSeed, [&, &kind = kind](Rollouts& rollouts) {
        const Service service{.slower_than = kind(std::exp(rollouts.uniform(std::log(0.005), std::log(0.5))))};
        return [=, &course](int look) { return Rollouts::Look{service, service, course.traffic(look)}; };
      });
      fmt::print("  {}, {}: {:.2f} %\n", name, course.name, share * 100);
      EXPECT_LE(share, bearable(kRollouts)) << name << ", " << course.name;
    }
  }
}

TEST(AnalysisSimulation, AnOutageThatHitsBothIsNotTheNewRevisionsFault) {
  constexpr int kRollouts = 1000;  // With plain sums 41 % and 39 % of them are alarms.
  constexpr std::uint64_t kSeed = 11;
  fmt::print("false alarms in {} rollouts of {} looks with outages, seed {}\n", kRollouts, kLooks, kSeed);
  const auto canary = [](int look) {
    if (look <= 3) return Traffic{0, 1000};  // Until the first pod is ready.
    return kCourses[1].traffic(look);
  };
  for (const auto* analysis : {&kErrors, &kLatency}) {
    const double share = false_alarms(*analysis, kRollouts, kSeed, [&](Rollouts& rollouts) {
      return [&](int look) {
        const bool is_out = rollouts.happens(0.05);
        const Service service{.error_share = is_out ? 0.2 : 0.001, .slower_than = exponential(is_out ? 0.5 : 0.05)};
        return Rollouts::Look{service, service, canary(look)};
      };
    });
    fmt::print("  {}: {:.2f} %\n", analysis == &kErrors ? "20 % errors for 10 s" : "10 times slower for 10 s",
               share * 100);
    EXPECT_LE(share, bearable(kRollouts));
  }
}

TEST(AnalysisSimulation, TheGoodPassSoonAndTheBadDoNot) {
  constexpr int kRollouts = 200;
  struct Case {
    const char* name;
    const api::Analysis& analysis;
    Service updated, stable;
    bool is_good;
  };
  const Case cases[] = {
      {"0.1 % errors, as before", kErrors, {}, {}, true},
      {"1 % errors, as before", kErrors, {.error_share = 0.01}, {.error_share = 0.01}, true},
      {"5 % errors, as before", kErrors, {.error_share = 0.05}, {.error_share = 0.05}, true},
      {"5 % errors, not 0.1 %", kErrors, {.error_share = 0.05}, {}, false},
      {"as fast, exponential", kLatency, {}, {}, true},
      {"as fast, log-normal 1.5", kLatency, wide(0.05), wide(0.05), true},
      {"2 times slower, exponential", kLatency, slower(exponential(0.1)), {}, false},
      {"2 times slower, log-normal 0.5", kLatency, narrow(0.1), narrow(0.05), false},
  };
  fmt::print("three good measurements, of {} rollouts\n", kRollouts);
  for (const Case& c : cases) {
    for (const Traffic& traffic : {Traffic{100, 100}, Traffic{50, 950}, Traffic{1000, 1000}}) {
      Rollouts rollouts(5);
      std::vector<int> passed;
      for (int i = 0; i < kRollouts; ++i) {
        const auto end = rollouts.run(c.analysis, 200, true,
                                      [&](int) { return Rollouts::Look{c.updated, c.stable, traffic}; });
        if (end.verdict == api::Verdict::kSuccessful) passed.push_back(end.look);
      }
      std::ranges::sort(passed);
      const double share = static_cast<double>(passed.size()) / kRollouts;
      fmt::print("  {}, {} new and {} stable requests a look: {:.1f} %{}\n", c.name, traffic.updated, traffic.stable,
                 share * 100,
                 passed.empty() ? ""
                                : fmt::format(", half after {} looks, 95 of 100 after {}", passed[passed.size() / 2],
                                              passed[passed.size() * 95 / 100]));
      EXPECT_TRUE(c.is_good ? share >= 0.98 : share <= 0.04) << c.name;
    }
  }
}

struct Power {
  int median = 0, most = 0;  // Looks; most: in 95 of 100 rollouts. 0: not within kLooks.
};
Power power(const api::Analysis& analysis, const Service& updated, const Service& stable, const Traffic& traffic) {
  constexpr int kRollouts = 300;
  Rollouts rollouts(3);
  std::vector<int> looks;
  for (int i = 0; i < kRollouts; ++i) {
    const int look = rollouts.look_that_fails(analysis, [&](int) { return Rollouts::Look{updated, stable, traffic}; });
    looks.push_back(look > 0 ? look : kLooks + 1);
  }
  std::ranges::sort(looks);
  const auto at = [&](std::size_t i) { return looks[i] > kLooks ? 0 : looks[i]; };
  return {at(looks.size() / 2), at(looks.size() * 95 / 100)};
}
std::string looks_text(int looks, const Traffic& traffic) {
  if (looks == 0) return fmt::format("over {} looks", kLooks);
  return fmt::format("{} looks ({} requests)", looks, looks * traffic.updated);
}

TEST(AnalysisSimulation, ABadRevisionIsFoundWithinAFewHundredRequests) {
  struct Case {
    const char* name;
    api::Analysis analysis;
    Service updated, stable;
    int most_requests;  // In half of the rollouts, where a look has 100 of each.
  };
  api::Analysis p90 = kLatency;
  p90.metrics[0].quantile = 0.9;
  const Case cases[] = {
      {"5 % errors, not 0.1 %", kErrors, {.error_share = 0.05}, {}, 200},
      {"2 % errors, not 0.1 %", kErrors, {.error_share = 0.02}, {}, 1000},
      {"p99 of 2 times slower, exponential", kLatency, slower(exponential(0.1)), {}, 500},
      {"p99 of 2 times slower, log-normal 0.5", kLatency, narrow(0.1), narrow(0.05), 1200},
      {"p99 of 2 times slower, log-normal 1.5", kLatency, wide(0.1), wide(0.05), 5000},
      {"p99 of 2 times slower, Pareto 1.5", kLatency, slower(pareto(0.1)), slower(pareto(0.05)), 4000},
      {"p90 of 2 times slower, exponential", p90, slower(exponential(0.1)), {}, 400},
      {"p90 of 2 times slower, log-normal 1.5", p90, wide(0.1), wide(0.05), 1000},
      {"p90 of 2 times slower, Pareto 1.5", p90, slower(pareto(0.1)), slower(pareto(0.05)), 800},
  };
  for (const Case& c : cases) {
    fmt::print("{}\n", c.name);
    for (const Traffic& traffic : {Traffic{20, 20}, Traffic{100, 100}, Traffic{50, 950}, Traffic{1000, 1000}}) {
      const Power found = power(c.analysis, c.updated, c.stable, traffic);
      fmt::print("  {:4} new and {:4} stable requests a look: half after {}, 95 of 100 after {}\n", traffic.updated,
                 traffic.stable, looks_text(found.median, traffic), looks_text(found.most, traffic));
      if (traffic.updated != 100) continue;
      EXPECT_GT(found.median, 0) << c.name;
      EXPECT_LE(found.median * traffic.updated, c.most_requests) << c.name;
    }
  }
}

}  // namespace
}  // namespace scalableapp::rollout
