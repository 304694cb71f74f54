// The HttpTransport over cpprestsdk. Holds two clients, one for requests and one for watches, and
// reuses their connections. Reads the token file again every 30 s while requests are made, and
// after a 401.
#pragma once

#include <memory>

#include "operator/kube/transport.h"
#include "operator/platform/clock.h"

namespace scalableapp::kube {

// kInvalid if the URL, the CA or the client certificate cannot be used. `clock` must outlive the
// transport. The first call in the process also fixes the size of cpprestsdk's thread pool.
Result<std::unique_ptr<HttpTransport>> make_cpprest_transport(const Endpoint& endpoint,
                                                              const Clock& clock);

}  // namespace scalableapp::kube
