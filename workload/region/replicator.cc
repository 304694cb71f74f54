#include "workload/region/replicator.h"

#include <fmt/format.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <atomic>
#include <thread>
#include <vector>

#include "operator/platform/clock.h"
#include "operator/platform/log.h"
#include "workload/common/http_server.h"
#include "workload/common/instant.h"
#include "workload/common/metrics_page.h"
#include "workload/common/stop.h"
#include "workload/region/store.h"

namespace scalableapp::workload {
namespace {

constexpr milliseconds kWait{1000};       // For the next event, on the peer's side.
constexpr milliseconds kPatience{3000};   // A command may take; longer than the wait.
constexpr milliseconds kErrorPause{500};

struct Peer {
  std::string name;
  HostPort redis;
};

Result<std::vector<Peer>> peers_of(const ReplicatorOptions& options) {
  std::vector<Peer> peers;
  std::string_view rest = options.peers;
  while (!rest.empty()) {
    const auto entry = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(entry.size() + 1, rest.size()));
    const auto equals = entry.find('=');
    if (equals == entry.npos) {
      return fail(ErrorCode::kInvalid, fmt::format("--peers={}: must be NAME=HOST:PORT, comma-separated", options.peers));
    }
    Peer peer{.name = std::string(entry.substr(0, equals))};
    if (auto checked = check_region(peer.name, "peers"); !checked) return tl::unexpected(checked.error());
    if (peer.name == options.region) {
      return fail(ErrorCode::kInvalid, fmt::format("--peers={}: {} is this region", options.peers, peer.name));
    }
    const auto redis = parse_host_port(std::string(entry.substr(equals + 1)), "peers");
    if (!redis) return tl::unexpected(redis.error());
    peer.redis = *redis;
    peers.push_back(std::move(peer));
  }
  if (peers.empty()) return fail(ErrorCode::kInvalid, "--peers=: must name at least one, NAME=HOST:PORT");
  return peers;
}

struct PeerMetrics {
  PeerMetrics(prometheus::Registry& registry, const std::string& peer)
      : applied(prometheus::BuildCounter()
                    .Name("region_events_applied_total")
                    .Help("Changes of that peer that were merged here.")
                    .Register(registry)
                    .Add({{"peer", peer}})),
        conflicts(prometheus::BuildCounter()
                      .Name("region_conflicts_total")
                      .Help("Writes of that peer that met one it had not seen.")
                      .Register(registry)
                      .Add({{"peer", peer}})),
        snapshots(prometheus::BuildCounter()
                      .Name("region_snapshots_total")
                      .Help("Times that everything was read, since events had been dropped unread.")
                      .Register(registry)
                      .Add({{"peer", peer}})),
        lag(prometheus::BuildGauge()
                .Name("region_replication_lag_seconds")
                .Help("Age of the last change when it was merged.")
                .Register(registry)
                .Add({{"peer", peer}})),
        up(prometheus::BuildGauge()
               .Name("region_peer_up")
               .Help("1 when the last look at that peer succeeded.")
               .Register(registry)
               .Add({{"peer", peer}})) {}
  prometheus::Counter& applied;
  prometheus::Counter& conflicts;
  prometheus::Counter& snapshots;
  prometheus::Gauge& lag;
  prometheus::Gauge& up;
};

// Follows one peer on a thread of its own.
class Follower {
 public:
  Follower(const ReplicatorOptions& options, const HostPort& own, const Peer& peer, prometheus::Registry& registry,
           std::atomic<bool>& was_reached)
      : own_redis_({.server = own, .command_timeout = kPatience}),
        peer_redis_({.server = peer.redis, .command_timeout = kPatience}),
        own_(own_redis_, options.region),
        peer_(peer_redis_, peer.name),
        name_(peer.name),
        metrics_(registry, peer.name),
        was_reached_(was_reached) {}

  void follow(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      const auto merged = merge_next();
      metrics_.up.Set(merged ? 1 : 0);
      if (merged) continue;
      log_warn("peer is not followed", {{"peer", name_}, {"error", merged.error()}});
      sleep_for(clock_, kErrorPause, stop);
    }
  }

 private:
  Result<void> merge_next() {
    const auto position = own_.position_of(name_);
    if (!position) return tl::unexpected(position.error());
    was_reached_ = true;
    const auto dropped = peer_.dropped_after(*position);
    if (!dropped) return tl::unexpected(dropped.error());
    if (*dropped) return merge_snapshot(**dropped);
    const auto events = peer_.events_after(*position, kWait);
    if (!events) return tl::unexpected(events.error());
    for (const auto& event : *events) {
      const auto conflict = own_.apply(name_, event);
      if (!conflict) return tl::unexpected(conflict.error());
      metrics_.applied.Increment();
      if (*conflict) metrics_.conflicts.Increment();
      const auto age = wall_now().time_since_epoch() - milliseconds(std::strtoll(event.id.c_str(), nullptr, 10));
      metrics_.lag.Set(std::max(0.0, std::chrono::duration<double>(age).count()));
    }
    if (events->empty()) metrics_.lag.Set(0);
    return {};
  }

  // What was dropped is in the peer's state all the same.
  Result<void> merge_snapshot(const std::string& until) {
    log_warn("changes were dropped unread: reading all", {{"peer", name_}});
    metrics_.snapshots.Increment();
    std::string cursor = "0";
    do {
      const auto events = peer_.snapshot(cursor);
      if (!events) return tl::unexpected(events.error());
      for (const auto& event : *events) {
        if (const auto merged = own_.apply(name_, event); !merged) return tl::unexpected(merged.error());
      }
    } while (cursor != "0");
    return own_.set_position_of(name_, until);
  }

  SystemClock clock_;
  RedisConnection own_redis_;
  RedisConnection peer_redis_;
  RegionStore own_;
  RegionStore peer_;
  const std::string name_;
  PeerMetrics metrics_;
  std::atomic<bool>& was_reached_;
};

}  // namespace

FlagSet replicator_flags(ReplicatorOptions& options) {
  FlagSet flags;
  flags.word(options.region, "region", "This region's name.");
  flags.text(options.redis, "redis", "Where this region's Redis is, HOST:PORT.");
  flags.text(options.peers, "peers", "The other regions' Redis: NAME=HOST:PORT, comma-separated.");
  flags.text(options.address, "address", "Address of the admin port.");
  flags.number(options.admin_port, "admin-port", "Port of /metrics, /livez and /readyz; 0: any.", 0, 65535);
  return flags;
}

Result<void> run_replicator(const ReplicatorOptions& options, std::stop_token stop) {
  if (auto checked = check_region(options.region, "region"); !checked) return checked;
  const auto own = parse_host_port(options.redis, "redis");
  if (!own) return tl::unexpected(own.error());
  const auto peers = peers_of(options);
  if (!peers) return tl::unexpected(peers.error());

  MetricsPage page;
  std::atomic<bool> was_reached = false;
  const auto admin = HttpServer::start(
      {.address = options.address, .port = options.admin_port, .port_flag = "admin-port", .max_connections = 64},
      [&](const HttpRequest& request, const Respond& respond) {
        if (request.path == "/metrics") return respond({200, page.render(), kMetricsContentType});
        if (request.path == "/livez") return respond({200, "ok\n", "text/plain"});
        if (request.path == "/readyz") {
          return respond({was_reached ? 200 : 503, was_reached ? "ok\n" : "redis was not reached yet\n", "text/plain"});
        }
        respond(error_response(404, "use /metrics, /livez or /readyz"));
      });
  if (!admin) return tl::unexpected(admin.error());
  std::vector<std::unique_ptr<Follower>> followers;
  std::vector<std::jthread> threads;
  for (const auto& peer : *peers) {
    followers.push_back(std::make_unique<Follower>(options, *own, peer, page.registry(), was_reached));
    threads.emplace_back([&follower = *followers.back(), stop] { follower.follow(stop); });
  }
  log_info("replicating", {{"region", options.region}, {"peers", options.peers}});
  threads.clear();  // Joins: they end when asked to stop.
  return {};
}

FlagSet evacuation_flags(EvacuationOptions& options) {
  FlagSet flags;
  flags.text(options.redis, "redis", "Where the region's Redis is, HOST:PORT.");
  flags.boolean(options.back, "back", "Take traffic again.");
  return flags;
}

Result<void> run_evacuation(const EvacuationOptions& options) {
  const auto server = parse_host_port(options.redis, "redis");
  if (!server) return tl::unexpected(server.error());
  RedisConnection redis({.server = *server});
  return RegionStore(redis, "").set_evacuated(!options.back);
}

}  // namespace scalableapp::workload
