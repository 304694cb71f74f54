#include "workload/load/connection.h"

#include <sys/socket.h>

#include <boost/asio/write.hpp>
#include <boost/beast/http.hpp>
#include <charconv>
#include <string_view>

namespace scalableapp::workload {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;
using boost::system::error_code;

// Answers of the demo's service are small; anything larger than this is not what is measured here.
constexpr std::size_t kMaxAnswerBytes = 1 << 20;

Outcome outcome_of(unsigned status) {
  if (status == 503) return Outcome::kShed;
  if (status == 429) return Outcome::kLimited;
  if (status >= 500) return Outcome::kStatus5xx;
  return status >= 400 ? Outcome::kStatus4xx : Outcome::kOk;
}

std::string_view view_of(const http::response<http::string_body>& answer, const char* header) {
  const auto found = answer.find(header);
  if (found == answer.end()) return {};
  return {found->value().data(), found->value().size()};
}

bool is_above_zero(std::string_view text) {
  int number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number > 0;
}

}  // namespace

Connection::Connection(asio::io_context& io, ConnectionOwner& owner, std::shared_ptr<Pool> pool,
                       Instant expires)
    : stream_(io), owner_(owner), pool_(std::move(pool)), expires_(expires) {
  owner_.connection_opened();
}

Connection::~Connection() { owner_.connection_closed(); }

bool Connection::is_dead() {
  char byte = 0;
  const auto got = ::recv(stream_.socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

void Connection::carry(std::unique_ptr<Request> request) {
  request_ = std::move(request);
  parser_.reset();
  stream_.expires_at(request_->deadline);
  is_reused_ = is_connected_;
  if (is_connected_) return write();
  stream_.async_connect(pool_->endpoint, [self = shared_from_this()](error_code error) {
    if (error) return self->failed(Outcome::kConnect, error);
    self->is_connected_ = true;
    self->stream_.socket().set_option(tcp::no_delay(true), error);
    self->write();
  });
}

void Connection::write() {
  asio::async_write(stream_, asio::buffer(request_->text),
                    [self = shared_from_this()](error_code error, std::size_t) {
                      if (error) return self->failed(Outcome::kReset, error);
                      self->read();
                    });
}

void Connection::read() {
  parser_.emplace();
  parser_->body_limit(kMaxAnswerBytes);
  http::async_read(
      stream_, buffer_, *parser_, [self = shared_from_this()](error_code error, std::size_t) {
        if (!error) return self->answered();
        const bool is_cut = error == http::error::end_of_stream ||
                            error == http::error::partial_message ||
                            error.category() != make_error_code(http::error::bad_method).category();
        self->failed(is_cut ? Outcome::kReset : Outcome::kProtocol, error);
      });
}

void Connection::failed(Outcome outcome, error_code error) {
  auto request = std::move(request_);
  stream_.close();
  if (error == beast::error::timeout) {
    outcome = Outcome::kTimeout;
  } else if (outcome == Outcome::kReset && is_reused_ && !request->was_retried &&
             buffer_.size() == 0 && !(parser_ && parser_->got_some())) {
    return owner_.retry(std::move(request));
  }
  owner_.tell_failure(outcome, error);
  owner_.finished(*request, outcome, 0, {});
  owner_.freed(nullptr);
}

void Connection::answered() {
  const auto request = std::move(request_);
  stream_.expires_never();
  const auto& answer = parser_->get();
  const unsigned status = answer.result_int();
  auto& cookie = pool_->cookies[request->planned.user % pool_->cookies.size()];
  if (const auto set = view_of(answer, "Set-Cookie"); !set.empty()) {
    cookie = set.substr(0, set.find(';'));
  } else if (status == 401) {
    cookie.clear();
  }
  const AnswerMarks marks{.cache = cache_mark(view_of(answer, "X-Cache")),
                          .is_degraded = is_above_zero(view_of(answer, "X-Degrade-Level")),
                          .is_session_lost = status == 401 && request->has_cookie};
  const bool is_kept = answer.keep_alive() && !parser_->need_eof();
  if (!is_kept) stream_.close();
  owner_.finished(*request, outcome_of(status), status, marks);
  owner_.freed(is_kept ? shared_from_this() : nullptr);
}

}  // namespace scalableapp::workload
