#include "operator/kube/reflector.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "operator/kube/api_error.h"
#include "operator/kube/informer.h"

namespace scalableapp::kube {
namespace {

using nlohmann::json;

std::string string_at(const json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

// Parses a List, giving each of its items to `on_item` as soon as it is read and dropping it then,
// so that never more than one is held as JSON. The rest of the List, or a discarded value.
template <typename OnItem>
json parse_list(std::string_view text, const OnItem& on_item) {
  // Depths in nlohmann's callback: the List is 0, its keys and their values 1, an item 2.
  bool in_items = false;
  return json::parse(
      text,
      [&](int depth, json::parse_event_t event, json& parsed) {
        if (event == json::parse_event_t::key && depth == 1) {
          in_items = parsed == "items";
        } else if (event == json::parse_event_t::object_end && depth == 2 && in_items) {
          on_item(parsed);
          return false;
        }
        return true;
      },
      /*allow_exceptions=*/false);
}

}  // namespace

api::ObjectKey key_of(const json& object) {
  if (!object.is_object()) return {};
  const auto metadata = object.find("metadata");
  if (metadata == object.end() || !metadata->is_object()) return {};
  return {string_at(*metadata, "namespace"), string_at(*metadata, "name")};
}

Reflector::Reflector(HttpTransport& transport, const Clock& clock, ReflectorOptions options,
                     WatchSink& sink)
    : transport_(transport),
      clock_(clock),
      options_(std::move(options)),
      sink_(sink),
      machine_(options_.policy, options_.seed) {}

void Reflector::run(std::stop_token stop) {
  WatchRequest next = WatchMachine::start();
  while (!stop.stop_requested()) {
    if (next.delay > milliseconds(0) && !sleep_for(clock_, next.delay, stop)) return;
    next = next.kind == WatchRequest::Kind::kList ? list(next, stop) : watch(next, stop);
    const std::string_view reason = next.reason;
    if (stop.stop_requested() || reason == "page" || reason == "listed") continue;
    const auto& observe = next.kind == WatchRequest::Kind::kList
                              ? options_.observer.on_relist
                              : options_.observer.on_watch_restart;
    if (observe) observe(next.reason);
  }
}

WatchRequest Reflector::list(const WatchRequest& request, std::stop_token stop) {
  const ListOptions options{.namespace_name = options_.namespace_name,
                            .label_selector = options_.label_selector,
                            .limit = options_.page_size,
                            .continue_token = request.continue_token};
  auto response = transport_.send({.path_and_query = list_path(options_.type, options)}, stop);
  const std::string doing = fmt::format("list {}", options_.type.plural);
  if (!response) {
    response.error().message = fmt::format("{}: {}", doing, response.error().message);
    return list_failed(std::move(response.error()));
  }
  if (!response->ok()) return list_failed(error_of_response(*response, doing));

  const json page = parse_list(response->body, [this](const json& item) { step(ListItem{&item}); });
  const auto metadata = page.is_object() ? page.find("metadata") : page.end();
  if (!page.is_object() || metadata == page.end() || !metadata->is_object()) {
    return list_failed({ErrorCode::kDecode, doing + ": the answer is not a List", {}});
  }
  auto next =
      step(ListPage{string_at(*metadata, "resourceVersion"), string_at(*metadata, "continue")});
  return next ? std::move(*next) : WatchMachine::start();
}

WatchRequest Reflector::list_failed(Error error) {
  report(error);
  auto next = step(ListFailed{std::move(error)});
  return next ? std::move(*next) : WatchMachine::start();
}

WatchRequest Reflector::watch(const WatchRequest& request, std::stop_token stop) {
  const WatchOptions options{.namespace_name = options_.namespace_name,
                             .label_selector = options_.label_selector,
                             .resource_version = request.resource_version,
                             .timeout = request.server_timeout};
  const std::string doing =
      fmt::format("watch {} from {}", options_.type.plural, request.resource_version);
  std::optional<WatchRequest> next;
  const OnLine on_line = [&](std::string_view line) {
    const json event = json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (event.is_discarded()) {
      report({ErrorCode::kDecode, doing + ": a line that is not JSON", {}});
      next = step(BadLine{});
    } else {
      next = step(WatchLine{&event});
      if (next) {
        report(error_of_status(event.value("object", json()), doing));
      }
    }
    return !next;
  };
  step(WatchStarted{});
  auto response = transport_.stream({.path_and_query = watch_path(options_.type, options)},
                                    request.idle_timeout, on_line, stop);
  if (next || stop.stop_requested()) return next ? std::move(*next) : request;

  std::optional<Error> error;
  if (!response) {
    error = std::move(response.error());
    error->message = fmt::format("{}: {}", doing, error->message);
  } else if (!response->ok()) {
    error = error_of_response(*response, doing);
  }
  if (error) report(*error);
  next = step(WatchEnded{std::move(error)});
  return next ? std::move(*next) : WatchMachine::start();
}

std::optional<WatchRequest> Reflector::step(const WatchInput& input) {
  auto result = machine_.step(input, clock_.monotonic_now());
  for (const WatchEvent& event : result.events) deliver(event);
  return std::move(result.next);
}

void Reflector::deliver(const WatchEvent& event) {
  switch (event.kind) {
    case WatchEvent::Kind::kListBegin:
      return sink_.on_list_begin();
    case WatchEvent::Kind::kListItem:
      return sink_.on_list_item(*event.object);
    case WatchEvent::Kind::kListEnd:
      return sink_.on_list_end();
    case WatchEvent::Kind::kApply:
      return sink_.on_apply(*event.object);
    case WatchEvent::Kind::kDelete:
      return sink_.on_delete(*event.object);
    case WatchEvent::Kind::kBadObject:
      return sink_.on_bad_object(*event.object, event.problem);
  }
}

void Reflector::report(const Error& error) const {
  if (options_.observer.on_error && error.code != ErrorCode::kCancelled) {
    options_.observer.on_error(error);
  }
}

}  // namespace scalableapp::kube
