#include "workload/load/mix.h"

#include <fmt/format.h>

#include <algorithm>

#include "workload/common/flags.h"

namespace scalableapp::workload {

const MixEntry& Mix::pick(double number) const {
  double left = number * total_weight;
  for (const auto& entry : entries) {
    left -= entry.weight;
    if (left < 0) return entry;
  }
  return entries.back();
}

Result<Mix> parse_mix(const std::string& text) {
  Mix mix;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const auto end = std::min(text.find(',', begin), text.size());
    const std::string part = text.substr(begin, end - begin);
    begin = end + 1;
    MixEntry entry;
    entry.target = part;
    const auto equals = part.rfind('=');
    if (equals != std::string::npos &&
        parse_number(std::string_view(part).substr(equals + 1), entry.weight)) {
      entry.target = part.substr(0, equals);
    }
    if (entry.target.ends_with(":POST") || entry.target.ends_with(":GET")) {
      const auto colon = entry.target.rfind(':');
      entry.method = entry.target.substr(colon + 1);
      entry.target.resize(colon);
    }
    const bool is_clean =
        std::none_of(entry.target.begin(), entry.target.end(),
                     [](unsigned char letter) { return letter <= ' ' || letter > '~'; });
    if (!entry.target.starts_with('/') || !is_clean || entry.weight <= 0 || entry.weight > 1e6) {
      return fail(
          ErrorCode::kInvalid,
          fmt::format("\"{}\": must be /PATH=WEIGHT or /PATH:POST=WEIGHT, weight above 0", part));
    }
    mix.total_weight += entry.weight;
    mix.entries.push_back(std::move(entry));
  }
  return mix;
}

}  // namespace scalableapp::workload
