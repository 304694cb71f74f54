#include "operator/rollout/fisher.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace scalableapp::rollout {
namespace {

TEST(Fisher, TellsWhetherTheLadyTastesTheDifference) {
  EXPECT_NEAR(fisher_more({3, 4}, {1, 4}), 17.0 / 70, 1e-12);
  EXPECT_NEAR(fisher_more({4, 4}, {0, 4}), 1.0 / 70, 1e-12);
  EXPECT_NEAR(fisher_more({2, 4}, {2, 4}), 53.0 / 70, 1e-12);
}

// What the sum of fractions of whole numbers is (Python's fractions and math.comb).
TEST(Fisher, IsTheHypergeometricTailForSmallAndForLargeCounts) {
  struct Case {
    Tally suspect, reference;
    double p;
  };
  for (const Case& c : {Case{{5, 100}, {1, 900}, 5.039626226503954e-05},
                        Case{{11, 213}, {1, 840}, 1.855248066158364e-07},
                        Case{{60, 2000}, {20, 2000}, 3.500814096399828e-06},
                        Case{{7, 20}, {13, 20}, 9.871776115283394e-01},
                        Case{{500, 20'000}, {450, 20'000}, 5.378573086833351e-02},
                        Case{{2000, 100'000}, {1850, 100'000}, 7.653116953651e-03},
                        Case{{1100, 20'000}, {19'000, 380'000}, 9.670392758332e-04},
                        Case{{1100, 20'000}, {21'500, 400'000}, 2.265044993124e-01},
                        Case{{20'000, 400'000}, {100'000, 2'000'000}, 5.012681871244e-01}}) {
    EXPECT_NEAR(fisher_more(c.suspect, c.reference) / c.p, 1, 1e-7) << c.suspect.hits << " of " << c.suspect.tries;
  }
}

double choose(int n, int k) {
  double out = 1;
  for (int i = 1; i <= k; ++i) out = out * (n - k + i) / i;
  return k < 0 || k > n ? 0 : out;
}

TEST(Fisher, IsRightForEverySmallTable) {
  for (int tries = 0; tries <= 9; ++tries) {
    for (int others = 0; others <= 9; ++others) {
      for (int hits = 0; hits <= tries; ++hits) {
        for (int other_hits = 0; other_hits <= others; ++other_hits) {
          const int all_hits = hits + other_hits;
          double tail = 0;
          for (int k = hits; k <= std::min(all_hits, tries); ++k) {
            tail += choose(all_hits, k) * choose(tries + others - all_hits, tries - k);
          }
          ASSERT_NEAR(fisher_more({hits, tries}, {other_hits, others}), tail / choose(tries + others, tries), 1e-11)
              << hits << " of " << tries << ", " << other_hits << " of " << others;
        }
      }
    }
  }
}

TEST(Fisher, IsOneWhereNothingCanBeTold) {
  EXPECT_EQ(fisher_more({0, 0}, {0, 0}), 1);
  EXPECT_EQ(fisher_more({5, 5}, {0, 0}), 1);
  EXPECT_EQ(fisher_more({0, 0}, {3, 7}), 1);
  EXPECT_EQ(fisher_more({0, 100}, {0, 100}), 1);
  EXPECT_EQ(fisher_more({100, 100}, {50, 50}), 1) << "all failed";
}

TEST(Fisher, OfWhatIsAllButImpossibleIsZeroAndNoMore) {
  const double p = fisher_more({100'000, 100'000}, {0, 100'000});
  EXPECT_GE(p, 0);
  EXPECT_LT(p, 1e-300);
  EXPECT_NEAR(fisher_more({0, 100'000}, {100'000, 100'000}), 1, 1e-12);
}

TEST(Fisher, FallsWithEachHitOfTheSuspect) {
  double before = 1;
  for (int hits = 1; hits <= 60; ++hits) {
    const double p = fisher_more({hits, 1000}, {20, 1000});
    EXPECT_LT(p, before) << hits;
    before = p;
  }
}

}  // namespace
}  // namespace scalableapp::rollout
