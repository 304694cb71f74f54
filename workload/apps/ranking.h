// Recommendations: the optional work of the feed and the titles. What a model would choose is a place in the list that
// hangs on the user, what it would cost is stated by flags. Any thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "workload/apps/parts.h"

namespace scalableapp::workload {

// `count` of the items for the user, always the same ones of the same items; costs nothing.
nlohmann::json pick_for(const std::string& user, const nlohmann::json& items, std::size_t count);

class Ranking {
 public:
  explicit Ranking(const AppParts& parts) : cpu_ms_(parts.optional_cpu_ms), wait_ms_(parts.optional_wait_ms) {}

  // Others than pick_for() gives, where there are enough. Takes --optional-cpu-ms and --optional-wait-ms.
  nlohmann::json recommend_for(const std::string& user, const nlohmann::json& items, std::size_t count) const;

 private:
  const double cpu_ms_;
  const double wait_ms_;
};

}  // namespace scalableapp::workload
