// Offers load to one HTTP server in an open loop: requests start when the schedule says, however
// slow the answers are, and each latency counts from that intended start, so a stalled server
// cannot hide behind requests that were not sent. One thread does all the IO; all calls are
// thread-safe.
//
// Clients are modelled as browsers behind keep-alive: a request takes an idle connection or opens a
// new one; connections live for a bounded time, so that new pods behind a Service get their share;
// cookies are kept for a number of users, so that sessions are created by one pod and read by
// another. A request on a reused connection that the server closed before any byte of an answer is
// sent once more on a new one, as HTTP clients do for idempotent requests; each POST carries an
// Idempotency-Key.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "operator/base/result.h"
#include "operator/base/time.h"
#include "workload/common/flags.h"
#include "workload/load/mix.h"
#include "workload/load/profile.h"

namespace scalableapp::workload {

struct GeneratorOptions {
  HostPort target;
  milliseconds timeout{10'000};
  milliseconds connection_lifetime{2000};  // Up to half as much again, by chance.
  int max_connections = 2000;
  int users = 200;
};

struct RunSpec {
  Profile profile;
  std::string profile_text;
  Mix mix;
  std::string mix_text;
  Arrivals arrivals = Arrivals::kConstant;
  std::uint64_t seed = 1;
};

class Generator {
 public:
  using OnText = std::function<void(std::string)>;

  // `on_second` gets the live line at the end of each second of a run; `on_end` is told when a
  // run's last answer is in. Both are called on the IO thread.
  static std::unique_ptr<Generator> create(const GeneratorOptions& options, OnText on_second,
                                           std::function<void()> on_end);
  virtual ~Generator() = default;

  // Looks the target up (which may block for seconds) and begins; a run that goes on is replaced,
  // its open requests still count. kUnavailable when the target's name has no address.
  virtual Result<void> start(RunSpec spec) = 0;
  // Sends nothing more; the run ends when its last answer is in.
  virtual void stop() = 0;

  // JSON texts, given on the IO thread: what happens now, all seconds from a Unix time on, the
  // report.
  virtual void stats(OnText give) = 0;
  virtual void timeline(std::int64_t since, OnText give) = 0;
  virtual void report(OnText give) = 0;
  virtual std::string metrics_page() const = 0;
};

}  // namespace scalableapp::workload
