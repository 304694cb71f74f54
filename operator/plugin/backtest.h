// What Prometheus recorded of an app, as a trace and a workload for the simulator. Asks through the
// transport it is given; one thread. What cannot be known is left as the caller set it, and the
// notes say what was measured and what was assumed.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "operator/api/scalable_app.h"
#include "operator/base/result.h"
#include "operator/base/time.h"
#include "operator/kube/transport.h"
#include "operator/simulation/simulation.h"

namespace scalableapp::plugin {

struct RecordingOptions {
  WallTime end{};
  seconds range{0};
  seconds step{30};
  // PromQL of the load, 1/s, for apps without the metrics that the built-in queries look at;
  // $(namespace), $(name) and $(pods) are replaced. Empty: by the app's metrics.
  std::string load_query;
  // Flags of the workload that the caller set himself: these win over what was measured.
  std::set<std::string> given;
};
struct Recording {
  simulation::Trace trace;
  simulation::Workload workload;
  WallTime start{};  // Of the trace.
  std::vector<std::string> notes;
};
// Fails where there is no load to replay or no value of a Prometheus metric, and names the query.
Result<Recording> read_recording(kube::HttpTransport& prometheus, const api::ScalableApp& app,
                                 const simulation::Workload& assumed,
                                 const RecordingOptions& options);

// Values of one query at start, start + step, ...; NaN where there is none.
struct RangeQuery {
  std::string text;
  WallTime start{};
  seconds step{30};
  std::size_t count = 0;
};
// In as many requests as Prometheus' limit of 11 000 points demands. kInvalid for an answer of
// several series.
Result<std::vector<double>> query_range(kube::HttpTransport& prometheus, const RangeQuery& query);

}  // namespace scalableapp::plugin
