// Chance that is the same on every machine: the standard library's distributions are not. The few
// values that need log or erfc come from tables rounded far coarser than libraries differ.
// Generator: D. Blackman, S. Vigna (2021), "Scrambled linear pseudorandom number generators"
// (xoshiro256++), seeded by splitmix64 of G. Steele, D. Lea, C. Flood (2014), "Fast splittable
// pseudorandom number generators". Thread-compatible.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <vector>

namespace scalableapp::simulation {

class Random {
 public:
  // Streams of one seed are independent of each other.
  Random(std::uint64_t seed, std::uint64_t stream);

  std::uint64_t next() {
    const std::uint64_t result = std::rotl(state_[0] + state_[3], 23) + state_[0];
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }
  // In [0, 1).
  double unit() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  // In [0, bound).
  std::uint32_t below(std::uint32_t bound) {
    return static_cast<std::uint32_t>(((next() >> 32) * bound) >> 32);
  }

 private:
  std::array<std::uint64_t, 4> state_;
};

// Exponential with mean 1. Memoryless: a geometric number of half-lives and the place in the last.
class Exponential {
 public:
  Exponential();
  double draw(Random& random) const {
    const std::uint64_t bits = random.next();
    const int halvings = std::countl_zero(bits | (std::uint64_t{1} << 32));
    const auto cell = static_cast<std::uint32_t>(bits) >> 22;
    const double place = static_cast<double>(bits & 0x3fffff) * 0x1p-22;
    return halvings * half_life_ + quantiles_[cell] +
           place * (quantiles_[cell + 1] - quantiles_[cell]);
  }

 private:
  double half_life_;
  std::array<double, 1025> quantiles_;
};

// Lognormal with mean 1, by a table of its quantiles: 4032 cells up to 63/64, 4096 beyond, so that
// one in 262144 draws is the longest.
class Lognormal {
 public:
  explicit Lognormal(double coefficient_of_variation);
  double draw(Random& random) const {
    const std::uint64_t bits = random.next();
    const std::uint64_t cell = bits >> 52;
    if (cell < kCells) return values_[cell];
    return values_[kCells + ((bits >> 46) - kCells * 64)];
  }

 private:
  static constexpr std::uint64_t kCells = 4032;
  std::vector<double> values_;
};

}  // namespace scalableapp::simulation
