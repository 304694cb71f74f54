// How requests wait and are served, to the exact moment: a station is a queue, first in first out,
// before servers of which each takes one request at a time (J. Kiefer, J. Wolfowitz (1955), "On the
// theory of queues with many servers"): what comes next is begun by the server that is free first.
// A pod of a service is a station with `concurrency` servers; the workers of a queue app share one.
// Knows nothing of when pods come and go (fleet.h). Not thread-safe.
//
// Times are seconds since the run began. Work is done lazily: arrive() only notes the request, and
// advance() brings the counters to a moment, in order of time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace scalableapp::simulation {

// Upper bounds of the latency histogram that the workload exposes; one more bucket is unbounded.
inline constexpr std::array<double, 20> kLatencyBounds{0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1,
                                                       0.15,  0.2,  0.25, 0.3,  0.4,  0.5,  0.75,
                                                       1,     1.5,  2,    3,    5,    10};
inline constexpr std::size_t kBuckets = kLatencyBounds.size() + 1;
std::size_t bucket_of(double seconds);

// A histogram fine enough for plots: 8 steps an octave from 2^-14 s to 2^12 s.
inline constexpr std::size_t kFineBuckets = 26 * 8;
std::size_t fine_bucket_of(double seconds);
double fine_bucket_begin(std::size_t bucket);

struct Request {
  double arrival = 0;
  float service_seconds = 0;
  bool is_error = false;  // Will be answered with an error.
};

// What a pod exposes, since it began.
struct Counters {
  std::int64_t arrived = 0;   // Put into this pod; a job when it is begun.
  std::int64_t finished = 0;  // Errors included.
  std::int64_t errors = 0;
  std::int64_t refused = 0;  // Because the queue was full.
  double duration_seconds = 0;  // Sum over the finished ones, waiting included.
  // Sums of moments: t * (arrived - finished) - arrived_at + finished_at is the integral of the
  // number in progress up to t, if nothing was lost.
  double arrived_at = 0;
  double finished_at = 0;
  std::array<std::uint32_t, kBuckets> buckets{};  // Of the durations.
};

// What became of the requests that arrived from second `origin` on; those before do not count.
class Outcomes {
 public:
  // judges_wait: the target is for the time until a request is begun, not until it is answered.
  // Each element of the plot's time axis covers `stretch` seconds, from `origin` on.
  Outcomes(double target_seconds, bool judges_wait, double end_seconds, std::size_t stretch,
           std::size_t origin = 0);

  bool judges_wait() const { return judges_wait_; }
  void arrived(double at) {
    ++everything;
    if (at < origin_) return;
    ++total_arrived;
    ++at_second(at).arrived;
  }
  void judge(double arrival, double seconds_taken) {
    if (arrival < origin_) return;
    if (seconds_taken > target_) ++at_second(arrival).missed;
    const auto stretch = static_cast<std::size_t>(arrival - origin_) / stretch_;
    ++fine[stretch * kFineBuckets + fine_bucket_of(seconds_taken)];
  }
  // Never answered. is_judged: it was begun in a station that judges by the wait.
  void lost(double arrival, bool is_judged) {
    if (arrival < origin_) return;
    ++failed;
    if (!is_judged) ++at_second(arrival).missed;
  }
  // In the app when the run ended: missed if that is clear by then.
  void unfinished_at(double end, double arrival, bool is_judged) {
    if (arrival < origin_) return;
    ++unfinished;
    if (!is_judged && end - arrival > target_) ++at_second(arrival).missed;
  }
  void finished(double arrival, double duration, bool is_error) {
    if (arrival < origin_) return;
    ++(is_error ? failed : served);
    ++finished_count;
    duration_seconds += duration;
  }

  struct Second {
    std::uint32_t arrived = 0;
    std::uint32_t missed = 0;
  };
  std::vector<Second> seconds;      // From `origin` on.
  std::vector<std::uint32_t> fine;  // [stretch][fine bucket]
  std::int64_t everything = 0;      // That ever arrived.
  std::int64_t total_arrived = 0;
  std::int64_t served = 0;
  std::int64_t failed = 0;
  std::int64_t unfinished = 0;
  std::int64_t finished_count = 0;  // Answered, with or without an error.
  double duration_seconds = 0;      // Of these.

 private:
  Second& at_second(double at) { return seconds[static_cast<std::size_t>(at - origin_)]; }

  double target_;
  double origin_;
  bool judges_wait_;
  std::size_t stretch_;
};

class Station {
 public:
  // limit: what may wait; 0: any number.
  explicit Station(Outcomes& outcomes, int limit = 0) : outcomes_(outcomes), limit_(limit) {}

  // `owner` must stay until all that it began is finished or abandoned. advance(from) first.
  void add_servers(Counters& owner, int count, double from);
  // Its servers begin nothing new. advance() to now first.
  void remove_servers(const Counters& owner);

  // The removed servers, `count` in all, go on. advance() to now first.
  void take_back_servers(Counters& owner, int count, double now);

  // False, and lost, if as many wait as may. In order of arrival. `owner`: whom to count it for;
  // null: for the server that begins it.
  bool arrive(const Request& request, Counters* owner);
  void advance(double now);

  // What these servers are at is lost.
  void abandon(const Counters& owner);
  // All that waits or is served is lost.
  void abandon_all();
  // Ends the run.
  void finish(double end);

  std::int64_t waiting() const { return static_cast<std::int64_t>(tail_ - head_); }
  std::int64_t in_progress() const { return in_progress_; }
  std::int64_t in_progress(const Counters& owner) const;
  bool is_empty() const { return head_ == tail_ && in_progress_ == 0; }

 private:
  struct Server {
    double free_at = 0;
    double arrival = 0;  // Of what it is at.
    Counters* owner = nullptr;
    bool is_busy = false;
    bool is_error = false;
  };
  void complete(Server& server);
  void sift_down();
  template <typename Lose>
  void drop(Lose lose);

  Outcomes& outcomes_;
  std::size_t limit_;
  std::vector<Server> servers_;  // A heap: the first is free first.
  std::vector<Server> leaving_;
  std::int64_t in_progress_ = 0;
  // The waiting, a ring whose size is a power of two.
  std::vector<Request> ring_;
  std::size_t head_ = 0;
  std::size_t tail_ = 0;
};

}  // namespace scalableapp::simulation
