// An HTTP server that answers one request a connection and closes it, without a word, when the
// second arrives: the race of a keep-alive connection that times out just then. Thread-safe.
#pragma once

#include <atomic>
#include <thread>

namespace scalableapp::workload {

class RudeServer {
 public:
  RudeServer();
  ~RudeServer();
  int port() const { return port_; }
  int closed() const { return closed_; }

 private:
  void run();

  int listener_ = -1;
  int port_ = 0;
  std::atomic<int> closed_ = 0;
  std::jthread thread_;
};

}  // namespace scalableapp::workload
