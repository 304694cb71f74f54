#include "workload/load/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace scalableapp::workload {
namespace {

using ::testing::HasSubstr;

TEST(LoadOptions, BadTargetsAndProfilesAreRefusedWithTheFlagsName) {
  LoadOptions options;
  for (const char* target : {"web", "https://web", "http://", "http://web/path", "http://web:x"}) {
    options.target = target;
    const auto parsed = run_spec(options);
    ASSERT_FALSE(parsed) << target;
    EXPECT_THAT(parsed.error().message, HasSubstr("--target: must be http://HOST[:PORT]"));
  }
  options = {};
  options.profile = "40:3";
  EXPECT_THAT(run_spec(options).error().message, HasSubstr("--profile: \"40:3\""));
  options.profile = "missing.csv";
  EXPECT_THAT(run_spec(options).error().message, HasSubstr("cannot read missing.csv"));
  options.plan = "missing.yaml";
  EXPECT_THAT(run_spec(options).error().message, HasSubstr("--plan: cannot read missing.yaml"));
}

TEST(LoadOptions, WhatTheBodyOfAStartLeavesOutIsAsInTheFlags) {
  LoadOptions initial;
  initial.rate = 7;
  const auto spec = run_spec_from_body(R"({"duration":"10s","seed":7})", initial).value();
  EXPECT_EQ(spec.seed, 7u);
  EXPECT_EQ(spec.streams[0].profile_text, "7:10s");
  EXPECT_EQ(spec.streams[0].mix_text, initial.mix);
  EXPECT_FALSE(run_spec_from_body("[]", initial));
}

}  // namespace
}  // namespace scalableapp::workload
