// A token bucket per client, in Redis, so that all pods share it: it fills at a steady rate up to its burst, and each
// request takes one token. One script, one round trip, by Redis' own clock: no pod's clock matters. A bucket that is
// full again has expired: idle clients cost no memory. Does not know what to do when Redis does not answer.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "operator/base/result.h"
#include "workload/common/http_server.h"
#include "workload/common/redis.h"

namespace scalableapp::workload {

struct RateLimit {
  double per_second = 0;
  double burst = 1;  // At least 1.
};

struct TokenVerdict {
  bool allowed = true;
  double remaining = 0;            // Tokens after this request.
  double full_after_seconds = 0;   // Until the bucket is full again.
  double retry_after_seconds = 0;  // Until there is a token; 0 if allowed.
};

// Takes a token of `client`'s bucket if there is one.
Result<TokenVerdict> take_token(RedisConnection& redis, const std::string& client, const RateLimit& limit);

// Who asks, for the key: the header X-Client-Id, else the session, else the last hop of X-Forwarded-For (which the
// nearest proxy wrote), else the peer's address. A hash, so that no client chooses the length of a key. Nothing of this
// is authenticated: it shares capacity out fairly among honest clients and is no defence against a forger of ids.
std::string client_of(const HttpRequest& request);

// RateLimit-Limit, -Remaining and -Reset, which deployed clients read (draft-ietf-httpapi-ratelimit-headers-03 to -06),
// RateLimit and RateLimit-Policy as the current drafts have them (-08 and later: lists of named policies), and
// Retry-After on a refusal. All times are whole seconds, rounded up.
std::vector<std::pair<std::string, std::string>> rate_limit_headers(const TokenVerdict& verdict,
                                                                    const RateLimit& limit);

}  // namespace scalableapp::workload
