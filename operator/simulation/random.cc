#include "operator/simulation/random.h"

#include <cmath>
#include <numbers>

namespace scalableapp::simulation {
namespace {

std::uint64_t splitmix(std::uint64_t& state) {
  state += 0x9e3779b97f4a7c15U;
  std::uint64_t mixed = state;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9U;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebU;
  return mixed ^ (mixed >> 31);
}

double rounded(double value) { return std::round(value * 0x1p32) * 0x1p-32; }

// Solves P(X > x) = upper_tail for a standard normal X by Newton's method from `guess`.
double normal_quantile(double upper_tail, double guess) {
  double x = guess;
  for (int round = 0; round < 60; ++round) {
    const double excess = 0.5 * std::erfc(x / std::numbers::sqrt2) - upper_tail;
    const double density = std::exp(-0.5 * x * x) / std::sqrt(2 * std::numbers::pi);
    const double move = excess / density;
    x += move;
    if (std::abs(move) < 1e-13) break;
  }
  return x;
}

}  // namespace

Random::Random(std::uint64_t seed, std::uint64_t stream) : state_{} {
  std::uint64_t mixed = seed;
  mixed = splitmix(mixed) ^ (stream * 0xd1342543de82ef95U);
  for (auto& word : state_) word = splitmix(mixed);
}

Exponential::Exponential() : half_life_(rounded(std::numbers::ln2)), quantiles_{} {
  for (std::size_t i = 0; i < quantiles_.size(); ++i) {
    quantiles_[i] = rounded(-std::log1p(-static_cast<double>(i) / 2048));
  }
}

Lognormal::Lognormal(double coefficient_of_variation) {
  constexpr std::uint64_t kTailCells = 4096;
  if (!(coefficient_of_variation > 0)) {
    values_.assign(kCells + kTailCells, 1);
    return;
  }
  const double variance = std::log1p(coefficient_of_variation * coefficient_of_variation);
  const double sigma = std::sqrt(variance);
  double mean = 0;
  double x = 0;
  // From the middle outwards, so that each quantile is the next one's guess.
  values_.resize(kCells + kTailCells);
  const auto set = [&](std::uint64_t index, double upper_tail, double probability) {
    x = normal_quantile(upper_tail, x);
    values_[index] = std::exp(sigma * x);
    mean += values_[index] * probability;
  };
  for (std::uint64_t i = 2048; i < kCells; ++i) {
    set(i, 1 - (static_cast<double>(i) + 0.5) / 4096, 1.0 / 4096);
  }
  for (std::uint64_t i = 0; i < kTailCells; ++i) {
    set(kCells + i, (static_cast<double>(kTailCells - i) - 0.5) / 262144, 1.0 / 262144);
  }
  x = 0;
  for (std::uint64_t i = 2048; i-- > 0;) {
    set(i, 1 - (static_cast<double>(i) + 0.5) / 4096, 1.0 / 4096);
  }
  for (double& value : values_) value = rounded(value / mean);
}

}  // namespace scalableapp::simulation
