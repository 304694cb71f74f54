#include "operator/base/quantity.h"

#include <gtest/gtest.h>

namespace scalableapp {
namespace {

// The suffixes and the rule "exponent or suffix" of apimachinery's resource.Quantity.
TEST(Quantity, ReadsEverySuffixExactly) {
  const std::pair<const char*, double> cases[] = {
      {"1", 1},
      {"0", 0},
      {"0.5", 0.5},
      {".5", 0.5},
      {"+3", 3},
      {"-2", -2},
      {"1e3", 1000},
      {"1E3", 1000},
      {"2e-1", 0.2},
      {"250m", 0.25},
      {"1m", 0.001},
      {"3m", 0.003},
      {"100u", 1e-4},
      {"7n", 7e-9},
      {"2k", 2e3},
      {"1.5M", 1.5e6},
      {"1G", 1e9},
      {"1T", 1e12},
      {"1P", 1e15},
      {"1E", 1e18},
      {"1Ki", 1024},
      {"3Mi", 3145728},
      {"1Gi", 1073741824.0},
      {"0.5Gi", 536870912.0},
      {"1Ti", 0x1p40},
      {"1Pi", 0x1p50},
      {"1Ei", 0x1p60},
      {"9007199254740991", 9007199254740991.0},
  };
  for (const auto& [text, want] : cases)
    EXPECT_EQ(parse_quantity(text).value_or(-1e99), want) << text;
}

TEST(Quantity, RefusesWhatIsNone) {
  for (const char* text :
       {"",     "m",    "+",   "-",  ".",   "1x",  "1 Gi", " 1",    "1 ",    "one",  "nan", "inf",
        "-inf", "1Gib", "1gi", "1K", "+-1", "--1", "1e3k", "1e3Ki", "1e999", "0x10", "1,5"}) {
    const auto quantity = parse_quantity(text);
    ASSERT_FALSE(quantity) << text;
    EXPECT_EQ(quantity.error().code, ErrorCode::kInvalid);
    EXPECT_NE(quantity.error().message.find(std::string{"\""} + text + "\""), std::string::npos);
  }
}

}  // namespace
}  // namespace scalableapp
