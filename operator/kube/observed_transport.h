// An HttpTransport that tells how each request of another one went, for metrics. Thread-safe.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "operator/kube/transport.h"
#include "operator/platform/clock.h"

namespace scalableapp::kube {

class ObservedTransport final : public HttpTransport {
 public:
  // `verb`: the HTTP method, or "WATCH" for stream; `code`: the HTTP status, or an ErrorCode's name
  // if there was none; `duration`: until the whole answer, -1 ms for a stream. Called on the
  // caller's thread.
  using Observer =
      std::function<void(std::string_view verb, std::string_view code, milliseconds duration)>;

  // `inner` and `clock` must outlive it.
  ObservedTransport(HttpTransport& inner, const Clock& clock, Observer observer);

  Result<HttpResponse> send(const HttpRequest& request, std::stop_token stop) override;
  Result<HttpResponse> stream(const HttpRequest& request, milliseconds idle_timeout,
                              const OnLine& on_line, std::stop_token stop) override;

 private:
  HttpTransport& inner_;
  const Clock& clock_;
  const Observer observer_;
};

}  // namespace scalableapp::kube
