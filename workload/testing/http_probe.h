// A blocking HTTP client for tests, raw enough to send what no proper client would. One thread.
#pragma once

#include <string>

namespace scalableapp::workload {

struct ProbeAnswer {
  int status = 0;  // 0: no answer.
  std::string head;
  std::string body;

  bool has_header(const std::string& line) const { return head.find(line) != std::string::npos; }
};

// One connection to 127.0.0.1; each call waits at most 20 s.
class Probe {
 public:
  explicit Probe(int port);
  ~Probe();
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;

  void send(const std::string& bytes) const;
  ProbeAnswer receive();
  // True if the server has closed the connection and nothing is left to read; waits for it.
  bool is_closed_by_server();
  ProbeAnswer ask(const std::string& method, const std::string& target,
                  const std::string& headers = {}, const std::string& body = {});

 private:
  int socket_ = -1;
  std::string received_;
};

// The same on a connection of its own.
ProbeAnswer http_get(int port, const std::string& target, const std::string& headers = {});
ProbeAnswer http_post(int port, const std::string& target, const std::string& body = {},
                      const std::string& headers = {});
// The value of the first sample that starts with `name` on the /metrics page; -1 if there is none.
double metric(int admin_port, const std::string& name);

}  // namespace scalableapp::workload
