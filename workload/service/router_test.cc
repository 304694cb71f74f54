#include "workload/service/router.h"

#include <gtest/gtest.h>

namespace scalableapp::workload {
namespace {

Router two_routes_of_one_path() {
  Router router;
  router.add({{"GET", "/items/*", Priority::kNormal, {}},
              {"PUT", "/items/*", Priority::kCritical, {}},
              {"GET", "/items", Priority::kNormal, {}}});
  return router;
}

TEST(Router, FindsTheRouteByMethodAndPathAndGivesTheTail) {
  const auto router = two_routes_of_one_path();
  const auto put = router.find("PUT", "/items/a%20b+c");
  ASSERT_NE(put.route, nullptr);
  EXPECT_EQ(put.route->priority, Priority::kCritical);
  EXPECT_EQ(put.tail, "a b+c") << "a plus is a space in queries only";
  EXPECT_EQ(router.find("GET", "/items").path, "/items");
}

TEST(Router, AKnownPathWithAnotherMethodSaysWhichItHas) {
  const auto refused = two_routes_of_one_path().find("POST", "/items/1");
  EXPECT_EQ(refused.route, nullptr);
  EXPECT_EQ(refused.path, "/items/*");
  EXPECT_EQ(refused.allowed, "GET, PUT");
}

TEST(Router, AnUnknownPathHasNoLabelOfItsOwn) {
  for (const char* path : {"/", "/item", "/items/", "/itemsx/1", ""}) {
    const auto match = two_routes_of_one_path().find("GET", path);
    EXPECT_EQ(match.route, nullptr) << path;
    EXPECT_EQ(match.path, "") << path;
  }
}

}  // namespace
}  // namespace scalableapp::workload
