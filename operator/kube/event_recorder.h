// Records what happened to an object as core/v1 Events, for `kubectl describe`. record() never
// blocks and never fails: a thread writes, event_correlator.h keeps the rate down, and what does
// not fit into the queue is dropped and counted. Events are best effort: nothing may depend on
// them.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "operator/api/scalable_app.h"
#include "operator/kube/client.h"
#include "operator/kube/event_correlator.h"
#include "operator/platform/clock.h"
#include "operator/platform/random.h"

namespace scalableapp::kube {

inline constexpr ResourceType kCoreEvents{"", "v1", "events", "Event"};

// Thread-safe.
class EventRecorder {
 public:
  virtual ~EventRecorder() = default;
  virtual void record(const Event& event) = 0;

  void normal(const api::ScalableApp& app, std::string reason, std::string message);
  void warning(const api::ScalableApp& app, std::string reason, std::string message);
};

struct EventSource {
  std::string component;  // "scalableapp-operator".
  std::string instance;   // The pod's name.
};

class ApiEventRecorder final : public EventRecorder {
 public:
  // Some minutes of a busy operator; about 1 MB if full.
  static constexpr std::size_t kQueueLimit = 1'000;
  // How long an event makes way for what cannot wait, and how often it looks.
  static constexpr milliseconds kPatience{5'000};
  static constexpr milliseconds kLook{100};

  // All references must outlive it. Starts its thread. While `is_busy`, if given, says that the API
  // server is needed for more than telling, events wait, each for up to kPatience.
  ApiEventRecorder(Client& client, const Clock& clock, Random& random, EventSource source,
                   std::function<bool()> is_busy = {});
  // Writes what is queued, up to the first write that fails.
  ~ApiEventRecorder() override;

  void record(const Event& event) override;

  // Events that were never written: the queue was full or the API server refused.
  std::uint64_t dropped() const { return dropped_; }
  // Blocks until all that was recorded before is dealt with.
  void flush();

 private:
  void run(std::stop_token stop);
  bool makes_way(std::unique_lock<std::mutex>& lock, const std::stop_token& stop);
  // False if it could not be written.
  bool write(const EventWrite& write);

  Client& client_;
  const Clock& clock_;
  Random& random_;
  const EventSource source_;
  const std::function<bool()> is_busy_;
  std::atomic<std::uint64_t> dropped_{0};

  std::mutex mutex_;  // Guards queue_, busy_.
  std::condition_variable_any changed_;
  std::condition_variable_any looked_;  // Only a timer.
  struct Queued {
    Event event;
    WallTime at;
  };
  std::deque<Queued> queue_;
  bool busy_ = false;

  EventCorrelator correlator_;  // The thread's own.
  std::jthread thread_;
};

// The v1 Event of `write`; pure.
std::string encode_event(const EventWrite& write, const EventSource& source);
// What of it changes with an update, as a merge patch; pure.
std::string encode_event_patch(const EventWrite& write);

}  // namespace scalableapp::kube
