#include "operator/simulation/pod_model.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace scalableapp::simulation {
namespace {

constexpr std::uint64_t kFirstOctave = 1023 - 14;  // As a double's exponent has it.

constexpr double begin_of(std::size_t bucket) {
  return std::bit_cast<double>((kFirstOctave * 8 + bucket) << 49);
}

// For each fine bucket the first of the exposed buckets that can hold its values.
constexpr auto kFirstBuckets = [] {
  std::array<std::uint8_t, kFineBuckets> first{};
  for (std::size_t i = 1; i < kFineBuckets; ++i) {
    while (first[i] < kLatencyBounds.size() && kLatencyBounds[first[i]] < begin_of(i)) ++first[i];
  }
  return first;
}();

}  // namespace

std::size_t fine_bucket_of(double seconds) {
  // The exponent and the first 3 bits of the mantissa are the bucket's number.
  const std::uint64_t number = std::bit_cast<std::uint64_t>(seconds) >> 49;
  if (number < kFirstOctave * 8) return 0;
  return std::min<std::size_t>(number - kFirstOctave * 8, kFineBuckets - 1);
}

double fine_bucket_begin(std::size_t bucket) { return begin_of(bucket); }

std::size_t bucket_of(double seconds) {
  std::size_t bucket = kFirstBuckets[fine_bucket_of(seconds)];
  while (bucket < kLatencyBounds.size() && seconds > kLatencyBounds[bucket]) ++bucket;
  return bucket;
}

Outcomes::Outcomes(double target_seconds, bool judges_wait, double end_seconds, std::size_t stretch,
                   std::size_t origin)
    : seconds(static_cast<std::size_t>(std::ceil(end_seconds)) + 1 - origin),
      fine((seconds.size() / stretch + 1) * kFineBuckets),
      target_(target_seconds),
      origin_(static_cast<double>(origin)),
      judges_wait_(judges_wait),
      stretch_(stretch) {}

void Station::add_servers(Counters& owner, int count, double from) {
  const auto later = [](const Server& a, const Server& b) { return a.free_at > b.free_at; };
  servers_.insert(servers_.end(), static_cast<std::size_t>(count), {from, 0, &owner, false, false});
  std::ranges::make_heap(servers_, later);
}

void Station::remove_servers(const Counters& owner) {
  const auto later = [](const Server& a, const Server& b) { return a.free_at > b.free_at; };
  const auto gone = std::ranges::stable_partition(
      servers_, [&](const Server& server) { return server.owner != &owner; });
  for (const Server& server : gone) {
    if (server.is_busy) leaving_.push_back(server);
  }
  servers_.erase(gone.begin(), gone.end());
  std::ranges::make_heap(servers_, later);
}

void Station::take_back_servers(Counters& owner, int count, double now) {
  const auto own = std::ranges::stable_partition(
      leaving_, [&](const Server& server) { return server.owner != &owner; });
  const int busy = static_cast<int>(own.size());
  servers_.insert(servers_.end(), own.begin(), own.end());
  leaving_.erase(own.begin(), own.end());
  add_servers(owner, count - busy, now);
}

bool Station::arrive(const Request& request, Counters* owner) {
  if (limit_ != 0 && tail_ - head_ >= limit_) {
    advance(request.arrival);  // Some may have been begun since.
    if (tail_ - head_ >= limit_) {
      outcomes_.lost(request.arrival, false);
      if (owner != nullptr) ++owner->refused;
      return false;
    }
  }
  if (tail_ - head_ == ring_.size()) {
    std::vector<Request> larger(std::max<std::size_t>(16, ring_.size() * 2));
    for (std::size_t i = head_; i < tail_; ++i) {
      larger[i & (larger.size() - 1)] = ring_[i & (ring_.size() - 1)];
    }
    ring_ = std::move(larger);
  }
  ring_[tail_++ & (ring_.size() - 1)] = request;
  if (owner != nullptr) {
    ++owner->arrived;
    owner->arrived_at += request.arrival;
  }
  return true;
}

void Station::complete(Server& server) {
  Counters& counters = *server.owner;
  const double duration = server.free_at - server.arrival;
  ++counters.finished;
  counters.errors += server.is_error ? 1 : 0;
  counters.duration_seconds += duration;
  counters.finished_at += server.free_at;
  ++counters.buckets[bucket_of(duration)];
  outcomes_.finished(server.arrival, duration, server.is_error);
  if (!outcomes_.judges_wait()) outcomes_.judge(server.arrival, duration);
  server.is_busy = false;
  --in_progress_;
}

// The first server's moment has moved; the heap's order is mended.
void Station::sift_down() {
  const Server moved = servers_.front();
  const std::size_t size = servers_.size();
  std::size_t hole = 0;
  for (;;) {
    std::size_t child = 2 * hole + 1;
    if (child >= size) break;
    if (child + 1 < size && servers_[child + 1].free_at < servers_[child].free_at) ++child;
    if (servers_[child].free_at >= moved.free_at) break;
    servers_[hole] = servers_[child];
    hole = child;
  }
  servers_[hole] = moved;
}

void Station::advance(double now) {
  while (head_ != tail_ && !servers_.empty()) {
    const Request& request = ring_[head_ & (ring_.size() - 1)];
    Server& server = servers_.front();
    const double begin = std::max(request.arrival, server.free_at);
    if (begin > now) break;
    if (server.is_busy) complete(server);
    if (outcomes_.judges_wait()) {
      outcomes_.judge(request.arrival, begin - request.arrival);
      ++server.owner->arrived;
      server.owner->arrived_at += begin;
    }
    server.free_at = begin + static_cast<double>(request.service_seconds);
    server.arrival = request.arrival;
    server.is_busy = true;
    server.is_error = request.is_error;
    ++in_progress_;
    ++head_;
    sift_down();
  }
  if (in_progress_ == 0) return;
  for (Server& server : servers_) {
    if (server.is_busy && server.free_at <= now) complete(server);
  }
  if (leaving_.empty()) return;
  for (Server& server : leaving_) {
    if (server.free_at <= now) complete(server);
  }
  std::erase_if(leaving_, [](const Server& server) { return !server.is_busy; });
}

std::int64_t Station::in_progress(const Counters& owner) const {
  std::int64_t count = 0;
  for (const auto* servers : {&servers_, &leaving_}) {
    count += std::ranges::count_if(*servers, [&](const Server& server) {
      return server.owner == &owner && server.is_busy;
    });
  }
  return count;
}

void Station::abandon(const Counters& owner) {
  for (auto* servers : {&servers_, &leaving_}) {
    for (Server& server : *servers) {
      if (server.owner != &owner || !server.is_busy) continue;
      outcomes_.lost(server.arrival, outcomes_.judges_wait());
      server.is_busy = false;
      --in_progress_;
    }
  }
  std::erase_if(servers_, [&](const Server& server) { return server.owner == &owner; });
  std::ranges::make_heap(servers_,
                         [](const Server& a, const Server& b) { return a.free_at > b.free_at; });
  std::erase_if(leaving_, [](const Server& server) { return !server.is_busy; });
}

template <typename Lose>
void Station::drop(Lose lose) {
  for (auto* servers : {&servers_, &leaving_}) {
    for (Server& server : *servers) {
      if (server.is_busy) lose(server.arrival, outcomes_.judges_wait());
      server.is_busy = false;
    }
  }
  in_progress_ = 0;
  leaving_.clear();
  for (; head_ != tail_; ++head_) lose(ring_[head_ & (ring_.size() - 1)].arrival, false);
}

void Station::abandon_all() {
  drop([&](double arrival, bool is_judged) { outcomes_.lost(arrival, is_judged); });
}

void Station::finish(double end) {
  advance(end);
  drop([&](double arrival, bool is_judged) { outcomes_.unfinished_at(end, arrival, is_judged); });
}

}  // namespace scalableapp::simulation
