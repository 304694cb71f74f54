#include "workload/load/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace scalableapp::workload {

Result<void> complete(RunSpec& spec) {
  std::vector<MixEntry*> all;
  std::set<std::string> names;
  std::size_t phases = 0;
  for (auto& stream : spec.streams) {
    phases += stream.profile.phases.size();
    for (auto& entry : stream.mix.entries) {
      all.push_back(&entry);
      if (!entry.name.empty() && !names.insert(entry.name).second) {
        return fail(ErrorCode::kInvalid, fmt::format("requests: the name \"{}\" is there twice", entry.name));
      }
    }
  }
  if (all.size() > kMaxRequests) {
    return fail(ErrorCode::kInvalid, fmt::format("requests: {} are more than {}", all.size(), kMaxRequests));
  }
  if (phases > kMaxPhases) {
    return fail(ErrorCode::kInvalid, fmt::format("profile: {} phases are more than {}", phases, kMaxPhases));
  }
  name_entries(all);
  for (auto& stream : spec.streams) {
    if (!stream.mix_text.empty()) continue;
    for (const auto& entry : stream.mix.entries) {
      stream.mix_text +=
          fmt::format("{}{}={}", stream.mix_text.empty() ? "" : ",", entry.name, entry.weight);
    }
  }
  return {};
}

Result<HostPort> parse_target(const std::string& text) {
  const auto wrong = fail(ErrorCode::kInvalid, "must be http://HOST[:PORT], without a path");
  std::string rest = text;
  if (!rest.starts_with("http://")) return wrong;
  rest.erase(0, 7);
  if (rest.ends_with('/')) rest.pop_back();
  if (rest.find(':') == std::string::npos) rest += ":80";
  auto parsed = parse_host_port(rest, "target");
  if (!parsed || rest.find('/') != std::string::npos) return wrong;
  return parsed;
}

}  // namespace scalableapp::workload
