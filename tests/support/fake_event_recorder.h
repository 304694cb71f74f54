// Keeps events as text, for tests to assert on: "Normal Scaled web: from 2 to 5". Thread-safe.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "operator/kube/event_recorder.h"

namespace scalableapp::kube {

class FakeEventRecorder final : public EventRecorder {
 public:
  void record(const Event& event) override {
    std::lock_guard lock(mutex_);
    events_.push_back(fmt::format("{} {} {}: {}",
                                  event.type == EventType::kWarning ? "Warning" : "Normal",
                                  event.reason, event.about.name, event.message));
  }
  std::vector<std::string> events() const {
    std::lock_guard lock(mutex_);
    return events_;
  }

 private:
  mutable std::mutex mutex_;  // Guards events_.
  std::vector<std::string> events_;
};

}  // namespace scalableapp::kube
