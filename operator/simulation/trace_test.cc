#include "operator/simulation/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace scalableapp::simulation {
namespace {

using ::testing::ElementsAre;

TEST(Trace, HasARateAndItsColumnsByTime) {
  const auto trace = parse_trace("load.csv",
                                 "# lunch\r\nseconds,requests_per_second, service_factor\r\n"
                                 "0,20,1\r\n\r\n60, 250.5,2\r\n90,1e2,1\r\n");
  ASSERT_TRUE(trace) << trace.error().message;
  EXPECT_EQ(trace->name, "load.csv");
  EXPECT_THAT(trace->seconds, ElementsAre(0, 60, 90));
  EXPECT_THAT(trace->requests_per_second, ElementsAre(20, 250.5, 100));
  EXPECT_THAT(trace->columns.at("service_factor"), ElementsAre(1, 2, 1));
}

TEST(Trace, EndsAStepAfterItsLastRow) {
  EXPECT_EQ(end_seconds(*parse_trace("t", "seconds,requests_per_second\n0,1\n60,2\n90,3\n")), 120);
  EXPECT_EQ(end_seconds(*parse_trace("t", "seconds,requests_per_second\n5,1")), 605);
}

TEST(Trace, NamesTheLineThatIsWrong) {
  struct Case {
    const char* csv;
    const char* message;
  };
  const Case cases[] = {
      {"", "load.csv line 1: the header seconds,requests_per_second is missing"},
      {"time,rps\n0,1\n",
       "load.csv line 1: the header must begin with seconds,requests_per_second"},
      {"seconds\n0\n", "load.csv line 1: the header must begin with seconds,requests_per_second"},
      {"seconds,requests_per_second\n", "load.csv line 2: at least one row must follow the header"},
      {"seconds,requests_per_second,\n0,1,2\n", "load.csv line 1: column 3 has no name"},
      {"seconds,requests_per_second,a,a\n0,1,2,3\n",
       "load.csv line 1: column \"a\" is there twice"},
      {"seconds,requests_per_second\n0,1\n1,2,3\n",
       "load.csv line 3: has 3 values where the header has 2 columns"},
      {"seconds,requests_per_second\n0,1\n\n1,many\n",
       "load.csv line 4: requests_per_second: \"many\" is not a number from 0 on"},
      {"seconds,requests_per_second\n0,-1\n",
       "load.csv line 2: requests_per_second: \"-1\" is not a number from 0 on"},
      {"seconds,requests_per_second\n0,nan\n",
       "load.csv line 2: requests_per_second: \"nan\" is not a number from 0 on"},
      {"seconds,requests_per_second\n0,1e999\n",
       "load.csv line 2: requests_per_second: \"1e999\" is not a number from 0 on"},
      {"seconds,requests_per_second\n0,\n",
       "load.csv line 2: requests_per_second: \"\" is not a number from 0 on"},
      {"seconds,requests_per_second\n0,1\n0,2\n",
       "load.csv line 3: seconds: 0 comes after 0; they must ascend"},
      {"seconds,requests_per_second\n1e9,1\n",
       "load.csv line 2: seconds: 1000000000 is over 100 days"},
      {"seconds,requests_per_second\n0,2e6\n",
       "load.csv line 2: requests_per_second: 2000000 is over 1000000"},
  };
  for (const Case& one : cases) {
    const auto trace = parse_trace("load.csv", one.csv);
    ASSERT_FALSE(trace) << one.csv;
    EXPECT_EQ(trace.error().code, ErrorCode::kInvalid);
    EXPECT_EQ(trace.error().message, one.message) << one.csv;
  }
}

TEST(Trace, MayHaveOnlyColumnsThatMeanSomething) {
  api::ScalableAppSpec spec;
  spec.metrics.resize(2);
  spec.metrics[0].name = "cpu";
  spec.metrics[1].name = "orders";
  spec.metrics[1].type = api::MetricType::kPrometheus;
  const auto with = [](const std::string& column, const std::string& value) {
    return *parse_trace("t.csv", "seconds,requests_per_second," + column + "\n0,1," + value + "\n");
  };
  EXPECT_TRUE(check_columns(with("orders", "7"), spec));
  EXPECT_TRUE(check_columns(with("error_ratio", "1"), spec));
  EXPECT_EQ(check_columns(with("cpu", "7"), spec).error().message,
            "t.csv: column \"cpu\" is not known: it may be service_factor, error_ratio, orders");
  EXPECT_EQ(check_columns(with("error_ratio", "1.5"), spec).error().message,
            "t.csv: error_ratio must be from 0 to 1");
  EXPECT_EQ(check_columns(with("service_factor", "0"), spec).error().message,
            "t.csv: service_factor must be over 0 and at most 10000");
}

}  // namespace
}  // namespace scalableapp::simulation
