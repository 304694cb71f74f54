#include "operator/kube/api_error.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace scalableapp::kube {
namespace {

using nlohmann::json;

// Bodies that are no Status (a proxy's HTML page, say) are quoted up to here.
constexpr std::size_t kMaxQuote = 300;

ErrorCode code_of(int http, std::string_view reason) {
  switch (http) {
    case 400:
    case 405:
    case 406:
    case 413:
    case 415:
    case 422:
      return ErrorCode::kInvalid;
    case 401:
      return ErrorCode::kUnauthorized;
    case 403:
      return ErrorCode::kForbidden;
    case 404:
      return ErrorCode::kNotFound;
    case 409:
      return reason == "AlreadyExists" ? ErrorCode::kAlreadyExists : ErrorCode::kConflict;
    case 410:
      return ErrorCode::kGone;
    case 429:
      return ErrorCode::kTooManyRequests;
    case 408:
    case 504:
      return ErrorCode::kTimeout;
    default:
      return http >= 500 ? ErrorCode::kUnavailable : ErrorCode::kInvalid;
  }
}

std::string string_at(const json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

struct StatusFacts {
  std::string reason;
  std::string message;
  int code = 0;
  bool version_too_large = false;
  std::optional<milliseconds> retry_after;
};

StatusFacts facts_of(const json& status) {
  StatusFacts facts;
  if (!status.is_object()) return facts;
  facts.reason = string_at(status, "reason");
  facts.message = string_at(status, "message");
  if (const auto code = status.find("code"); code != status.end() && code->is_number_integer()) {
    facts.code = code->get<int>();
  }
  const auto details = status.find("details");
  if (details == status.end() || !details->is_object()) return facts;
  if (const auto retry = details->find("retryAfterSeconds");
      retry != details->end() && retry->is_number_integer() && retry->get<int>() > 0) {
    facts.retry_after = seconds(retry->get<int>());
  }
  const auto causes = details->find("causes");
  if (causes == details->end() || !causes->is_array()) return facts;
  for (const json& cause : *causes) {
    if (!cause.is_object()) continue;
    // apimachinery: CauseTypeResourceVersionTooLarge, the cause of a 504 for a version from the
    // future.
    if (string_at(cause, "reason") == "ResourceVersionTooLarge") facts.version_too_large = true;
    const std::string field = string_at(cause, "field");
    if (!field.empty() && facts.message.find(field) == std::string::npos) {
      facts.message += fmt::format("; {}: {}", field, string_at(cause, "message"));
    }
  }
  return facts;
}

Error make_error(const StatusFacts& facts, int http, std::string_view doing) {
  Error error;
  error.code = facts.version_too_large ? ErrorCode::kGone : code_of(http, facts.reason);
  error.message =
      fmt::format("{}: {} ({}{}HTTP {})", doing, facts.message.empty() ? "refused" : facts.message,
                  facts.reason, facts.reason.empty() ? "" : ", ", http);
  error.retry_after = facts.retry_after;
  return error;
}

}  // namespace

Error error_of_response(const HttpResponse& response, std::string_view doing) {
  const json body = json::parse(response.body, nullptr, false);
  StatusFacts facts = facts_of(body);
  if (facts.message.empty()) facts.message = response.body.substr(0, kMaxQuote);
  Error error = make_error(facts, response.status, doing);
  if (response.retry_after) error.retry_after = response.retry_after;
  return error;
}

Error error_of_status(const json& status, std::string_view doing) {
  const StatusFacts facts = facts_of(status);
  int http = facts.code;
  if (http == 0) http = facts.reason == "Expired" || facts.reason == "Gone" ? 410 : 500;
  return make_error(facts, http, doing);
}

}  // namespace scalableapp::kube
