#include "workload/load/generator.h"

#include <fmt/format.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <sys/socket.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <deque>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "operator/platform/log.h"
#include "workload/common/instant.h"
#include "workload/common/metrics_page.h"
#include "workload/common/random_id.h"
#include "workload/load/record.h"

namespace scalableapp::workload {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;
using boost::system::error_code;

// Answers of the demo's service are small; anything larger than this is not what is measured here.
constexpr std::size_t kMaxAnswerBytes = 1 << 20;

std::int64_t unix_seconds() {
  return std::chrono::floor<seconds>(wall_now()).time_since_epoch().count();
}

microseconds to_micros(Instant::duration duration) {
  return std::chrono::duration_cast<microseconds>(duration);
}

struct Run {
  Run(RunSpec given)
      : spec(std::move(given)),
        schedule(spec.profile, spec.arrivals, spec.seed),
        random(spec.seed) {
    record.profile = spec.profile_text;
    record.mix = spec.mix_text;
    record.started = unix_seconds();
    for (const auto& phase : spec.profile.phases) {
      record.phase_names.push_back(phase.name);
      double duration = 0;
      for (const auto& segment : phase.segments) duration += segment.duration;
      record.phase_seconds.push_back(duration);
    }
    record.phases.resize(spec.profile.phases.size());
    next = schedule.next();
  }

  Instant instant_of(const Arrival& arrival) const {
    return began + to_duration(arrival.at_seconds);
  }

  RunSpec spec;
  ArrivalSchedule schedule;
  std::mt19937_64 random;  // Picks requests and users; the schedule has its own.
  RunRecord record;
  Instant began = instant_now();
  std::optional<Arrival> next;
  std::size_t open = 0;  // Requests without an outcome yet.
};

struct Request {
  std::shared_ptr<Run> run;
  std::size_t phase;
  Instant intended;
  Instant deadline;
  std::string text;
  std::size_t user;
  bool was_retried = false;
};

struct Counters {
  explicit Counters(prometheus::Registry& registry)
      : offered(prometheus::BuildCounter()
                    .Name("load_offered_requests_total")
                    .Help("Requests that the schedule asked for.")
                    .Register(registry)
                    .Add({})),
        retried(prometheus::BuildCounter()
                    .Name("load_retried_requests_total")
                    .Help("Requests sent again because an idle connection had been closed.")
                    .Register(registry)
                    .Add({})),
        latency(prometheus::BuildHistogram()
                    .Name("load_latency_seconds")
                    .Help("From the intended start to the complete answer, of successful requests.")
                    .Register(registry)
                    .Add({}, latency_buckets())),
        lag(prometheus::BuildHistogram()
                .Name("load_schedule_lag_seconds")
                .Help("From the intended to the real start: the generator's own delay.")
                .Register(registry)
                .Add({}, std::vector<double>{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                             0.25, 1})),
        rate(prometheus::BuildGauge()
                 .Name("load_target_rate")
                 .Help("Requests per second that the profile asks for now.")
                 .Register(registry)
                 .Add({})),
        connections(prometheus::BuildGauge()
                        .Name("load_connections")
                        .Help("Open connections to the target.")
                        .Register(registry)
                        .Add({})) {
    auto& outcomes = prometheus::BuildCounter()
                         .Name("load_requests_total")
                         .Help("Requests by outcome.")
                         .Register(registry);
    for (std::size_t index = 0; index < kOutcomes; ++index) {
      by_outcome.push_back(&outcomes.Add({{"outcome", to_string(static_cast<Outcome>(index))}}));
    }
  }
  prometheus::Counter& offered;
  prometheus::Counter& retried;
  prometheus::Histogram& latency;
  prometheus::Histogram& lag;
  prometheus::Gauge& rate;
  prometheus::Gauge& connections;
  std::vector<prometheus::Counter*> by_outcome;
};

class Engine;

// One connection; carries one request at a time.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(asio::io_context& io, Engine& engine, Instant expires);
  ~Connection();

  void carry(std::unique_ptr<Request> request);
  bool is_expired(Instant now) const { return now >= expires_; }
  // True if the server closed it (or sent what was not asked for) while it was idle.
  bool is_dead();

 private:
  void write();
  void read();
  void failed(Outcome outcome, error_code error);
  void answered();

  beast::tcp_stream stream_;
  Engine& engine_;
  const Instant expires_;
  bool is_connected_ = false;
  bool is_reused_ = false;
  std::unique_ptr<Request> request_;
  beast::flat_buffer buffer_;
  std::optional<http::response_parser<http::string_body>> parser_;
};

class Engine final : public Generator {
 public:
  Engine(const GeneratorOptions& options, OnText on_second, std::function<void()> on_end)
      : options_(options),
        on_second_(std::move(on_second)),
        on_end_(std::move(on_end)),
        counters_(page_.registry()),
        cookies_(static_cast<std::size_t>(options.users)) {
    asio::post(io_, [this] { await_second(); });
    thread_ = std::jthread([this] { io_.run(); });
  }

  ~Engine() override {
    io_.stop();
    thread_.join();
    idle_.clear();
    pending_.clear();
  }

  Result<void> start(RunSpec spec) override {
    error_code error;
    asio::io_context lookup;
    tcp::resolver resolver(lookup);
    const auto found =
        resolver.resolve(options_.target.host, fmt::format("{}", options_.target.port), error);
    if (error || found.empty()) {
      return fail(ErrorCode::kUnavailable,
                  fmt::format("{} has no address: {}", options_.target.host, error.message()));
    }
    const tcp::endpoint endpoint = found.begin()->endpoint();
    asio::post(io_, [this, endpoint, spec = std::move(spec)]() mutable {
      if (endpoint != endpoint_) idle_.clear();
      endpoint_ = endpoint;
      if (run_) end_schedule(true);
      run_ = std::make_shared<Run>(std::move(spec));
      is_over_ = false;
      pump();
    });
    return {};
  }

  void stop() override {
    asio::post(io_, [this] {
      if (run_ && run_->next) end_schedule(true);
      check_end();
    });
  }

  void stats(OnText give) override {
    asio::post(io_, [this, give = std::move(give)] {
      if (run_) note_elapsed();
      give(stats_json(timeline_, unix_seconds() - 1, run_ ? &run_->record : nullptr,
                      run_ && run_->next.has_value(), open_));
    });
  }
  void timeline(std::int64_t since, OnText give) override {
    asio::post(io_, [this, since, give = std::move(give)] {
      give(timeline_json(timeline_.rows(), since));
    });
  }
  void report(OnText give) override {
    asio::post(io_, [this, give = std::move(give)] {
      if (!run_) return give("{}\n");
      note_elapsed();
      if (!is_over_) run_->record.ended = unix_seconds();
      give(report_json(run_->record, timeline_.rows()));
    });
  }
  std::string metrics_page() const override { return page_.render(); }

  // --- called by connections ---

  const GeneratorOptions& options() const { return options_; }
  const tcp::endpoint& endpoint() const { return endpoint_; }
  void connection_opened() { counters_.connections.Set(static_cast<double>(++connections_)); }
  void connection_closed() { counters_.connections.Set(static_cast<double>(--connections_)); }

  void finished(Request& request, Outcome outcome) {
    const auto latency = to_micros(instant_now() - request.intended);
    if (outcome == Outcome::kOk && latency > options_.timeout) outcome = Outcome::kTimeout;
    request.run->record.phases[request.phase].count(outcome, latency);
    timeline_.current().count(outcome, latency);
    counters_.by_outcome[static_cast<std::size_t>(outcome)]->Increment();
    if (outcome == Outcome::kOk)
      counters_.latency.Observe(static_cast<double>(latency.count()) * 1e-6);
    --open_;
    --request.run->open;
    check_end();
  }

  void retry(std::unique_ptr<Request> request) {
    request->was_retried = true;
    ++request->run->record.phases[request->phase].retried;
    ++timeline_.current().retried;
    counters_.retried.Increment();
    std::make_shared<Connection>(io_, *this, expiry())->carry(std::move(request));
  }

  void keep_cookie(std::size_t user, std::string cookie) { cookies_[user] = std::move(cookie); }

  // Of what broke on the way, one a second is told: the counts do not say why.
  void tell_failure(Outcome outcome, const error_code& error) {
    if (std::exchange(told_second_, current_second_) == current_second_) return;
    log_warn("a request failed", {{"as", to_string(outcome)}, {"why", error.message()}});
  }

  // The connection is free, or gone if null: the longest waiting request is next.
  void freed(std::shared_ptr<Connection> connection) {
    const Instant now = instant_now();
    if (connection && connection->is_expired(now)) connection.reset();
    while (!pending_.empty()) {
      auto request = std::move(pending_.front());
      pending_.pop_front();
      if (now >= request->deadline) {
        finished(*request, Outcome::kNoConnection);
        continue;
      }
      return send(std::move(request), std::move(connection));
    }
    if (connection) idle_.push_back(std::move(connection));
  }

 private:
  Instant expiry() {
    const double jitter = std::uniform_real_distribution(1.0, 1.5)(random_);
    return instant_now() + to_duration(to_seconds(options_.connection_lifetime) * jitter);
  }

  // Starts all that is due and sleeps until the next.
  void pump() {
    const Instant now = instant_now();
    while (run_->next && run_->instant_of(*run_->next) <= now) {
      offer(*run_->next);
      run_->next = run_->schedule.next();
    }
    if (!run_->next) return end_schedule(false);
    due_.expires_at(run_->instant_of(*run_->next));
    due_.async_wait([this](error_code error) {
      if (!error && run_ && run_->next) pump();
    });
  }

  void offer(const Arrival& arrival) {
    auto request = std::make_unique<Request>();
    request->run = run_;
    request->phase = arrival.phase;
    request->intended = run_->instant_of(arrival);
    request->deadline = request->intended + options_.timeout;
    const auto& entry = run_->spec.mix.pick(std::uniform_real_distribution(0.0, 1.0)(run_->random));
    request->user =
        std::uniform_int_distribution<std::size_t>(0, cookies_.size() - 1)(run_->random);
    request->text = text_of(entry, cookies_[request->user]);
    ++run_->record.phases[arrival.phase].offered;
    ++timeline_.current().offered;
    ++open_;
    ++run_->open;
    counters_.offered.Increment();
    std::shared_ptr<Connection> connection;
    const Instant now = instant_now();
    while (!idle_.empty() && !connection) {  // The one used last: the others get to expire.
      connection = std::move(idle_.back());
      idle_.pop_back();
      if (connection->is_expired(now) || connection->is_dead()) connection.reset();
    }
    if (!connection && connections_ >= options_.max_connections) {
      pending_.push_back(std::move(request));
      return;
    }
    send(std::move(request), std::move(connection));
  }

  std::string text_of(const MixEntry& entry, const std::string& cookie) const {
    std::string text = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: demo-workload\r\n",
                                   entry.method, entry.target, options_.target.host);
    if (!cookie.empty()) text += fmt::format("Cookie: {}\r\n", cookie);
    if (entry.method == "POST") {
      text += fmt::format("Content-Length: 0\r\nIdempotency-Key: {}\r\n", random_id());
    }
    return text += "\r\n";
  }

  void send(std::unique_ptr<Request> request, std::shared_ptr<Connection> connection) {
    const auto lag = to_micros(instant_now() - request->intended);
    request->run->record.phases[request->phase].lag.record(lag);
    timeline_.current().lag.record(lag);
    counters_.lag.Observe(static_cast<double>(lag.count()) * 1e-6);
    if (!connection) connection = std::make_shared<Connection>(io_, *this, expiry());
    connection->carry(std::move(request));
  }

  void note_elapsed() {
    if (run_->next) run_->record.elapsed_seconds = to_seconds(instant_now() - run_->began);
  }

  void end_schedule(bool was_stopped) {
    note_elapsed();
    if (!was_stopped) run_->record.elapsed_seconds = run_->spec.profile.duration_seconds();
    run_->record.was_stopped = was_stopped && run_->next.has_value();
    run_->next.reset();
    if (!was_stopped) {
      // The run lasts until the end of its last interval, not only until its last request.
      due_.expires_at(run_->began + to_duration(run_->record.elapsed_seconds));
      due_.async_wait([this](error_code error) {
        if (!error) check_end();
      });
    } else {
      due_.cancel();
    }
  }

  bool is_schedule_over() const {
    return run_ && !run_->next &&
           instant_now() >= run_->began + to_duration(run_->record.elapsed_seconds);
  }

  void check_end() {
    if (is_over_ || !is_schedule_over() || run_->open > 0) return;
    is_over_ = true;
    run_->record.ended = unix_seconds();
    close_second();
    on_end_();
  }

  void await_second() {
    // Rows are whole seconds of the wall clock, so that they can be laid beside other records.
    const auto into_second = wall_now().time_since_epoch() % seconds(1);
    second_.expires_after(seconds(1) - into_second + milliseconds(1));
    second_.async_wait([this](error_code error) {
      if (error) return;
      close_second();
      drop_expired();
      await_second();
    });
  }

  void close_second() {
    const std::int64_t second = std::exchange(current_second_, unix_seconds());
    const bool is_active = run_ && !is_over_;
    const double elapsed = run_ ? to_seconds(instant_now() - run_->began) : 0;
    // In the middle of the second that is over; a stopped run asks for nothing.
    const double rate = run_ && (run_->next || !run_->record.was_stopped)
                            ? run_->schedule.rate_at(elapsed - 0.5)
                            : 0;
    counters_.rate.Set(rate);
    const auto rows = timeline_.rows().size();
    timeline_.close_second(second, rate, open_, is_active);
    if (timeline_.rows().size() != rows && on_second_)
      on_second_(live_line(timeline_.rows().back(), elapsed));
  }

  void drop_expired() {
    const Instant now = instant_now();
    std::erase_if(idle_, [now](const auto& connection) { return connection->is_expired(now); });
    while (!pending_.empty() && now >= pending_.front()->deadline) {
      const auto request = std::move(pending_.front());
      pending_.pop_front();
      finished(*request, Outcome::kNoConnection);
    }
  }

  const GeneratorOptions options_;
  const OnText on_second_;
  const std::function<void()> on_end_;
  MetricsPage page_;
  Counters counters_;
  int connections_ = 0;  // Of the IO thread too, but outlives the connections that io_ still holds.
  // All that follows belongs to the IO thread.
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> guard_{io_.get_executor()};
  asio::steady_timer due_{io_};
  asio::steady_timer second_{io_};
  tcp::endpoint endpoint_;
  std::shared_ptr<Run> run_;
  bool is_over_ = true;
  std::uint64_t open_ = 0;
  std::int64_t current_second_ = unix_seconds();
  std::int64_t told_second_ = 0;
  std::vector<std::shared_ptr<Connection>> idle_;
  std::deque<std::unique_ptr<Request>> pending_;
  std::vector<std::string> cookies_;  // By user.
  std::mt19937_64 random_;
  Timeline timeline_;
  std::jthread thread_;
};

Connection::Connection(asio::io_context& io, Engine& engine, Instant expires)
    : stream_(io), engine_(engine), expires_(expires) {
  engine_.connection_opened();
}

Connection::~Connection() { engine_.connection_closed(); }

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
  stream_.async_connect(engine_.endpoint(), [self = shared_from_this()](error_code error) {
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
    return engine_.retry(std::move(request));
  }
  engine_.tell_failure(outcome, error);
  engine_.finished(*request, outcome);
  engine_.freed(nullptr);
}

void Connection::answered() {
  const auto request = std::move(request_);
  stream_.expires_never();
  const auto& answer = parser_->get();
  const unsigned status = answer.result_int();
  if (const auto cookie = answer.find(http::field::set_cookie); cookie != answer.end()) {
    const std::string text(cookie->value());
    engine_.keep_cookie(request->user, text.substr(0, text.find(';')));
  } else if (status == 401) {
    engine_.keep_cookie(request->user, "");
  }
  const bool is_kept = answer.keep_alive() && !parser_->need_eof();
  if (!is_kept) stream_.close();
  engine_.finished(*request, status == 503   ? Outcome::kShed
                             : status >= 500 ? Outcome::kStatus5xx
                             : status >= 400 ? Outcome::kStatus4xx
                                             : Outcome::kOk);
  engine_.freed(is_kept ? shared_from_this() : nullptr);
}

}  // namespace

std::unique_ptr<Generator> Generator::create(const GeneratorOptions& options, OnText on_second,
                                             std::function<void()> on_end) {
  return std::make_unique<Engine>(options, std::move(on_second), std::move(on_end));
}

}  // namespace scalableapp::workload
