// A seeded random source that is a small copyable value, for pure code whose jitter must be
// reproducible. Threads share a Random (operator/platform/random.h). Not for secrets.
#pragma once

#include <cstdint>

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

  bool operator==(const Jitter&) const = default;

 private:
  std::uint64_t state_;
};

}  // namespace scalableapp::kube
