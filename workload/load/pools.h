// The connections of the load generator by target, and where the targets are. Of its IO thread,
// except look_up.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "workload/load/connection.h"

namespace scalableapp::workload {

// Addresses by "host:port".
using Addresses = std::map<std::string, boost::asio::ip::tcp::endpoint>;
std::string name_of(const HostPort& target);
// All targets of the plan; blocks while names are looked up. kUnavailable names the host.
Result<Addresses> look_up(const RunSpec& spec);

class Pools {
 public:
  ~Pools() { use({}, 1); }
  // From now on these targets only, with cookies for that many users; those of targets that stay
  // are kept.
  void use(const Addresses& addresses, int users);
  const std::shared_ptr<Pool>& of(const HostPort& target) const { return pools_.at(name_of(target)); }
  // A connection that can be used at once, or null.
  static std::shared_ptr<Connection> take_idle(Pool& pool, Instant now);
  // Makes room for a connection to another target; false if all are in use.
  bool drop_one_idle();
  void drop_expired(Instant now);

 private:
  std::map<std::string, std::shared_ptr<Pool>> pools_;
};

}  // namespace scalableapp::workload
