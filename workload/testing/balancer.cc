#include "workload/testing/balancer.h"

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <thread>
#include <utility>

namespace scalableapp::workload {
namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using boost::system::error_code;

// Copies one direction until its end, which it passes on.
class Pipe : public std::enable_shared_from_this<Pipe> {
 public:
  Pipe(std::shared_ptr<tcp::socket> from, std::shared_ptr<tcp::socket> to)
      : from_(std::move(from)), to_(std::move(to)) {}

  void run() {
    from_->async_read_some(asio::buffer(bytes_),
                           [self = shared_from_this()](error_code error, std::size_t size) {
                             if (error) return self->end();
                             self->copy(size);
                           });
  }

 private:
  void copy(std::size_t size) {
    asio::async_write(*to_, asio::buffer(bytes_, size),
                      [self = shared_from_this()](error_code error, std::size_t) {
                        if (error) return self->end();
                        self->run();
                      });
  }
  void end() {
    error_code ignored;
    to_->shutdown(tcp::socket::shutdown_send, ignored);
  }

  std::shared_ptr<tcp::socket> from_;
  std::shared_ptr<tcp::socket> to_;
  std::array<char, 8192> bytes_{};
};

class AsioBalancer final : public Balancer {
 public:
  explicit AsioBalancer(std::vector<int> backend_ports)
      : backends_(std::move(backend_ports)),
        acceptor_(io_, {asio::ip::address_v4::loopback(), 0}),
        port_(acceptor_.local_endpoint().port()) {
    accept();
    thread_ = std::jthread([this] { io_.run(); });
  }
  ~AsioBalancer() override {
    io_.stop();
    thread_.join();
  }
  int port() const override { return port_; }
  void set_backends(std::vector<int> backend_ports) override {
    asio::post(
        io_, [this, ports = std::move(backend_ports)]() mutable { backends_ = std::move(ports); });
  }

 private:
  void accept() {
    acceptor_.async_accept([this](error_code error, tcp::socket socket) {
      if (error) return;
      const int backend = backends_[next_++ % backends_.size()];
      auto client = std::make_shared<tcp::socket>(std::move(socket));
      auto server = std::make_shared<tcp::socket>(io_);
      server->async_connect({asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(backend)},
                            [client, server](error_code failed) {
                              if (failed) return;
                              std::make_shared<Pipe>(client, server)->run();
                              std::make_shared<Pipe>(server, client)->run();
                            });
      accept();
    });
  }

  std::vector<int> backends_;
  std::size_t next_ = 0;
  asio::io_context io_{1};
  tcp::acceptor acceptor_;
  const int port_;
  std::jthread thread_;
};

}  // namespace

std::unique_ptr<Balancer> Balancer::start(std::vector<int> backend_ports) {
  return std::make_unique<AsioBalancer>(std::move(backend_ports));
}

}  // namespace scalableapp::workload
