// What protects the service, as it can be told on the command line. Each part has its switch.
#pragma once

#include <string>

#include "operator/base/time.h"
#include "workload/common/flags.h"

namespace scalableapp::workload {

struct ProtectionOptions {
  double rate_limit = 0;        // Requests a second and client, at least 0.01; 0: off.
  double rate_limit_burst = 0;  // 0: what two seconds give.
  bool adaptive_limit = false;
  int adaptive_limit_min = 4;
  int adaptive_limit_max = 512;
  milliseconds max_wait{0};  // In the service's own queue; 0: off.
  bool circuit_breakers = true;
  double retry_budget = 0.1;  // Share of calls; 0: no retries.
  std::string degrade_level_file;
  bool brownout = true;
};

// Binds the flags to `options`, which must outlive the set.
void add_protection_flags(FlagSet& flags, ProtectionOptions& options);
// What no single flag can see; kInvalid names the flags.
Result<void> check_protection(const ProtectionOptions& options);

}  // namespace scalableapp::workload
