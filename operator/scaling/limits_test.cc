// "Configurable scaling behavior: scaling policies" of the HPA documentation.
#include "operator/scaling/limits.h"

#include <gtest/gtest.h>

#include "operator/scaling/test_support.h"

namespace scalableapp::scaling {
namespace {

using api::SelectPolicy;
using test::kNow;
using test::percent;
using test::pods;
using test::rules;

struct Event {
  int change;
  int seconds_ago;
};
struct Row {
  const char* name;
  int current, desired;
  api::ScalingRules rules;  // Of the direction.
  std::vector<Event> events;
  int want;
  const char* policy;
};
void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }

const Row kRows[] = {
    {"By default up is four pods or double whichever is more for few",
     1,
     10,
     rules(0, {percent(100, 15), pods(4, 15)}),
     {},
     5,
     "scaleUp policy 4 pods/15s"},
    {"By default up is four pods or double whichever is more for many",
     10,
     30,
     rules(0, {percent(100, 15), pods(4, 15)}),
     {},
     20,
     "scaleUp policy 100%/15s"},
    {"By default down may go to the bottom at once",
     80,
     1,
     rules(0, {percent(100, 15)}),
     {},
     1,
     ""},
    {"Ten percent of 80 down is 8",
     80,
     10,
     rules(0, {percent(10, 60), pods(4, 60)}),
     {},
     72,
     "scaleDown policy 10%/1m"},
    {"Ten percent of 72 down is 8 because 7 point 2 rounds up",
     72,
     10,
     rules(0, {percent(10, 60), pods(4, 60)}),
     {},
     64,
     "scaleDown policy 10%/1m"},
    {"Under 40 the four pods allow more",
     24,
     10,
     rules(0, {percent(10, 60), pods(4, 60)}),
     {},
     20,
     "scaleDown policy 4 pods/1m"},
    {"Min takes the smaller change down",
     80,
     10,
     rules(0, {percent(10, 60), pods(5, 60)}, SelectPolicy::kMin),
     {},
     75,
     "scaleDown policy 5 pods/1m"},
    {"Min takes the smaller change up",
     10,
     30,
     rules(0, {percent(100, 15), pods(4, 15)}, SelectPolicy::kMin),
     {},
     14,
     "scaleUp policy 4 pods/15s"},
    {"Min does not depend on the order",
     10,
     30,
     rules(0, {pods(4, 15), percent(100, 15)}, SelectPolicy::kMin),
     {},
     14,
     "scaleUp policy 4 pods/15s"},
    {"Disabled forbids down",
     80,
     10,
     rules(0, {pods(4, 15)}, SelectPolicy::kDisabled),
     {},
     80,
     "scaleDown selectPolicy Disabled"},
    {"Disabled forbids up",
     8,
     10,
     rules(0, {pods(4, 15)}, SelectPolicy::kDisabled),
     {},
     8,
     "scaleUp selectPolicy Disabled"},
    {"What the period has used up is gone",
     12,
     30,
     rules(0, {pods(4, 15)}),
     {{2, 5}},
     14,
     "scaleUp policy 4 pods/15s"},
    {"A used up period holds",
     14,
     30,
     rules(0, {pods(4, 15)}),
     {{4, 5}},
     14,
     "scaleUp policy 4 pods/15s"},
    {"More than a period allows does not turn back",
     20,
     30,
     rules(0, {pods(4, 15)}),
     {{10, 5}},
     20,
     "scaleUp policy 4 pods/15s"},
    {"Nor on the way down",
     10,
     5,
     rules(0, {pods(4, 15)}),
     {{-10, 5}},
     10,
     "scaleDown policy 4 pods/15s"},
    {"A period ends after just its length",
     14,
     30,
     rules(0, {pods(4, 15)}),
     {{4, 15}},
     18,
     "scaleUp policy 4 pods/15s"},
    {"A percentage is of the count at the period's begin",
     14,
     30,
     rules(0, {percent(100, 15)}),
     {{4, 5}},
     20,
     "scaleUp policy 100%/15s"},
    {"Changes down in the period make room up",
     8,
     30,
     rules(0, {pods(4, 15)}),
     {{-2, 5}},
     14,
     "scaleUp policy 4 pods/15s"},
    {"Changes up in the period make room down",
     14,
     1,
     rules(0, {pods(4, 15)}),
     {{4, 5}},
     6,
     "scaleDown policy 4 pods/15s"},
    {"Each policy has its own period",
     16,
     99,
     rules(0, {pods(4, 15), pods(10, 60)}),
     {{4, 30}, {2, 5}},
     20,
     "scaleUp policy 10 pods/1m"},
    {"A percentage up rounds up",
     3,
     9,
     rules(0, {percent(50, 15)}),
     {},
     5,
     "scaleUp policy 50%/15s"},
    {"Binary noise adds no pod to ten percent of 10",
     10,
     99,
     rules(0, {percent(10, 15)}),
     {},
     11,
     "scaleUp policy 10%/15s"},
    {"Binary noise adds no pod to seven percent of 100",
     100,
     999,
     rules(0, {percent(7, 15)}),
     {},
     107,
     "scaleUp policy 7%/15s"},
    {"A percentage of nothing is one",
     0,
     9,
     rules(0, {percent(50, 15)}),
     {},
     1,
     "scaleUp policy 50%/15s"},
    {"Without policies nothing limits", 3, 900, rules(0, {}), {{100, 1}}, 900, ""},
    {"A limit just reached does not bind", 4, 8, rules(0, {percent(100, 15)}), {}, 8, ""},
};

class PolicyTable : public testing::TestWithParam<Row> {};
INSTANTIATE_TEST_SUITE_P(Hpa, PolicyTable, testing::ValuesIn(kRows),
                         [](const auto& row) { return test::row_name(row.param.name); });
TEST_P(PolicyTable, LimitsAsDocumented) {
  const Row& row = GetParam();
  api::Behavior behavior;
  // The other direction is shut: it must not matter.
  behavior.scale_up = behavior.scale_down = rules(0, {}, SelectPolicy::kDisabled);
  (row.desired > row.current ? behavior.scale_up : behavior.scale_down) = row.rules;
  std::vector<api::ScaleEvent> events;
  for (const auto& [change, ago] : row.events) events.push_back({change, kNow - seconds{ago}});
  const Limit limit = limit_rate(kNow, row.current, row.desired, behavior, events);
  EXPECT_EQ(limit.replicas, row.want);
  EXPECT_EQ(limit.policy, row.policy);
}

TEST(Events, AreKeptForTheLongestPeriod) {
  const api::Behavior behavior{rules(0, {pods(4, 15)}), rules(0, {pods(4, 60)})};
  std::vector<api::ScaleEvent> events{{1, kNow - seconds{60}}, {2, kNow - seconds{59}}};
  record_event(kNow, 0, behavior, events);
  EXPECT_EQ(events, (std::vector<api::ScaleEvent>{{2, kNow - seconds{59}}}));
  record_event(kNow, -3, behavior, events);
  EXPECT_EQ(events, (std::vector<api::ScaleEvent>{{2, kNow - seconds{59}}, {-3, kNow}}));
}

TEST(Events, FromTheFutureAreFromNow) {
  const api::Behavior behavior{rules(0, {pods(4, 15)}), rules(0, {})};
  std::vector<api::ScaleEvent> events{{1, kNow + seconds{600}}};
  record_event(kNow, 0, behavior, events);
  EXPECT_EQ(events, (std::vector<api::ScaleEvent>{{1, kNow}}));
}

TEST(Events, AreBoundedAndTheirSumIsKept) {
  const api::Behavior behavior{rules(0, {pods(4, 1800)}), rules(0, {})};
  std::vector<api::ScaleEvent> events;
  for (int s = 0; s < 800; ++s)
    record_event(kNow + seconds{s}, s % 2 == 0 ? 3 : -1, behavior, events);
  EXPECT_EQ(events.size(), kMostEvents);
  int sum = 0;
  for (const auto& event : events) sum += event.change;
  EXPECT_EQ(sum, 800);
}

}  // namespace
}  // namespace scalableapp::scaling
