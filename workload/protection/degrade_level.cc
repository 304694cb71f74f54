#include "workload/protection/degrade_level.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <utility>

#include "operator/platform/log.h"

namespace scalableapp::workload {

Result<int> parse_degrade_level(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
  text = text.substr(0, text.find_last_not_of(kSpace) + 1);
  if (text.empty()) return 0;
  unsigned level = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), level);
  if (error != std::errc{} || end != text.data() + text.size()) {
    return fail(ErrorCode::kInvalid,
                fmt::format("degrade level \"{}\": must be a whole number from 0 to {}", text, kMostDegraded));
  }
  return static_cast<int>(std::min(level, static_cast<unsigned>(kMostDegraded)));
}

DegradeLevel::DegradeLevel(std::string path, std::function<void(int)> changed, std::function<void()> bad)
    : path_(std::move(path)), changed_(std::move(changed)), bad_(std::move(bad)) {}

int DegradeLevel::at(Instant now) {
  if (path_.empty()) return 0;
  const std::lock_guard lock(mutex_);
  if (now < next_read_) return level_;
  next_read_ = now + seconds(1);
  const int level = read();
  if (std::exchange(level_, level) != level) {
    log_info("degrade level", {{"level", level}});
    changed_(level);
  }
  return level_;
}

int DegradeLevel::read() {
  std::ifstream file(path_, std::ios::binary);
  std::array<char, 64> bytes{};
  file.read(bytes.data(), bytes.size());
  const auto level = parse_degrade_level({bytes.data(), static_cast<std::size_t>(file.gcount())});
  if (level) return *level;
  bad_();
  if (!std::exchange(complained_, true)) log_warn("degrade level", {{"file", path_}, {"error", level.error()}});
  return 0;
}

}  // namespace scalableapp::workload
