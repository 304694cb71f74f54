// Informer<T>: a thread that keeps a Store<T> equal to the API server and says what changed.
//
// What a handler may rely on, per object:
// - Changes come in the order in which the server made them; states in between may be skipped.
// - `old_object` is the `new_object` of the call before; null for an object that is new.
// - A null `new_object` is a delete. An object made anew under the name of a deleted one comes as a
//   delete and a creation, never as a change from one uid to another.
// - The store already holds `new_object` when the handler runs.
// - A delete that happened while the watch was down is found by the next list: `old_object` is then
//   the last state known, not necessarily the final one.
// - After a new list, objects whose resourceVersion is the known one are not mentioned.
// An object that cannot be decoded goes to `on_invalid` and keeps its last good state in the store.
// Handlers run on the informer's thread and must be quick: put a key on a queue.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "operator/kube/reflector.h"
#include "operator/kube/store.h"

namespace scalableapp::kube {

// metadata.namespace and metadata.name, empty where there is none.
api::ObjectKey key_of(const nlohmann::json& object);

// T has a member `metadata` of type api::ObjectMeta.
template <typename T>
struct InformerHandlers {
  using Pointer = std::shared_ptr<const T>;
  std::function<void(const Pointer& old_object, const Pointer& new_object)> on_change = {};
  std::function<void(const api::ObjectKey& key, const Error& error)> on_invalid = {};
};

// Thread-safe, except start() and stop().
template <typename T>
class Informer final : private WatchSink {
 public:
  using Pointer = std::shared_ptr<const T>;
  using Decode = std::function<Result<T>(const nlohmann::json&)>;
  using Handlers = InformerHandlers<T>;

  // `transport` and `clock` must outlive it. `index` as in Store.
  Informer(HttpTransport& transport, const Clock& clock, ReflectorOptions options, Decode decode,
           typename Store<T>::Index index = {}, Handlers handlers = {})
      : decode_(std::move(decode)),
        handlers_(std::move(handlers)),
        store_(std::move(index)),
        clock_(clock),
        reflector_(transport, clock, std::move(options), *this) {}
  ~Informer() override { stop(); }
  Informer(const Informer&) = delete;
  Informer& operator=(const Informer&) = delete;

  // Starts the thread. Once.
  void start() {
    thread_ = std::jthread([this](std::stop_token stop) { reflector_.run(std::move(stop)); });
  }
  // Ends the thread and waits for it; the store stays readable. Again: nothing.
  void stop() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
  }
  // Runs on the calling thread until `stop` instead of start() and stop().
  void run(std::stop_token stop) { reflector_.run(std::move(stop)); }

  const Store<T>& store() const { return store_; }
  bool wait_for_sync(MonotonicTime deadline, std::stop_token stop) {
    return store_.wait_for_sync(clock_, deadline, std::move(stop));
  }

 private:
  void on_list_begin() override {
    listed_.clear();
    undecodable_.clear();
  }

  void on_list_item(const nlohmann::json& object) override {
    auto key = key_of(object);
    if (Pointer value = decoded(key, object)) {
      listed_.insert_or_assign(std::move(key), std::move(value));
    } else {
      undecodable_.push_back(std::move(key));
    }
  }

  void on_list_end() override {
    for (const api::ObjectKey& key : undecodable_) {
      if (Pointer last_good = store_.get(key)) listed_.insert_or_assign(key, std::move(last_good));
    }
    undecodable_.clear();
    // Keep the known pointer of an unchanged object: holders share it, and it is not a change.
    for (auto& [key, object] : listed_) {
      if (Pointer known = store_.get(key); known && same_version(*known, *object)) object = known;
    }
    const typename Store<T>::Objects now = listed_;
    const typename Store<T>::Objects before = store_.replace(std::exchange(listed_, {}));
    for (const auto& [key, old_object] : before) {
      if (!now.contains(key)) changed(old_object, nullptr);
    }
    for (const auto& [key, object] : now) {
      const auto it = before.find(key);
      if (it == before.end()) {
        changed(nullptr, object);
      } else if (it->second != object) {
        changed(it->second, object);
      }
    }
  }

  void on_apply(const nlohmann::json& object) override {
    const auto key = key_of(object);
    if (Pointer value = decoded(key, object)) changed(store_.put(key, value), value);
  }

  void on_delete(const nlohmann::json& object) override {
    if (Pointer old_object = store_.put(key_of(object), nullptr)) changed(old_object, nullptr);
  }

  void on_bad_object(const nlohmann::json& object, std::string_view problem) override {
    if (!handlers_.on_invalid) return;
    handlers_.on_invalid(key_of(object), Error{ErrorCode::kDecode, std::string(problem), {}});
  }

  static bool same_version(const T& a, const T& b) {
    return a.metadata.uid == b.metadata.uid &&
           a.metadata.resource_version == b.metadata.resource_version;
  }

  Pointer decoded(const api::ObjectKey& key, const nlohmann::json& object) {
    Result<T> value = decode_(object);
    if (value) return std::make_shared<const T>(std::move(*value));
    if (handlers_.on_invalid) handlers_.on_invalid(key, value.error());
    return nullptr;
  }

  void changed(const Pointer& old_object, const Pointer& new_object) {
    if (!handlers_.on_change) return;
    if (old_object && new_object && old_object->metadata.uid != new_object->metadata.uid) {
      handlers_.on_change(old_object, nullptr);
      handlers_.on_change(nullptr, new_object);
    } else {
      handlers_.on_change(old_object, new_object);
    }
  }

  const Decode decode_;
  const Handlers handlers_;
  Store<T> store_;
  const Clock& clock_;
  // The list in progress. Of the reflector's thread.
  typename Store<T>::Objects listed_;
  std::vector<api::ObjectKey> undecodable_;
  Reflector reflector_;
  std::jthread thread_;
};

}  // namespace scalableapp::kube
