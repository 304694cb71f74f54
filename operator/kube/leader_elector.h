// One leader among the replicas of the operator, by a Lease (coordination.k8s.io/v1), as
// client-go's leader election does it. A lost lease does not end the process: the elector stands
// again.
//
// Times of other machines are never compared with ours: a candidate counts from the moment it saw
// the record change. So skewed clocks do no harm; clocks that run at different speeds do, beyond
// lease / renew_deadline.
//
// What is not guaranteed: there is no fencing. A leader whose process stops (SIGSTOP, swap) between
// is_leader() and the end of a write may write beside its successor. Writes must therefore be safe
// on their own: deterministic names and optimistic locks. is_leader() turns false by the local
// clock alone lease - renew_deadline before anyone may take over.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "operator/api/meta.h"
#include "operator/base/result.h"
#include "operator/base/time.h"
#include "operator/kube/client.h"
#include "operator/platform/clock.h"
#include "operator/platform/random.h"

namespace scalableapp::kube {

// Together they keep a takeover under 5 s: the last renewal seen 0.15 s late (0.5 s by a candidate
// that has just come), 4 s of lease, one write.
struct ElectionTimes {
  seconds lease{4};                    // Whole seconds: the API's unit.
  milliseconds renew_deadline{3'000};  // Without a renewal for that long, the leader stands down.
  milliseconds retry{500};             // Between renewals; stretched by up to kRetryJitter.
};
inline constexpr double kRetryJitter = 0.2;  // So that candidates do not collide each time.

// lease > renew_deadline > retry * (1 + kRetryJitter), retry > 0; else kInvalid.
Result<void> validate(const ElectionTimes& times);

// The slice of Lease.spec the election is about.
struct LeaseRecord {
  std::string holder = {};  // Empty: released.
  seconds duration{0};
  std::string renew_time = {};  // Text of the holder's clock; only ever compared for change.
  int transitions = 0;
  bool operator==(const LeaseRecord&) const = default;
};

struct LeaseObservation {
  LeaseRecord record;
  MonotonicTime since{};  // When this process first saw the record in this form.
};

enum class LeaseStep {
  kCreate,  // There is no Lease.
  kTake,    // Released, or not renewed for as long as its holder promised.
  kRenew,   // It is ours.
  kWait,    // Another holds it.
};
// What to do next; pure. A record without a duration counts as lasting `fallback`.
LeaseStep next_step(const std::optional<LeaseObservation>& seen, std::string_view identity,
                    seconds fallback, MonotonicTime now);

struct ElectorOptions {
  api::ObjectKey lease;
  std::string identity;  // Unique to the process, not only to the pod: "pod-name_<random>".
  ElectionTimes times;
};

// Called on the elector's thread, in turn, any number of times; what they do delays the renewals,
// so they only flip switches. on_stopped_leading comes after is_leader() turned false, as soon as
// the thread notices: at once, or when the API call in progress returns.
struct ElectionCallbacks {
  std::function<void()> on_started_leading;
  std::function<void()> on_stopped_leading;
};

// is_leader, holder: thread-safe. start and stop: from one thread.
class LeaderElector {
 public:
  // All references must outlive it. `client`'s calls must fail faster than renew_deadline for the
  // callbacks to be timely: give the elector a client of its own whose request timeout and retry
  // budget are no longer than a second.
  LeaderElector(Client& client, const Clock& clock, Random& random, ElectorOptions options,
                ElectionCallbacks callbacks);
  ~LeaderElector();  // As stop.

  // kInvalid if the options make no sense. Calls the API from its own thread only.
  Result<void> start();
  // Stands down, calls on_stopped_leading if it led, then releases the lease so that another
  // candidate need not wait for its end. Stop all writers before or in that callback.
  void stop();

  bool is_leader() const;
  // Whom the last seen record names; empty before the first answer of the API and after a release.
  std::string holder() const;

 private:
  void run(std::stop_token stop);
  // One try to get or keep the lease. True if it is ours as of the call's beginning.
  Result<bool> try_hold();
  LeaseStep next() const;
  Result<void> observe();
  Result<void> write(LeaseStep step);
  Result<void> adopt(const std::string& body);
  void stand_down(std::string_view why);
  void release();
  milliseconds pause();
  // `age`: how long the record has not changed; `usual`: the pause where nothing is expected.
  milliseconds pause_beside_a_holder(milliseconds age, milliseconds usual) const;

  Client& client_;
  const Clock& clock_;
  Random& random_;
  const ElectorOptions options_;
  const ElectionCallbacks callbacks_;

  std::atomic<MonotonicTime::rep> leads_until_{0};  // is_leader() is false from then on.
  mutable std::mutex mutex_;                        // Guards holder_.
  std::string holder_;

  // The thread's own.
  bool leading_ = false;
  bool failing_ = false;
  bool in_doubt_ = false;  // A write failed: the server may have another Lease than body_.
  std::string body_;       // The Lease as the server last gave it, fields of others included.
  std::optional<LeaseObservation> seen_;

  std::jthread thread_;
};

}  // namespace scalableapp::kube
