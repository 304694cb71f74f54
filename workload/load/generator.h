// Offers load to HTTP servers in an open loop: requests start when the schedule says, however slow
// the answers are, and each latency counts from that intended start, so a stalled server cannot
// hide behind requests that were not sent. One thread does all the IO; all calls are thread-safe.
//
// Clients are modelled as browsers behind keep-alive: a request takes an idle connection or opens a
// new one; connections live for a bounded time, so that new pods behind a Service get their share;
// cookies are kept for a number of users, so that sessions are created by one pod and read by
// another. A request on a reused connection that the server closed before any byte of an answer is
// sent once more on a new one, as HTTP clients do for idempotent requests; each request but GET
// carries an Idempotency-Key.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "operator/base/result.h"
#include "operator/base/time.h"
#include "workload/load/plan.h"

namespace scalableapp::workload {

struct GeneratorOptions {
  milliseconds timeout{10'000};
  milliseconds connection_lifetime{2000};  // Up to half as much again, by chance.
  int max_connections = 2000;              // To all targets together.
};

class Generator {
 public:
  using OnText = std::function<void(std::string)>;

  // `on_second` gets the live line at the end of each second of a run; `on_end` is told when a
  // run's last answer is in. Both are called on the IO thread.
  static std::unique_ptr<Generator> create(const GeneratorOptions& options, OnText on_second,
                                           std::function<void()> on_end);
  virtual ~Generator() = default;

  // Looks the targets up (which may block for seconds) and begins; a run that goes on is replaced,
  // its open requests still count. kUnavailable when a target's name has no address.
  virtual Result<void> start(RunSpec spec) = 0;
  // Sends nothing more; the run ends when its last answer is in.
  virtual void stop() = 0;

  // Texts, given on the IO thread. JSON: what happens now, all seconds from a Unix time on, the
  // report of the run that goes on or was last; that report as a page of HTML; the ids of its
  // accepted POST requests, one a line.
  virtual void stats(OnText give) = 0;
  virtual void timeline(std::int64_t since, OnText give) = 0;
  virtual void report(OnText give) = 0;
  virtual void html_report(OnText give) = 0;
  // None if the run has no such endpoint.
  using OnIds = std::function<void(std::optional<std::string>)>;
  virtual void accepted(std::string endpoint, std::size_t offset, std::size_t limit,
                        OnIds give) = 0;
  virtual std::string metrics_page() const = 0;
};

}  // namespace scalableapp::workload
