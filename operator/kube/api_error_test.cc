#include "operator/kube/api_error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace scalableapp::kube {
namespace {

using testing::HasSubstr;

HttpResponse refusal(int status, const std::string& reason) {
  return {status,
          nlohmann::json{{"kind", "Status"}, {"reason", reason}, {"message", "why"}}.dump()};
}

TEST(ApiError, StatusAndReasonDecideTheCode) {
  struct Row {
    int status;
    const char* reason;
    ErrorCode want;
  };
  for (const Row& row :
       {Row{400, "BadRequest", ErrorCode::kInvalid},
        Row{401, "Unauthorized", ErrorCode::kUnauthorized},
        Row{403, "Forbidden", ErrorCode::kForbidden}, Row{404, "NotFound", ErrorCode::kNotFound},
        Row{408, "", ErrorCode::kTimeout}, Row{409, "AlreadyExists", ErrorCode::kAlreadyExists},
        Row{409, "Conflict", ErrorCode::kConflict}, Row{410, "Expired", ErrorCode::kGone},
        Row{413, "", ErrorCode::kInvalid}, Row{422, "Invalid", ErrorCode::kInvalid},
        Row{429, "TooManyRequests", ErrorCode::kTooManyRequests},
        Row{500, "InternalError", ErrorCode::kUnavailable},
        Row{503, "ServiceUnavailable", ErrorCode::kUnavailable},
        Row{504, "Timeout", ErrorCode::kTimeout}}) {
    const Error error = error_of_response(refusal(row.status, row.reason), "GET pods a/b");
    EXPECT_EQ(error.code, row.want) << row.status << " " << row.reason;
    EXPECT_THAT(error.message, HasSubstr("GET pods a/b: why ("));
  }
}

TEST(ApiError, FieldsOfCausesAreNamedOnce) {
  const HttpResponse response{422, R"({"reason":"Invalid","message":"spec.min: too big","details":{
      "causes":[{"field":"spec.min","message":"too big"},{"field":"spec.max","message":"too small"}]}})"};
  EXPECT_EQ(error_of_response(response, "PUT x").message,
            "PUT x: spec.min: too big; spec.max: too small (Invalid, HTTP 422)");
}

TEST(ApiError, RetryAfterComesFromTheHeaderOrTheStatus) {
  HttpResponse response{429, R"({"reason":"TooManyRequests","details":{"retryAfterSeconds":3}})"};
  EXPECT_EQ(error_of_response(response, "x").retry_after, seconds(3));
  response.retry_after = seconds(1);
  EXPECT_EQ(error_of_response(response, "x").retry_after, seconds(1));
}

TEST(ApiError, AVersionFromTheFutureIsAsGoodAsGone) {
  const HttpResponse response{504, R"({"reason":"Timeout","message":"Too large resource version",
      "details":{"causes":[{"reason":"ResourceVersionTooLarge","message":"Too large"}]}})"};
  EXPECT_EQ(error_of_response(response, "x").code, ErrorCode::kGone);
}

TEST(ApiError, BodiesThatAreNoStatusAreQuotedButNotWhole) {
  const Error error = error_of_response({502, "<html>" + std::string(5000, 'x')}, "GET x");
  EXPECT_EQ(error.code, ErrorCode::kUnavailable);
  EXPECT_THAT(error.message, HasSubstr("<html>"));
  EXPECT_LT(error.message.size(), 400U);
  EXPECT_EQ(error_of_response({500, ""}, "GET x").message, "GET x: refused (HTTP 500)");
  EXPECT_EQ(error_of_response({500, R"({"message":7,"details":[],"code":"x"})"}, "x").code,
            ErrorCode::kUnavailable);
}

TEST(ApiError, AStatusInAWatchHasItsCodeInside) {
  using nlohmann::json;
  EXPECT_EQ(error_of_status(json{{"code", 410}}, "watch").code, ErrorCode::kGone);
  EXPECT_EQ(error_of_status(json{{"reason", "Expired"}}, "watch").code, ErrorCode::kGone);
  EXPECT_EQ(error_of_status(json{{"code", 500}}, "watch").code, ErrorCode::kUnavailable);
  EXPECT_EQ(error_of_status(json("nonsense"), "watch").code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace scalableapp::kube
