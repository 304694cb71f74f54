#include "operator/api/meta.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "operator/api/json_fields.h"

namespace scalableapp::api {
namespace {

using nlohmann::json;

constexpr WallTime kThen{seconds{1000}};
constexpr WallTime kNow{seconds{2000}};

Condition ready(ConditionStatus status, WallTime time, std::string reason = "R") {
  return {
      .type = "Ready", .status = status, .last_transition_time = time, .reason = std::move(reason)};
}

TEST(ObjectKey, IsWrittenWithItsNamespaceIfItHasOne) {
  EXPECT_EQ(to_string(ObjectKey{"demo", "web"}), "demo/web");
  EXPECT_EQ(to_string(ObjectKey{"", "node-1"}), "node-1");
}

TEST(Condition, MovesItsTransitionTimeOnlyWhenTheStatusFlips) {
  std::vector<Condition> conditions;
  set_condition(conditions, ready(ConditionStatus::kTrue, kThen));
  set_condition(conditions, ready(ConditionStatus::kTrue, kNow, "Other"));
  ASSERT_EQ(conditions.size(), 1u);
  EXPECT_EQ(conditions[0].last_transition_time, kThen);
  EXPECT_EQ(conditions[0].reason, "Other");
  set_condition(conditions, ready(ConditionStatus::kFalse, kNow));
  EXPECT_EQ(conditions[0].last_transition_time, kNow);
}

TEST(Condition, IsFoundByTypeAndKeptInOrder) {
  std::vector<Condition> conditions;
  set_condition(conditions, ready(ConditionStatus::kTrue, kThen));
  set_condition(conditions, {.type = "Progressing"});
  ASSERT_NE(find_condition(conditions, "Progressing"), nullptr);
  EXPECT_EQ(find_condition(conditions, "Progressing"), &conditions[1]);
  EXPECT_EQ(find_condition(conditions, "Absent"), nullptr);
}

TEST(ObjectMeta, KeepsTheSliceThatTheOperatorUses) {
  const auto meta = decode_meta(
      json::parse(R"({"metadata":{"name":"web","namespace":"demo","uid":"u","resourceVersion":"7",
    "generation":3,"labels":{"a":"b"},"annotations":{"c":"d"},"creationTimestamp":"1970-01-01T00:16:40Z",
    "deletionTimestamp":"1970-01-01T00:33:20Z","managedFields":[{"manager":"kubectl"}],
    "ownerReferences":[{"apiVersion":"v1","kind":"K","name":"n","uid":"o","controller":true}]}})"));
  ASSERT_TRUE(meta);
  const ObjectMeta want{.name = "web",
                        .namespace_name = "demo",
                        .uid = "u",
                        .resource_version = "7",
                        .generation = 3,
                        .labels = {{"a", "b"}},
                        .annotations = {{"c", "d"}},
                        .owners = {{"o", true}},
                        .creation_time = kThen,
                        .deletion_time = kNow};
  EXPECT_EQ(*meta, want);
}

TEST(ObjectMeta, IsNoneWithoutAName) {
  for (const char* text : {"{}", "[]", "null", "3", R"({"metadata":[]})",
                           R"({"metadata":{"name":""}})", R"({"metadata":{"name":5}})"}) {
    const auto meta = decode_meta(json::parse(text));
    ASSERT_FALSE(meta) << text;
    EXPECT_EQ(meta.error().code, ErrorCode::kDecode);
  }
}

TEST(CpuRequest, IsTheSumOverContainersAndSidecarsOrNothing) {
  const std::pair<const char*, double> cases[] = {
      {R"({"containers":[{"resources":{"requests":{"cpu":"250m"}}},{"resources":{"requests":{"cpu":1}}}]})",
       1.25},
      {R"({"containers":[{"resources":{"requests":{"cpu":0.5}}}]})", 0.5},
      // core/v1 defaulting: a limit alone is the request too.
      {R"({"containers":[{"resources":{"limits":{"cpu":"2"}}}]})", 2},
      {R"({"containers":[{"resources":{"requests":{"cpu":"100m"},"limits":{"cpu":"2"}}}]})", 0.1},
      // HPA: one container without a request makes the share meaningless.
      {R"({"containers":[{"resources":{"requests":{"cpu":"250m"}}},{"resources":{"requests":{"memory":"1Gi"}}}]})",
       0},
      {R"({"containers":[{}]})", 0},
      {R"({"initContainers":[{"restartPolicy":"Always","resources":{"requests":{"cpu":"50m"}}},{"name":"once"}],
           "containers":[{"resources":{"requests":{"cpu":"250m"}}}]})",
       0.3},
      {R"({"initContainers":[{"restartPolicy":"Always"}],"containers":[{"resources":{"requests":{"cpu":"250m"}}}]})",
       0},
      {R"({"containers":"none"})", 0},
      {"[]", 0},
  };
  for (const auto& [text, want] : cases)
    EXPECT_DOUBLE_EQ(cpu_request_cores(json::parse(text)), want) << text;
}

}  // namespace
}  // namespace scalableapp::api
