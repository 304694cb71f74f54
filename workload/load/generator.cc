#include "workload/load/generator.h"

#include <fmt/format.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "operator/platform/log.h"
#include "workload/common/instant.h"
#include "workload/common/random_id.h"
#include "workload/load/generator_metrics.h"
#include "workload/load/html_report.h"
#include "workload/load/pools.h"
#include "workload/load/report.h"
#include "workload/load/run.h"

namespace scalableapp::workload {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
namespace errc = boost::system::errc;

std::int64_t unix_seconds() {
  return std::chrono::floor<seconds>(wall_now()).time_since_epoch().count();
}

microseconds to_micros(Instant::duration duration) {
  return std::chrono::duration_cast<microseconds>(duration);
}

class Engine final : public Generator, public ConnectionOwner {
 public:
  Engine(const GeneratorOptions& options, OnText on_second, std::function<void()> on_end)
      : options_(options),
        limits_{room_for_connections(options.max_connections), local_ports()},
        on_second_(std::move(on_second)),
        on_end_(std::move(on_end)) {
    asio::post(io_, [this] { await_second(); });
    thread_ = std::jthread([this] { io_.run(); });
  }

  ~Engine() override {
    io_.stop();
    thread_.join();
    pools_.use({}, 1);
    pending_.clear();
  }

  Result<void> start(RunSpec spec) override {
    auto addresses = look_up(spec);
    if (!addresses) return tl::unexpected(addresses.error());
    for (const auto& note : spec.notes) log_info("of the plan", {{"note", note}});
    asio::post(io_, [this, addresses = std::move(*addresses), spec = std::move(spec)]() mutable {
      if (run_) run_->stop(instant_now());
      run_ = std::make_shared<Run>(std::move(spec), instant_now(), wall_now());
      is_over_ = false;
      timeline_.set_endpoints(run_->endpoint_names());
      pools_.use(addresses, run_->spec().users);
      pool_of_endpoint_.clear();
      for (std::size_t index = 0; index < run_->endpoints(); ++index) {
        const auto& entry = run_->entry(index);
        pool_of_endpoint_.push_back(pools_.of(entry.target));
        metrics_.requests_of(entry.name);
      }
      pump();
    });
    return {};
  }

  void stop() override {
    asio::post(io_, [this] {
      if (run_ && run_->next_due()) {
        run_->stop(instant_now());
        due_.cancel();
      }
      check_end();
    });
  }

  void stats(OnText give) override {
    asio::post(io_, [this, give = std::move(give)] {
      if (run_) run_->note_elapsed(instant_now());
      give(stats_json(timeline_, unix_seconds() - 1, run_ ? &run_->record : nullptr,
                      run_ && run_->next_due(), open_));
    });
  }
  void timeline(std::int64_t since, OnText give) override {
    asio::post(io_, [this, since, give = std::move(give)] {
      give(timeline_json(timeline_.rows(), since, run_ ? &run_->record : nullptr));
    });
  }
  void report(OnText give) override {
    with_record(std::move(give), "{}\n", [this](const RunRecord& record) {
      return report_json(record, timeline_.rows(), limits_);
    });
  }
  void html_report(OnText give) override {
    with_record(std::move(give), "", [this](const RunRecord& record) {
      return workload::html_report(record, timeline_.rows());
    });
  }
  void accepted(std::string endpoint, std::size_t offset, std::size_t limit, OnIds give) override {
    asio::post(io_, [this, endpoint = std::move(endpoint), offset, limit, give = std::move(give)] {
      give(run_ ? accepted_text(run_->record, endpoint, offset, limit) : std::string());
    });
  }
  std::string metrics_page() const override { return metrics_.render(); }

 private:
  // --- told by connections ---

  void connection_opened() override { metrics_.set_connections(++connections_); }
  void connection_closed() override { metrics_.set_connections(--connections_); }

  void finished(Request& request, Outcome outcome, unsigned status,
                const AnswerMarks& marks) override {
    auto& run = *request.run;
    const auto& planned = request.planned;
    const auto latency = to_micros(instant_now() - planned.intended);
    if (outcome == Outcome::kOk && latency > options_.timeout) outcome = Outcome::kTimeout;
    run.record.count(planned.phase, planned.endpoint, planned.intended_second, outcome, latency,
                     marks);
    timeline_.current().count(outcome, latency, marks);
    timeline_.count_endpoint(run.endpoint_names(), planned.endpoint, outcome == Outcome::kOk);
    const auto& entry = run.entry(planned.endpoint);
    metrics_.count(metrics_.requests_of(entry.name), outcome, to_seconds(latency));
    if (entry.method == "POST" && status >= 200 && status < 300) {
      run.record.endpoints[planned.endpoint].accepted.add(request.id, run.record.kept_ids);
    }
    --open_;
    --run.open;
    check_end();
  }

  void retry(std::unique_ptr<Request> request) override {
    request->was_retried = true;
    auto& record = request->run->record;
    ++record.phases[request->planned.phase].tally.retried;
    ++record.endpoints[request->planned.endpoint].tally.retried;
    ++timeline_.current().retried;
    metrics_.retried();
    new_connection(request->pool)->carry(std::move(request));
  }

  // Of what broke on the way, one a second is logged: the counts do not say why.
  void tell_failure(Outcome outcome, const error_code& error) override {
    auto& own = timeline_.own();
    own.out_of_ports += error == errc::address_not_available ? 1 : 0;
    own.out_of_descriptors += error == errc::too_many_files_open ? 1 : 0;
    if (std::exchange(told_second_, current_second_) == current_second_) return;
    log_warn("a request failed", {{"as", to_string(outcome)}, {"why", error.message()}});
  }

  // The longest waiting request is next.
  void freed(std::shared_ptr<Connection> connection) override {
    const Instant now = instant_now();
    if (connection && (connection->is_expired(now) || !connection->pool()->is_current)) {
      connection.reset();
    }
    while (!pending_.empty()) {
      auto request = std::move(pending_.front());
      pending_.pop_front();
      if (now >= request->deadline) {
        finished(*request, Outcome::kNoConnection, 0, {});
        continue;
      }
      if (connection && connection->pool() != request->pool) connection.reset();
      return send(std::move(request), std::move(connection));
    }
    if (connection) connection->pool()->idle.push_back(std::move(connection));
  }

  // --- its own ---

  std::shared_ptr<Connection> new_connection(const std::shared_ptr<Pool>& pool) {
    const double jitter = std::uniform_real_distribution(1.0, 1.5)(random_);
    const auto lifetime = to_duration(to_seconds(options_.connection_lifetime) * jitter);
    return std::make_shared<Connection>(io_, *this, pool, instant_now() + lifetime);
  }

  // Starts all that is due and sleeps until the next, or until the last interval is over.
  void pump() {
    const Instant now = instant_now();
    auto due = run_->next_due();
    while (due && *due <= now) {
      offer(run_->take());
      due = run_->next_due();
    }
    due_.expires_at(due ? *due : run_->end_of_schedule());
    due_.async_wait([this, is_last = !due](error_code error) {
      if (error) return;
      if (is_last) return check_end();
      pump();
    });
  }

  void offer(const PlannedRequest& planned) {
    auto request = std::make_unique<Request>();
    request->run = run_;
    request->pool = pool_of_endpoint_[planned.endpoint];
    request->planned = planned;
    request->deadline = planned.intended + options_.timeout;
    const auto& entry = run_->entry(planned.endpoint);
    const auto& cookie = request->pool->cookies[planned.user];
    request->has_cookie = !cookie.empty();
    if (needs_id(entry)) request->id = random_id();
    request->text = request_text(
        entry, cookie, {.user = planned.user + 1, .id = request->id, .random = run_->random()});
    ++run_->record.phases[planned.phase].tally.offered;
    ++run_->record.endpoints[planned.endpoint].tally.offered;
    ++timeline_.current().offered;
    ++open_;
    ++run_->open;
    metrics_.offered();
    auto connection = Pools::take_idle(*request->pool, instant_now());
    if (!connection && connections_ >= limits_.max_connections && !pools_.drop_one_idle()) {
      ++timeline_.own().waited;
      pending_.push_back(std::move(request));
      return;
    }
    send(std::move(request), std::move(connection));
  }

  void send(std::unique_ptr<Request> request, std::shared_ptr<Connection> connection) {
    const auto lag = to_micros(instant_now() - request->planned.intended);
    auto& record = request->run->record;
    record.phases[request->planned.phase].tally.lag.record(lag);
    record.endpoints[request->planned.endpoint].tally.lag.record(lag);
    timeline_.current().lag.record(lag);
    metrics_.lag(to_seconds(lag));
    if (!connection) connection = new_connection(request->pool);
    connection->carry(std::move(request));
  }

  void with_record(OnText give, std::string nothing,
                   std::function<std::string(const RunRecord&)> text) {
    asio::post(io_, [this, give = std::move(give), nothing = std::move(nothing),
                     text = std::move(text)] {
      if (!run_) return give(nothing);
      run_->note_elapsed(instant_now());
      if (!is_over_) run_->record.ended = unix_seconds();
      give(text(run_->record));
    });
  }

  void check_end() {
    if (is_over_ || !run_ || run_->open > 0 || !run_->is_schedule_over(instant_now())) return;
    run_->record.ended = unix_seconds();
    close_second();
    is_over_ = true;
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
    const Instant now = instant_now();
    const auto cpu = thread_cpu_time();
    const double lasted = to_seconds(now - std::exchange(second_began_, now));
    const double used = to_seconds(cpu - std::exchange(cpu_at_second_, cpu));
    // The end of a run closes a part of a second, too short a time for a share.
    timeline_.own().cpu_share = lasted > 0.1 ? used / lasted : 0;
    // In the middle of the second that is over.
    const double rate = run_ ? run_->rate_at(now - milliseconds(500)) : 0;
    metrics_.set_rate(rate);
    const auto* row = timeline_.close_second(second, rate, open_, is_active);
    metrics_.set_limited(row && row->limit != Limit::kNone);
    if (!row) return;
    if (is_active) ++run_->record.limited_seconds[static_cast<std::size_t>(row->limit)];
    if (on_second_) on_second_(live_line(*row, run_ ? run_->seconds_since_begin(now) : 0));
  }

  void drop_expired() {
    const Instant now = instant_now();
    pools_.drop_expired(now);
    while (!pending_.empty() && now >= pending_.front()->deadline) {
      const auto request = std::move(pending_.front());
      pending_.pop_front();
      finished(*request, Outcome::kNoConnection, 0, {});
    }
  }

  const GeneratorOptions options_;
  const OwnLimits limits_;
  const OnText on_second_;
  const std::function<void()> on_end_;
  GeneratorMetrics metrics_;
  int connections_ = 0;  // Of the IO thread too, but outlives the connections that io_ still holds.
  // All that follows belongs to the IO thread.
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> guard_{io_.get_executor()};
  asio::steady_timer due_{io_};
  asio::steady_timer second_{io_};
  std::shared_ptr<Run> run_;
  bool is_over_ = true;
  std::uint64_t open_ = 0;
  std::int64_t current_second_ = unix_seconds();
  std::int64_t told_second_ = 0;
  Instant second_began_ = instant_now();
  microseconds cpu_at_second_{0};
  Pools pools_;
  std::vector<std::shared_ptr<Pool>> pool_of_endpoint_;
  std::deque<std::unique_ptr<Request>> pending_;
  std::mt19937_64 random_;
  Timeline timeline_;
  std::jthread thread_;
};

}  // namespace

std::unique_ptr<Generator> Generator::create(const GeneratorOptions& options, OnText on_second,
                                             std::function<void()> on_end) {
  return std::make_unique<Engine>(options, std::move(on_second), std::move(on_end));
}

}  // namespace scalableapp::workload
