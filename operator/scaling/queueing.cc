#include "operator/scaling/queueing.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace scalableapp::scaling {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();
constexpr int kNewtonSteps = 20;
constexpr double kEnough = 1e-4;  // A step's size, of which the next error is the square.

// Of the probability to wait, as a power of the utilization.
double wait_exponent(double servers) { return std::sqrt(2 * (servers + 1)) - 1; }

}  // namespace

double mean_wait(const Station& station, double rate) {
  const double rho = station.utilization(rate);
  if (rho >= 1) return kInfinite;
  return std::pow(rho, wait_exponent(station.servers)) * station.variability * station.service_seconds /
         (station.servers * (1 - rho));
}

double wait_quantile(const Station& station, double rate, double quantile) {
  const double rho = station.utilization(rate);
  if (rho >= 1) return kInfinite;
  // The logarithm of how many times more than 1 - quantile wait at all.
  const double more = wait_exponent(station.servers) * std::log(rho) - std::log(1 - quantile);
  if (!(more > 0)) return 0;
  return more * station.variability * station.service_seconds / (station.servers * (1 - rho));
}

double rate_for_wait(const Station& station, double quantile, double wait_seconds,
                     double most_utilization) {
  if (wait_seconds < 0) return 0;
  const double most = most_utilization * station.capacity();
  if (wait_quantile(station, most, quantile) <= wait_seconds) return most;
  // Over the logarithm of the utilization this rises, ever faster: Newton's method from above comes
  // closer with every step and never passes the answer.
  const double exponent = wait_exponent(station.servers);
  const double share = std::log(1 - quantile);
  const double allowed = wait_seconds * station.servers / (station.variability * station.service_seconds);
  double logarithm = std::log(most_utilization);
  double rho = most_utilization;
  for (int i = 0; i < kNewtonSteps; ++i) {
    const double over = exponent * logarithm - share - allowed * (1 - rho);
    const double step = over / (exponent + allowed * rho);
    logarithm -= step;
    rho = std::exp(logarithm);
    if (step < kEnough) break;
  }
  return rho * station.capacity();
}

double fit_servers(double rate, double service_seconds, double variability, double mean_wait_seconds) {
  const double busy = rate * service_seconds;
  const double most = 8 * busy + 8;  // Far over `busy` nothing waits.
  if (!(mean_wait_seconds > 0) || !(busy > 0)) return most;
  // The logarithm of the wait falls with that of the spare servers, ever faster: from too few of them
  // Newton's method steps past the answer once, from too many it comes closer with every step.
  const double times = mean_wait_seconds / (service_seconds * variability);
  const double wanted = std::log(times);
  // Hardly anybody waits for servers that are a deviation more than busy; where many do, the wait is
  // that of one queue.
  double spare = std::log(std::min({most - busy, 1 / times, 1 + std::sqrt(busy)}));
  double servers = busy + std::exp(spare);
  for (int i = 0; i < kNewtonSteps; ++i) {
    const double root = std::sqrt(2 * (servers + 1));
    const double load = std::log(busy / servers);
    const double over = (root - 1) * load - spare - wanted;
    const double slope = (servers - busy) * (load / root - (root - 1) / servers) - 1;
    const double step = over / slope;
    spare -= step;
    servers = busy + std::exp(spare);
    if (servers > most) {
      if (i > 0) return most;
      servers = most, spare = std::log(most - busy);
    } else if (std::abs(step) < kEnough) {
      break;
    }
  }
  return servers;
}

double variability_of(double ratio, double quantile) {
  if (quantile <= 0.5 || ratio <= 1) return 0.5;
  // The normal quantile: M. Abramowitz, I. A. Stegun, Handbook of Mathematical Functions, 26.2.23.
  const double t = std::sqrt(-2 * std::log(1 - quantile));
  const double z = t - (2.515517 + t * (0.802853 + t * 0.010328)) /
                           (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
  // ln ratio = z sigma - sigma^2 / 2; past the highest ratio there is, sigma is z.
  const double sigma = z - std::sqrt(std::max(0.0, z * z - 2 * std::log(ratio)));
  return std::exp(sigma * sigma) / 2;  // 1 + cv^2 = exp(sigma^2).
}

}  // namespace scalableapp::scaling
