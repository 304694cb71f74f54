// Load that is expected of an app: asking for it (pure), and waiting until the app is ready for it.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "operator/plugin/progress.h"
#include "operator/plugin/steering.h"

namespace scalableapp::plugin {

// "200%" or "8"; kInvalid says what it must be.
Result<void> check_amount(const std::string& amount);
// The annotation scalableapp.io/expect-load.
Result<Edit> expect(const api::ScalableApp& app, const std::string& amount, WallTime until);
Result<Edit> clear_expectation(const api::ScalableApp& app);

// Whether as many replicas as are expected are ready. Complete: they are. Failed: they will not be.
Progress expectation_progress(const api::ScalableApp& app, WallTime now);
// Looks every second until that has ended; `say` is given each line that differs. kTimeout says how far it was.
Result<void> await_expected(kube::Client& client, const Clock& clock, const api::ObjectKey& app,
                            std::optional<milliseconds> timeout, const std::function<void(const std::string&)>& say);

}  // namespace scalableapp::plugin
