// A small seeded random source for jitter, so that delays are reproducible in tests. Not for
// secrets.
#pragma once

#include <cstdint>

#include "operator/base/time.h"

namespace scalableapp::kube {

// SplitMix64 (Steele, Lea, Flood 2014). Thread-compatible.
class Jitter {
 public:
  explicit Jitter(std::uint64_t seed) : state_(seed) {}

  // Uniform in [0, 1).
  double next() {
    state_ += 0x9e3779b97f4a7c15U;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    z ^= z >> 31U;
    return static_cast<double>(z >> 11U) * 0x1p-53;
  }

  // Uniform in [delay, 2 * delay).
  milliseconds stretch(milliseconds delay) {
    const auto base = static_cast<double>(delay.count());
    return milliseconds(static_cast<milliseconds::rep>(base * (1.0 + next())));
  }

  bool operator==(const Jitter&) const = default;

 private:
  std::uint64_t state_;
};

}  // namespace scalableapp::kube
