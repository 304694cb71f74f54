// An HttpTransport that plays a script: each call, whether send or stream, gets the next reply, and
// what was asked is kept for comparison. At the script's end it asks the run to stop. One thread.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "operator/kube/transport.h"
#include "tests/support/jump_clock.h"

namespace scalableapp::kube {

struct Reply {
  int status = 200;
  std::string body = {};
  std::vector<std::string> lines = {};  // Of a stream.
  std::optional<Error> error = {};      // Of a stream: after the lines.
  std::optional<milliseconds> retry_after = {};
  milliseconds takes{0};  // Moves the clock.
};

class ScriptedTransport final : public HttpTransport {
 public:
  ScriptedTransport(std::vector<Reply> script, const JumpClock& clock, std::stop_source stop)
      : script_(script.begin(), script.end()), clock_(clock), stop_(std::move(stop)) {}

  Result<HttpResponse> send(const HttpRequest& request, std::stop_token) override {
    return play(request, nullptr);
  }
  Result<HttpResponse> stream(const HttpRequest& request, milliseconds, const OnLine& on_line,
                              std::stop_token) override {
    return play(request, &on_line);
  }

  const std::vector<HttpRequest>& requests() const { return requests_; }

 private:
  Result<HttpResponse> play(const HttpRequest& request, const OnLine* on_line) {
    if (script_.empty()) {
      stop_.request_stop();
      return fail(ErrorCode::kCancelled, "end of the script");
    }
    requests_.push_back(request);
    const Reply reply = std::move(script_.front());
    script_.pop_front();
    clock_.advance(reply.takes);
    for (const std::string& line : reply.lines) {
      if (on_line == nullptr || !(*on_line)(line)) return HttpResponse{.status = reply.status};
    }
    if (reply.error) return tl::unexpected(*reply.error);
    return HttpResponse{reply.status, reply.body, reply.retry_after};
  }

  std::deque<Reply> script_;
  const JumpClock& clock_;
  std::stop_source stop_;
  std::vector<HttpRequest> requests_;
};

}  // namespace scalableapp::kube
