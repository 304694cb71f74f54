#include "workload/testing/http_probe.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

namespace scalableapp::workload {

Probe::Probe(int port) : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
  const timeval limit{20, 0};
  setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  if (connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    close(socket_);
    socket_ = -1;
  }
}

Probe::~Probe() {
  if (socket_ >= 0) close(socket_);
}

void Probe::send(const std::string& bytes) const {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const auto count = ::send(socket_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (count <= 0) return;
    sent += static_cast<std::size_t>(count);
  }
}

ProbeAnswer Probe::receive() {
  const auto more = [this] {
    char bytes[4096];
    const auto count = recv(socket_, bytes, sizeof bytes, 0);
    if (count > 0) received_.append(bytes, static_cast<std::size_t>(count));
    return count > 0;
  };
  std::size_t end = 0;
  while ((end = received_.find("\r\n\r\n")) == std::string::npos) {
    if (!more()) return {};
  }
  ProbeAnswer answer;
  answer.head = received_.substr(0, end + 2);
  received_.erase(0, end + 4);
  answer.status = std::atoi(answer.head.c_str() + answer.head.find(' '));
  const auto length = answer.head.find("Content-Length: ");
  const auto size = length == std::string::npos
                        ? 0
                        : static_cast<std::size_t>(std::atoi(answer.head.c_str() + length + 16));
  while (received_.size() < size) {
    if (!more()) return {};
  }
  answer.body = received_.substr(0, size);
  received_.erase(0, size);
  return answer;
}

bool Probe::is_closed_by_server() {
  char byte = 0;
  return received_.empty() && recv(socket_, &byte, 1, 0) == 0;
}

ProbeAnswer Probe::ask(const std::string& method, const std::string& target,
                       const std::string& headers, const std::string& body) {
  send(fmt::format("{} {} HTTP/1.1\r\nHost: test\r\n{}Content-Length: {}\r\n\r\n{}", method, target,
                   headers, body.size(), body));
  return receive();
}

ProbeAnswer http_get(int port, const std::string& target, const std::string& headers) {
  return Probe(port).ask("GET", target, headers);
}

ProbeAnswer http_post(int port, const std::string& target, const std::string& body,
                      const std::string& headers) {
  return Probe(port).ask("POST", target, headers, body);
}

double metric(int admin_port, const std::string& name) {
  const std::string page = "\n" + http_get(admin_port, "/metrics").body;
  const auto at = page.find("\n" + name);
  if (at == std::string::npos) return -1;
  const auto end = page.find('\n', at + 1);
  const auto space = page.rfind(' ', end);
  return std::atof(page.c_str() + space);
}

}  // namespace scalableapp::workload
