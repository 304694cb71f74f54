#include "operator/kube/watch_machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "operator/kube/api_error.h"

namespace scalableapp::kube {
namespace {

using nlohmann::json;

std::string string_at(const json& object, const char* key) {
  if (!object.is_object()) return {};
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

std::string metadata_of(const json& object, const char* key) {
  if (!object.is_object()) return {};
  const auto it = object.find("metadata");
  return it != object.end() ? string_at(*it, key) : std::string();
}

}  // namespace

WatchMachine::Step WatchMachine::step(const WatchInput& input, MonotonicTime now) {
  return std::visit([&](const auto& happened) { return on(happened, now); }, input);
}

WatchMachine::Step WatchMachine::on(const ListItem& item, MonotonicTime) {
  Step step;
  begin_list(step);
  if (metadata_of(*item.object, "name").empty()) {
    step.events.push_back({WatchEvent::Kind::kBadObject, item.object, "no metadata.name"});
  } else {
    step.events.push_back({WatchEvent::Kind::kListItem, item.object, {}});
  }
  return step;
}

WatchMachine::Step WatchMachine::on(const ListPage& page, MonotonicTime now) {
  Step step;
  begin_list(step);
  if (!page.continue_token.empty()) {
    step.next = WatchRequest{.continue_token = page.continue_token, .reason = "page"};
    return step;
  }
  if (page.resource_version.empty()) {
    return on(ListFailed{Error{ErrorCode::kDecode, "list without metadata.resourceVersion", {}}},
              now);
  }
  in_list_ = false;
  // Not backoff_: a list can succeed between refusals that go on.
  away_.reset();
  version_ = page.resource_version;
  step.events.push_back({WatchEvent::Kind::kListEnd, nullptr, {}});
  step.next = watch_after(milliseconds(0), "listed");
  return step;
}

WatchMachine::Step WatchMachine::on(const ListFailed& failed, MonotonicTime now) {
  const bool gone = failed.error.code == ErrorCode::kGone;
  Step step;
  step.next = list_after(gone ? gone_delay(now) : pause(now, failed.error),
                         to_string(failed.error.code));
  return step;
}

WatchMachine::Step WatchMachine::on(const WatchStarted&, MonotonicTime now) {
  watch_started_ = now;
  watch_lines_ = 0;
  return {};
}

WatchMachine::Step WatchMachine::on(const WatchLine& line, MonotonicTime now) {
  Step step;
  ++watch_lines_;
  const json& event = *line.event;
  const std::string type = string_at(event, "type");
  const auto found = event.is_object() ? event.find("object") : event.end();
  if (type.empty() || found == event.end()) {
    step.events.push_back(
        {WatchEvent::Kind::kBadObject, line.event, "event without type or object"});
    return step;
  }
  const json& object = *found;
  if (type == "ERROR") {
    step.next = after_error(error_of_status(object, "watch"), now);
    return step;
  }
  const std::string version = metadata_of(object, "resourceVersion");
  if (!version.empty()) {
    version_ = version;
    backoff_.reset();
    away_.reset();
  }
  if (type == "BOOKMARK") return step;

  const bool known = type == "ADDED" || type == "MODIFIED" || type == "DELETED";
  if (!known || version.empty() || metadata_of(object, "name").empty()) {
    step.events.push_back({WatchEvent::Kind::kBadObject, &object,
                           known ? "no metadata.name or metadata.resourceVersion"
                                 : fmt::format("unknown event type \"{}\"", type)});
    return step;
  }
  const auto kind = type == "DELETED" ? WatchEvent::Kind::kDelete : WatchEvent::Kind::kApply;
  step.events.push_back({kind, &object, {}});
  return step;
}

WatchMachine::Step WatchMachine::on(const BadLine&, MonotonicTime now) {
  Step step;
  step.next = watch_after(pause(now), "bad_line");
  return step;
}

WatchMachine::Step WatchMachine::on(const WatchEnded& ended, MonotonicTime now) {
  Step step;
  if (ended.error) {
    step.next = after_error(*ended.error, now);
  } else if (watch_lines_ == 0 && now - watch_started_ < policy_.short_watch) {
    step.next = watch_after(pause(now), "short");
  } else {
    step.next = watch_after(milliseconds(0), "end");
  }
  return step;
}

void WatchMachine::begin_list(Step& step) {
  if (std::exchange(in_list_, true)) return;
  step.events.push_back({WatchEvent::Kind::kListBegin, nullptr, {}});
}

WatchRequest WatchMachine::list_after(milliseconds delay, const char* reason) {
  in_list_ = false;
  return {.kind = WatchRequest::Kind::kList, .delay = delay, .reason = reason};
}

WatchRequest WatchMachine::watch_after(milliseconds delay, const char* reason) {
  const auto span =
      static_cast<double>((policy_.watch_timeout_max - policy_.watch_timeout_min).count());
  const seconds timeout =
      policy_.watch_timeout_min + seconds(static_cast<seconds::rep>(span * jitter_.next()));
  return {.kind = WatchRequest::Kind::kWatch,
          .resource_version = version_,
          .server_timeout = timeout,
          .idle_timeout = timeout + policy_.idle_margin,
          .delay = delay,
          .reason = reason};
}

WatchRequest WatchMachine::after_error(const Error& error, MonotonicTime now) {
  switch (error.code) {
    case ErrorCode::kGone:
      return list_after(gone_delay(now), "gone");
    // The type itself is gone, or the server does not understand the version: only a list can tell.
    case ErrorCode::kNotFound:
    case ErrorCode::kInvalid:
      return list_after(pause(now, error), to_string(error.code));
    default:
      return watch_after(pause(now, error), to_string(error.code));
  }
}

milliseconds WatchMachine::gone_delay(MonotonicTime now) {
  const bool again = last_gone_ && now - *last_gone_ < policy_.backoff.reset_after;
  last_gone_ = now;
  return again ? pause(now) : milliseconds(0);
}

milliseconds WatchMachine::pause(MonotonicTime now, const Error& error) {
  const milliseconds delay =
      error.code == ErrorCode::kUnavailable ? away_.next(now, jitter_.next()) : pause(now);
  return std::max(delay, error.retry_after.value_or(milliseconds(0)));
}

}  // namespace scalableapp::kube
