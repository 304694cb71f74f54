#include "operator/base/quantity.h"

#include <gtest/gtest.h>

namespace scalableapp {
namespace {

TEST(Quantity, ReadsEverySuffix) {
  const std::pair<const char*, double> cases[] = {{"250m", 0.25}, {"1", 1}, {"0.5", 0.5}, {"1e3", 1000},
                                                  {"1Gi", 1073741824.0}, {"2k", 2000}, {"100u", 1e-4}, {"3Mi", 3145728}};
  for (const auto& [text, want] : cases) EXPECT_DOUBLE_EQ(parse_quantity(text).value(), want) << text;
}

TEST(Quantity, RefusesWhatIsNone) {
  for (const char* text : {"", "m", "1x", "1 Gi", "one", "nan", "inf", "1Gib"}) EXPECT_FALSE(parse_quantity(text)) << text;
}

}  // namespace
}  // namespace scalableapp
