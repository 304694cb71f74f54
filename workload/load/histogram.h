// Counts latencies in log-linear buckets as HdrHistogram does: 128 equal buckets in each power of
// two, so that any quantile is within 0.4 % of a sample at any scale, in a fixed 17 KiB.
// Thread-compatible.
#pragma once

#include <array>
#include <cstdint>

#include "workload/common/instant.h"

namespace scalableapp::workload {

class LatencyHistogram {
 public:
  // Below 0 counts as 0, above 2^37 us (38 h) as that.
  void record(microseconds latency);
  void merge(const LatencyHistogram& other);
  void clear() { *this = {}; }

  std::uint64_t count() const { return count_; }
  // The smallest recorded latency that at least `fraction` (0..1) of all do not exceed, up to the
  // bucket's width, and never above max(). 0 when empty.
  microseconds quantile(double fraction) const;
  microseconds max() const { return microseconds(max_); }

 private:
  static constexpr int kSubBits = 7;
  static constexpr std::uint64_t kSub = 1u
                                        << kSubBits;  // Up to 2 * kSub each value has its bucket.
  static constexpr int kMaxBits = 37;
  static constexpr std::size_t kBuckets = (kMaxBits - kSubBits + 1) * kSub + 1;

  static std::size_t index_of(std::uint64_t micros);
  static std::uint64_t middle_of(std::size_t index);

  std::array<std::uint32_t, kBuckets> buckets_{};
  std::uint64_t count_ = 0;
  std::int64_t max_ = 0;
};

}  // namespace scalableapp::workload
