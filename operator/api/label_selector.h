// Label selectors (apimachinery meta/v1) as JSON has them. Pure.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace scalableapp::api {

// An empty selector selects everything, a null one nothing.
bool selects(const nlohmann::json& selector, const std::map<std::string, std::string>& labels);

// The same as a list's query has it: "app=web,tier in (a,b),!old". Empty: everything.
std::string selector_query(const nlohmann::json& selector);

}  // namespace scalableapp::api
