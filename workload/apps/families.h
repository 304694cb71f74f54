// The families of routes by name, as --apps lists them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "workload/apps/parts.h"
#include "workload/service/route.h"

namespace scalableapp::workload {

// Sessions and jobs, which every service has, and those of the comma-separated list. kInvalid names what is not one, or
// what one of them lacks.
Result<std::vector<std::unique_ptr<RouteFamily>>> make_families(const std::string& names, const AppParts& parts);

}  // namespace scalableapp::workload
