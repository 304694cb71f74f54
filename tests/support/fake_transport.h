// An HttpTransport whose requests wait until the test answers them, in order. Thread-safe.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <stop_token>
#include <utility>
#include <vector>

#include "operator/kube/transport.h"

namespace scalableapp::kube {

class FakeTransport final : public HttpTransport {
 public:
  using Answer = Result<HttpResponse>;

  Answer send(const HttpRequest& request, std::stop_token stop) override {
    std::unique_lock lock(mutex_);
    requests_.push_back(request);
    changed_.notify_all();
    if (!changed_.wait(lock, stop, [&] { return !answers_.empty(); })) {
      return fail(ErrorCode::kCancelled, "stopped");
    }
    Answer answer = std::move(answers_.front());
    answers_.pop_front();
    return answer;
  }
  Answer stream(const HttpRequest&, milliseconds, const OnLine&,
                std::stop_token) override {
    return fail(ErrorCode::kInternal, "not used");
  }

  void answer(Answer answer) {
    std::lock_guard lock(mutex_);
    answers_.push_back(std::move(answer));
    changed_.notify_all();
  }
  // Blocks until `count` requests have been made in all.
  std::vector<HttpRequest> await_requests(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return requests_.size() >= count; });
    return requests_;
  }

 private:
  std::mutex mutex_;  // Guards all below.
  std::condition_variable_any changed_;
  std::vector<HttpRequest> requests_;
  std::deque<Answer> answers_;
};

}  // namespace scalableapp::kube
