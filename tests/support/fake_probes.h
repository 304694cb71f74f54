// A WarmUpProbes whose results a test sets by hand. One thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "operator/controller/warm_up_prober.h"

namespace scalableapp::controller {

class FakeProbes final : public WarmUpProbes {
 public:
  void subscribe(const api::ObjectKey&, const std::vector<ProbeTarget>& targets) override {
    ++subscriptions;
    asked = targets;
  }
  void unsubscribe(const api::ObjectKey&) override { asked.clear(); }
  std::optional<HttpProbeResult> latest(const api::ObjectKey&, const std::string& id) const override {
    const auto found = failures.find(id);
    if (found == failures.end()) return std::nullopt;
    return HttpProbeResult{id, found->second};
  }
  std::vector<std::string> asked_ids() const {
    std::vector<std::string> ids;
    for (const auto& target : asked) ids.push_back(target.id);
    return ids;
  }
  std::map<std::string, std::string> failures;  // By id.
  std::vector<ProbeTarget> asked;
  int subscriptions = 0;
};

}  // namespace scalableapp::controller
