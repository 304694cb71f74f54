// The database's metrics by name, so that the rest of it needs to know nothing of prometheus-cpp. Thread-safe.
#pragma once

#include <memory>
#include <string>

namespace prometheus {
class Registry;
}

namespace scalableapp::workload {

// Why a read was not answered by a replica that is fresh enough.
enum class Diversion { kBehind, kLag, kDown, kConflict, kStale };

// Of one server.
class EndpointMetrics {
 public:
  EndpointMetrics(prometheus::Registry& registry, const std::string& endpoint);
  ~EndpointMetrics();

  void connections(int idle, int used);
  void connection_opened();
  void failed();
  void up(bool is_up);
  void lag(double lag_seconds, double lag_bytes);

 private:
  struct Series;
  std::unique_ptr<Series> series_;
};

// Of one shard.
class ShardMetrics {
 public:
  ShardMetrics(prometheus::Registry& registry, const std::string& shard, bool has_replicas);
  ~ShardMetrics();

  void took(bool is_replica, double duration_seconds);
  void read(bool is_replica);
  void diverted(Diversion reason);

 private:
  struct Series;
  std::unique_ptr<Series> series_;
};

}  // namespace scalableapp::workload
