// Kubernetes quantities as numbers: "250m" -> 0.25, "1Gi" -> 1073741824, "1e3" -> 1000.
// Exact up to the 53 bits of a double, which no CPU request or metric target exceeds.
#pragma once

#include <string_view>

#include "operator/base/result.h"

namespace scalableapp {

// Suffixes n u m k M G T P E and Ki Mi Gi Ti Pi Ei, or a decimal exponent. kInvalid on other text.
Result<double> parse_quantity(std::string_view text);

}  // namespace scalableapp
