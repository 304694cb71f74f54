#include "workload/load/limits.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <fstream>

namespace scalableapp::workload {

const char* to_string(Limit limit) {
  switch (limit) {
    case Limit::kNone:
      return "none";
    case Limit::kPorts:
      return "ports";
    case Limit::kDescriptors:
      return "descriptors";
    case Limit::kConnections:
      return "connections";
    case Limit::kCpu:
      return "cpu";
    case Limit::kLate:
      return "late";
  }
  return "unknown";
}

Limit limit_of(const OwnSecond& own) {
  if (own.out_of_ports > 0) return Limit::kPorts;
  if (own.out_of_descriptors > 0) return Limit::kDescriptors;
  if (own.waited > 0) return Limit::kConnections;
  if (own.cpu_share > kCpuLimit) return Limit::kCpu;
  if (own.lag_p99_ms > kLagLimitMs) return Limit::kLate;
  return Limit::kNone;
}

std::string explain(Limit limit, const OwnSecond& own) {
  switch (limit) {
    case Limit::kNone:
      return "";
    case Limit::kPorts:
      return fmt::format("no local port for {} connections", own.out_of_ports);
    case Limit::kDescriptors:
      return fmt::format("no file descriptor for {} connections", own.out_of_descriptors);
    case Limit::kConnections:
      return fmt::format("{} requests waited for a connection", own.waited);
    case Limit::kCpu:
      return fmt::format("its thread used {:.0f} % of a core", 100 * own.cpu_share);
    case Limit::kLate:
      return fmt::format("it is {:.0f} ms late", own.lag_p99_ms);
  }
  return "";
}

int room_for_connections(int connections) {
  constexpr rlim_t kOthers = 300;  // The admin port's connections, logs, the event queue.
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return connections;
  const rlim_t wanted = static_cast<rlim_t>(connections) + kOthers;
  if (files.rlim_cur < wanted) {
    files.rlim_cur = std::min(wanted, files.rlim_max);
    if (setrlimit(RLIMIT_NOFILE, &files) != 0) getrlimit(RLIMIT_NOFILE, &files);
  }
  if (files.rlim_cur >= wanted) return connections;
  return files.rlim_cur > kOthers ? static_cast<int>(files.rlim_cur - kOthers) : 1;
}

int local_ports() {
  std::ifstream file("/proc/sys/net/ipv4/ip_local_port_range");
  int low = 0;
  int high = 0;
  return file >> low >> high ? high - low + 1 : 0;
}

}  // namespace scalableapp::workload
