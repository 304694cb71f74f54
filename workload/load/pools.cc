#include "workload/load/pools.h"

#include <fmt/format.h>

#include <utility>

namespace scalableapp::workload {

std::string name_of(const HostPort& target) {
  return fmt::format("{}:{}", target.host, target.port);
}

Result<Addresses> look_up(const RunSpec& spec) {
  boost::asio::io_context io;
  boost::asio::ip::tcp::resolver resolver(io);
  Addresses addresses;
  for (const auto& stream : spec.streams) {
    for (const auto& entry : stream.mix.entries) {
      const auto [place, is_new] = addresses.try_emplace(name_of(entry.target));
      if (!is_new) continue;
      const auto& host = entry.target.host;
      boost::system::error_code error;
      const auto found = resolver.resolve(host, fmt::format("{}", entry.target.port), error);
      if (error || found.empty()) {
        return fail(ErrorCode::kUnavailable,
                    fmt::format("{} has no address: {}", host, error.message()));
      }
      place->second = found.begin()->endpoint();
    }
  }
  return addresses;
}

void Pools::use(const Addresses& addresses, int users) {
  std::erase_if(pools_, [&](const auto& each) {
    const auto found = addresses.find(each.first);
    if (found != addresses.end() && found->second == each.second->endpoint) return false;
    each.second->is_current = false;
    std::exchange(each.second->idle, {}).clear();  // They hold their pool, so they must go first.
    return true;
  });
  for (const auto& [name, address] : addresses) {
    auto& pool = pools_[name];
    if (!pool) pool = std::make_shared<Pool>();
    pool->endpoint = address;
    pool->cookies.resize(static_cast<std::size_t>(users));
  }
}

// The one used last: the others get to expire.
std::shared_ptr<Connection> Pools::take_idle(Pool& pool, Instant now) {
  while (!pool.idle.empty()) {
    auto connection = std::move(pool.idle.back());
    pool.idle.pop_back();
    if (!connection->is_expired(now) && !connection->is_dead()) return connection;
  }
  return nullptr;
}

bool Pools::drop_one_idle() {
  for (auto& [name, pool] : pools_) {
    if (pool->idle.empty()) continue;
    pool->idle.erase(pool->idle.begin());
    return true;
  }
  return false;
}

void Pools::drop_expired(Instant now) {
  for (auto& [name, pool] : pools_) {
    std::erase_if(pool->idle, [now](const auto& each) { return each->is_expired(now); });
  }
}

}  // namespace scalableapp::workload
