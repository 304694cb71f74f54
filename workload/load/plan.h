// What a run plays: streams, each with a profile of its own and a mix, on one or several targets.
// From flags or from a plan, which is YAML (JSON is YAML too); docs/load.md has the form.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "operator/base/result.h"
#include "operator/base/time.h"
#include "workload/load/mix.h"
#include "workload/load/profile.h"

namespace scalableapp::workload {

inline constexpr std::size_t kMaxStreams = 8;
inline constexpr std::size_t kMaxPhases = 256;  // Of all streams together.

struct Stream {
  std::string name;  // Empty if it is the only one.
  Profile profile;
  std::string profile_text;
  Mix mix;
  std::string mix_text;  // As given, or the endpoints' names.
  Arrivals arrivals = Arrivals::kConstant;
};

struct RunSpec {
  std::vector<Stream> streams;  // At least one; together at most kMaxRequests entries.
  std::uint64_t seed = 1;
  int users = 200;
  std::vector<std::string> notes;  // What was ignored, to be told.
};

// What a plan leaves out.
struct PlanDefaults {
  std::string target;   // http://HOST[:PORT]
  std::string profile;  // Empty: rate and duration.
  double rate = 40;
  std::string duration = "1m";
  std::string mix;
  std::string arrivals;
  std::string slo;  // A duration or empty.
  double trace_scale = 1;
  double trace_speed = 1;
  int seed = 1;
  int users = 200;
};

// Reads the file a profile names (NAME.csv); null where files may not be read.
using ReadFile = std::function<Result<std::string>(const std::string& name)>;

// kInvalid names the field: "streams[1].requests[0].path: must ...".
Result<RunSpec> parse_plan(const std::string& text, const PlanDefaults& defaults,
                           const ReadFile& read_file);

// Names what has no name yet and checks what only shows across streams. kInvalid as parse_plan.
Result<void> complete(RunSpec& spec);

// "http://HOST[:PORT]" without a path.
Result<HostPort> parse_target(const std::string& text);

}  // namespace scalableapp::workload
