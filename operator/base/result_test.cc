#include "operator/base/result.h"

#include <gtest/gtest.h>

namespace scalableapp {
namespace {

TEST(Result, EveryCodeHasItsNameAndItsClass) {
  struct Case {
    ErrorCode code;
    const char* name;
    bool retryable;
  };
  const Case cases[] = {
      {ErrorCode::kInvalid, "invalid", false},
      {ErrorCode::kDecode, "decode", false},
      {ErrorCode::kNotFound, "not_found", true},
      {ErrorCode::kAlreadyExists, "already_exists", true},
      {ErrorCode::kConflict, "conflict", true},
      {ErrorCode::kGone, "gone", true},
      {ErrorCode::kUnauthorized, "unauthorized", true},
      {ErrorCode::kForbidden, "forbidden", true},
      {ErrorCode::kTooManyRequests, "too_many_requests", true},
      {ErrorCode::kUnavailable, "unavailable", true},
      {ErrorCode::kTimeout, "timeout", true},
      {ErrorCode::kCancelled, "cancelled", false},
      {ErrorCode::kInternal, "internal", false},
  };
  for (const Case& one : cases) {
    EXPECT_STREQ(to_string(one.code), one.name);
    EXPECT_EQ(is_retryable({one.code, {}}), one.retryable) << one.name;
  }
}

}  // namespace
}  // namespace scalableapp
