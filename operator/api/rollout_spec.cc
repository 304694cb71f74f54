#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "operator/api/spec_parts.h"

namespace scalableapp::api {
namespace {

bool is_lower_letter(char letter) { return letter >= 'a' && letter <= 'z'; }
bool is_lower_or_digit(char letter) { return is_lower_letter(letter) || (letter >= '0' && letter <= '9'); }

// Lower case letters, digits and what is in `others`, which do not come first or last.
bool has_form_of_name(std::string_view text, std::string_view others, std::size_t longest) {
  return !text.empty() && text.size() <= longest && is_lower_or_digit(text.front()) &&
         is_lower_or_digit(text.back()) && std::ranges::all_of(text, [&](char letter) {
           return is_lower_or_digit(letter) || others.find(letter) != std::string_view::npos;
         });
}

// The name of a Service is a label of the DNS (RFC 1035). Nothing where it is absent.
std::string decode_service(SpecReader& read, const Field& field) {
  std::string name = read.words(field);
  if (field.value.is_string() &&
      !(has_form_of_name(name, "-", 63) && is_lower_letter(name.front()))) {
    read.wrong(field,
               "must be the name of a Service: at most 63 lower case letters, digits and -, "
               "the first a letter");
  }
  return name;
}

std::string decode_route(SpecReader& read, const Field& field) {
  std::string name = read.words(field);
  if (field.value.is_string() && !has_form_of_name(name, "-.", 253)) {
    read.wrong(field,
               "must be the name of an HTTPRoute: at most 253 lower case letters, digits, - and .");
  }
  return name;
}

CanaryStep decode_step(SpecReader& read, const Field& field) {
  const Field weight = field["setWeight"], pause = field["pause"], analysis = field["analysis"];
  CanaryStep step;
  if (weight.is_set() + pause.is_set() + analysis.is_set() != 1) {
    read.wrong(field, "must have exactly one of setWeight, pause and analysis");
    return step;
  }
  if (weight.is_set()) step.set_weight = read.whole(weight, std::nullopt, 0, 100);
  step.pause = read.is_block(pause);
  if (pause["durationSeconds"].is_set()) {
    step.pause_seconds = read.whole(pause["durationSeconds"], std::nullopt, 1, 604'800);
  }
  step.analysis = read.is_block(analysis);
  return step;
}

Canary decode_canary(SpecReader& read, const Field& field, bool has_analysis) {
  const Field stable = field["stableService"], updated = field["canaryService"], route = field["httpRoute"];
  Canary canary{.stable_service = decode_service(read, stable),
                .canary_service = decode_service(read, updated),
                .http_route = decode_route(read, route)};
  for (const Field& step : read.list(field["steps"], 1, 50)) {
    canary.steps.push_back(decode_step(read, step));
    if (canary.steps.back().analysis && !has_analysis) {
      read.wrong(step["analysis"], "needs spec.rollout.analysis; {} there has the defaults");
    }
  }
  if (stable.is_set() != updated.is_set()) {
    read.wrong(field, "needs both stableService and canaryService, or neither");
  } else if (stable.is_set() && canary.stable_service == canary.canary_service) {
    read.wrong(updated, "must be another Service than stableService");
  } else if (route.is_set() && !stable.is_set()) {
    read.wrong(route, "needs stableService and canaryService, between which it divides the traffic");
  }
  return canary;
}

BlueGreen decode_blue_green(SpecReader& read, const Field& field) {
  const Field active = field["activeService"], preview = field["previewService"];
  BlueGreen blue_green{
      .active_service = decode_service(read, active),
      .preview_service = decode_service(read, preview),
      .auto_promotion = read.flag(field["autoPromotion"], true),
      .scale_down_delay_seconds = read.whole(field["scaleDownDelaySeconds"], 30, 0, 86'400)};
  if (!active.is_set()) {
    read.wrong(active, "must name the Service that takes the traffic");
  } else if (preview.is_set() && blue_green.active_service == blue_green.preview_service) {
    read.wrong(preview, "must be another Service than activeService");
  }
  return blue_green;
}

// Whether the strategy has its block, which no other may have.
bool has_block(SpecReader& read, const Field& block, bool is_wanted, std::string_view strategy) {
  if (is_wanted && !block.value.is_object()) {
    read.wrong(block, fmt::format("must be set for strategy {}", strategy));
  } else if (!is_wanted && block.is_set()) {
    read.wrong(block, fmt::format("must not be set for another strategy than {}", strategy));
  }
  return is_wanted && block.value.is_object();
}

void decode_strategy(SpecReader& read, const Field& field, RolloutSpec& rollout) {
  const auto strategy = read.choice<RolloutStrategy>(
      field["strategy"],
      field["strategy"].is_set() ? std::nullopt : std::optional{RolloutStrategy::kRolling},
      {{"Rolling", RolloutStrategy::kRolling},
       {"Canary", RolloutStrategy::kCanary},
       {"BlueGreen", RolloutStrategy::kBlueGreen},
       {"Recreate", RolloutStrategy::kRecreate}});
  if (!strategy) return;  // Which block it needs is not known.
  rollout.strategy = *strategy;
  const Field canary = field["canary"], blue_green = field["blueGreen"];
  if (has_block(read, canary, *strategy == RolloutStrategy::kCanary, "Canary")) {
    rollout.canary = decode_canary(read, canary, field["analysis"].is_set());
  }
  if (has_block(read, blue_green, *strategy == RolloutStrategy::kBlueGreen, "BlueGreen")) {
    rollout.blue_green = decode_blue_green(read, blue_green);
  }
}

}  // namespace

RolloutSpec decode_rollout(SpecReader& read, const Field& field) {
  RolloutSpec rollout;
  rollout.max_surge = read.int_or_percent(field["maxSurge"], rollout.max_surge, 9999);
  rollout.max_unavailable =
      read.int_or_percent(field["maxUnavailable"], rollout.max_unavailable, 100);
  if (rollout.max_surge.value == 0 && rollout.max_unavailable.value == 0) {
    read.wrong(field["maxSurge"],
               "must not be 0 when maxUnavailable is 0: nothing could ever be replaced");
  }
  rollout.min_ready_seconds = read.whole(field["minReadySeconds"], 0, 0, 3600);
  rollout.progress_deadline_seconds = read.whole(field["progressDeadlineSeconds"], 600, 1, 86'400);
  if (rollout.progress_deadline_seconds <= rollout.min_ready_seconds) {
    read.wrong(field["progressDeadlineSeconds"],
               fmt::format("must be greater than minReadySeconds ({})", rollout.min_ready_seconds));
  }
  decode_strategy(read, field, rollout);
  if (read.is_block(field["analysis"])) rollout.analysis = decode_analysis(read, field["analysis"]);
  if (rollout.strategy == RolloutStrategy::kRecreate && rollout.analysis &&
      std::ranges::any_of(rollout.analysis->metrics, [](const AnalysisMetric& metric) {
        return metric.type == AnalysisMetricType::kErrorRate || metric.type == AnalysisMetricType::kLatency;
      })) {
    read.wrong(field["analysis"]["metrics"],
               "must be Restarts or Prometheus with strategy Recreate: there is nothing to compare with meanwhile");
  }
  rollout.automatic_rollback =
      *read.choice<bool>(field["rollback"], true, {{"Automatic", true}, {"Manual", false}});
  rollout.during_burst = *read.choice<DuringBurst>(
      field["duringBurst"], DuringBurst::kContinue,
      {{"Continue", DuringBurst::kContinue}, {"Hold", DuringBurst::kHold}});
  rollout.scale_down_in_flight =
      *read.choice<bool>(field["scaleDown"], false, {{"Hold", false}, {"Allow", true}});
  rollout.paused = read.flag(field["paused"], false);
  return rollout;
}

}  // namespace scalableapp::api
