#include "workload/database/read_after.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "workload/database/shard_map.h"

namespace scalableapp::workload {
namespace {

template <typename Number>
std::optional<Number> whole_number(std::string_view text, int base) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

Result<Lsn> parse_lsn(std::string_view text) {
  const auto slash = text.find('/');
  if (slash != std::string_view::npos) {
    const auto high = whole_number<std::uint32_t>(text.substr(0, slash), 16);
    const auto low = whole_number<std::uint32_t>(text.substr(slash + 1), 16);
    if (high && low) return Lsn{*high} << 32 | *low;
  }
  return fail(ErrorCode::kDecode, fmt::format("'{}' is no place in the log, such as 16/B374D848", text));
}

std::string format_lsn(Lsn lsn) { return fmt::format("{:X}/{:X}", lsn >> 32, lsn & 0xffffffffU); }

Result<ReadAfter> ReadAfter::parse(std::string_view text) {
  ReadAfter token;
  while (!text.empty()) {
    const auto comma = std::min(text.find(','), text.size());
    const auto part = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    const auto at = std::min(part.find('@'), part.size());
    const auto shard = whole_number<std::size_t>(part.substr(0, at), 10);
    const auto lsn = parse_lsn(part.substr(std::min(at + 1, part.size())));
    if (!shard || *shard >= kMaxShards || !lsn) {
      return fail(ErrorCode::kInvalid,
                  fmt::format("{}: must be what the answer to a write gave, such as 0@16/B374D848", kReadAfterHeader));
    }
    token.merge({*shard, *lsn});
  }
  return token;
}

std::string ReadAfter::text() const {
  std::string text;
  for (const auto& [shard, lsn] : lsns_) {
    text += fmt::format("{}{}@{}", text.empty() ? "" : ",", shard, format_lsn(lsn));
  }
  return text;
}

Lsn ReadAfter::lsn(std::size_t shard) const {
  const auto found = lsns_.find(shard);
  return found == lsns_.end() ? 0 : found->second;
}

void ReadAfter::merge(const ReadAfter& other) {
  for (const auto& [shard, lsn] : other.lsns_) {
    auto& mine = lsns_[shard];
    mine = std::max(mine, lsn);
  }
}

}  // namespace scalableapp::workload
