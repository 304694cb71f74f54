#include "operator/metrics/analysis_queries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "operator/metrics/promql.h"

namespace scalableapp::metrics {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

const api::ObjectKey kApp{"shop", "web"};
const AnalysisPods kPods{.updated = {"web-new"}, .stable = {"web-old", "web-older"}};
const WallTime kNow{seconds{1'000'000}};
const std::string kCounts = "\nanalysis";

api::Analysis analysis_of(std::vector<api::AnalysisMetric> metrics) {
  return {.interval_seconds = 20, .metrics = std::move(metrics)};
}
const api::AnalysisMetric kLatency{.name = "p99", .type = api::AnalysisMetricType::kLatency};
const api::AnalysisMetric kOwn{.name = "own",
                               .type = api::AnalysisMetricType::kPrometheus,
                               .query = "sum(x{pod=~\"$(newPods)\"}) / "
                                        "sum(x{namespace=\"$(namespace)\",pod=~\"$(stablePods)\"})"};

std::optional<rollout::Measurement> read(const api::Analysis& analysis, std::map<std::string, QueryResult> answers) {
  return read_measurement(
      analysis,
      [&](const std::string& id) -> std::optional<QueryResult> {
        const auto found = answers.find(id);
        return found == answers.end() ? std::nullopt : std::optional(found->second);
      },
      2, kNow);
}
QueryResult counts(std::vector<std::pair<std::string, double>> values) {
  QueryResult result{.at = kNow - seconds{3}};
  for (const auto& [pod, value] : values) result.samples.push_back({.value = value, .pod = pod});
  return result;
}
QueryResult error(std::string message) {
  return {.samples = {{.value = 1}}, .error = Error{ErrorCode::kUnavailable, std::move(message), {}}};
}

TEST(AnalysisQueries, AskOnceForAllThatIsCounted) {
  const auto queries = analysis_queries(kApp, kPods, analysis_of({kLatency, {.name = "errors"}}));
  ASSERT_THAT(queries, SizeIs(1));
  EXPECT_EQ(queries[0].interval, seconds{20});
  const std::string& text = queries[0].text;
  EXPECT_TRUE(check_self_contained(text)) << text;
  const std::string updated = R"q({namespace="shop",pod=~"(web-new)-[a-z0-9]{5}"})q";
  const std::string now = "sum by (pod) (http_request_duration_seconds_count" + updated + ")";
  const std::string before = "sum by (pod) (http_request_duration_seconds_count" + updated + " offset 20s)";
  EXPECT_THAT(text, HasSubstr("label_replace(sum(" + now + " - (" + before + " <= " + now +
                              ")), \"pod\", \"updated/requests\", \"\", \"\")"));
  EXPECT_THAT(text, HasSubstr(R"q(pod=~"(web-old|web-older)-[a-z0-9]{5}",code=~"5.."} offset 20s) or )q"))
      << "no series of errors is none";
  for (const char* what : {"updated/shed", "stable/busy", "stable/cpu", "updated/le/$1"}) {
    EXPECT_THAT(text, HasSubstr(std::string(", \"pod\", \"") + what + "\", "));
  }
  EXPECT_THAT(text, HasSubstr("sum by (le) (sum by (le, pod) (http_request_duration_seconds_bucket{"));
}

TEST(AnalysisQueries, OfTheUsersKnowThePodsOfBothSides) {
  const auto queries = analysis_queries(kApp, kPods, analysis_of({kOwn}));
  ASSERT_THAT(queries, SizeIs(2));
  EXPECT_EQ(queries[1].text,
            R"q(sum(x{pod=~"(web-new)-[a-z0-9]{5}"}) / )q"
            R"q(sum(x{namespace="shop",pod=~"(web-old|web-older)-[a-z0-9]{5}"}))q");
}

TEST(AnalysisQueries, OfASideWithoutPodsAskForNothing) {
  const auto first = analysis_queries(kApp, {.updated = {"web-new"}, .stable = {}}, analysis_of({kOwn}));
  EXPECT_THAT(first[0].text, Not(HasSubstr("stable/")));
  EXPECT_THAT(first[1].text, HasSubstr(R"q(pod=~"-")q"));
  const auto none = analysis_queries(kApp, {}, analysis_of({}));
  ASSERT_THAT(none, SizeIs(1));
  EXPECT_TRUE(check_self_contained(none[0].text));
}

TEST(AnalysisQueries, HaveIdsThatNoMetricOfTheAppHas) {
  api::AnalysisMetric details = kOwn;
  details.name = "details";
  std::set<std::string> ids{"analysis", "own", "details", "analysis\ndetails", "own\ndetails"};
  for (const Query& query : analysis_queries(kApp, kPods, analysis_of({kOwn, details}))) {
    EXPECT_TRUE(ids.insert(query.id).second) << query.id;
  }
}

TEST(ReadMeasurement, TellsTheTwoSidesApart) {
  const auto found = read(analysis_of({kLatency}),
                          {{kCounts, counts({{"updated/requests", 100}, {"updated/errors", 4}, {"updated/shed", 10},
                                             {"updated/busy", 30}, {"updated/cpu", 5}, {"updated/le/0.1", 60},
                                             {"updated/le/1.0", 90}, {"updated/le/+Inf", 100}, {"stable/requests", 900},
                                             {"stable/errors", 0}, {"stable/busy", 90}, {"stable/cpu", 20},
                                             {"stable/le/0.1", 890}, {"stable/le/1.0", 900},
                                             {"stable/le/+Inf", 900}})}});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->at, kNow - seconds{3});
  EXPECT_EQ(found->restarts, 2);
  EXPECT_THAT(found->missing, IsEmpty());
  EXPECT_THAT(found->bounds, ElementsAre(0.1, 1));
  EXPECT_EQ(found->updated, (api::RevisionEvidence{.requests = 110, .errors = 14, .busy_seconds = 30, .cpu_seconds = 5,
                                                   .buckets = {60, 30, 10}}))
      << "what was refused has failed";
  EXPECT_EQ(found->stable, (api::RevisionEvidence{.requests = 900, .busy_seconds = 90, .cpu_seconds = 20,
                                                  .buckets = {890, 10, 0}}));
}

TEST(ReadMeasurement, OfARevisionWithoutASeriesIsNoTraffic) {
  const auto found = read(analysis_of({kLatency}),
                          {{kCounts, counts({{"stable/requests", 5}, {"stable/le/0.1", 5}, {"stable/le/+Inf", 5}})}});
  EXPECT_THAT(found->missing, IsEmpty());
  EXPECT_EQ(found->updated.requests, 0);
  EXPECT_THAT(found->updated.buckets, ElementsAre(0, 0));
}

TEST(ReadMeasurement, IsMissingWhereTheQueryFailedOrNothingIsExposed) {
  const auto failed = read(analysis_of({}), {{kCounts, error("Prometheus: no route to host")}});
  EXPECT_EQ(failed->missing.at(""), "Prometheus: no route to host");
  EXPECT_EQ(failed->at, kNow);
  EXPECT_EQ(failed->stable, api::RevisionEvidence{}) << "an old answer is of another interval";
  const auto nothing = read(analysis_of({}), {{kCounts, counts({{"stable/cpu", 1}})}});
  EXPECT_THAT(nothing->missing.at(""), HasSubstr("http_request_duration_seconds"));
}

TEST(ReadMeasurement, WaitsForTheFirstAnswers) {
  EXPECT_FALSE(read(analysis_of({}), {}));
  EXPECT_FALSE(read(analysis_of({kOwn}), {{kCounts, counts({})}}));
}

TEST(ReadMeasurement, ComparesHistogramsAtTheBoundsThatTheyShare) {
  const auto of = [](std::vector<std::pair<std::string, double>> stable) {
    stable.insert(stable.end(), {{"updated/requests", 9}, {"updated/le/0.1", 3}, {"updated/le/0.5", 6},
                                 {"updated/le/1", 8}, {"updated/le/+Inf", 9}, {"stable/requests", 9}});
    return *read(analysis_of({kLatency}), {{kCounts, counts(stable)}});
  };
  const auto some = of({{"stable/le/0.2", 2}, {"stable/le/0.5", 5}, {"stable/le/+Inf", 7}});
  EXPECT_THAT(some.bounds, ElementsAre(0.5));
  EXPECT_THAT(some.updated.buckets, ElementsAre(6, 3));
  EXPECT_THAT(some.stable.buckets, ElementsAre(5, 2));
  const auto none = of({{"stable/le/0.2", 2}, {"stable/le/+Inf", 7}});
  EXPECT_THAT(none.bounds, IsEmpty());
  EXPECT_THAT(none.missing.at("p99"), HasSubstr("share no bound"));
  EXPECT_EQ(none.updated.requests, 9);
}

TEST(ReadMeasurement, OfASummaryHasNoLatency) {
  const auto found = read(analysis_of({kLatency}), {{kCounts, counts({{"stable/requests", 9}})}});
  EXPECT_THAT(found->missing.at("p99"), HasSubstr("has no buckets"));
  EXPECT_EQ(found->stable.requests, 9);
}

TEST(ReadMeasurement, TakesNothingBadForACount) {
  const auto found = read(
      analysis_of({}),
      {{kCounts, counts({{"stable/requests", 9}, {"stable/cpu", -1}, {"stable/busy", std::nan("")}, {"other", 4},
                         {"", 4}, {"stable/le/x", 4}, {"stable/le/NaN", 4}, {"stable/le/0.1", 5},
                         {"stable/le/0.2", 4}, {"stable/le/+Inf", 9}})}});
  EXPECT_EQ(found->stable, (api::RevisionEvidence{.requests = 9, .buckets = {5, 0, 4}}));
}

TEST(ReadMeasurement, HasTheValuesOfTheUsersQueries) {
  const std::string id = "\nanalysis\nown";
  const auto of = [&](QueryResult own) {
    return *read(analysis_of({kOwn}), {{kCounts, counts({{"stable/requests", 1}})}, {id, std::move(own)}});
  };
  EXPECT_EQ(of({.samples = {{.value = 0.5}}}).values.at("own"), 0.5);
  EXPECT_THAT(of({}).missing.at("own"), HasSubstr("empty answer"));
  EXPECT_THAT(of({.samples = {{.value = std::nan("")}}}).missing.at("own"), HasSubstr("NaN"));
  EXPECT_THAT(of({.samples = {{.value = 1}, {.value = 2}}}).missing.at("own"), HasSubstr("2 series"));
  const auto failed = of(error("parse error"));
  EXPECT_EQ(failed.missing.at("own"), "parse error");
  EXPECT_THAT(failed.values, IsEmpty());
}

}  // namespace
}  // namespace scalableapp::metrics
