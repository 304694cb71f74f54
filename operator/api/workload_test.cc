#include "operator/api/workload.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "operator/api/scalable_app.h"

namespace scalableapp::api {
namespace {

using nlohmann::json;

Pod pod_of(const char* status) {
  return decode_pod(json{{"metadata", {{"name", "p"}}}, {"status", json::parse(status)}}).value();
}

TEST(Pod, KeepsTheSliceThatTheOperatorUses) {
  const auto pod = decode_pod(json::parse(R"({
    "metadata":{"name":"web-r1-x","namespace":"demo","uid":"u","labels":{"team":"shop","scalableapp.io/name":"web","scalableapp.io/revision":"r1"},
      "annotations":{"a":"b","scalableapp.io/fail-open-seconds":"30"},"managedFields":[{}]},
    "spec":{"nodeName":"n1","readinessGates":[{"conditionType":"scalableapp.io/warm"}],
      "containers":[{"name":"c","resources":{"requests":{"cpu":"250m"}}}]},
    "status":{"phase":"Running","podIP":"10.0.0.7","startTime":"2026-01-31T12:00:00Z",
      "containerStatuses":[{"restartCount":2,"state":{"running":{}}},{"restartCount":1}],
      "conditions":[{"type":"PodScheduled","status":"True"},
        {"type":"ContainersReady","status":"True","lastTransitionTime":"2026-01-31T12:00:05Z"},
        {"type":"scalableapp.io/warm","status":"True","reason":"WarmedUp","lastTransitionTime":"2026-01-31T12:00:06Z"},
        {"type":"Ready","status":"True","lastTransitionTime":"2026-01-31T12:00:06Z"}]}})"));
  ASSERT_TRUE(pod);
  const WallTime start = parse_rfc3339("2026-01-31T12:00:00Z").value();
  const Pod want{.metadata = {.name = "web-r1-x",
                              .namespace_name = "demo",
                              .uid = "u",
                              .labels = {{kAppLabel, "web"}, {kRevisionLabel, "r1"}}},
                 .node = "n1",
                 .ip = "10.0.0.7",
                 .fail_open_seconds = 30,
                 .phase = "Running",
                 .has_warm_gate = true,
                 .containers_ready = true,
                 .containers_ready_since = start + seconds{5},
                 .ready = true,
                 .ready_since = start + seconds{6},
                 .warm = true,
                 .warm_since = start + seconds{6},
                 .gate_reason = "WarmedUp",
                 .started_at = start,
                 .restart_count = 3,
                 .cpu_request_cores = 0.25};
  EXPECT_EQ(*pod, want);
  EXPECT_FALSE(pod->terminating());
  EXPECT_FALSE(pod->finished());
}

TEST(Node, IsItsZoneAndWhetherItIsCordoned) {
  const auto node = decode_node(json::parse(R"({"metadata":{"name":"n1","labels":{"topology.kubernetes.io/zone":"a","x":"y"}},
    "spec":{"unschedulable":true}})"));
  ASSERT_TRUE(node);
  EXPECT_EQ(*node, (Node{.metadata = {.name = "n1"}, .zone = "a", .unschedulable = true}));
}

TEST(Pod, KeepsWhatItWasToldOfItsDegradeLevel) {
  const auto level_of = [](const char* annotations) {
    const std::string text = fmt::format(R"({{"metadata":{{"name":"p","annotations":{}}}}})", annotations);
    return decode_pod(json::parse(text))->degrade_level;
  };
  EXPECT_EQ(level_of(R"({"scalableapp.io/degrade-level":"2"})"), "2");
  EXPECT_EQ(level_of(R"({"scalableapp.io/degrade-level":"much"})"), "much") << "to be written over";
  EXPECT_EQ(level_of("{}"), "");
}

TEST(Pod, WhatIsNotTrueIsFalseAndHasNoTime) {
  const Pod pod = pod_of(R"({"conditions":[
    {"type":"ContainersReady","status":"False","lastTransitionTime":"2026-01-31T12:00:05Z"},
    {"type":"Ready","status":"Unknown","lastTransitionTime":"2026-01-31T12:00:06Z"},{"type":"scalableapp.io/warm","status":"False"}]})");
  EXPECT_FALSE(pod.containers_ready || pod.ready || pod.warm);
  EXPECT_FALSE(pod.containers_ready_since || pod.ready_since);
  EXPECT_EQ(pod.unready_since, parse_rfc3339("2026-01-31T12:00:06Z").value());
}

TEST(Pod, TroubleIsToldInTheKubeletsWords) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"containerStatuses":[{"state":{"waiting":{"reason":"ImagePullBackOff","message":"no such image"}}}]})",
       "ImagePullBackOff: no such image"},
      {R"({"containerStatuses":[{"state":{"running":{}}},{"state":{"waiting":{"reason":"CrashLoopBackOff"}}}]})",
       "CrashLoopBackOff: no message"},
      {R"({"initContainerStatuses":[{"state":{"waiting":{"reason":"ErrImagePull","message":"m"}}}]})",
       "ErrImagePull: m"},
      {R"({"conditions":[{"type":"PodScheduled","status":"False","reason":"Unschedulable","message":"0/3 nodes"}]})",
       "Unschedulable: 0/3 nodes"},
      {R"({"phase":"Failed","reason":"Evicted","message":"low on memory"})",
       "Evicted: low on memory"},
      {R"({"containerStatuses":[{"state":{"waiting":{"reason":"ContainerCreating"}}}]})", ""},
      {R"({"containerStatuses":[{"state":{"waiting":{"reason":"PodInitializing"}}}]})", ""},
      {R"({"phase":"Running","containerStatuses":[{"state":{"running":{}}}]})", ""},
      {R"({})", ""},
  };
  for (const auto& [status, want] : cases) EXPECT_EQ(pod_of(status).trouble, want) << status;
}

TEST(Pod, EndsByDeletionOrByPhase) {
  EXPECT_TRUE(pod_of(R"({"phase":"Failed"})").finished());
  EXPECT_TRUE(pod_of(R"({"phase":"Succeeded"})").finished());
  const auto pod = decode_pod(
      json::parse(R"({"metadata":{"name":"p","deletionTimestamp":"2026-01-31T12:00:00Z"}})"));
  EXPECT_TRUE(pod->terminating());
}

TEST(Pod, OfAnyShapeIsReadWithoutHarm) {
  for (
      const char* text :
      {R"({"metadata":{"name":"p"},"spec":[],"status":"x"})",
       R"({"metadata":{"name":"p"},"spec":{"readinessGates":"x","containers":{"a":1}},"status":{"conditions":{},"containerStatuses":[3]}})"}) {
    EXPECT_TRUE(decode_pod(json::parse(text))) << text;
  }
  EXPECT_EQ(decode_pod(json::parse("{}")).error().code, ErrorCode::kDecode);
}

TEST(ReplicaSet, KeepsTheSliceThatTheOperatorUses) {
  const auto replica_set = decode_replica_set(json::parse(R"({
    "metadata":{"name":"web-r1","labels":{"team":"shop","scalableapp.io/revision":"r1"},
      "annotations":{"scalableapp.io/template-hash":"h","scalableapp.io/revision-number":"7","other":"x"}},
    "spec":{"replicas":4,"template":{"spec":{}}},
    "status":{"replicas":3,"readyReplicas":2,"observedGeneration":7,
      "conditions":[{"type":"ReplicaFailure","status":"True","reason":"FailedCreate","message":"exceeded quota","lastTransitionTime":"2026-01-31T12:00:00Z"}]}})"));
  ASSERT_TRUE(replica_set);
  const ReplicaSet want{.metadata = {.name = "web-r1", .labels = {{kRevisionLabel, "r1"}}},
                        .spec_replicas = 4,
                        .template_hash = "h",
                        .failure = "FailedCreate: exceeded quota",
                        .failure_since = parse_rfc3339("2026-01-31T12:00:00Z").value(),
                        .revision_number = 7};
  EXPECT_EQ(*replica_set, want);
}

TEST(ReplicaSet, WantsOneReplicaIfItDoesNotSay) {
  EXPECT_EQ(decode_replica_set(json::parse(R"({"metadata":{"name":"r"}})"))->spec_replicas, 1);
  EXPECT_FALSE(decode_replica_set(json::parse("null")));
}

TEST(SizeChange, IsReadAsItWasWrittenAndOtherTextIsNone) {
  const SizeChange change{.time = WallTime{milliseconds{1'764'000'000'123}}, .from = 3, .to = 10};
  EXPECT_EQ(decode_size_change(encode_size_change(change)), change);
  for (const char* text : {"", " ", "2026-11-24T18:52:51Z", "2026-11-24T18:52:51Z 3", "2026-11-24T18:52:51Z 3 x",
                           "2026-11-24T18:52:51Z 3 10 4", "2026-11-24T18:52:51Z -3 10", "now 3 10", "2026-11-24T18:52:51Z  3 10"}) {
    EXPECT_FALSE(decode_size_change(text)) << text;
  }
}

TEST(Pod, TellsWhatTheOperatorNotedOnIt) {
  const auto decode = [](const char* annotations, const char* condition) {
    return *decode_pod(nlohmann::json::parse(fmt::format(
        R"({{"metadata":{{"name":"p","namespace":"d","annotations":{}}},
            "status":{{"conditions":[{{"type":"scalableapp.io/warm","lastTransitionTime":"2026-01-31T12:00:05Z",{}}}]}}}})",
        annotations, condition)));
  };
  const WallTime at = *parse_rfc3339("2026-01-31T12:00:05Z");
  const Pod draining = decode(R"({"scalableapp.io/draining-since":"2026-01-31T12:00:05.000000Z"})", R"("status":"False","reason":"Draining")");
  EXPECT_EQ(draining.draining_since, at);
  EXPECT_EQ(draining.set_aside_since, at);
  EXPECT_TRUE(draining.metadata.annotations.empty());
  const Pod ejected = decode(R"({"scalableapp.io/ejected":"2 2026-01-31T12:00:05Z p99 1.2s"})", R"("status":"False","reason":"Outlier")");
  EXPECT_EQ(ejected.ejection, (Ejection{2, at, "p99 1.2s"}));
  EXPECT_EQ(decode_ejection(encode_ejection(*ejected.ejection)), ejected.ejection);
  EXPECT_EQ(ejected.set_aside_since, at);
  EXPECT_FALSE(ejected.draining());
  EXPECT_TRUE(decode("{}", R"("status":"True","reason":"DrainCancelled")").returned);
  const Pod cold = decode(R"({"scalableapp.io/draining-since":"soon"})", R"("status":"False","reason":"ContainersNotReady")");
  EXPECT_FALSE(cold.set_aside_since);
  EXPECT_FALSE(cold.draining());
  for (const char* text : {"", "2", "two 2026-01-31T12:00:05Z why", "2 yesterday why", "-1 2026-01-31T12:00:05Z why"}) {
    EXPECT_EQ(decode_ejection(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace scalableapp::api
