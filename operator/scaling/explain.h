// A decision in words: the sentence that goes into status, events and the log. Deterministic to the
// byte. Pure.
#pragma once

#include <span>
#include <string>

#include "operator/scaling/decide.h"
#include "operator/scaling/signal.h"

namespace scalableapp::scaling {

// "Latency", "CPU", "QueueLength", "Prometheus".
const char* type_name(api::MetricType type);

// A metric's value or target as a person writes it: "340ms", "1.5s", "72%", "120".
std::string format_value(api::MetricType type, double value);

// " until 2026-01-31T18:00:00Z", when spec.replicas.override ends; empty if by itself it does not.
std::string end_of_hold(const api::ScalableAppSpec& spec);

// "3 -> 6: cpu 92% over 60% needs 6; latency 340ms over 200ms needs 5"
// "held at 6: scale-down to 3 waits for the 30s stabilization window"
// The decision must be complete but for its message.
std::string sentence(const api::ScalableAppSpec& spec, const Decision& decision,
                     std::span<const Signal> signals);

}  // namespace scalableapp::scaling
