// One caller does the work for a key, all others who ask meanwhile wait for what it gets, errors included; nothing is
// kept afterwards. Whoever does not return in time is given up: one of those who wait does the work in its place.
// Thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "operator/base/result.h"
#include "workload/common/instant.h"

namespace scalableapp::workload {

class SingleFlight {
 public:
  using Work = std::function<Result<std::string>()>;
  struct Outcome {
    Result<std::string> result;
    bool is_shared = false;  // Another caller did the work.
  };

  // `patience`: how long others wait for one that works, and the longest any caller waits in all: then kTimeout.
  explicit SingleFlight(milliseconds patience) : patience_(patience) {}

  Outcome run(const std::string& key, const Work& work);
  // Who asks from now on does not get what work begun before finds: it may have read what has just been overwritten.
  void forget(const std::string& key);
  void forget_all();

 private:
  struct Flight;
  void land(const std::string& key, const std::shared_ptr<Flight>& flight, Result<std::string> result);

  const milliseconds patience_;
  std::mutex mutex_;  // Guards flights_ and what each flight has.
  std::unordered_map<std::string, std::shared_ptr<Flight>> flights_;
};

}  // namespace scalableapp::workload
