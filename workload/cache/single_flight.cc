#include "workload/cache/single_flight.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <optional>
#include <utility>

namespace scalableapp::workload {

struct SingleFlight::Flight {
  Instant began;
  std::optional<Result<std::string>> result;
  std::condition_variable landed;
};

SingleFlight::Outcome SingleFlight::run(const std::string& key, const Work& work) {
  const Instant arrived = instant_now();
  std::shared_ptr<Flight> mine;
  {
    std::unique_lock lock(mutex_);
    while (mine == nullptr) {
      const Instant now = instant_now();
      auto& flight = flights_[key];
      if (flight == nullptr || now >= flight->began + patience_) {
        flight = mine = std::make_shared<Flight>();
        mine->began = now;
        break;
      }
      if (now >= arrived + patience_) {
        return {fail(ErrorCode::kTimeout, fmt::format("{}: loaded by another request, which takes too long", key)),
                true};
      }
      const auto joined = flight;
      const Instant give_up = std::min(joined->began, arrived) + patience_;
      if (joined->landed.wait_until(lock, give_up, [&] { return joined->result.has_value(); })) {
        return {*joined->result, true};
      }
    }
  }
  // Should the work throw, those who wait learn that it came to nothing.
  struct Landing {
    ~Landing() { single_flight.land(key, flight, std::move(result)); }
    SingleFlight& single_flight;
    const std::string& key;
    std::shared_ptr<Flight> flight;
    Result<std::string> result;
  } landing{*this, key, mine, fail(ErrorCode::kInternal, fmt::format("{}: its load was not finished", key))};
  landing.result = work();
  return {landing.result, false};
}

void SingleFlight::land(const std::string& key, const std::shared_ptr<Flight>& flight, Result<std::string> result) {
  const std::lock_guard lock(mutex_);
  flight->result = std::move(result);
  flight->landed.notify_all();
  const auto found = flights_.find(key);
  if (found != flights_.end() && found->second == flight) flights_.erase(found);
}

void SingleFlight::forget(const std::string& key) {
  const std::lock_guard lock(mutex_);
  flights_.erase(key);
}

void SingleFlight::forget_all() {
  const std::lock_guard lock(mutex_);
  flights_.clear();
}

}  // namespace scalableapp::workload
