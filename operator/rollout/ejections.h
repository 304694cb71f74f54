// How long an outlier is out of service, and how many may be. Pure.
//
// scaling::decide says which pods are outliers. Here at most the share of spec.outliers is taken out
// of service, at least one, and never so many that less than half of the app's gated pods serve. A pod
// is out for 60 s, for 60 s longer each time it is soon an outlier again, at most for 300 s; then its
// gate opens (gates.h). It is not restarted: what it holds may tell why. The state is an annotation
// of the pod (api::Ejection), so that a new process lets nothing out early and forgets nothing.
// A share and a time out of service that grows by ejections: Envoy, "Outlier detection".
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "operator/api/scalable_app.h"
#include "operator/api/workload.h"

namespace scalableapp::rollout {

struct Eject {
  std::shared_ptr<const api::Pod> pod;
  api::Ejection ejection;
};
// A pod to be taken out of service, worst first.
struct Suspect {
  std::string pod;
  std::string why;
};

WallTime ejected_until(const api::Ejection& ejection);
bool is_ejected(const api::Pod& pod, WallTime now);

std::vector<Eject> plan_ejections(WallTime now, const api::ScalableAppSpec& spec,
                                  const std::vector<std::shared_ptr<const api::Pod>>& pods,
                                  const std::vector<Suspect>& suspects);

}  // namespace scalableapp::rollout
