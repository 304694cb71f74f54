// A reflector mirrors one resource type: it sends what the watch machine asks for, waits the
// delays, and hands the machine's events to a sink. Everything that can fail is retried until
// stopped. An Informer (informer.h) is a reflector with a typed store.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <stop_token>
#include <string>
#include <string_view>

#include "operator/kube/paths.h"
#include "operator/kube/transport.h"
#include "operator/kube/watch_machine.h"
#include "operator/platform/clock.h"

namespace scalableapp::kube {

// Called on the thread that is in Reflector::run. Objects are valid during the call; items of a
// list carry no apiVersion and kind, as the server sends them.
class WatchSink {
 public:
  virtual ~WatchSink() = default;
  virtual void on_list_begin() = 0;  // Forget an unfinished list.
  virtual void on_list_item(const nlohmann::json& object) = 0;
  virtual void on_list_end() = 0;  // The items since on_list_begin are the whole set.
  virtual void on_apply(const nlohmann::json& object) = 0;
  virtual void on_delete(const nlohmann::json& object) = 0;
  virtual void on_bad_object(const nlohmann::json& object, std::string_view problem) = 0;
};

// For metrics and logs; each may be empty. Called on the reflector's thread.
struct WatchObserver {
  std::function<void(const char* reason)> on_relist = {};         // Not for the first list.
  std::function<void(const char* reason)> on_watch_restart = {};  // Not for the watch after a list.
  std::function<void(const Error&)> on_error = {};  // With the request in the message.
};

struct ReflectorOptions {
  ResourceType type;
  std::string namespace_name = {};  // Empty: all namespaces.
  std::string label_selector = {};
  int page_size = 500;
  std::uint64_t seed = 1;  // Of the jitter: give each reflector its own.
  WatchPolicy policy = {};
  WatchObserver observer = {};
};

// One thread.
class Reflector {
 public:
  // All references must outlive it.
  Reflector(HttpTransport& transport, const Clock& clock, ReflectorOptions options,
            WatchSink& sink);

  // Mirrors until `stop`.
  void run(std::stop_token stop);

 private:
  WatchRequest list(const WatchRequest& request, std::stop_token stop);
  WatchRequest watch(const WatchRequest& request, std::stop_token stop);
  // Deals with the events; the request that is to be sent next, if any.
  std::optional<WatchRequest> step(const WatchInput& input);
  WatchRequest list_failed(Error error);
  void deliver(const WatchEvent& event);
  void report(const Error& error) const;

  HttpTransport& transport_;
  const Clock& clock_;
  const ReflectorOptions options_;
  WatchSink& sink_;
  WatchMachine machine_;
};

}  // namespace scalableapp::kube
