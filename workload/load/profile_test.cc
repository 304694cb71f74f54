#include "workload/load/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "operator/simulation/trace.h"

namespace scalableapp::workload {
namespace {

using ::testing::HasSubstr;

std::vector<double> times_of(const std::string& text, Arrivals arrivals, std::uint64_t seed = 1) {
  ArrivalSchedule schedule(parse_profile(text).value(), arrivals, seed);
  std::vector<double> times;
  while (const auto arrival = schedule.next()) times.push_back(arrival->at_seconds);
  return times;
}

std::size_t count_between(const std::vector<double>& times, double from, double to) {
  return static_cast<std::size_t>(
      std::count_if(times.begin(), times.end(), [&](double at) { return at >= from && at < to; }));
}

TEST(Profile, StepsRampsAndSinesAreReadWithTheirDurations) {
  const auto profile = parse_profile("40:30s,40-400:30s,sine(100,50,60s):2m").value();
  ASSERT_EQ(profile.phases.size(), 3u);
  EXPECT_EQ(profile.phases[2].name, "sine(100,50,60s):2m");
  EXPECT_DOUBLE_EQ(profile.duration_seconds(), 180);
  EXPECT_NEAR(profile.requests(), 40 * 30 + 220 * 30 + 100 * 120, 1e-6);
}

TEST(Profile, MistakesNameThePartAndWhatItShouldBe) {
  const struct {
    const char* text;
    const char* message;
  } rows[] = {
      {"", "RATE:DURATION"},
      {"40", "\"40\": must be RATE:DURATION"},
      {"40:30s,abc:10s", "\"abc:10s\": rates must be numbers from 0 to 5000"},
      {"5001:1s", "from 0 to 5000"},
      {"-1:1s", "rates must be"},
      {"nan:1s", "rates must be"},
      {"40:0s", "RATE:DURATION"},
      {"40:61m", "at most 3600 s"},
      {"40:30m,40:31m", "at most 3600 s"},
      {"40-:10s", "rates must be"},
      {"sine(100,200,60s):10s", "must not exceed the mean"},
      {"sine(100,50):10s", "sine(MEAN,AMPLITUDE,PERIOD)"},
      {"sine(4000,2000,60s):10s", "5000"},
  };
  for (const auto& row : rows) {
    const auto profile = parse_profile(row.text);
    ASSERT_FALSE(profile) << row.text;
    EXPECT_THAT(profile.error().message, HasSubstr(row.message));
  }
}

TEST(Profile, CsvRatesHoldUntilTheNextRow) {
  const auto profile =
      parse_profile_csv("seconds,requests_per_second\r\n# a comment\n0,10\n5,100\n15,20\n").value();
  EXPECT_DOUBLE_EQ(profile.duration_seconds(), 25);
  EXPECT_DOUBLE_EQ(profile.requests(), 50 + 1000 + 200);
}

TEST(Profile, CsvMistakesShowTheLine) {
  for (const char* text :
       {"", "seconds,rps\n", "0,10\nx,5\n", "-5,10\n", "0,1\n0,2\n", "0,9999\n"}) {
    EXPECT_FALSE(parse_profile_csv(text)) << text;
  }
  EXPECT_THAT(parse_profile_csv("0,10\n4,x\n").error().message, HasSubstr("\"4,x\""));
}

TEST(Profile, EveryTraceOfTheSimulatorMeansTheSameHere) {
  int traces = 0;
  for (const auto& file : std::filesystem::directory_iterator(TRACES_DIRECTORY)) {
    if (file.path().extension() != ".csv") continue;
    ++traces;
    std::ifstream stream(file.path());
    const std::string text(std::istreambuf_iterator<char>(stream), {});
    const auto trace = simulation::parse_trace(file.path().filename(), text).value();
    const auto end = simulation::end_seconds(trace);
    constexpr double kSpeed = 60;
    constexpr double kScale = 0.01;
    std::vector<std::string> notes;
    const auto profile =
        parse_profile_csv(text, {.rate = kScale, .speed = kSpeed}, &notes).value();
    EXPECT_EQ(notes.size(), trace.columns.size()) << file.path();
    EXPECT_NEAR(profile.duration_seconds(), (end - trace.seconds[0]) / kSpeed, 1e-6) << file.path();
    const ArrivalSchedule schedule(profile, Arrivals::kConstant, 1);
    for (std::size_t row = 0; row < trace.seconds.size(); ++row) {
      const double at = (trace.seconds[row] - trace.seconds[0]) / kSpeed + 1e-6;
      ASSERT_NEAR(schedule.rate_at(at), kScale * trace.requests_per_second[row], 1e-9)
          << file.path() << " row " << row;
    }
  }
  EXPECT_GT(traces, 5);
}

TEST(Profile, ATraceOfOneRowLastsAsLongAsInTheSimulator) {
  const std::string text = "\xef\xbb\xbfseconds, requests_per_second\n 30 , 12\n";
  EXPECT_DOUBLE_EQ(parse_profile_csv(text)->duration_seconds(), 600);
  const auto trace = simulation::parse_trace("one", text).value();
  EXPECT_DOUBLE_EQ(simulation::end_seconds(trace) - trace.seconds[0], 600);
}

TEST(Profile, WhatIsTooMuchForALiveRunCanBeScaledDown) {
  const std::string day = "seconds,requests_per_second\n0,20000\n43200,10000\n";
  EXPECT_THAT(parse_profile_csv(day).error().message, HasSubstr("5000"));
  EXPECT_THAT(parse_profile_csv(day, {.rate = 0.01}).error().message, HasSubstr("3600 s"));
  const auto scaled = parse_profile_csv(day, {.rate = 0.01, .speed = 720}).value();
  EXPECT_DOUBLE_EQ(scaled.duration_seconds(), 120);
  EXPECT_DOUBLE_EQ(scaled.requests(), 60 * 200 + 60 * 100);
}

TEST(ArrivalSchedule, ConstantArrivalsAreEvenlySpacedAndAsManyAsTheRateSays) {
  const auto times = times_of("50:2s", Arrivals::kConstant);
  ASSERT_EQ(times.size(), 100u);
  EXPECT_NEAR(times[0], 0.01, 1e-9);
  for (std::size_t index = 1; index < times.size(); ++index) {
    EXPECT_NEAR(times[index] - times[index - 1], 0.02, 1e-9);
  }
}

TEST(ArrivalSchedule, PhasesFollowEachOtherWithoutGapOrOverlap) {
  ArrivalSchedule schedule(parse_profile("40:3s,400:2s,0:1s,40:1s").value(), Arrivals::kConstant,
                           1);
  std::vector<std::size_t> counts(4);
  double last = 0;
  while (const auto arrival = schedule.next()) {
    EXPECT_GE(arrival->at_seconds, last);
    last = arrival->at_seconds;
    ++counts[arrival->phase];
  }
  EXPECT_THAT(counts, ::testing::ElementsAre(120u, 800u, 0u, 40u));
  EXPECT_GT(last, 6.9);
  EXPECT_DOUBLE_EQ(schedule.rate_at(3.5), 400);
  EXPECT_DOUBLE_EQ(schedule.rate_at(5.5), 0);
  EXPECT_DOUBLE_EQ(schedule.rate_at(7.5), 0);
}

TEST(ArrivalSchedule, ARampOffersTheIntegralOfItsRate) {
  const auto times = times_of("0-100:10s", Arrivals::kConstant);
  EXPECT_EQ(times.size(), 500u);
  for (const double until : {2.0, 5.0, 8.0}) {  // The integral is 5 t^2.
    EXPECT_NEAR(static_cast<double>(count_between(times, 0, until)), 5 * until * until, 1);
  }
}

TEST(ArrivalSchedule, ASineOffersMoreInItsHighHalf) {
  const auto times = times_of("sine(100,50,10s):10s", Arrivals::kConstant);
  EXPECT_EQ(times.size(), 1000u);
  const double swing = 50 * 10 / M_PI;  // The integral of half a wave.
  EXPECT_NEAR(static_cast<double>(count_between(times, 0, 5)), 500 + swing, 1);
}

TEST(ArrivalSchedule, PoissonHasTheRateAsMeanAndExponentialGaps) {
  const auto times = times_of("1000:60s", Arrivals::kPoisson, 42);
  const auto count = static_cast<double>(times.size());
  EXPECT_NEAR(count, 60'000, 4 * std::sqrt(60'000));  // Four standard deviations.
  double sum = 0;
  double squares = 0;
  for (std::size_t index = 1; index < times.size(); ++index) {
    const double gap = times[index] - times[index - 1];
    sum += gap;
    squares += gap * gap;
  }
  const double mean = sum / count;
  EXPECT_NEAR(std::sqrt(squares / count - mean * mean) / mean, 1, 0.03);  // As exponentials have.
}

TEST(ArrivalSchedule, TheSameSeedGivesTheSameArrivals) {
  EXPECT_EQ(times_of("100:2s", Arrivals::kPoisson, 5), times_of("100:2s", Arrivals::kPoisson, 5));
  EXPECT_NE(times_of("100:2s", Arrivals::kPoisson, 5), times_of("100:2s", Arrivals::kPoisson, 6));
}

}  // namespace
}  // namespace scalableapp::workload
