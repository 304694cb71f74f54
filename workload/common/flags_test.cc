#include "workload/common/flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "workload/load/options.h"
#include "workload/service/options.h"
#include "workload/worker/options.h"

namespace scalableapp::workload {
namespace {

using ::testing::HasSubstr;

std::string error_of(const FlagSet& flags, const std::vector<std::string>& arguments) {
  const auto parsed = flags.parse(arguments);
  return parsed ? "" : parsed.error().message;
}

TEST(FlagSet, ValuesComeAfterAnEqualsSignOrAsTheNextWord) {
  ServiceOptions options;
  const auto flags = service_flags(options);
  EXPECT_TRUE(
      flags.parse(std::vector<std::string>{"--port=81", "--cpu-ms", "1.5", "--warmup-readiness"})
          .value());
  EXPECT_EQ(options.port, 81);
  EXPECT_EQ(options.cpu_ms, 1.5);
  EXPECT_TRUE(options.warmup_readiness);
}

TEST(FlagSet, MistakesNameTheFlagWhatItGotAndWhatItShouldBe) {
  ServiceOptions service;
  WorkerOptions worker;
  LoadOptions load;
  const auto service_set = service_flags(service);
  EXPECT_EQ(error_of(service_set, {"--port=70000"}),
            "--port=70000: must be a whole number from 0 to 65535");
  EXPECT_EQ(error_of(service_set, {"--port=8x"}),
            "--port=8x: must be a whole number from 0 to 65535");
  EXPECT_EQ(error_of(service_set, {"--port"}), "--port: needs a value");
  EXPECT_EQ(error_of(service_set, {"--prot=1"}), "--prot=1: no such flag; --help lists them");
  EXPECT_EQ(error_of(service_set, {"port=1"}), "port=1: no such flag; --help lists them");
  EXPECT_EQ(error_of(service_set, {"--error-rate=1.5"}),
            "--error-rate=1.5: must be a number from 0 to 1");
  EXPECT_EQ(error_of(service_set, {"--cpu-ms=nan"}),
            "--cpu-ms=nan: must be a number from 0 to 10000");
  EXPECT_EQ(error_of(service_set, {"--warmup-readiness=yes"}),
            "--warmup-readiness=yes: must be true or false");
  EXPECT_THAT(error_of(worker_flags(worker), {"--queue=a\"b"}),
              HasSubstr("--queue=a\"b: must be letters"));
  EXPECT_EQ(error_of(load_flags(load), {"--arrivals=often"}),
            "--arrivals=often: must be one of constant, poisson");
  EXPECT_THAT(error_of(load_flags(load), {"--timeout=5"}),
              HasSubstr("--timeout=5: must be a duration from 1ms"));
}

TEST(FlagSet, HelpShowsDefaults) {
  ServiceOptions options;
  const auto flags = service_flags(options);
  EXPECT_FALSE(flags.parse(std::vector<std::string>{"--help"}).value());
  EXPECT_THAT(flags.help(), HasSubstr("--port=8080:\n\tPort of the service"));
}

TEST(HostPort, NeedsAHostAndAPort) {
  EXPECT_EQ(parse_host_port("redis:6379", "redis").value().port, 6379);
  for (const char* text :
       {"redis", ":1", "redis:", "redis:0", "redis:70000", "a:b:1", "http://a:1", "a:1x"}) {
    const auto parsed = parse_host_port(text, "redis");
    ASSERT_FALSE(parsed) << text;
    EXPECT_THAT(parsed.error().message, HasSubstr("--redis="));
  }
}

}  // namespace
}  // namespace scalableapp::workload
