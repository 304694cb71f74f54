// Whether the generator itself, rather than its target, limited what a second shows. Pure.
#pragma once

#include <cstdint>
#include <string>

namespace scalableapp::workload {

// What the generator saw of itself in one second.
struct OwnSecond {
  double cpu_share = 0;                  // Of one core, by the IO thread.
  double lag_p99_ms = 0;                 // From the intended to the real start.
  std::uint64_t waited = 0;              // Requests that found all connections busy.
  std::uint64_t out_of_ports = 0;        // Connections that found no local port,
  std::uint64_t out_of_descriptors = 0;  // or no file descriptor.
};

enum class Limit { kNone, kPorts, kDescriptors, kConnections, kCpu, kLate };
inline constexpr std::size_t kLimits = 6;
const char* to_string(Limit limit);  // "none", "ports", ...

// Later than this at p99, it measures itself; over this share of a core, it soon will be.
inline constexpr double kLagLimitMs = 20;
inline constexpr double kCpuLimit = 0.9;

// The first that holds, in the enum's order: a cause before what follows from it.
Limit limit_of(const OwnSecond& own);
// For a person, with the figure; empty for kNone.
std::string explain(Limit limit, const OwnSecond& own);

// Raises the soft limit of open files to what `connections` need, as far as the hard one allows;
// the connections that fit.
int room_for_connections(int connections);
// Local ports that one target's connections can have; 0 if not known.
int local_ports();

}  // namespace scalableapp::workload
