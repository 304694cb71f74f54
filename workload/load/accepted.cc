#include "workload/load/accepted.h"

#include <algorithm>
#include <charconv>

namespace scalableapp::workload {

void AcceptedIds::add(std::string_view id, std::size_t& kept) {
  if (kept >= kMost) {
    ++not_kept_;
    return;
  }
  std::array<unsigned char, 16> bytes{};
  for (std::size_t index = 0; index < bytes.size() && 2 * index + 2 <= id.size(); ++index) {
    std::from_chars(id.data() + 2 * index, id.data() + 2 * index + 2, bytes[index], 16);
  }
  ids_.push_back(bytes);
  ++kept;
}

void AcceptedIds::list(std::size_t offset, std::size_t limit, std::string& out) const {
  constexpr std::string_view kDigits = "0123456789abcdef";
  offset = std::min(offset, ids_.size());
  const std::size_t end = offset + std::min(limit, ids_.size() - offset);
  for (; offset < end; ++offset) {
    for (const unsigned char byte : ids_[offset]) {
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    }
    out += '\n';
  }
}

}  // namespace scalableapp::workload
