// A Kafka broker for tests: one process of the machine's Java on loopback ports that were free, with its data in a
// directory of its own. One thread.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "workload/testing/process.h"

namespace scalableapp::workload {

class KafkaBroker {
 public:
  // None without the environment's SCALABLEAPP_TEST_KAFKA, a directory with Kafka's jars (ensure_kafka in
  // scripts/lib/tools.sh), or without java on PATH: skip the test and say so. Topics get two partitions.
  static std::unique_ptr<KafkaBroker> start();
  ~KafkaBroker();

  std::string address() const;

 private:
  std::filesystem::path directory_;
  int port_ = 0;
  std::optional<Process> process_;
};

}  // namespace scalableapp::workload
