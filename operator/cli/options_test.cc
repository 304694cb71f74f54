#include "operator/cli/options.h"

#include <gtest/gtest.h>

namespace scalableapp::cli {
namespace {

Result<std::variant<OperatorOptions, PrintAndExit>> parse(std::vector<std::string> arguments) {
  return parse_options(arguments, "pod-0");
}

TEST(Options, BothWaysToWriteAFlagMeanTheSame) {
  const auto joined = parse({"--prometheus-url=http://p:9090", "--workers=4"});
  const auto apart = parse({"--prometheus-url", "http://p:9090", "--workers", "4"});
  ASSERT_TRUE(joined && apart);
  EXPECT_EQ(std::get<OperatorOptions>(*joined).manager.workers, 4);
  EXPECT_EQ(std::get<OperatorOptions>(*apart).manager.workers, 4);
  EXPECT_EQ(std::get<OperatorOptions>(*apart).manager.identity, "pod-0");
}

TEST(Options, TheLeaseHasANameUnlessOneIsGiven) {
  const auto plain = parse({"--prometheus-url=http://p"});
  const auto named = parse({"--prometheus-url=http://p", "--lease-name=second"});
  ASSERT_TRUE(plain && named);
  EXPECT_EQ(std::get<OperatorOptions>(*plain).manager.lease_name, "scalableapp-operator");
  EXPECT_EQ(std::get<OperatorOptions>(*named).manager.lease_name, "second");
}

TEST(Options, AWrongFlagIsNamedWithWhatItShouldBe) {
  struct Case {
    std::vector<std::string> arguments;
    std::string want;
  };
  const std::vector<Case> cases{
      {{}, "--prometheus-url: must be set"},
      {{"--prometheus-url=p:9090"}, "must start with http://"},
      {{"--prometheus-url=http://p", "--workers=0"}, "--workers=0: must be a whole number from 1 to 32"},
      {{"--prometheus-url=http://p", "--workers=two"}, "--workers=two: must be a whole number"},
      {{"--prometheus-url=http://p", "--log-level=loud"}, "must be one of debug, info, warn, error"},
      {{"--prometheus-url=http://p", "--leader-elect=maybe"}, "must be true or false"},
      {{"--speed=9"}, "--speed=9: no such flag"},
      {{"prometheus"}, "prometheus: no such flag"},
      {{"--workers"}, "--workers: needs a value"},
  };
  for (const Case& one : cases) {
    const auto parsed = parse(one.arguments);
    ASSERT_FALSE(parsed) << one.want;
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalid);
    EXPECT_NE(parsed.error().message.find(one.want), std::string::npos) << parsed.error().message;
  }
}

TEST(Options, FailOpenTakesTheFlagsThatItHasUseFor) {
  const auto parsed = parse({"fail-open", "--lease-name=second", "--namespace", "shop", "--http-port=0"});
  ASSERT_TRUE(parsed);
  const auto& options = std::get<OperatorOptions>(*parsed);
  EXPECT_TRUE(options.is_fail_open);
  EXPECT_EQ(options.manager.lease_name, "second");
  EXPECT_EQ(options.manager.watch_namespace, "shop");
  EXPECT_FALSE(std::get<OperatorOptions>(*parse({"--prometheus-url=http://p"})).is_fail_open);
  for (const char* flag : {"--prometheus-url=http://p", "--workers=4", "--leader-elect=false"}) {
    const auto refused = parse({"fail-open", flag});
    ASSERT_FALSE(refused) << flag;
    EXPECT_NE(refused.error().message.find("no such flag"), std::string::npos) << refused.error().message;
  }
  const auto help = parse({"fail-open", "--help"});
  EXPECT_NE(std::get<PrintAndExit>(*help).text.find("--lease-name"), std::string::npos);
  EXPECT_EQ(std::get<PrintAndExit>(*help).text.find("--workers"), std::string::npos);
}

TEST(Options, HelpListsEveryFlagAndVersionIsOneLine) {
  const auto help = parse({"--help"});
  ASSERT_TRUE(help);
  for (const char* flag : {"--kubeconfig", "--prometheus-url", "--workers", "--log-level"}) {
    EXPECT_NE(std::get<PrintAndExit>(*help).text.find(flag), std::string::npos) << flag;
  }
  EXPECT_EQ(std::get<PrintAndExit>(*parse({"--version"})).text.find("scalableapp-operator "), 0u);
}

}  // namespace
}  // namespace scalableapp::cli
