// Which writes a stream of events needs, so that a busy object does not flood the API server: equal
// events become one whose count rises, more than kSimilar alike within kWindow become one combined
// event, and both creates and count updates of an object have a budget. Over budget nothing is lost
// but detail: the event joins its combined one, and counts catch up with the next update. Only the
// least recently used objects' memory is dropped. Pure; time is an argument. Thread-compatible.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "operator/base/time.h"

namespace scalableapp::kube {

enum class EventType { kNormal, kWarning };

struct ObjectReference {
  std::string api_version;
  std::string kind;
  std::string namespace_name;
  std::string name;
  std::string uid;
  auto operator<=>(const ObjectReference&) const = default;
};

struct Event {
  ObjectReference about;
  EventType type = EventType::kNormal;
  std::string reason;   // CamelCase word; at most 128 characters are kept.
  std::string message;  // For a person; at most 1024 bytes are kept, cut between characters.
  bool operator==(const Event&) const = default;
};

struct EventWrite {
  enum class Kind { kCreate, kUpdate };
  Kind kind = Kind::kCreate;
  std::string name;  // metadata.name of the Event object, the same for its later updates.
  Event event;       // As to be shown: cut to the limits, combined message.
  int count = 1;
  WallTime first{};
  WallTime last{};
  bool operator==(const EventWrite&) const = default;
};

class EventCorrelator {
 public:
  static constexpr int kSimilar = 10;  // As client-go, and so are the next three.
  static constexpr seconds kWindow{600};
  static constexpr double kBurst = 25;
  static constexpr seconds kCreateRefill{300};  // One more new event each.
  static constexpr seconds kUpdateRefill{
      30};  // One more update each: 500 busy apps stay under 17/s.
  static constexpr seconds kForgetAfter{3600};  // The API server's own default time to live.
  static constexpr std::size_t kMaxObjects = 1024;
  static constexpr std::size_t kMaxDistinct = 16;  // Different events remembered an object.

  // The write that `event` needs now, if any. `suffix` makes the name of a new Event unique.
  std::optional<EventWrite> correlate(const Event& event, WallTime now, std::string_view suffix);

 private:
  struct Bucket {
    bool take(WallTime now, seconds refill);
    double tokens = kBurst;
    WallTime filled{};
  };
  struct Written {
    std::string name;
    int count = 0;
    WallTime first{};
    WallTime last{};
  };
  using Group = std::tuple<EventType, std::string>;  // Type and reason.
  using Exact =
      std::tuple<EventType, std::string, std::string>;  // And message; empty: the combined.
  struct Object {
    Bucket creates;
    Bucket updates;
    std::map<Group, std::vector<WallTime>> recent;  // When new messages came within kWindow.
    std::map<Exact, Written> written;
    WallTime used{};
  };
  Object& object_of(const ObjectReference& about, WallTime now);

  std::map<ObjectReference, Object> objects_;
};

// The longest beginning of `text` that is at most `limit` bytes and ends between UTF-8 characters.
std::string_view cut_utf8(std::string_view text, std::size_t limit);

}  // namespace scalableapp::kube
