#include "operator/plugin/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "operator/plugin/commands.h"

namespace scalableapp::plugin {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Words = std::vector<std::string>;

struct Given {
  std::string file, name;
  std::vector<std::string> traces, against;
  int count = 4;
  double wait = 0;
  bool watch = false;
  std::uint64_t seed = 1;
};

Command command_of(Given& given) {
  return {.name = "try",
          .summary = "Try it.",
          .examples = "# Try\nkubectl scalableapp try",
          .usage = "try NAME [options]",
          .flags = {{"filename", 'f', "''", "A file.", text(given.file)},
                    {"trace", 0, "[]", "A trace.", each(given.traces)},
                    {"count", 0, "4", "A number.", whole("count", given.count, 1, 9)},
                    {"wait", 0, "0s", "A time.", duration("wait", given.wait, 0, 864'000)},
                    {"watch", 'w', "false", "A switch.", toggle("watch", given.watch), "true"},
                    {"seed", 0, "1", "A seed.", seed("seed", given.seed)},
                    {"against", 0, "[]", "Others.", choices("against", given.against, {"a", "b"})}},
          .argument = "NAME",
          .set_argument = text(given.name)};
}

TEST(CommandLine, TakesFlagsInEveryFormThatKubectlTakes) {
  Given given;
  const Words words{"web", "-f",        "a.yaml",    "--trace=x", "--trace",
                    "y",   "--count=7", "--against", "b,a"};
  EXPECT_EQ(parse_flags(command_of(given), words), true);
  EXPECT_EQ(given.name, "web");
  EXPECT_EQ(given.file, "a.yaml");
  EXPECT_THAT(given.traces, ElementsAre("x", "y"));
  EXPECT_EQ(given.count, 7);
  EXPECT_THAT(given.against, ElementsAre("a", "b")) << "in the order of the choices";
  for (const Words& short_form :
       {Words{"-fb.yaml"}, Words{"-f=b.yaml"}, Words{"--filename=b.yaml"}}) {
    given.file.clear();
    EXPECT_EQ(parse_flags(command_of(given), short_form), true);
    EXPECT_EQ(given.file, "b.yaml");
  }
}

TEST(CommandLine, ASwitchStandsAloneOrTakesItsValueBehindAnEqualsSign) {
  Given given;
  for (const Words& words : {Words{"--watch", "web"}, Words{"-w", "web"}, Words{"web", "--watch=true"}}) {
    given.watch = false;
    given.name.clear();
    EXPECT_EQ(parse_flags(command_of(given), words), true);
    EXPECT_TRUE(given.watch);
    EXPECT_EQ(given.name, "web");
  }
  EXPECT_EQ(parse_flags(command_of(given), Words{"--watch=false"}), true);
  EXPECT_FALSE(given.watch);
}

TEST(CommandLine, ReadsDaysBesideGoDurations) {
  Given given;
  for (const auto& [text, want] :
       {std::pair("40ms", 0.04), {"1m30s", 90.0}, {"7d", 604'800.0}, {"1d12h", 129'600.0}}) {
    EXPECT_EQ(parse_flags(command_of(given), Words{std::string("--wait=") + text}), true) << text;
    EXPECT_DOUBLE_EQ(given.wait, want) << text;
  }
}

TEST(CommandLine, SaysWhatAFlagShouldBe) {
  const std::vector<std::pair<Words, const char*>> cases{
      {{"--count=0"}, "--count=0: must be a whole number from 1 to 9"},
      {{"--count", "3x"}, "--count=3x: must be a whole number from 1 to 9"},
      {{"--wait=5"}, "--wait=5: must be a duration such as 40ms or 1m30s, from 0s to 240h"},
      {{"--wait=11d"}, "--wait=11d: must be a duration"},
      {{"--wait=-1d"}, "--wait=-1d: must be a duration"},
      {{"--seed=-1"}, "--seed=-1: must be a whole number from 0 to 18446744073709551615"},
      {{"--against=a,c"},
       "--against=a,c: must be one or more of a, b, separated by commas, or all"},
      {{"--against="}, "--against=: must be one or more of a, b"},
      {{"--watch=yes"}, "--watch=yes: must be true or false"},
      {{"--trace"}, "--trace: needs a value"},
      {{"--colour=red"}, "--colour: no such flag of try; must be one of --against, --count"},
      {{"-x"}, "-x: no such flag of try"},
      {{"web", "api"}, "api: try takes one NAME only"},
  };
  for (const auto& [words, want] : cases) {
    Given given;
    const auto parsed = parse_flags(command_of(given), words);
    ASSERT_FALSE(parsed) << want;
    EXPECT_THAT(parsed.error().message, HasSubstr(want));
  }
}

TEST(CommandLine, HelpHasTheSectionsOfKubectl) {
  Given given;
  EXPECT_EQ(parse_flags(command_of(given), Words{"--count=3", "--help"}), false);
  const std::string help = help_of(command_of(given));
  EXPECT_THAT(help, testing::StartsWith(
                        "Try it.\n\nExamples:\n  # Try\n  kubectl scalableapp try\n\nOptions:\n"));
  EXPECT_THAT(help, HasSubstr("    -f, --filename='':\n\tA file.\n"));
  EXPECT_THAT(help, testing::EndsWith("\nUsage:\n  kubectl scalableapp try NAME [options]\n"));
}

TEST(Commands, EveryOneHasHelpAndRefusesUnknownFlags) {
  for (const std::string name :
       {"status", "history", "promote", "abort", "retry", "pause", "resume", "restart", "undo", "scale", "adopt",
        "release", "simulate", "backtest", "tune", "explain", "decide"}) {
    const Ran help = run(Words{name, "--help"});
    EXPECT_EQ(help.exit_code, 0);
    for (const char* part : {"Examples:\n", "Options:\n", "Usage:\n  kubectl scalableapp "}) {
      EXPECT_THAT(help.out, HasSubstr(part)) << name;
    }
    EXPECT_EQ(run(Words{"help", name}).out, help.out);
    std::istringstream lines(help.out);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 104U) << line;
    const Ran refused = run(Words{name, "--colour=red"});
    EXPECT_EQ(refused.exit_code, 2);
    EXPECT_THAT(refused.err, HasSubstr("error: --colour: no such flag of " + name));
    EXPECT_THAT(refused.err, HasSubstr("See 'kubectl scalableapp " + name + " --help' for usage."));
    EXPECT_EQ(run(Words{name}).exit_code, 2) << name << " needs flags";
  }
}

TEST(Commands, TheOverviewNamesThemAll) {
  const Ran overview = run(Words{"--help"});
  EXPECT_EQ(overview.exit_code, 0);
  EXPECT_EQ(run(Words{}).out, overview.out);
  EXPECT_THAT(overview.out,
              testing::ContainsRegex("Watch and steer:\n  status (.|\n)*\n\nMove to ScalableApps and back:\n  adopt "
                                     "(.|\n)*\n\nTry and explain:\n  simulate "));
  for (const char* name : {"status", "history", "promote", "abort", "retry", "pause", "resume", "restart", "undo",
                           "scale", "adopt", "release", "simulate", "backtest", "tune", "explain", "decide", "version"}) {
    EXPECT_THAT(overview.out, HasSubstr(std::string("\n  ") + name + " "));
  }
  EXPECT_THAT(run(Words{"deploy"}).err, HasSubstr("deploy: no such command; must be one of status, history, "));
  EXPECT_THAT(run(Words{"version"}).out, testing::StartsWith("kubectl-scalableapp "));
}

}  // namespace
}  // namespace scalableapp::plugin
