// The list-and-watch protocol as a state machine without threads, clock or IO: inputs go in; events
// for the cache and the next request with its delay come out. Reflector does the rest.
//
// Situation                               Next request                         Delay
// --------------------------------------  -----------------------------------  ------------------
// start                                   list                                 none
// list page with a continue token         next page                            none
// last list page                          watch from the list's version        none
// list: 410 (the token expired)           list from the first page             none, then backoff
// list: any other error                   list from the first page             backoff
// watch refused: 410                      list                                 none, then backoff
// watch refused: 404, invalid             list                                 backoff
// watch refused: connection, 429, 5xx ..  watch, same version                  backoff
// ADDED, MODIFIED, DELETED, BOOKMARK      (reads on; version is the object's)
// ERROR event 410                         list                                 none, then backoff
// ERROR event, other                      watch, same version                  backoff
// event without type, name or version     (reads on; reported)
// line that is no JSON                    watch, same version                  backoff
// end of the answer                       watch, same version                  none
// .. in under 1 s and with no event       watch, same version                  backoff
// silence, broken connection              watch, same version                  backoff
//
// Backoff: 1 s at most for a server that is away (connection, 5xx), up to 30 s for one that refuses;
// an event or a bookmark makes the next failure a first one, a list only ends being away.
// "none, then backoff": none if no 410 came lately. Lists ask for the most recent state (without a
// resourceVersion) in pages: unlike resourceVersion=0 this cannot go back in time after a restart
// and honours `limit`, which bounds memory. Servers since 1.31 answer from their watch cache. The
// objects of a list make one replacement, complete or not at all.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "operator/base/backoff.h"
#include "operator/base/result.h"
#include "operator/base/time.h"
#include "operator/kube/jitter.h"

namespace scalableapp::kube {

struct WatchPolicy {
  BackoffPolicy backoff{};  // Its reset_after is also how long a 410 counts as a recent one.
  // While there is no server (refused, broken off, 5xx): its return is to be seen within a second.
  BackoffPolicy away{.first = milliseconds(250), .cap = milliseconds(1'000)};
  // An empty watch that ends sooner is a failure (a broken proxy).
  milliseconds short_watch{1'000};
  // The server's limit is drawn from this range, so that watches opened together do not end so.
  seconds watch_timeout_min{270};
  seconds watch_timeout_max{310};
  // Silence for longer than the limit and this is a dead connection.
  milliseconds idle_margin{5'000};
};

struct WatchRequest {
  enum class Kind { kList, kWatch };
  Kind kind = Kind::kList;
  std::string continue_token = {};    // kList: empty for the first page.
  std::string resource_version = {};  // kWatch: where to go on.
  seconds server_timeout{0};          // kWatch.
  milliseconds idle_timeout{0};       // kWatch.
  milliseconds delay{0};              // Before it is sent.
  const char* reason = "";  // Why: a word for metrics ("start", "gone", "end", "unavailable", ..).

  bool operator==(const WatchRequest&) const = default;
};

struct WatchEvent {
  enum class Kind {
    kListBegin,  // What follows, up to kListEnd, is the whole set. Again: the list starts over.
    kListItem,
    kListEnd,    // Objects not in the list are gone.
    kApply,      // Created or changed.
    kDelete,     // With the last state.
    kBadObject,  // `object` cannot be used, `problem` says why; the watch goes on.
  };
  Kind kind;
  const nlohmann::json* object = nullptr;  // The input's; valid as long as that is.
  std::string problem = {};
};

// What happened. Objects must live until step() returns and its events are dealt with.
struct ListItem {
  const nlohmann::json* object;
};
struct ListPage {  // After its items.
  std::string resource_version;
  std::string continue_token;
};
struct ListFailed {
  Error error;
};
struct WatchStarted {};  // The request is being sent.
struct WatchLine {
  const nlohmann::json* event;
};
struct BadLine {};
struct WatchEnded {
  std::optional<Error> error;  // None: the server ended it in good order.
};
using WatchInput =
    std::variant<ListItem, ListPage, ListFailed, WatchStarted, WatchLine, BadLine, WatchEnded>;

// Copyable value. Thread-compatible.
class WatchMachine {
 public:
  explicit WatchMachine(const WatchPolicy& policy = {}, std::uint64_t seed = 1)
      : policy_(policy), jitter_(seed), backoff_(policy.backoff), away_(policy.away) {}

  struct Step {
    std::vector<WatchEvent> events;
    // Set: stop reading what is being read and send this. Not set: read on.
    std::optional<WatchRequest> next;
  };

  // The first request: a list, at once.
  static WatchRequest start() { return {.reason = "start"}; }

  Step step(const WatchInput& input, MonotonicTime now);

  // Version of the last thing seen; empty before the first list is through.
  const std::string& resource_version() const { return version_; }

 private:
  Step on(const ListItem& item, MonotonicTime now);
  Step on(const ListPage& page, MonotonicTime now);
  Step on(const ListFailed& failed, MonotonicTime now);
  Step on(const WatchStarted& started, MonotonicTime now);
  Step on(const WatchLine& line, MonotonicTime now);
  Step on(const BadLine& line, MonotonicTime now);
  Step on(const WatchEnded& ended, MonotonicTime now);

  void begin_list(Step& step);
  WatchRequest list_after(milliseconds delay, const char* reason);
  WatchRequest watch_after(milliseconds delay, const char* reason);
  WatchRequest after_error(const Error& error, MonotonicTime now);
  milliseconds gone_delay(MonotonicTime now);
  milliseconds pause(MonotonicTime now) { return backoff_.next(now, jitter_.next()); }
  milliseconds pause(MonotonicTime now, const Error& error);

  WatchPolicy policy_;
  Jitter jitter_;
  std::string version_;
  bool in_list_ = false;  // kListBegin is out, kListEnd is not.
  MonotonicTime watch_started_{};
  std::uint64_t watch_lines_ = 0;
  Backoff backoff_;
  Backoff away_;
  std::optional<MonotonicTime> last_gone_;
};

}  // namespace scalableapp::kube
