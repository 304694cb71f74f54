#include "workload/load/mix.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace scalableapp::workload {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> names_of(const std::string& text) {
  auto mix = parse_mix(text).value();
  std::vector<MixEntry*> entries;
  for (auto& entry : mix.entries) entries.push_back(&entry);
  name_entries(entries);
  std::vector<std::string> names;
  for (const auto& entry : mix.entries) names.push_back(entry.name);
  return names;
}

TEST(Mix, WeightsDecideHowOftenEachIsPicked) {
  const auto mix = parse_mix("/work=90,/=5,/jobs:POST=4,/q?a=b=1").value();
  ASSERT_EQ(mix.entries.size(), 4u);
  EXPECT_EQ(mix.entries[2].method, "POST");
  EXPECT_EQ(mix.entries[2].path.text(), "/jobs");
  EXPECT_EQ(mix.entries[3].path.text(), "/q?a=b");
  std::vector<int> counts(4);
  for (int step = 0; step < 1000; ++step) ++counts[mix.pick((step + 0.5) / 1000)];
  EXPECT_THAT(counts, ElementsAre(900, 50, 40, 10));
}

TEST(Mix, TemplatesAndMethodsAreReadInTheCompactForm) {
  const auto mix = parse_mix("/items/{zipf:1000}=80,/likes/{uniform:100}:POST=5,/x/{id}:DELETE,"
                             "/feed?user={user}")
                       .value();
  ASSERT_EQ(mix.entries.size(), 4u);
  EXPECT_EQ(mix.entries[0].path.text(), "/items/{zipf:1000}");
  EXPECT_EQ(mix.entries[0].method, "GET");
  EXPECT_EQ(mix.entries[1].path.text(), "/likes/{uniform:100}");
  EXPECT_EQ(mix.entries[1].method, "POST");
  EXPECT_DOUBLE_EQ(mix.entries[1].weight, 5);
  EXPECT_EQ(mix.entries[2].method, "DELETE");
  EXPECT_EQ(mix.entries[3].path.text(), "/feed?user={user}");
}

TEST(Mix, MistakesNameThePart) {
  for (const char* text :
       {"", "work=1", "/a=0", "/a=-1", "/a b=1", "/a=1,", "/a\r\nX: y=1", "/{nobody}=1"}) {
    EXPECT_FALSE(parse_mix(text)) << text;
  }
  EXPECT_THAT(parse_mix("/=1,bad=2").error().message, HasSubstr("\"bad=2\""));
  EXPECT_THAT(parse_mix("/{nobody}=1").error().message, HasSubstr("{nobody}: is not known"));
  std::string many = "/0";
  for (std::size_t count = 1; count <= kMaxRequests; ++count) many += ",/" + std::to_string(count);
  EXPECT_THAT(parse_mix(many).error().message, HasSubstr("at most 64"));
}

TEST(Mix, EndpointsAreNamedByMethodAndPathAndToldApart) {
  EXPECT_THAT(names_of("/items/{zipf:9}?x=1,/jobs:POST=2,/=3"),
              ElementsAre("/items/{zipf:9}", "POST /jobs", "/"));
  EXPECT_THAT(names_of("/work?ms=1=1,/work?ms=2=1,/work?ms=2=2"),
              ElementsAre("/work?ms=1", "/work?ms=2", "/work?ms=2 #2"));
}

TEST(RequestText, CarriesIdCookieAndBody) {
  MixEntry entry;
  entry.target = {"shop", 8080};
  entry.method = "POST";
  entry.path = TextTemplate::parse("/orders/{id}").value();
  entry.body = TextTemplate::parse(R"({"id":"{id}"})").value();
  entry.headers.emplace_back("X-User", TextTemplate::parse("{user}").value());
  std::mt19937_64 random(1);
  EXPECT_TRUE(needs_id(entry));
  EXPECT_EQ(request_text(entry, "session=1", {5, "abc", random}),
            "POST /orders/abc HTTP/1.1\r\nUser-Agent: demo-workload\r\nHost: shop:8080\r\n"
            "X-User: 5\r\nCookie: session=1\r\nIdempotency-Key: abc\r\n"
            "Content-Type: application/json\r\nContent-Length: 12\r\n\r\n{\"id\":\"abc\"}");
}

TEST(RequestText, OwnHostAndContentTypeWinAndGetHasNoKey) {
  MixEntry entry;
  entry.target = {"edge", 80};
  entry.path = TextTemplate::parse("/").value();
  std::mt19937_64 random(1);
  EXPECT_FALSE(needs_id(entry));
  EXPECT_EQ(request_text(entry, "", {1, "", random}),
            "GET / HTTP/1.1\r\nUser-Agent: demo-workload\r\nHost: edge\r\n\r\n");
  entry.headers.emplace_back("host", TextTemplate::parse("shop.example").value());
  EXPECT_EQ(request_text(entry, "", {1, "", random}),
            "GET / HTTP/1.1\r\nUser-Agent: demo-workload\r\nhost: shop.example\r\n\r\n");
}

}  // namespace
}  // namespace scalableapp::workload
