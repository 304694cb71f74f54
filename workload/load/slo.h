// In which seconds a latency target was missed: those in which more than 1 % of the requests took
// longer or failed. A request belongs to the second of its intended start, so that a server that
// stands still misses the seconds of its standstill, not the one in which it answers again. Pure.
#pragma once

#include <cstdint>
#include <vector>

namespace scalableapp::workload {

class SloSeconds {
 public:
  static constexpr double kAllowedShare = 0.01;

  // `first` is the first second that counts; earlier ones, and ones over two hours later, do not.
  explicit SloSeconds(std::int64_t first = 0) : first_(first) {}

  void count(std::int64_t second, bool is_bad);
  bool is_violated(std::int64_t second) const;
  std::uint64_t violated_seconds() const;

 private:
  struct Second {
    std::uint32_t all = 0;
    std::uint32_t bad = 0;
    bool is_violated() const { return bad > kAllowedShare * all; }
  };
  std::int64_t first_;
  std::vector<Second> seconds_;
};

}  // namespace scalableapp::workload
