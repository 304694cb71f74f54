#include "workload/load/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace scalableapp::workload {
namespace {

using ::testing::HasSubstr;

const PlanDefaults kDefaults{
    .target = "http://web", .mix = "/=1", .arrivals = "constant", .slo = "", .users = 9};

Result<RunSpec> parse(const std::string& text) { return parse_plan(text, kDefaults, nullptr); }

TEST(Plan, AnEmptyOneIsWhatTheFlagsSay) {
  for (const char* text : {"", "{}", "# nothing"}) {
    const auto spec = parse(text).value();
    ASSERT_EQ(spec.streams.size(), 1u);
    EXPECT_EQ(spec.streams[0].profile_text, "40:1m");
    EXPECT_EQ(spec.streams[0].name, "");
    EXPECT_EQ(spec.streams[0].mix.entries[0].target.host, "web");
    EXPECT_EQ(spec.users, 9);
  }
}

TEST(Plan, ReadsRequestsWithWhatTheyShare) {
  const auto spec = parse(R"(
target: http://edge:8080
profile: "10:20s,10-300:60s"
arrivals: poisson
seed: 3
users: 50
slo: {latency: 250ms}
headers: {Host: shop.example}
requests:
  - {path: "/items/{zipf:1000}", weight: 80}
  - name: order
    method: POST
    path: /orders
    target: http://orders
    weight: 5
    slo: 1s
    headers: {X-User: "{user}"}
    body: '{"item": {zipf:1000}}'
)").value();
  ASSERT_EQ(spec.streams.size(), 1u);
  EXPECT_EQ(spec.seed, 3u);
  EXPECT_EQ(spec.users, 50);
  const auto& stream = spec.streams[0];
  EXPECT_EQ(stream.arrivals, Arrivals::kPoisson);
  EXPECT_DOUBLE_EQ(stream.profile.duration_seconds(), 80);
  EXPECT_EQ(stream.mix_text, "/items/{zipf:1000}=80,order=5");
  const auto& items = stream.mix.entries[0];
  EXPECT_EQ(items.name, "/items/{zipf:1000}");
  EXPECT_EQ(items.target.host, "edge");
  EXPECT_EQ(items.target.port, 8080);
  EXPECT_EQ(items.slo, milliseconds(250));
  EXPECT_EQ(items.headers.size(), 1u);
  const auto& order = stream.mix.entries[1];
  EXPECT_EQ(order.name, "order");
  EXPECT_EQ(order.target.host, "orders");
  EXPECT_EQ(order.target.port, 80);
  EXPECT_EQ(order.slo, seconds(1));
  EXPECT_EQ(order.headers.size(), 2u);
  EXPECT_EQ(order.body.text(), R"({"item": {zipf:1000}})");
}

TEST(Plan, JsonIsAPlanToo) {
  const auto spec =
      parse(R"({"profile":"40:20s","mix":"/work=85,/jobs:POST=5","arrivals":"poisson","seed":7})")
          .value();
  EXPECT_EQ(spec.streams[0].profile_text, "40:20s");
  EXPECT_EQ(spec.streams[0].mix.entries[1].name, "POST /jobs");
  EXPECT_EQ(spec.seed, 7u);
  EXPECT_EQ(parse(R"({"rate":10,"duration":"5s"})")->streams[0].profile_text, "10:5s");
  EXPECT_DOUBLE_EQ(parse(R"({"csv":"0,10\n5,20\n"})")->streams[0].profile.duration_seconds(), 10);
}

TEST(Plan, StreamsHaveProfilesOfTheirOwnAndShareTheRest) {
  const auto spec = parse(R"(
slo: 300ms
streams:
  - {name: drivers, target: "http://rides", profile: ["50:1m", "50-100:10s"], mix: "/pings:PUT=1"}
  - {target: "http://prices", profile: "5:20s", mix: "/surge=1", slo: 100ms}
)").value();
  ASSERT_EQ(spec.streams.size(), 2u);
  EXPECT_EQ(spec.streams[0].name, "drivers");
  EXPECT_EQ(spec.streams[1].name, "2");
  EXPECT_EQ(spec.streams[0].profile.phases.size(), 2u);
  EXPECT_EQ(spec.streams[0].mix.entries[0].slo, milliseconds(300));
  EXPECT_EQ(spec.streams[1].mix.entries[0].slo, milliseconds(100));
  EXPECT_EQ(spec.streams[1].mix.entries[0].target.host, "prices");
}

TEST(Plan, ATraceIsReadFromItsFileOnlyWhereFilesMayBeRead) {
  const ReadFile read = [](const std::string& name) -> Result<std::string> {
    if (name != "day.csv") return fail(ErrorCode::kInvalid, "cannot read " + name);
    return "seconds,requests_per_second,error_ratio\n0,1000,0\n60,2000,0.1\n";
  };
  const std::string plan = "profile: day.csv\ntraceScale: 0.01\ntraceSpeed: 2";
  const auto spec = parse_plan(plan, kDefaults, read).value();
  EXPECT_DOUBLE_EQ(spec.streams[0].profile.requests(), 30 * 10 + 30 * 20);
  ASSERT_EQ(spec.notes.size(), 1u);
  EXPECT_THAT(spec.notes[0], HasSubstr("error_ratio"));
  EXPECT_THAT(parse_plan("profile: no.csv", kDefaults, read).error().message,
              HasSubstr("profile: cannot read no.csv"));
  EXPECT_THAT(parse(plan).error().message, HasSubstr("give its text as csv"));
}

TEST(Plan, MistakesNameTheFieldAndWhatItShouldBe) {
  const struct {
    const char* text;
    const char* message;
  } rows[] = {
      {"- 1", "plan: must be a mapping"},
      {"x: [", "plan: is not YAML"},
      {"proflie: 1", "proflie: is not known; use "},
      {"profile: 40:3x", "profile: \"40:3x\": must be RATE:DURATION"},
      {"rate: -1", "rate: must be a number from 0 to 5000"},
      {"duration: 2h", "duration: lasts 7200 s; at most 3600 s"},
      {"seed: 1.5", "seed: must be a whole number"},
      {"users: 0", "users: must be a whole number from 1"},
      {"arrivals: often", "arrivals: must be constant or poisson"},
      {"target: web:80", "target: must be http://HOST[:PORT]"},
      {"target: http://web/path", "target: must be http://HOST[:PORT]"},
      {"slo: fast", "slo: must be a duration, such as 250ms"},
      {"slo: {latency: 0s}", "slo.latency: must be a duration"},
      {"slo: {p99: 1s}", "slo.p99: is not known; use latency"},
      {"mix: [1]", "mix: must be a text"},
      {"mix: /{no}", "{no}: is not known"},
      {"{mix: /, requests: [{path: /}]}", "mix: must not be there beside requests"},
      {"requests: []", "requests: must be a list of at least one"},
      {"requests: [/]", "requests[0]: must be a mapping"},
      {"requests: [{path: x}]", "requests[0].path: the path must begin with /"},
      {"requests: [{weight: 1}]", "requests[0].path"},
      {"requests: [{path: /, weight: 0}]", "requests[0].weight: must be a number"},
      {"requests: [{path: /, method: PATCH}]", "requests[0].method: must be GET, POST, PUT or"},
      {"requests: [{path: /, body: x}]", "requests[0].body: only POST and PUT have one"},
      {"requests: [{path: /, method: PUT, body: '{idd}'}]", "requests[0].body: {idd}: is not"},
      {"requests: [{path: /, headers: {Cookie: x}}]", "headers.Cookie: is set by the generator"},
      {"requests: [{path: /, headers: {'A B': x}}]", "headers.A B: the name must be of letters"},
      {"requests: [{path: /, headers: {A: \"x\\r\\ny\"}}]", "headers.A: must be one line"},
      {"requests: [{path: /, name: a}, {path: /, name: a}]", "the name \"a\" is there twice"},
      {"streams: []", "streams: must be a list of 1 to 8"},
      {"streams: [{mix: x}]", "streams[0].mix: \"x\""},
      {"{streams: [{mix: /}], profile: '1:1s'}", "profile: is not known"},
      {"streams: [{requests: [{path: /, slo: 1}]}]", "streams[0].requests[0].slo: must be"},
  };
  for (const auto& row : rows) {
    const auto spec = parse(row.text);
    ASSERT_FALSE(spec) << row.text;
    EXPECT_THAT(spec.error().message, HasSubstr(row.message)) << row.text;
  }
  std::string phases = "profile: 1:1s";
  for (std::size_t count = 0; count < kMaxPhases; ++count) phases += ",1:1s";
  EXPECT_THAT(parse(phases).error().message, HasSubstr("257 phases are more than 256"));
}

}  // namespace
}  // namespace scalableapp::workload
