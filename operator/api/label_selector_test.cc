#include "operator/api/label_selector.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <tuple>
#include <vector>

namespace scalableapp::api {
namespace {

using nlohmann::json;

TEST(LabelSelector, SelectsAsTheApiServerDoes) {
  const std::map<std::string, std::string> labels{{"app", "web"}, {"tier", "front"}};
  const std::vector<std::tuple<const char*, bool, const char*>> cases{
      {R"({"matchLabels":{"app":"web","tier":"front"}})", true, "app=web,tier=front"},
      {R"({"matchLabels":{"app":"web","zone":"a"}})", false, "app=web,zone=a"},
      {R"({"matchExpressions":[{"key":"app","operator":"In","values":["api","web"]}]})", true, "app in (api,web)"},
      {R"({"matchExpressions":[{"key":"app","operator":"NotIn","values":["web"]}]})", false, "app notin (web)"},
      {R"({"matchExpressions":[{"key":"zone","operator":"NotIn","values":["a"]}]})", true, "zone notin (a)"},
      {R"({"matchExpressions":[{"key":"app","operator":"Exists"},{"key":"zone","operator":"DoesNotExist"}]})", true,
       "app,!zone"},
      {"{}", true, ""},
      {"null", false, ""}};
  for (const auto& [selector, is_selected, query] : cases) {
    EXPECT_EQ(selects(json::parse(selector), labels), is_selected) << selector;
    EXPECT_EQ(selector_query(json::parse(selector)), query);
  }
}

}  // namespace
}  // namespace scalableapp::api
