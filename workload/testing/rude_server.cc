#include "workload/testing/rude_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string_view>
#include <vector>

namespace scalableapp::workload {

RudeServer::RudeServer() : listener_(socket(AF_INET, SOCK_STREAM, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  bind(listener_, reinterpret_cast<sockaddr*>(&address), size);
  listen(listener_, 128);
  getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  thread_ = std::jthread([this] { run(); });
}

RudeServer::~RudeServer() {
  shutdown(listener_, SHUT_RDWR);  // Ends the poll.
  thread_.join();
  close(listener_);
}

void RudeServer::run() {
  constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  std::vector<pollfd> watched = {{listener_, POLLIN, 0}};
  std::vector<bool> was_answered = {false};
  while (true) {
    poll(watched.data(), watched.size(), -1);
    if ((watched[0].revents & POLLHUP) != 0) break;
    for (std::size_t index = watched.size(); index-- > 1;) {
      if (watched[index].revents == 0) continue;
      char bytes[4096];
      const bool has_request = recv(watched[index].fd, bytes, sizeof bytes, 0) > 0;
      if (has_request && !was_answered[index]) {
        send(watched[index].fd, kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL);
        was_answered[index] = true;
        continue;
      }
      if (has_request) ++closed_;
      close(watched[index].fd);
      const auto offset = static_cast<std::ptrdiff_t>(index);
      watched.erase(watched.begin() + offset);
      was_answered.erase(was_answered.begin() + offset);
    }
    if ((watched[0].revents & POLLIN) != 0) {
      watched.push_back({accept(listener_, nullptr, nullptr), POLLIN, 0});
      was_answered.push_back(false);
    }
  }
  for (std::size_t index = 1; index < watched.size(); ++index) close(watched[index].fd);
}

}  // namespace scalableapp::workload
