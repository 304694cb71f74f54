#include "operator/kube/observed_transport.h"

#include <utility>

namespace scalableapp::kube {
namespace {

std::string code_of(const Result<HttpResponse>& answer) {
  return answer ? std::to_string(answer->status) : to_string(answer.error().code);
}

}  // namespace

ObservedTransport::ObservedTransport(HttpTransport& inner, const Clock& clock, Observer observer)
    : inner_(inner), clock_(clock), observer_(std::move(observer)) {}

Result<HttpResponse> ObservedTransport::send(const HttpRequest& request, std::stop_token stop) {
  const MonotonicTime begun = clock_.monotonic_now();
  Result<HttpResponse> answer = inner_.send(request, std::move(stop));
  observer_(request.method, code_of(answer), clock_.monotonic_now() - begun);
  return answer;
}

Result<HttpResponse> ObservedTransport::stream(const HttpRequest& request,
                                               milliseconds idle_timeout, const OnLine& on_line,
                                               std::stop_token stop) {
  Result<HttpResponse> answer = inner_.stream(request, idle_timeout, on_line, std::move(stop));
  observer_("WATCH", code_of(answer), milliseconds(-1));
  return answer;
}

}  // namespace scalableapp::kube
