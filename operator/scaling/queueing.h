// Waiting times of a station with several servers and one queue, as a replica is: requests come at
// random, each takes one of `servers` for `service_seconds` on average, the others wait their turn.
// Servers need not be whole: what a replica can do at a time is measured, not configured. Pure.
//
// M/G/c as M/M/c with the wait times `variability` = (1 + cv^2) / 2, exact for c = 1 (F. Pollaczek,
// Mathematische Zeitschrift 32, 1930; for more servers A. O. Allen, Probability, Statistics and
// Queueing Theory, 1990, 5.3); and M/M/c with Sakasegawa's approximation of the probability to wait,
//   C = rho^(sqrt(2 (c + 1)) - 1),  rho = rate * service / c
// which needs no whole c (H. Sakasegawa, An approximation formula L_q = alpha rho^beta / (1 - rho),
// Annals of the Institute of Statistical Mathematics 29, 1977). The wait that 1 - q of the requests
// exceed follows from P(W > t) = C exp(-c (1 - rho) t / service) (L. Kleinrock, Queueing Systems I,
// 1975, 3.5).
#pragma once

namespace scalableapp::scaling {

struct Station {
  double servers = 1;          // > 0.
  double service_seconds = 0;  // > 0.
  double variability = 1;      // (1 + cv^2) / 2 of the service time: 0.5 constant, 1 exponential.
  // Requests a second that it can serve at most.
  double capacity() const { return servers / service_seconds; }
  double utilization(double rate) const { return rate / capacity(); }
};

// Mean wait before service; infinite from capacity on.
double mean_wait(const Station& station, double rate);

// The wait that a share of 1 - quantile of the requests exceeds; infinite from capacity on.
double wait_quantile(const Station& station, double rate, double quantile);

// The highest rate at which that wait is at most `wait_seconds` and the utilization at most
// `most_utilization`. 0 for a negative wait.
double rate_for_wait(const Station& station, double quantile, double wait_seconds,
                     double most_utilization);

// How many servers explain a mean wait at this rate. Of Little's law: never fewer than are busy,
// rate * service_seconds.
double fit_servers(double rate, double service_seconds, double variability, double mean_wait_seconds);

// The variability of a service time whose quantile is `ratio` times its mean, if it is lognormal.
double variability_of(double ratio, double quantile);

}  // namespace scalableapp::scaling
