// The ids (Idempotency-Key) of POST requests that were answered 2xx, to be compared with what the
// pipeline behind them has processed. Bounded: what comes beyond the bound is counted, not kept.
// One thread.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

namespace scalableapp::workload {

class AcceptedIds {
 public:
  static constexpr std::size_t kMost = 1'000'000;  // In all lists of one run, 16 bytes each.

  // `id` is 32 hexadecimal digits; `kept` is how many the run's lists hold together.
  void add(std::string_view id, std::size_t& kept);
  std::uint64_t count() const { return ids_.size() + not_kept_; }
  std::uint64_t not_kept() const { return not_kept_; }
  std::size_t size() const { return ids_.size(); }
  // One id a line, up to `limit` of them from `offset` on, appended to `out`.
  void list(std::size_t offset, std::size_t limit, std::string& out) const;

 private:
  std::deque<std::array<unsigned char, 16>> ids_;
  std::uint64_t not_kept_ = 0;
};

}  // namespace scalableapp::workload
