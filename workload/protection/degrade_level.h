// How much optional work to leave out, as the operator says in the pod's annotation `scalableapp.io/degrade-level`,
// which the kubelet writes to a file of a downward API volume:
//   0  do everything    1  leave optional work out    2  the core answer only
// The kubelet swaps a symbolic link within a minute or so of a change. The file is read at most once a second, when
// somebody asks. No file, or an empty one (no annotation): 0. Anything but a whole number from 0: 0, counted, logged
// once. Above 2: 2. Thread-safe.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <string_view>

#include "operator/base/result.h"
#include "workload/common/instant.h"

namespace scalableapp::workload {

inline constexpr int kMostDegraded = 2;

// kInvalid says what the text should be.
Result<int> parse_degrade_level(std::string_view text);

class DegradeLevel {
 public:
  // An empty path: always 0. `changed` is called with the level after each change, `bad` with each unusable content.
  DegradeLevel(std::string path, std::function<void(int)> changed, std::function<void()> bad);

  int at(Instant now);

 private:
  int read();

  const std::string path_;
  const std::function<void(int)> changed_;
  const std::function<void()> bad_;
  std::mutex mutex_;  // Guards the rest.
  Instant next_read_{};
  int level_ = 0;
  bool complained_ = false;
};

}  // namespace scalableapp::workload
