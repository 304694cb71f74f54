#include "operator/kube/paths.h"

#include <gtest/gtest.h>

namespace scalableapp::kube {
namespace {

TEST(Paths, TypesOfTheCoreGroupLieUnderApiAndOthersUnderApis) {
  EXPECT_EQ(collection_path(kPods, "shop"), "/api/v1/namespaces/shop/pods");
  EXPECT_EQ(collection_path(kReplicaSets, "shop"), "/apis/apps/v1/namespaces/shop/replicasets");
  EXPECT_EQ(collection_path(kScalableApps, ""), "/apis/scalableapp.io/v1alpha1/scalableapps");
  EXPECT_EQ(collection_path(kNamespaces, "ignored"), "/api/v1/namespaces");
  EXPECT_EQ(api_version(kPods), "v1");
  EXPECT_EQ(api_version(kLeases), "coordination.k8s.io/v1");
}

TEST(Paths, AnObjectMayHaveASubresource) {
  EXPECT_EQ(object_path(kPods, {"shop", "web-1"}), "/api/v1/namespaces/shop/pods/web-1");
  EXPECT_EQ(object_path(kPods, {"shop", "web-1"}, "status"),
            "/api/v1/namespaces/shop/pods/web-1/status");
}

TEST(Paths, WhatComesFromOutsideCannotLeaveItsPlace) {
  EXPECT_EQ(percent_encode("a-b.c_d~9"), "a-b.c_d~9");
  EXPECT_EQ(percent_encode("../x?y=z&%\xc3\xa9 "), "..%2Fx%3Fy%3Dz%26%25%C3%A9%20");
  EXPECT_EQ(object_path(kPods, {"a/b", "c?d"}), "/api/v1/namespaces/a%2Fb/pods/c%3Fd");
}

TEST(Paths, AListHasOnlyTheParametersThatAreSet) {
  EXPECT_EQ(list_path(kPods, {}), "/api/v1/pods");
  EXPECT_EQ(list_path(kPods, {.namespace_name = "shop",
                              .label_selector = "scalableapp.io/name=web",
                              .limit = 500,
                              .resource_version = "12"}),
            "/api/v1/namespaces/shop/pods?labelSelector=scalableapp.io%2Fname%3Dweb&limit=500"
            "&resourceVersion=12");
}

TEST(Paths, AContinuedListLeavesTheVersionToItsToken) {
  EXPECT_EQ(list_path(kPods, {.limit = 2, .continue_token = "abc==", .resource_version = "12"}),
            "/api/v1/pods?limit=2&continue=abc%3D%3D");
}

TEST(Paths, AWatchAsksForBookmarks) {
  EXPECT_EQ(watch_path(kLeases,
                       {.namespace_name = "ops", .resource_version = "7", .timeout = seconds(290)}),
            "/apis/coordination.k8s.io/v1/namespaces/ops/leases?watch=true&allowWatchBookmarks=true"
            "&resourceVersion=7&timeoutSeconds=290");
}

TEST(Paths, WritesNameTheirFieldManager) {
  EXPECT_EQ(write_query({}), "");
  EXPECT_EQ(write_query({.field_manager = "me & co"}), "?fieldManager=me%20%26%20co");
  EXPECT_EQ(write_query({.field_manager = "me", .force = true}), "?fieldManager=me&force=true");
}

}  // namespace
}  // namespace scalableapp::kube
