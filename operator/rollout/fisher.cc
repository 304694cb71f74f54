#include "operator/rollout/fisher.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace scalableapp::rollout {
namespace {

// ln(n!). From 16 on Stirling's series, whose first term left out is 1/(1680 n^7): below 3e-12.
double log_factorial(std::int64_t n) {
  if (n < 16) {
    double product = 1;
    for (std::int64_t i = 2; i <= n; ++i) product *= static_cast<double>(i);
    return std::log(product);
  }
  const double x = static_cast<double>(n), square = x * x;
  return x * std::log(x) - x + std::log(2 * std::numbers::pi * x) / 2 +
         (1 - (1 - 2 / (7 * square)) / (30 * square)) / (12 * x);
}
double log_choose(std::int64_t n, std::int64_t k) {
  return log_factorial(n) - log_factorial(k) - log_factorial(n - k);
}

// What no longer changes a sum that it is added to.
constexpr double kNothing = 1e-17;

}  // namespace

double fisher_more(const Tally& suspect, const Tally& reference) {
  const std::int64_t tries = suspect.tries, all = tries + reference.tries, hits = suspect.hits + reference.hits;
  // So many hits the suspect can have, given how many there are in all.
  const std::int64_t least = std::max<std::int64_t>(0, hits - reference.tries), most = std::min(hits, tries);
  if (suspect.hits <= least) return 1;
  const auto probability = [&](std::int64_t k) {
    return std::exp(log_choose(hits, k) + log_choose(all - hits, tries - k) - log_choose(all, tries));
  };
  // probability(k + 1) / probability(k).
  const auto growth = [&](std::int64_t k) {
    return static_cast<double>(hits - k) * static_cast<double>(tries - k) /
           (static_cast<double>(k + 1) * static_cast<double>(all - hits - tries + k + 1));
  };
  // From the suspect's count outwards the terms only fall: the shorter side of the sum is taken.
  double sum = 0;
  if (growth(suspect.hits) < 1) {
    double term = probability(suspect.hits);
    for (std::int64_t k = suspect.hits; k <= most && term > sum * kNothing; term *= growth(k++)) sum += term;
    return std::min(sum, 1.0);
  }
  double term = probability(suspect.hits - 1);
  for (std::int64_t k = suspect.hits - 1; k >= least && term > sum * kNothing; --k) {
    sum += term;
    if (k > least) term /= growth(k - 1);
  }
  return std::max(1 - sum, 0.0);
}

}  // namespace scalableapp::rollout
