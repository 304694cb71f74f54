#include "operator/platform/random.h"

#include <fmt/format.h>

namespace scalableapp {
namespace {

std::uint64_t machine_seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

}  // namespace

Random::Random() : Random(machine_seed()) {}

std::uint64_t Random::next() {
  std::lock_guard lock(mutex_);
  return engine_();
}

double Random::uniform() {
  return static_cast<double>(next() >> 11) * 0x1.0p-53;  // 53 bits: every step a double can hold.
}

std::string Random::hex_suffix() { return fmt::format("{:016x}", next()); }

}  // namespace scalableapp
