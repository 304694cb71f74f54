#include "operator/simulation/fleet.h"

#include <fmt/format.h>

#include <algorithm>

#include "operator/simulation/random.h"

namespace scalableapp::simulation {

using Phase = Pod::Phase;

Fleet::Fleet(Options options, Outcomes& outcomes)
    : options_(std::move(options)), outcomes_(outcomes), queue_(outcomes) {}

void Fleet::order_pod(milliseconds now) {
  auto pod = std::make_unique<Pod>(outcomes_, options_.queue_limit);
  pod->name = fmt::format("{}-{}", options_.app, ++ordinal_);
  // The n-th pod is the same under every policy.
  Random random(options_.seed, 1000 + static_cast<std::uint64_t>(ordinal_));
  const double factor = 0.8 + 0.4 * random.unit();
  const milliseconds startup{
      static_cast<std::int64_t>(static_cast<double>(options_.times.startup.count()) * factor)};
  pod->created = now + options_.times.create;
  pod->containers_ready = pod->created + startup;
  pod->ready = pod->containers_ready + options_.times.warmup;
  // Prometheus spreads its targets over the interval.
  pod->scrape_phase = kTick * random.below(1 << 16);
  pods_.push_back(std::move(pod));
  is_settled_ = false;
}

void Fleet::begin(int replicas) {
  desired_ = replicas;
  for (int i = 0; i < replicas; ++i) {
    order_pod(milliseconds{0});
    Pod& pod = *pods_.back();
    pod.created = pod.containers_ready = pod.ready = milliseconds{0};
  }
  step(milliseconds{0});
}

void Fleet::scale(milliseconds now, int replicas) {
  int change = replicas - desired_;
  desired_ = replicas;
  if (change > 0 && options_.takes_back) change -= take_back(now, change);
  for (int i = 0; i < change; ++i) order_pod(now);
  if (change < 0) dismiss(now, -change);
}

// The number of pods, at most `count`, that serve again; the last ones that were dismissed first.
int Fleet::take_back(milliseconds now, int count) {
  int taken = 0;
  while (taken < count) {
    Pod* latest = nullptr;
    for (const auto& pod : pods_) {
      if (pod->phase != Phase::kDraining) continue;
      if (now >= pod->drain_began + options_.times.drain) continue;
      if (latest == nullptr || pod->drain_began > latest->drain_began) latest = pod.get();
    }
    if (latest == nullptr) break;
    ++taken;
    latest->phase = Phase::kServing;
    latest->drain_began = kNever;
    if (!options_.is_queue) continue;
    queue_.advance(in_seconds(now));
    queue_.take_back_servers(latest->counters, options_.concurrency, in_seconds(now));
  }
  list_serving();
  return taken;
}

void Fleet::dismiss(milliseconds now, int count) {
  // From the newest, first those that do not serve yet.
  for (const bool serving : {false, true}) {
    for (auto pod = pods_.rbegin(); pod != pods_.rend() && count > 0; ++pod) {
      Pod& one = **pod;
      if (one.phase >= Phase::kDraining || (one.phase == Phase::kServing) != serving) continue;
      --count;
      is_settled_ = false;
      if (serving) {
        one.phase = Phase::kDraining;
        one.drain_began = now;
        if (options_.is_queue) {
          queue_.advance(in_seconds(now));
          queue_.remove_servers(one.counters);
        }
      } else {
        leave(one, now);
      }
    }
  }
  list_serving();
}

void Fleet::leave(Pod& pod, milliseconds now) {
  pod.phase = Phase::kGone;
  pod.gone = now;
  departed_milliseconds_ += std::max(milliseconds{0}, now - pod.created).count();
}

void Fleet::list_serving() {
  serving_.clear();
  for (const auto& pod : pods_) {
    if (pod->phase == Phase::kServing) serving_.push_back(pod.get());
  }
}

void Fleet::step(milliseconds now) {
  if (is_settled_) return;
  is_settled_ = true;
  bool anyone_left = false;
  bool anyone_serves = false;
  for (const auto& entry : pods_) {
    Pod& pod = *entry;
    if (pod.phase == Phase::kOrdered && pod.created <= now) pod.phase = Phase::kStarting;
    if (pod.phase == Phase::kStarting && pod.containers_ready <= now) pod.phase = Phase::kWarming;
    if (pod.phase == Phase::kWarming && pod.ready <= now) {
      pod.phase = Phase::kServing;
      anyone_serves = true;
      if (options_.is_queue) {
        queue_.advance(in_seconds(now));
        queue_.add_servers(pod.counters, options_.concurrency, in_seconds(now));
      } else {
        pod.station.add_servers(pod.counters, options_.concurrency, in_seconds(now));
      }
    }
    if (pod.phase == Phase::kDraining && now >= pod.drain_began + options_.times.drain) {
      Station& station = options_.is_queue ? queue_ : pod.station;
      station.advance(in_seconds(now));
      if (in_progress(pod) == 0) {
        leave(pod, now);
      } else if (now >= pod.drain_began + options_.times.drain + options_.times.grace) {
        if (options_.is_queue) {
          queue_.abandon(pod.counters);
        } else {
          pod.station.abandon_all();
        }
        leave(pod, now);
      }
    }
    anyone_left |= pod.phase == Phase::kGone;
    is_settled_ &= pod.phase == Phase::kServing;
  }
  if (anyone_left) {
    const auto left = std::ranges::stable_partition(
        pods_, [](const auto& pod) { return pod->phase != Phase::kGone; });
    std::ranges::move(left, std::back_inserter(departed_));
    pods_.erase(left.begin(), left.end());
  }
  if (anyone_serves) list_serving();
}

void Fleet::arrive(const Request& request, std::uint64_t chance) {
  outcomes_.arrived(request.arrival);
  if (options_.is_queue) {
    queue_.arrive(request, nullptr);
  } else if (serving_.empty()) {
    outcomes_.lost(request.arrival, false);  // A Service without endpoints refuses.
  } else {
    Pod& pod = *serving_[((chance >> 32) * serving_.size()) >> 32];
    pod.station.arrive(request, &pod.counters);
  }
}

void Fleet::advance(double now) {
  if (options_.is_queue) return queue_.advance(now);
  for (const auto& pod : pods_) pod->station.advance(now);
}

void Fleet::finish(milliseconds now) {
  if (options_.is_queue) return queue_.finish(in_seconds(now));
  for (const auto& pod : pods_) pod->station.finish(in_seconds(now));
}

std::int64_t Fleet::waiting() const {
  if (options_.is_queue) return queue_.waiting();
  std::int64_t sum = 0;
  for (const auto& pod : pods_) sum += pod->station.waiting();
  return sum;
}

std::int64_t Fleet::in_progress() const {
  if (options_.is_queue) return queue_.in_progress();
  std::int64_t sum = 0;
  for (const auto& pod : pods_) sum += pod->station.in_progress();
  return sum;
}

std::int64_t Fleet::in_progress(const Pod& pod) const {
  return options_.is_queue ? queue_.in_progress(pod.counters)
                           : pod.station.waiting() + pod.station.in_progress();
}

void Fleet::forget_departed(milliseconds before) {
  std::erase_if(departed_, [&](const auto& pod) { return pod->gone < before; });
}

double Fleet::replica_seconds(milliseconds now) const {
  std::int64_t sum = departed_milliseconds_;
  for (const auto& pod : pods_) {
    if (pod->phase != Phase::kGone) sum += std::max(milliseconds{0}, now - pod->created).count();
  }
  return static_cast<double>(sum) * 1e-3;
}

}  // namespace scalableapp::simulation
