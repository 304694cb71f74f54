// Asks many servers whether they are well: one HTTP GET each, all in flight at once on the caller's one
// thread. For pods, by their IP address: no names, no TLS, no redirects followed, nothing of the body kept. Success is
// a status from 200 to 399, as for the kubelet's httpGet probe (Kubernetes, "Configure Liveness, Readiness
// and Startup Probes"). Knows no schedule: whoever owns it says when to ask.
//
//   HttpProbes probes(clock);
//   probes.start("a", {.address = "10.0.0.7", .port = 8080, .path = "/warm"});
//   for (const auto& [id, failure] : probes.wait(deadline)) ...
//
// One thread, except wake().
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "operator/base/time.h"
#include "operator/platform/clock.h"

namespace scalableapp {

struct HttpProbe {
  std::string address;     // An IPv4 or IPv6 literal.
  int port = 0;
  std::string path = "/";  // With its query, percent-encoded.
  milliseconds timeout{1'000};  // Until the status has come, connecting included.
  bool operator==(const HttpProbe&) const = default;
};

struct HttpProbeResult {
  std::string id;
  std::string failure;  // For a person: "HTTP 503", "connection refused", "no answer within 1s". Empty: success.
};

class HttpProbes {
 public:
  // `clock` must outlive it and be the machine's own: the kernel waits by it.
  explicit HttpProbes(const Clock& clock);
  ~HttpProbes();  // Gives up what is in flight.
  HttpProbes(const HttpProbes&) = delete;
  HttpProbes& operator=(const HttpProbes&) = delete;

  // Begins one; its result comes from wait(). One of the same id that is in flight is given up.
  void start(const std::string& id, const HttpProbe& probe);
  std::size_t in_flight() const;
  // The results that have come, waiting for the first until `deadline` or a wake().
  std::vector<HttpProbeResult> wait(MonotonicTime deadline);
  // From any thread: a wait() ends at once, the next one if there is none now.
  void wake();

 private:
  struct Flight;
  const Clock& clock_;
  int wake_fd_ = -1;
  std::map<std::string, std::unique_ptr<Flight>> flights_;
};

}  // namespace scalableapp
