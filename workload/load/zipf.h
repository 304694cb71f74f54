// Whole numbers from 1 to N of which k is as likely as 1/k: what is popular, and how much more so
// than the rest. Pure; exact for any N in constant memory: rejection-inversion after W. Hoermann
// and G. Derflinger, "Rejection-inversion to generate variates from monotone discrete
// distributions", ACM TOMACS 6(3), 1996.
#pragma once

#include <cstdint>
#include <random>

namespace scalableapp::workload {

class Zipf {
 public:
  explicit Zipf(std::uint64_t highest);  // At least 1.
  std::uint64_t operator()(std::mt19937_64& random) const;

 private:
  double highest_;
  double area_low_;   // Of the hat 1/x, whose integral is log(x): where 1 begins,
  double area_high_;  // and where N ends.
};

}  // namespace scalableapp::workload
