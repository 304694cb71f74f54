#include "operator/plugin/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "operator/plugin/plot.h"
#include "operator/plugin/table.h"

// fontconfig keeps its configuration until the process ends.
extern "C" const char* __lsan_default_suppressions() { return "leak:libfontconfig\n"; }

namespace scalableapp::plugin {
namespace {

using testing::HasSubstr;

TraceReport report() {
  simulation::PolicyResult own{
      .name = "scalableapp", .settings = "every 2s", .slo = "99% within 250ms"};
  own.slo_seconds = 0.25;
  own.measured_seconds = 590;
  own.slo_violation_seconds = 9;
  own.replica_seconds = 7284.9;
  own.scale_events = 8;
  own.arrived = 1000;
  own.points = {{0, 10, 0.1, 3, 3, 0}, {300, 100, 0.9, 6, 4, 7}, {450, 0, 0, 6, 6, 0}};
  simulation::PolicyResult hpa = own;
  hpa.name = "hpa";
  hpa.settings = "every 15s";
  hpa.slo_violation_seconds = 32.5;
  hpa.replica_seconds = 6000;
  return {.trace = "spike.csv", .policies = {own, hpa}};
}

TEST(Table, AlignsByCharactersAndLeavesNoBlanksBehind) {
  EXPECT_EQ(render({.headings = {"NAME", "N"},
                    .rows = {{"é", "10"}, {"web", "7"}},
                    .is_number = {false, true}}),
            "NAME    N\né      10\nweb     7\n");
}

TEST(Table, CsvQuotesWhatNeedsIt) {
  EXPECT_EQ(render_csv({.headings = {"a", "b"}, .rows = {{"x,y", "say \"hi\""}}}),
            "a,b\n\"x,y\",\"say \"\"hi\"\"\"\n");
}

TEST(Report, MarksTheBestOfAColumnWherePoliciesDiffer) {
  const std::string table = report_table(std::vector{report()});
  EXPECT_THAT(table, HasSubstr("spike.csv: 590 s, 1000 requests or jobs"));
  EXPECT_THAT(table, testing::ContainsRegex("scalableapp +9\\* +7285  +8 "));
  EXPECT_THAT(table, testing::ContainsRegex("hpa +32.5  +6000\\* +8 "));
  EXPECT_THAT(table, HasSubstr("Settings:\n  scalableapp   every 2s\n  hpa           every 15s\n"));
}

TEST(Report, OneTraceIsAnObjectAndSeveralAreAnArray) {
  const auto one = nlohmann::json::parse(report_json(std::vector{report()}));
  EXPECT_EQ(one["trace"], "spike.csv");
  ASSERT_EQ(one["policies"].size(), 2U);
  for (const char* field :
       {"name", "sloViolationSeconds", "replicaSeconds", "scaleEvents", "directionChanges",
        "worstQueue", "recoverySeconds", "loadDirectionChanges", "maxReplicas", "settings"}) {
    EXPECT_TRUE(one["policies"][0].contains(field)) << field;
  }
  EXPECT_EQ(one["policies"][1]["sloViolationSeconds"], 32.5);
  const auto two = nlohmann::json::parse(report_json(std::vector{report(), report()}));
  EXPECT_EQ(two.size(), 2U);
  EXPECT_EQ(two[1], one);
}

TEST(Report, CsvHasARowForEachTraceAndPolicy) {
  const std::string csv = report_csv(std::vector{report(), report()});
  EXPECT_EQ(std::ranges::count(csv, '\n'), 5);
  EXPECT_THAT(csv, testing::StartsWith("trace,policy,sloViolationSeconds,replicaSeconds,"));
}

TEST(Plot, EveryFormatIsWhatItsNameSays) {
  const std::vector reports{report(), report()};
  EXPECT_THAT(*plot_runs(reports, PictureFormat::kSvg, ""), HasSubstr("<svg"));
  EXPECT_THAT(*plot_runs(reports, PictureFormat::kPng, ""), testing::StartsWith("\x89PNG"));
  const std::string html = *plot_runs(reports, PictureFormat::kHtml, "a < b");
  EXPECT_THAT(html, testing::StartsWith("<!doctype html>"));
  EXPECT_THAT(html, HasSubstr("<pre>a &lt; b</pre>"));
  EXPECT_THAT(html, testing::Not(HasSubstr("<?xml")));
  EXPECT_TRUE(
      plot_front(std::vector<FrontPoint>{{1, 2, true, "current"}}, "web", PictureFormat::kSvg, ""));
}

TEST(Plot, ARunWithoutPointsIsDrawnToo) {
  TraceReport empty = report();
  for (auto& policy : empty.policies) policy.points.clear();
  EXPECT_TRUE(plot_runs(std::vector{empty}, PictureFormat::kPng, ""));
}

TEST(Plot, RefusesOtherEndings) {
  EXPECT_EQ(picture_format_of("a.gif").error().message,
            "--plot=a.gif: must be a file that ends in .svg, .png or .html");
}

}  // namespace
}  // namespace scalableapp::plugin
