// Some of a list, from a place on and around its end. Pure.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace scalableapp::workload {

nlohmann::json pick(const nlohmann::json& items, std::size_t place, std::size_t count);
// For a user, always the same ones of the same items.
nlohmann::json pick_for(const std::string& user, const nlohmann::json& items, std::size_t count);

}  // namespace scalableapp::workload
