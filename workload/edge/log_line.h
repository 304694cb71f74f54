// Reads what nginx tells of a request: a syslog line whose text is a JSON object (charts/workload/files/nginx.conf). Pure.
#pragma once

#include <string>
#include <string_view>

#include "operator/base/result.h"

namespace scalableapp::workload {

struct EdgeRequest {
  int status = 0;
  std::string cache;     // HIT, MISS, EXPIRED, STALE, UPDATING, BYPASS, REVALIDATED; NONE: nothing is kept there.
  std::string upstream;  // The address that answered last; empty: nobody was asked.
  double seconds = 0;
};

// kDecode on anything else.
Result<EdgeRequest> parse_log_line(std::string_view line);

}  // namespace scalableapp::workload
