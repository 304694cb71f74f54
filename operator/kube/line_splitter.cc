#include "operator/kube/transport.h"

namespace scalableapp::kube {

LineSplitter::Status LineSplitter::feed(std::string_view bytes, const OnLine& on_line) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    if (end == std::string_view::npos) {
      rest_.append(bytes);
      return rest_.size() > kMaxLine ? Status::kTooLong : Status::kMore;
    }
    std::string joined;
    std::string_view line = bytes.substr(0, end);
    if (!rest_.empty()) {
      joined = std::move(rest_.append(line));
      rest_.clear();
      line = joined;
    }
    bytes.remove_prefix(end + 1);
    if (line.size() > kMaxLine) return Status::kTooLong;
    if (!line.empty() && !on_line(line)) return Status::kStopped;
  }
  return Status::kMore;
}

}  // namespace scalableapp::kube
