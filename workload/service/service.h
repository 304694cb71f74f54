// The demo's HTTP service: stateless, with a cheap and a CPU-heavy route of its own.
//
//   GET  /         cheap                          GET /version   the label it was started with
//   GET  /work     ?cpu_ms=N&wait_ms=N: burns CPU time, then waits, on a bounded pool with a queue;
//                  503 with Retry-After beyond it
// The rest are families of routes, see workload/apps/.
//
// Admin port, own thread, so that nothing queues before it: /metrics, /livez, /readyz, /healthz.
// Ready means: Redis was reached once since the start (a wrong address never gets traffic), warm if
// warmup_readiness, not draining. A Redis that goes away later costs its routes a 503, but neither
// readiness (else one blip would take all pods out at once) nor liveness (a restart mends nothing).
//
// Drain, for scale-down without a failed request: not ready, answers carry `Connection: close`, new
// connections are served for drain_seconds, since proxies learn late; then what is in work is
// finished. Thread-safe.
#pragma once

#include <memory>
#include <stop_token>

#include "operator/base/result.h"
#include "workload/service/options.h"

namespace scalableapp::workload {

class Service {
 public:
  // kInvalid for a bad option that the flags could not see, kUnavailable for a port in use.
  static Result<std::unique_ptr<Service>> start(const ServiceOptions& options);
  virtual ~Service() = default;

  virtual int port() const = 0;
  virtual int admin_port() const = 0;
  // Drains and returns when nothing is in work any more; `hurry` cuts the drain time short.
  virtual void drain(std::stop_token hurry) = 0;
};

}  // namespace scalableapp::workload
