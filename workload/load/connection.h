// One connection of the load generator to a target, carrying one request at a time. Of the
// generator's IO thread only; what comes of a request is told to its owner.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "workload/common/instant.h"
#include "workload/load/record.h"
#include "workload/load/run.h"

namespace scalableapp::workload {

class Connection;

// The connections to one target and its users' cookies.
struct Pool {
  boost::asio::ip::tcp::endpoint endpoint;
  std::vector<std::shared_ptr<Connection>> idle;
  std::vector<std::string> cookies;  // By user.
  bool is_current = true;            // False once no run uses it: nothing becomes idle any more.
};

struct Request {
  std::shared_ptr<Run> run;
  std::shared_ptr<Pool> pool;
  PlannedRequest planned;
  Instant deadline;
  std::string text;
  std::string id;  // Empty unless it carries one.
  bool has_cookie = false;
  bool was_retried = false;
};

class ConnectionOwner {
 public:
  virtual void connection_opened() = 0;
  virtual void connection_closed() = 0;
  virtual void finished(Request& request, Outcome outcome, unsigned status,
                        const AnswerMarks& marks) = 0;
  // To be sent again on a new connection: nothing was answered on an old one.
  virtual void retry(std::unique_ptr<Request> request) = 0;
  // A connection is free, or gone if null.
  virtual void freed(std::shared_ptr<Connection> connection) = 0;
  // What broke on the way, to be logged and, where it is of this machine, counted.
  virtual void tell_failure(Outcome outcome, const boost::system::error_code& error) = 0;

 protected:
  ~ConnectionOwner() = default;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(boost::asio::io_context& io, ConnectionOwner& owner, std::shared_ptr<Pool> pool,
             Instant expires);
  ~Connection();

  void carry(std::unique_ptr<Request> request);
  bool is_expired(Instant now) const { return now >= expires_; }
  // True if the server closed it (or sent what was not asked for) while it was idle.
  bool is_dead();
  const std::shared_ptr<Pool>& pool() const { return pool_; }

 private:
  using error_code = boost::system::error_code;
  void write();
  void read();
  void failed(Outcome outcome, error_code error);
  void answered();

  boost::beast::tcp_stream stream_;
  ConnectionOwner& owner_;
  const std::shared_ptr<Pool> pool_;
  const Instant expires_;
  bool is_connected_ = false;
  bool is_reused_ = false;
  std::unique_ptr<Request> request_;
  boost::beast::flat_buffer buffer_;
  std::optional<boost::beast::http::response_parser<boost::beast::http::string_body>> parser_;
};

}  // namespace scalableapp::workload
