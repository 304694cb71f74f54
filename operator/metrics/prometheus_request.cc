#include "operator/metrics/prometheus_request.h"

#include <utility>

#include "operator/metrics/prometheus_answer.h"

namespace scalableapp::metrics {

std::string form_encode(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size() * 3 / 2);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
        c == '-' || c == '.') {
      out += c;
    } else if (c == ' ') {
      out += '+';
    } else {
      out += '%';
      out += kHex[byte >> 4U];
      out += kHex[byte & 15U];
    }
  }
  return out;
}

Result<std::string> ask_prometheus(kube::HttpTransport& transport, std::string path,
                                   std::string form, std::stop_token stop) {
  const kube::HttpRequest request{.method = "POST",
                                  .path_and_query = std::move(path),
                                  .content_type = "application/x-www-form-urlencoded",
                                  .body = std::move(form)};
  Result<kube::HttpResponse> response = transport.send(request, std::move(stop));
  if (!response) {
    Error error = std::move(response.error());
    // Of a transport these are about the source, not about a query: its address, its silence. An
    // answer that is too long is the fault of what was asked.
    if (error.code == ErrorCode::kInvalid || error.code == ErrorCode::kTimeout) {
      error.code = ErrorCode::kUnavailable;
    } else if (error.code == ErrorCode::kDecode) {
      error.code = ErrorCode::kInvalid;
    }
    if (error.code != ErrorCode::kCancelled) error.message = "Prometheus: " + error.message;
    return tl::unexpected(std::move(error));
  }
  if (!response->ok()) {
    Error error = parse_failure(response->status, response->body);
    error.retry_after = response->retry_after;
    return tl::unexpected(std::move(error));
  }
  return std::move(response->body);
}

}  // namespace scalableapp::metrics
