#include "operator/kube/event_recorder.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "operator/platform/log.h"

namespace scalableapp::kube {
namespace {

using nlohmann::json;

std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

ObjectReference reference_to(const api::ScalableApp& app) {
  return {.api_version = api_version(kScalableApps),
          .kind = std::string(kScalableApps.kind),
          .namespace_name = app.metadata.namespace_name,
          .name = app.metadata.name,
          .uid = app.metadata.uid};
}

}  // namespace

void EventRecorder::normal(const api::ScalableApp& app, std::string reason, std::string message) {
  record({reference_to(app), EventType::kNormal, std::move(reason), std::move(message)});
}

void EventRecorder::warning(const api::ScalableApp& app, std::string reason, std::string message) {
  record({reference_to(app), EventType::kWarning, std::move(reason), std::move(message)});
}

std::string encode_event(const EventWrite& write, const EventSource& source) {
  const ObjectReference& about = write.event.about;
  json object{{"apiVersion", "v1"},
              {"kind", "Event"},
              {"metadata", {{"name", write.name}, {"namespace", about.namespace_name}}},
              {"involvedObject",
               {{"apiVersion", about.api_version},
                {"kind", about.kind},
                {"namespace", about.namespace_name},
                {"name", about.name},
                {"uid", about.uid}}},
              {"type", write.event.type == EventType::kWarning ? "Warning" : "Normal"},
              {"reason", write.event.reason},
              {"message", write.event.message},
              {"count", write.count},
              {"firstTimestamp", format_rfc3339(write.first)},
              {"lastTimestamp", format_rfc3339(write.last)},
              {"source", {{"component", source.component}}},
              {"reportingComponent", source.component},
              {"reportingInstance", source.instance}};
  return dump(object);
}

std::string encode_event_patch(const EventWrite& write) {
  return dump({{"count", write.count},
               {"lastTimestamp", format_rfc3339(write.last)},
               {"message", write.event.message}});
}

ApiEventRecorder::ApiEventRecorder(Client& client, const Clock& clock, Random& random,
                                   EventSource source, std::function<bool()> is_busy)
    : client_(client),
      clock_(clock),
      random_(random),
      source_(std::move(source)),
      is_busy_(std::move(is_busy)),
      thread_([this](std::stop_token stop) { run(stop); }) {}

ApiEventRecorder::~ApiEventRecorder() {
  thread_.request_stop();
  thread_.join();
}

void ApiEventRecorder::record(const Event& event) {
  {
    std::lock_guard lock(mutex_);
    if (queue_.size() < kQueueLimit) {
      queue_.push_back({event, clock_.wall_now()});
      changed_.notify_all();
      return;
    }
  }
  ++dropped_;
}

void ApiEventRecorder::flush() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return queue_.empty() && !busy_; });
}

void ApiEventRecorder::run(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, stop, [this] { return !queue_.empty(); });
    if (queue_.empty()) return;
    if (makes_way(lock, stop)) continue;
    const Queued next = std::move(queue_.front());
    queue_.pop_front();
    busy_ = true;
    lock.unlock();
    const auto needed = correlator_.correlate(next.event, next.at, random_.hex_suffix());
    const bool written = !needed || write(*needed);
    lock.lock();
    busy_ = false;
    if (!written) {
      ++dropped_;
      if (stop.stop_requested()) {
        dropped_ += queue_.size();
        queue_.clear();
      }
    }
    changed_.notify_all();
  }
}

// True if the first event was kept back for a while. `lock` holds mutex_.
bool ApiEventRecorder::makes_way(std::unique_lock<std::mutex>& lock, const std::stop_token& stop) {
  const bool is_patient = clock_.wall_now() < queue_.front().at + kPatience;
  if (!is_busy_ || !is_patient || stop.stop_requested()) return false;
  lock.unlock();
  const bool is_busy = is_busy_();
  lock.lock();
  if (is_busy) clock_.wait_until(looked_, lock, clock_.monotonic_now() + kLook, stop);
  return is_busy;
}

bool ApiEventRecorder::write(const EventWrite& write) {
  const std::string& namespace_name = write.event.about.namespace_name;
  Result<std::string> answer = fail(ErrorCode::kNotFound, "");
  if (write.kind == EventWrite::Kind::kUpdate) {
    answer = client_.patch(kCoreEvents, {namespace_name, write.name}, encode_event_patch(write),
                           PatchKind::kMerge);
  }
  // An update finds nothing if the server has let the event expire, or if its create failed.
  if (!answer && answer.error().code == ErrorCode::kNotFound) {
    answer = client_.create(kCoreEvents, namespace_name, encode_event(write, source_));
  }
  // A repeated create that the first time was carried out unseen.
  if (answer || answer.error().code == ErrorCode::kAlreadyExists) return true;
  log_warn("event not written", {{"object", namespace_name + "/" + write.event.about.name},
                                 {"reason", write.event.reason},
                                 {"error", answer.error()}});
  return false;
}

}  // namespace scalableapp::kube
