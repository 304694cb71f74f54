#include "operator/plugin/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/plugin/test_support.h"

namespace scalableapp::plugin {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kRecords = R"([
{"time":"2026-01-31T11:59:58.000000Z","from":3,"to":3,"reason":"NoChangeNeeded","message":"stays at 3"},
{"time":"2026-01-31T12:00:00.250000Z","from":3,"to":6,"reason":"LimitedByPolicy","message":"3 -> 6",
 "metrics":[{"name":"latency","type":"Latency","target":"200ms","current":"340ms","ageMilliseconds":1200,
             "proposedReplicas":8},
            {"name":"cpu","type":"CPU","target":"70%","missing":"no series"}],
 "steps":[{"name":"metrics","before":3,"after":8,"detail":"the metrics"},
          {"name":"scaleUpPolicy","before":8,"after":6,"detail":"scaleUp policy 100%/15s"}]}])";
constexpr const char* kPods = R"({"items":[
{"metadata":{"namespace":"op","name":"a"},"status":{"phase":"Running"}},
{"metadata":{"namespace":"op","name":"old"},"status":{"phase":"Failed"}},
{"metadata":{"namespace":"op","name":"b"},"status":{"phase":"Running"},
 "spec":{"containers":[{"ports":[{"name":"http","containerPort":9000}]}]}}]})";
constexpr const char* kLeases = R"({"items":[{"spec":{"holderIdentity":"b"}}]})";
constexpr const char* kApp = R"({"metadata":{"namespace":"shop","name":"web"},"status":{
"lastDecision":{"from":1,"to":2,"reason":"MetricAboveTarget","message":"1 -> 2: cpu","clamps":["maxReplicas"],
 "time":"2026-01-31T12:00:00Z"},
"metrics":[{"name":"cpu","type":"CPU","current":"90%","target":"70%","proposedReplicas":2,"ageSeconds":3}]}})";

kube::HttpResponse refused(int status) {
  return {.status = status, .body = R"({"kind":"Status","message":"no"})"};
}

TEST(Explain, AsksTheHolderOfTheLeaseFirst) {
  AnsweringTransport api([](const std::string& path) -> kube::HttpResponse {
    if (path.starts_with("/api/v1/pods?")) return {.status = 200, .body = kPods};
    if (path.ends_with("/leases")) return {.status = 200, .body = kLeases};
    return {.status = 200, .body = kRecords};
  });
  const auto decisions = fetch_decisions(api, {"shop", "web"}, "");
  ASSERT_TRUE(decisions);
  EXPECT_EQ(decisions->records, kRecords);
  EXPECT_THAT(decisions->warnings, ElementsAre());
  EXPECT_THAT(
      api.paths,
      ElementsAre("/api/v1/pods?labelSelector=app.kubernetes.io%2Fname%3Dscalableapp-operator",
                  "/apis/coordination.k8s.io/v1/namespaces/op/leases",
                  "/api/v1/namespaces/op/pods/b:9000/proxy/debug/decisions/shop/web"));
}

TEST(Explain, WithoutTheRightToReadLeasesItAsksEveryPod) {
  AnsweringTransport api([](const std::string& path) -> kube::HttpResponse {
    if (path.starts_with("/api/v1/namespaces/op/pods?")) return {.status = 200, .body = kPods};
    if (path.ends_with("/leases")) return refused(403);
    if (path.find("/pods/a:8080/") != path.npos)
      return {.status = 404, .body = "this replica does not lead\n"};
    return {.status = 200, .body = kRecords};
  });
  const auto decisions = fetch_decisions(api, {"shop", "web"}, "op");
  ASSERT_TRUE(decisions);
  EXPECT_EQ(decisions->records, kRecords);
}

TEST(Explain, FallsBackToStatusAndSaysSo) {
  AnsweringTransport api([](const std::string& path) -> kube::HttpResponse {
    if (path.find("/scalableapps/") != path.npos) return {.status = 200, .body = kApp};
    return refused(403);
  });
  const auto decisions = fetch_decisions(api, {"shop", "web"}, "");
  ASSERT_TRUE(decisions);
  ASSERT_EQ(decisions->warnings.size(), 1U);
  EXPECT_THAT(decisions->warnings[0], HasSubstr("this is status.lastDecision of shop/web"));
  const auto table = explain_table(decisions->records, 10);
  ASSERT_TRUE(table);
  EXPECT_THAT(*table, HasSubstr("1 -> 2: cpu"));
  EXPECT_THAT(*table, HasSubstr("Limited by: maxReplicas"));
  EXPECT_THAT(*table, testing::ContainsRegex("cpu +CPU +90% +70% +3s +2"));
}

TEST(Explain, AnAppThatIsNotThereIsAnError) {
  AnsweringTransport api([](const std::string&) { return refused(404); });
  const auto decisions = fetch_decisions(api, {"shop", "web"}, "");
  ASSERT_FALSE(decisions);
  EXPECT_EQ(decisions.error().code, ErrorCode::kNotFound);
}

TEST(Explain, ShowsTheLastOnesAndAllAboutTheNewest) {
  const auto all = explain_table(kRecords, 10);
  ASSERT_TRUE(all);
  EXPECT_THAT(*all, HasSubstr("stays at 3"));
  EXPECT_THAT(*all, testing::ContainsRegex("latency +Latency +340ms +200ms +1.2s +8 +-"));
  EXPECT_THAT(*all, testing::ContainsRegex("cpu +CPU +- +70% +- +- +no series"));
  EXPECT_THAT(*all, testing::ContainsRegex("scaleUpPolicy +8 +6 +scaleUp policy 100%/15s"));
  EXPECT_THAT(*explain_table(kRecords, 1), testing::Not(HasSubstr("stays at 3")));
  EXPECT_THAT(*explain_json(kRecords, 1), testing::Not(HasSubstr("stays at 3")));
  EXPECT_EQ(*explain_table("[]", 10), "No decisions yet.\n");
}

TEST(Explain, ShowsTheDegradeLevelWhereThereIsOne) {
  const auto shown =
      explain_table(R"([{"from":4,"to":4,"degradeLevel":{"level":1,"of":2,"why":"at the maximum of 4"}}])", 1);
  ASSERT_TRUE(shown);
  EXPECT_THAT(*shown, HasSubstr("\nDegrade level 1 of 2: at the maximum of 4\n"));
}

TEST(Explain, TakesAnyBytes) {
  for (const char* bytes : {"", "{}", "[1]", "[{", "null", "<html>"})
    EXPECT_FALSE(explain_table(bytes, 5)) << bytes;
  EXPECT_TRUE(explain_table(R"([{"metrics":[1],"steps":{"a":1},"time":7}])", 5));
}

}  // namespace
}  // namespace scalableapp::plugin
