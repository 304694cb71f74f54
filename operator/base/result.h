// Result<T>: the outcome of anything the world can make fail, as a value. Errors carry a code to
// branch on, a message a person can act on (with the object or the JSON pointer in it), and, where
// a server named one, the time after which a retry makes sense. Nothing here throws or does IO.
//
//   Result<Pod> pod = decode_pod(json);
//   if (!pod) return tl::unexpected(pod.error());
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace scalableapp {

enum class ErrorCode {
  kInvalid,          // The request or the input is wrong; repeating it will not help.
  kDecode,           // Bytes that are not what they should be (JSON, YAML, PromQL answer).
  kNotFound,         // HTTP 404.
  kAlreadyExists,    // HTTP 409 with reason AlreadyExists.
  kConflict,         // HTTP 409: the object changed since it was read.
  kGone,             // HTTP 410: the resourceVersion is too old, or a list cursor expired.
  kUnauthorized,     // HTTP 401: the credentials were not accepted; read them again.
  kForbidden,        // HTTP 403: RBAC says no.
  kTooManyRequests,  // HTTP 429: retry_after says when.
  kUnavailable,      // No connection, or HTTP 5xx: the same call may work later.
  kTimeout,          // No answer within the limit; whether it was carried out is unknown.
  kCancelled,        // Asked to stop.
  kInternal,         // A bug of ours.
};

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
  std::optional<std::chrono::milliseconds> retry_after = {};

  bool operator==(const Error&) const = default;
};

template <typename T>
using Result = tl::expected<T, Error>;

// The code's name as it appears in logs and metric labels, e.g. "conflict".
const char* to_string(ErrorCode code);

// Builds the error side of any Result: `return fail(ErrorCode::kInvalid, "spec.replicas.max:
// ...");`
inline tl::unexpected<Error> fail(ErrorCode code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message), {}});
}

// True for errors that the same call may not meet again later.
bool is_retryable(const Error& error);

}  // namespace scalableapp
