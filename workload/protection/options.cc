#include "workload/protection/options.h"

#include <fmt/format.h>

namespace scalableapp::workload {

void add_protection_flags(FlagSet& flags, ProtectionOptions& options) {
  flags.number(options.rate_limit, "rate-limit",
               "Requests a second that each client may make, counted in Redis for all pods together; more get 429. "
               "0: any number.",
               0, 1e6);
  flags.number(options.rate_limit_burst, "rate-limit-burst",
               "Requests that a client that was idle may make at once; 0: twice --rate-limit.", 0, 1e6);
  flags.boolean(options.adaptive_limit, "adaptive-limit",
                "Limit the requests in the service to what it can do without latency growing; more get 503, optional "
                "ones first.");
  flags.number(options.adaptive_limit_min, "adaptive-limit-min",
               "The adaptive limit's lowest value: what surely needs no queue.", 1, 1000);
  flags.number(options.adaptive_limit_max, "adaptive-limit-max", "The adaptive limit's highest value.", 1, 100'000);
  flags.duration(options.max_wait, "max-wait",
                 "A request that waited longer than this for a thread gets 503 and costs no work; 0s: off.",
                 milliseconds(0), seconds(60));
  flags.boolean(options.circuit_breakers, "circuit-breakers",
                "Stop calling a dependency that fails, and try it again after a pause.");
  flags.number(options.retry_budget, "retry-budget",
               "Retries of calls to a dependency, as a share of the calls; 0: none.", 0, 1);
  flags.text(options.degrade_level_file, "degrade-level-file",
             "File with the level of degradation that the operator asks for (a downward API volume with the "
             "annotation scalableapp.io/degrade-level); empty: none.");
  flags.boolean(options.brownout, "brownout", "Leave optional work out as --degrade-level-file says; false: never.");
}

Result<void> check_protection(const ProtectionOptions& options) {
  if (options.rate_limit > 0 && options.rate_limit < 0.01) {
    return fail(ErrorCode::kInvalid, fmt::format("--rate-limit={}: must be 0 or at least 0.01", options.rate_limit));
  }
  if (options.rate_limit_burst > 0 && options.rate_limit_burst < 1) {
    return fail(ErrorCode::kInvalid,
                fmt::format("--rate-limit-burst={}: must be 0 or at least 1", options.rate_limit_burst));
  }
  if (options.adaptive_limit_min > options.adaptive_limit_max) {
    return fail(ErrorCode::kInvalid, fmt::format("--adaptive-limit-min={}: must be at most --adaptive-limit-max, {}",
                                                 options.adaptive_limit_min, options.adaptive_limit_max));
  }
  return {};
}

}  // namespace scalableapp::workload
