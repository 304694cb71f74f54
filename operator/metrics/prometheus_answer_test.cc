#include "operator/metrics/prometheus_answer.h"

#include <fmt/format.h>

#include "operator/metrics/promql.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>

namespace scalableapp::metrics {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kCombined =
    R"({"status":"success","data":{"resultType":"vector","result":[)"
    R"({"metric":{"scalableapp_query":"1"},"value":[1795498136.048,"7.5"]},)"
    R"({"metric":{"pod":"web-1-a","zone":"b","scalableapp_query":"0"},"value":[1795498136,"1e-3"]},)"
    R"({"metric":{"scalableapp_idle":"true","scalableapp_query":"3"},"value":[1795498136,"0"]},)"
    R"({"metric":{"pod":"web-1-b","scalableapp_query":"0"},"value":[1795498136,"NaN"]}]}})";

std::string vector_of(std::string_view value) {
  return fmt::format(
      R"({{"status":"success","data":{{"resultType":"vector","result":[{{"metric":{{}},"value":[1.5,"{}"]}}]}}}})",
      value);
}

TEST(PrometheusAnswer, SeriesGoToTheQueryTheyBelongTo) {
  const auto answer = parse_answer(kCombined, 4);
  ASSERT_TRUE(answer) << answer.error().message;
  ASSERT_EQ(answer->queries.size(), 4U);
  ASSERT_EQ(answer->queries[0]->size(), 2U);
  EXPECT_EQ(answer->queries[0]->at(0),
            (Sample{0.001, "web-1-a", false, R"({pod="web-1-a",zone="b"})"}));
  EXPECT_EQ(answer->queries[0]->at(1).pod, "web-1-b");
  EXPECT_TRUE(std::isnan(answer->queries[0]->at(1).value));
  EXPECT_EQ(answer->queries[1]->at(0), (Sample{7.5, "", false, "{}"}));
  EXPECT_TRUE(answer->queries[2]->empty());
  EXPECT_TRUE(answer->queries[3]->at(0).idle);
}

TEST(PrometheusAnswer, NumbersAreReadAsPrometheusWritesThem) {
  const auto value = [](std::string_view text) {
    return parse_answer(vector_of(text), 1)->queries[0]->at(0).value;
  };
  EXPECT_EQ(value("+Inf"), HUGE_VAL);
  EXPECT_EQ(value("-Inf"), -HUGE_VAL);
  EXPECT_EQ(value("-1.25e+06"), -1250000);
  EXPECT_EQ(value("1e400"), HUGE_VAL);
  EXPECT_EQ(value("1e-400"), 0);
  for (const char* no_number : {"NaN", "", "1x", "+", "0x10"}) {
    EXPECT_TRUE(std::isnan(value(no_number))) << no_number;
  }
}

TEST(PrometheusAnswer, AScalarIsOneSampleWithoutLabels) {
  const auto answer = parse_answer(
      R"({"status":"success","data":{"resultType":"scalar","result":[1795.65,"3"]}})", 1);
  ASSERT_TRUE(answer);
  EXPECT_TRUE(answer->is_scalar);
  EXPECT_EQ(answer->queries[0]->at(0), (Sample{3, "", false, "{}"}));
}

TEST(PrometheusAnswer, AQueryAskedAsWrittenKeepsALabelOfTheNameWeUse) {
  const auto answer = parse_answer(kCombined, kAsWritten);
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->queries.size(), 1U);
  EXPECT_EQ(answer->queries[0]->size(), 4U);
  EXPECT_EQ(answer->queries[0]->at(0).labels, R"({scalableapp_query="1"})");
}

TEST(PrometheusAnswer, AMatrixOrAStringIsAMistakeInTheQuery) {
  for (const char* type : {"matrix", "string"}) {
    const auto answer = parse_answer(
        fmt::format(R"({{"status":"success","data":{{"resultType":"{}","result":[1795.65,"3"]}}}})",
                    type),
        1);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->queries[0].error().code, ErrorCode::kInvalid);
    EXPECT_THAT(answer->queries[0].error().message, HasSubstr(type));
  }
}

TEST(PrometheusAnswer, ANativeHistogramHasNoNumber) {
  const auto answer = parse_answer(
      R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":"b"},)"
      R"("histogram":[1.5,{"count":"3","buckets":[[0,"1","2","3"]]}]}]},"warnings":["w"]})",
      1);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_TRUE(std::isnan(answer->queries[0]->at(0).value));
}

TEST(PrometheusAnswer, TooManySeriesAreAnErrorOfThatQueryAlone) {
  std::string body = R"({"status":"success","data":{"resultType":"vector","result":[)";
  for (std::size_t i = 0; i <= kMaxSeries; ++i) {
    body += R"({"metric":{"scalableapp_query":"1"},"value":[1,"1"]},)";
  }
  body += R"({"metric":{"scalableapp_query":"0"},"value":[1,"1"]}]}})";
  const auto answer = parse_answer(body, 2);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->queries[0]->size(), 1U);
  EXPECT_THAT(answer->queries[1].error().message, HasSubstr("more than 2000 series"));
}

TEST(PrometheusAnswer, WhatPrometheusDidNotWriteIsRefused) {
  for (const char* body :
       {"", "<html>Log in</html>", "[]", "{}", "null", "7", R"({"status":"error"})",
        R"({"status":"success"})", R"({"status":"success","data":[]})"}) {
    const auto answer = parse_answer(body, 1);
    ASSERT_FALSE(answer) << body;
    EXPECT_EQ(answer.error().code, ErrorCode::kDecode);
  }
  EXPECT_FALSE(parse_answer(kCombined, 3)) << "a series of a query that was not asked";
}

TEST(PrometheusAnswer, NoMutationOfAnAnswerCrashesTheReader) {
  std::mt19937 random(11);
  constexpr std::string_view kBytes = "{}[]\",:0123456789.eE+-nulltrue \\\x00\xff\xc3";
  for (int round = 0; round < 2000; ++round) {
    std::string body(kCombined);
    for (auto n = 1 + random() % 4; n > 0; --n) {
      const std::size_t at = random() % body.size();
      switch (random() % 4) {
        case 0:
          body[at] = kBytes[random() % kBytes.size()];
          break;
        case 1:
          body.erase(at, 1 + random() % 8);
          break;
        case 2:
          body.insert(at, body.substr(random() % body.size(), random() % 40));
          break;
        default:
          body.resize(at + 1);
          break;
      }
      if (body.empty()) body = "{";
    }
    parse_answer(body, 1 + random() % 4);
    parse_failure(static_cast<int>(400 + random() % 120), body);
  }
  parse_answer(std::string(100'000, '['), 1);
}

TEST(PrometheusAnswer, AFailureIsTheQuerysOnlyWhenPrometheusSaysSo) {
  const auto error = [](const char* type, const char* text) {
    return fmt::format(R"({{"status":"error","errorType":"{}","error":"{}"}})", type, text);
  };
  EXPECT_EQ(
      parse_failure(400, error("bad_data", R"(invalid parameter \"query\": 1:5: parse error)")),
      (Error{ErrorCode::kInvalid, "Prometheus: 1:5: parse error", {}}));
  EXPECT_EQ(parse_failure(422, error("execution", "duplicate series")).code, ErrorCode::kInvalid);
  EXPECT_EQ(parse_failure(503, error("timeout", "query timed out")).code, ErrorCode::kTimeout);
  EXPECT_EQ(parse_failure(503, "starting").code, ErrorCode::kUnavailable);
  EXPECT_EQ(
      parse_failure(400, "plain HTTP sent to HTTPS\x01\xff"),
      (Error{
          ErrorCode::kUnavailable, "Prometheus: HTTP status 400: plain HTTP sent to HTTPS  ", {}}));
  EXPECT_EQ(parse_failure(401, "").code, ErrorCode::kUnauthorized);
  EXPECT_EQ(parse_failure(403, "").code, ErrorCode::kForbidden);
  EXPECT_EQ(parse_failure(404, "").code, ErrorCode::kNotFound);
  EXPECT_EQ(parse_failure(429, "").code, ErrorCode::kTooManyRequests);
}

TEST(PrometheusAnswer, ARangeIsAValueForEachStepAndNaNWhereThereIsNone) {
  const WallTime start{seconds(1'800'000'000)};
  const auto values = parse_range_answer(
      R"({"status":"success","data":{"resultType":"matrix","result":[{"metric":{"job":"web"},"values":[)"
      R"([1799999700,"9"],[1800000000,"1.5"],[1800000600.000,"2"],[1800000900,"+Inf"],)"
      R"([1800001200,"x"],[1800001500.4,"4"],[1800001800,"9"]]}]}})",
      start, seconds(300), 6);
  ASSERT_TRUE(values) << values.error().message;
  EXPECT_THAT(*values, testing::ElementsAre(1.5F, testing::IsNan(), 2.0F, testing::IsNan(),
                                            testing::IsNan(), 4.0F));
}

TEST(PrometheusAnswer, ARangeOfNoSeriesIsUnknownAndOneOfSeveralIsAnError) {
  const WallTime start{seconds(1'800'000'000)};
  const auto ask = [&](std::string_view type, std::string_view series) {
    return parse_range_answer(
        fmt::format(R"({{"status":"success","data":{{"resultType":"{}","result":[{}]}}}})", type,
                    series),
        start, seconds(300), 1);
  };
  EXPECT_THAT(*ask("matrix", ""), testing::ElementsAre(testing::IsNan()));
  const auto several = ask("matrix", R"({"metric":{"a":"1"},"values":[]},{"metric":{}})");
  EXPECT_EQ(several.error().code, ErrorCode::kInvalid);
  EXPECT_THAT(several.error().message, HasSubstr("2 series"));
  EXPECT_EQ(ask("vector", "").error().code, ErrorCode::kDecode);
  EXPECT_EQ(parse_range_answer("<html>", start, seconds(300), 1).error().code, ErrorCode::kDecode);
  EXPECT_EQ(parse_range_answer("{}", start, seconds(300), 1).error().code, ErrorCode::kDecode);
}

}  // namespace
}  // namespace scalableapp::metrics
