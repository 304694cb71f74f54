#include "workload/load/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace scalableapp::workload {
namespace {

TEST(LatencyHistogram, EveryQuantileIsWithinOnePercentOfTheSortedSample) {
  std::mt19937_64 random(7);
  std::lognormal_distribution<double> shape(10, 2);  // Microseconds from tens to minutes.
  LatencyHistogram histogram;
  std::vector<double> samples;
  for (int count = 0; count < 100'000; ++count) {
    const auto micros = static_cast<std::int64_t>(shape(random));
    samples.push_back(static_cast<double>(micros));
    histogram.record(microseconds(micros));
  }
  std::sort(samples.begin(), samples.end());
  for (const double fraction : {0.001, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0}) {
    const auto rank = static_cast<std::size_t>(std::ceil(fraction * 100'000)) - 1;
    const auto got = static_cast<double>(histogram.quantile(fraction).count());
    EXPECT_NEAR(got, samples[rank], 0.005 * samples[rank] + 0.5) << fraction;
  }
  EXPECT_EQ(static_cast<double>(histogram.max().count()), samples.back());
}

TEST(LatencyHistogram, SmallValuesAreExact) {
  for (int micros = 0; micros < 256; ++micros) {
    LatencyHistogram histogram;
    histogram.record(microseconds(micros));
    EXPECT_EQ(histogram.quantile(0.5).count(), micros);
  }
}

TEST(LatencyHistogram, MergingIsTheSameAsRecordingInOne) {
  LatencyHistogram one;
  LatencyHistogram left;
  LatencyHistogram right;
  for (int value = 1; value < 5000; value += 7) {
    one.record(microseconds(value * 100));
    (value % 2 == 0 ? left : right).record(microseconds(value * 100));
  }
  left.merge(right);
  EXPECT_EQ(left.count(), one.count());
  EXPECT_EQ(left.max(), one.max());
  for (const double fraction : {0.1, 0.5, 0.99}) {
    EXPECT_EQ(left.quantile(fraction), one.quantile(fraction));
  }
}

TEST(LatencyHistogram, ValuesOutOfRangeAreClampedNotLost) {
  LatencyHistogram histogram;
  histogram.record(microseconds(-5));
  histogram.record(microseconds(std::int64_t{1} << 50));
  EXPECT_EQ(histogram.count(), 2u);
  EXPECT_EQ(histogram.quantile(0.5).count(), 0);
  EXPECT_EQ(histogram.max().count(), std::int64_t{1} << 37);
}

TEST(LatencyHistogram, EmptyHasZeroQuantiles) {
  EXPECT_EQ(LatencyHistogram().quantile(0.99).count(), 0);
}

}  // namespace
}  // namespace scalableapp::workload
