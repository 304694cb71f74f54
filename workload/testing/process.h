// Child processes for tests: started with their output discarded, killed when the object goes. One
// thread.
#pragma once

#include <sys/types.h>

#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace scalableapp::workload {

class Process {
 public:
  explicit Process(const std::vector<std::string>& arguments);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void send(int signal) const;
  // Waits for its end; the exit code, or -1 if a signal ended it.
  int wait();

 private:
  pid_t pid_ = -1;  // -1 when waited for.
};

// A redis-server of the machine on a loopback port that was free, without any persistence.
class RedisServer {
 public:
  // None where no redis-server is on PATH: skip the test and say so.
  static std::unique_ptr<RedisServer> start();

  int port() const { return port_; }
  std::string address() const;
  void stop() { process_.reset(); }
  void restart();  // Empty, on the same port; returns when it answers.

 private:
  std::string program_;
  int port_ = 0;
  std::optional<Process> process_;
};

// A loopback port that is free now.
int free_port();
// The path of a program; empty if it is not on PATH.
std::string find_on_path(const std::string& name);

}  // namespace scalableapp::workload
