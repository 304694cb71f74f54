// Asks the pods that wait for it whether they are warm (spec.readiness.warmUp.httpGet): each once a second,
// or as soon as the last answer is there where that takes longer; at most kMostInFlight at a time, the
// one that has waited longest first. One thread does it all (platform/http_probe.h). A result that differs
// from the one before, the first included, wakes the app. Decides nothing about what it means
// (rollout/warm_up.h).
//
// Pods are asked by their address from where the operator runs: a NetworkPolicy must let it. Only
// what is subscribed is asked, so a pod whose gate is open costs nothing.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "operator/api/meta.h"
#include "operator/base/time.h"
#include "operator/platform/clock.h"
#include "operator/platform/http_probe.h"

namespace scalableapp::controller {

inline constexpr milliseconds kProbeInterval{1'000};
inline constexpr std::size_t kMostInFlight = 32;

struct ProbeTarget {
  std::string id;  // Unique in the cluster; another one begins anew.
  HttpProbe probe;
  bool operator==(const ProbeTarget&) const = default;
};

// Thread-safe. Tests set results by hand.
class WarmUpProbes {
 public:
  virtual ~WarmUpProbes() = default;
  // Replaces the app's targets; those that stay keep their result.
  virtual void subscribe(const api::ObjectKey& app, const std::vector<ProbeTarget>& targets) = 0;
  virtual void unsubscribe(const api::ObjectKey& app) = 0;
  // The last result; its failure is empty where it succeeded. Nothing: there is none yet, or no such target.
  virtual std::optional<HttpProbeResult> latest(const api::ObjectKey& app, const std::string& id) const = 0;
};

class WarmUpProber final : public WarmUpProbes {
 public:
  using OnChange = std::function<void(const api::ObjectKey& app)>;
  // `clock` must outlive it. `on_change` is called on its thread with no lock held. Nothing is asked
  // before start.
  WarmUpProber(const Clock& clock, OnChange on_change);
  ~WarmUpProber() override { stop(); }

  void start();
  // Gives up what is in flight and joins; no callback runs after it. Not from a callback.
  void stop();

  void subscribe(const api::ObjectKey& app, const std::vector<ProbeTarget>& targets) override;
  void unsubscribe(const api::ObjectKey& app) override;
  std::optional<HttpProbeResult> latest(const api::ObjectKey& app, const std::string& id) const override;

 private:
  struct Target {
    HttpProbe probe;
    MonotonicTime due{};  // When it is to be asked next; while it is asked, if that is over.
    bool in_flight = false;
    std::optional<HttpProbeResult> result;
  };
  using Targets = std::map<std::string, Target>;  // By id.

  void work(std::stop_token stop);
  MonotonicTime start_due(MonotonicTime now);
  void take(const std::vector<HttpProbeResult>& results);

  const Clock& clock_;
  const OnChange on_change_;
  HttpProbes probes_;
  mutable std::mutex mutex_;  // Guards all below but the thread.
  std::map<api::ObjectKey, Targets> apps_;
  std::map<std::string, api::ObjectKey> asked_;  // Whose probes are in flight, by id.
  std::jthread thread_;
};

}  // namespace scalableapp::controller
