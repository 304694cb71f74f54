#include "workload/testing/process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <sstream>

#include "workload/common/redis.h"
#include "workload/testing/eventually.h"

namespace scalableapp::workload {
std::string find_on_path(const std::string& name) {
  const char* const path = std::getenv("PATH");
  std::istringstream directories(path != nullptr ? path : "/usr/bin");
  for (std::string directory; std::getline(directories, directory, ':');) {
    const std::string program = directory + "/" + name;
    if (access(program.c_str(), X_OK) == 0) return program;
  }
  return {};
}

Process::Process(const std::vector<std::string>& arguments) {
  std::vector<char*> words;
  for (const auto& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  pid_ = fork();
  if (pid_ != 0) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // A test that crashes leaves nothing behind.
  const int nowhere = open("/dev/null", O_RDWR);
  dup2(nowhere, 0);
  dup2(nowhere, 1);
  dup2(nowhere, 2);
  execv(words[0], words.data());
  _exit(127);
}

Process::~Process() {
  if (pid_ <= 0) return;
  send(SIGKILL);
  wait();
}

void Process::send(int signal) const { kill(pid_, signal); }

int Process::wait() {
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int free_port() {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  bind(listener, reinterpret_cast<sockaddr*>(&address), size);
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  close(listener);
  return ntohs(address.sin_port);
}

std::unique_ptr<RedisServer> RedisServer::start() {
  const auto program = find_on_path("redis-server");
  if (program.empty()) return nullptr;
  auto server = std::make_unique<RedisServer>();
  server->program_ = program;
  server->port_ = free_port();
  server->restart();
  return server;
}

std::string RedisServer::address() const { return fmt::format("127.0.0.1:{}", port_); }

void RedisServer::restart() {
  process_.reset();
  process_.emplace(std::vector<std::string>{program_, "--port", fmt::format("{}", port_), "--bind",
                                            "127.0.0.1", "--save", "", "--appendonly", "no"});
  RedisConnection probe({.server = {"127.0.0.1", port_}});
  if (!eventually([&] { return probe.run_once({{"PING"}}).has_value(); })) std::abort();
}

}  // namespace scalableapp::workload
