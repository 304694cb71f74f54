#include "operator/scaling/text.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace scalableapp::scaling {
namespace {

void expect_as_fmt(double value) {
  for (const int digits : {1, 3, 4, 6}) {
    EXPECT_EQ(text_of(Significant{value, digits}), fmt::format("{:.{}g}", value, digits));
  }
  EXPECT_EQ(text_of(Rounded{value}), fmt::format("{:.0f}", value));
}

TEST(Text, PutsItsPartsOneAfterTheOther) {
  std::string text = "at";
  append(text, " ", 12, ": ", std::string("load"), " ", Significant{0.25}, ", ", Rounded{71.6}, "%");
  EXPECT_EQ(text, "at 12: load 0.25, 72%");
  EXPECT_EQ(text_of(-3, " ", std::size_t{7}), "-3 7");
}

TEST(Text, WritesNumbersAsFmtWritesThem) {
  std::vector<double> values{0,      -0.0,   1,     10,     100,    1000,   999.5, 999.4999, 99.95, 9.995, 0.5,
                             1.5,    2.5,    0.125, 0.0625, 1e-3,   1e-4,   1e-5,  9.999e-5, 0.01,  0.001, 0.00099995,
                             1e15,   1e16,   1e300, 1e-300, 0.9995, 123.45, -1,    -0.04,    99999, 1e6,   999999.5,
                             1000.5, 1001.5, 0.3,   0.7};
  const double infinite = std::numeric_limits<double>::infinity();
  for (const double special : {infinite, -infinite, std::nan("")}) values.push_back(special);
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> exponent(-6, 17);
  for (int i = 0; i < 20'000; ++i) {
    const double value = std::pow(10, exponent(random));
    values.push_back(value);
    // What people write: few digits, and halves of the last one.
    values.push_back(std::strtod(fmt::format("{:.3g}", value).c_str(), nullptr));
    values.push_back(std::strtod(fmt::format("{:.3g}5", std::round(value)).c_str(), nullptr));
    values.push_back(std::nextafter(values.back(), 0));
    values.push_back(std::round(value * 2000) / 2000);
  }
  for (const double value : values) expect_as_fmt(value);
}

}  // namespace
}  // namespace scalableapp::scaling
