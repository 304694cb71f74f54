#include "workload/load/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace scalableapp::workload {

// With e = the power of two above the sub-bucket bits, a value v falls into block e at offset
// (v >> e) - kSub: blocks 0 and 1 count single microseconds, each next block twice as wide.
std::size_t LatencyHistogram::index_of(std::uint64_t micros) {
  if (micros < kSub) return micros;
  const int exponent = static_cast<int>(std::bit_width(micros)) - 1 - kSubBits;
  return static_cast<std::size_t>(exponent) * kSub + (micros >> exponent);
}

std::uint64_t LatencyHistogram::middle_of(std::size_t index) {
  if (index < 2 * kSub) return index;
  const auto exponent = index / kSub - 1;
  const std::uint64_t low = (index - exponent * kSub) << exponent;
  return low + (std::uint64_t{1} << exponent) / 2;
}

void LatencyHistogram::record(microseconds latency) {
  const auto micros = std::clamp<std::int64_t>(latency.count(), 0, std::int64_t{1} << kMaxBits);
  ++buckets_[index_of(static_cast<std::uint64_t>(micros))];
  ++count_;
  max_ = std::max(max_, micros);
}

void LatencyHistogram::merge(const LatencyHistogram& other) {
  if (other.count_ == 0) return;
  for (std::size_t index = 0; index < kBuckets; ++index) buckets_[index] += other.buckets_[index];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
}

microseconds LatencyHistogram::quantile(double fraction) const {
  const auto rank = static_cast<std::uint64_t>(
      std::ceil(std::clamp(fraction, 0.0, 1.0) * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::size_t index = 0; index < kBuckets; ++index) {
    seen += buckets_[index];
    if (seen >= std::max<std::uint64_t>(rank, 1)) {
      return microseconds(std::min(static_cast<std::int64_t>(middle_of(index)), max_));
    }
  }
  return microseconds(0);
}

}  // namespace scalableapp::workload
