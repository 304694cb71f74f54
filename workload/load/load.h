// The load generator as a program: one run and its report, or a server that is told what to play.
//
// Admin port: GET /metrics, /livez, /readyz, /healthz; GET /stats (the last second and totals),
// GET /timeline[?since=UNIX_SECONDS] (each second so far, across runs), GET /report and
// /report.html (of the run that goes on or was last), GET /accepted[?endpoint=&offset=&limit=] (the
// ids of its accepted POST requests, one a line); with --serve also POST /start (a plan in YAML or
// JSON, docs/load.md; replaces what goes on) and POST /stop.
#pragma once

#include <memory>
#include <stop_token>

#include "operator/base/result.h"
#include "workload/load/options.h"

namespace scalableapp::workload {

class LoadServer {
 public:
  // Listens on the admin port; does not start a run. kInvalid for options, kUnavailable for the
  // port.
  static Result<std::unique_ptr<LoadServer>> start(const LoadOptions& options);
  virtual ~LoadServer() = default;

  virtual int admin_port() const = 0;
  // Plays the run of the options to its end, or until `stop`; returns its report.
  virtual Result<std::string> play(std::stop_token stop) = 0;
  // The same as a page of HTML.
  virtual std::string html_report() = 0;
};

// The whole subcommand: returns when the run is over, or, with --serve, when asked to stop.
Result<void> run_load(const LoadOptions& options, std::stop_token stop);

}  // namespace scalableapp::workload
