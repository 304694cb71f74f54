// The decisions that the operator keeps of an app: fetched from the leader's /debug/decisions,
// shown as tables. Reads records as scaling/ writes them and shows what it finds in them, so that
// another version's records are readable too. Asks through the transport it is given; one thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "operator/api/meta.h"
#include "operator/base/result.h"
#include "operator/kube/transport.h"

namespace scalableapp::plugin {

struct Decisions {
  std::string records;                // A JSON array, oldest first.
  std::vector<std::string> warnings;  // For a person: why these are not the operator's own.
};

// From the API server: finds the operator's pods by their label (in `operator_namespace`, or
// everywhere if it is empty), asks the one that holds its Lease first, through the pod proxy. Where
// none answers, the app's status.lastDecision is the only record, and a warning says why.
// kNotFound if there is no such app.
Result<Decisions> fetch_decisions(kube::HttpTransport& api_server, const api::ObjectKey& app,
                                  const std::string& operator_namespace);
// From an operator that is asked directly.
Result<Decisions> fetch_decisions_directly(kube::HttpTransport& server, const api::ObjectKey& app);

// The last `limit` of them, oldest first, and all about the newest. kDecode if it is no array.
Result<std::string> explain_table(std::string_view records, std::size_t limit);
// The last `limit` of them as a JSON array.
Result<std::string> explain_json(std::string_view records, std::size_t limit);

}  // namespace scalableapp::plugin
