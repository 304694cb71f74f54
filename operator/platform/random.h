// The only source of chance: jitter and names that must differ. Not for secrets. Thread-safe.
#pragma once

#include <cstdint>
#include <mutex>
#include <random>
#include <string>

namespace scalableapp {

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  Random();  // Seeded by the machine.

  double uniform();          // [0, 1)
  std::string hex_suffix();  // 16 hexadecimal digits.

 private:
  std::uint64_t next();

  std::mutex mutex_;  // Guards engine_.
  std::mt19937_64 engine_;
};

}  // namespace scalableapp
