// Puts the operator together and runs it. Start order: HTTP server (health and metrics answer on every
// replica, leading or not) -> caches (kept warm on every replica, so that a failover needs no list) ->
// leader election -> workers, which reconcile only while this process leads. Stop is the reverse; a
// lost lease stops the writing and leaves the rest running, as a candidate again.
#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "operator/base/result.h"
#include "operator/base/time.h"

namespace scalableapp::controller {

struct ManagerOptions {
  std::string kubeconfig;       // Path; empty: in-cluster, then $KUBECONFIG, then ~/.kube/config.
  std::string watch_namespace;  // Empty: all.
  std::string prometheus_url;
  std::string lease_name = "scalableapp-operator";
  std::string lease_namespace = "default";
  std::string identity;  // This process's name in the Lease; unique per replica.
  bool leader_election = true;
  bool watch_nodes = true;  // Needs the right to list and watch nodes, whatever the namespace.
  int http_port = 8080;
  int workers = 16;
};

// Runs until `stop` is asked for; an error means it could not start.
Result<void> run_manager(const ManagerOptions& options, std::stop_token stop);

}  // namespace scalableapp::controller
