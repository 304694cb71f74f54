#include "operator/kube/observed_transport.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "tests/support/fake_clock.h"

namespace scalableapp::kube {
namespace {

// Takes 30 ms for every answer, which is the same each time.
class SlowTransport final : public HttpTransport {
 public:
  explicit SlowTransport(FakeClock& clock) : clock_(clock) {}
  Result<HttpResponse> send(const HttpRequest&, std::stop_token) override {
    clock_.advance(milliseconds(30));
    return answer;
  }
  Result<HttpResponse> stream(const HttpRequest&, milliseconds, const OnLine&,
                              std::stop_token) override {
    clock_.advance(milliseconds(30));
    return answer;
  }
  Result<HttpResponse> answer = HttpResponse{.status = 200};

 private:
  FakeClock& clock_;
};

TEST(ObservedTransport, TellsVerbOutcomeAndDurationAndPassesTheAnswerOn) {
  FakeClock clock;
  SlowTransport slow(clock);
  std::vector<std::string> seen;
  ObservedTransport observed(
      slow, clock, [&](std::string_view verb, std::string_view code, milliseconds duration) {
        seen.push_back(fmt::format("{} {} {}", verb, code, duration.count()));
      });
  EXPECT_EQ(observed.send({.method = "PATCH", .path_and_query = "/"}, {})->status, 200);
  observed.stream({.path_and_query = "/"}, seconds(1), {}, {});
  slow.answer = fail(ErrorCode::kTimeout, "no answer");
  EXPECT_EQ(observed.send({.path_and_query = "/"}, {}).error().code, ErrorCode::kTimeout);
  EXPECT_THAT(seen, testing::ElementsAre("PATCH 200 30", "WATCH 200 -1", "GET timeout 30"));
}

}  // namespace
}  // namespace scalableapp::kube
