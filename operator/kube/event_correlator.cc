#include "operator/kube/event_correlator.h"

#include <fmt/format.h>

#include <algorithm>

namespace scalableapp::kube {
namespace {

// Limits of the API server's validation of events.
constexpr std::size_t kReasonLimit = 128;
constexpr std::size_t kMessageLimit = 1024;
constexpr std::size_t kNameLimit = 253;
constexpr std::string_view kCombined = "(combined from similar events): ";

template <typename Map, typename Time>
void erase_oldest(Map& map, Time time) {
  map.erase(std::min_element(map.begin(), map.end(), [&](const auto& a, const auto& b) {
    return time(a.second) < time(b.second);
  }));
}

}  // namespace

std::string_view cut_utf8(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return text;
  while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xC0U) == 0x80U) --limit;
  return text.substr(0, limit);
}

bool EventCorrelator::Bucket::take(WallTime now, seconds refill) {
  if (now > filled) {
    const std::chrono::duration<double> passed = now - filled;
    tokens = std::min(kBurst, tokens + passed / refill);
  }
  filled = now;
  if (tokens < 1) return false;
  tokens -= 1;
  return true;
}

EventCorrelator::Object& EventCorrelator::object_of(const ObjectReference& about, WallTime now) {
  if (const auto found = objects_.find(about); found != objects_.end()) return found->second;
  if (objects_.size() >= kMaxObjects)
    erase_oldest(objects_, [](const Object& o) { return o.used; });
  Object& object = objects_[about];
  object.creates.filled = object.updates.filled = now;
  return object;
}

std::optional<EventWrite> EventCorrelator::correlate(const Event& event, WallTime now,
                                                     std::string_view suffix) {
  Event shown = event;
  shown.reason = cut_utf8(event.reason, kReasonLimit);
  shown.message = cut_utf8(event.message, kMessageLimit);

  Object& object = object_of(event.about, now);
  object.used = now;
  std::erase_if(object.written, [&](const auto& e) { return now - e.second.last > kForgetAfter; });

  Exact key{shown.type, shown.reason, shown.message};
  if (!object.written.contains(key)) {
    std::vector<WallTime>& recent = object.recent[{shown.type, shown.reason}];
    std::erase_if(recent, [&](WallTime at) { return now - at > kWindow; });
    recent.push_back(now);
    if (recent.size() > kSimilar + 1) recent.erase(recent.begin());
    if (recent.size() > kSimilar || !object.creates.take(now, kCreateRefill)) {
      std::get<2>(key).clear();
      shown.message = cut_utf8(fmt::format("{}{}", kCombined, shown.message), kMessageLimit);
    }
  }

  const bool is_new = !object.written.contains(key);
  if (is_new && object.written.size() >= kMaxDistinct) {
    erase_oldest(object.written, [](const Written& w) { return w.last; });
  }
  Written& written = object.written[key];
  if (is_new) {
    const std::string_view about = cut_utf8(event.about.name, kNameLimit - suffix.size() - 1);
    written.name = fmt::format("{}.{}", about, suffix);
    written.first = now;
  }
  ++written.count;
  written.last = now;
  if (!is_new && !object.updates.take(now, kUpdateRefill)) return std::nullopt;
  return EventWrite{.kind = is_new ? EventWrite::Kind::kCreate : EventWrite::Kind::kUpdate,
                    .name = written.name,
                    .event = std::move(shown),
                    .count = written.count,
                    .first = written.first,
                    .last = now};
}

}  // namespace scalableapp::kube
