// What the simulation asks how many replicas there should be. Internal to simulation/.
#pragma once

#include <string>

#include "operator/simulation/fleet.h"
#include "operator/simulation/metrics_model.h"

namespace scalableapp::simulation {

struct Choice {
  int replicas = 0;
  std::string reason;
  std::string message;
};

class Scaler {
 public:
  virtual ~Scaler() = default;
  // For a person: what it looks at, and how often.
  virtual std::string settings() const = 0;
  // Its first decision, and the time between two.
  virtual milliseconds first() const = 0;
  virtual milliseconds interval() const = 0;
  // The longest window that it asks the metrics for.
  virtual milliseconds longest_window() const = 0;
  // Every whole second, before a decision of that moment: for pipelines that do not go by
  // Prometheus. The fleet is up to date.
  virtual void each_second(milliseconds now, Fleet& fleet) = 0;
  // is_acted_on: false before the trace begins, where the count is held. The reference is valid
  // until the next call.
  virtual const Choice& decide(milliseconds now, const Fleet& fleet, const MetricsModel& metrics,
                               bool is_acted_on) = 0;
};

}  // namespace scalableapp::simulation
