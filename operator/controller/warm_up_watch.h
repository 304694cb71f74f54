// What is known of one app's pods that warm up: joins the values of the warm-up query with the results of the
// probes, and remembers since when a value is good. Part of the app's memory: one thread at a time.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "operator/api/meta.h"
#include "operator/api/scalable_app.h"
#include "operator/controller/warm_up_prober.h"
#include "operator/rollout/scale_down.h"
#include "operator/rollout/warm_up.h"

namespace scalableapp::controller {

class WarmUpWatch {
 public:
  // `values` by pod name, as they are now; `probes`: null: none are made.
  rollout::WarmUpFacts look(MonotonicTime now, const api::ScalableApp& app, const rollout::Pods& pods,
                            const std::map<std::string, double>& values, const WarmUpProbes* probes);
  // Has the pods probed that wait for it, and no others. `probes` as above.
  void follow(const api::ScalableApp& app, const rollout::Pods& pods, WarmUpProbes* probes);

 private:
  rollout::InRangeSince in_range_since_;
  std::vector<ProbeTarget> probed_;
};

}  // namespace scalableapp::controller
