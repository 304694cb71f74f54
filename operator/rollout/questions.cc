// What others ask of a rollout before it is planned.
#include <charconv>
#include <string_view>

#include "operator/rollout/attempt.h"
#include "operator/rollout/plan.h"
#include "operator/rollout/sides.h"
#include "operator/rollout/strategies.h"

namespace scalableapp::rollout {
namespace {

// Of the sides alone, for those who ask where no time matters.
struct Standing {
  Sides sides;
  bool is_anew = false;
  bool is_back = false;
  bool has_others = false;
};
Standing standing_of(const RolloutInput& input, WallTime now) {
  Standing standing{.sides = look_at(input, now), .is_anew = begins_anew(input)};
  standing.is_back = !standing.is_anew && goes_back(input, input.state, standing.sides);
  const Sides& sides = standing.sides;
  standing.has_others = sides.has_other_than(standing.is_back ? *sides.stable : sides.updated);
  return standing;
}

}  // namespace

bool in_flight(const RolloutInput& input) {
  const Standing standing = standing_of(input, WallTime{});
  return standing.has_others || (!standing.is_back && input.updated_revision != input.current_revision);
}

bool holds_scale_down(WallTime now, const RolloutInput& input) {
  const api::RolloutSpec& spec = input.spec.rollout;
  const Standing standing = standing_of(input, now);
  if (spec.scale_down_in_flight || !standing.has_others) return false;
  const api::RolloutStatus& state = input.state;
  if (standing.is_anew || standing.is_back) return true;
  if (!state.failure_reason.empty()) return false;
  const bool waits = state.phase == api::RolloutPhase::kPaused || awaits_verdict(input, state);
  return !waits || !state.step_started_at || now - *state.step_started_at <= seconds{spec.progress_deadline_seconds};
}

bool carries_load(const RolloutInput& input, const std::string& revision) {
  const api::RolloutSpec& spec = input.spec.rollout;
  const bool is_blue_green = spec.strategy == api::RolloutStrategy::kBlueGreen;
  if (!is_blue_green && !is_routed(spec)) return true;
  const Sides sides = look_at(input, WallTime{});
  const bool is_known = input.state.revision == input.updated_revision;
  const bool is_updated = revision == input.updated_revision;
  if (!sides.stable || !sides.has_other_than(sides.updated)) return is_updated;
  const bool has_its_share = is_blue_green ? input.state.switched_at.has_value() : input.state.weight > 0;
  const bool updated_has_some = is_known && has_its_share;
  if (is_updated) return updated_has_some;
  return revision == sides.stable->revision && !(is_blue_green && updated_has_some);
}

Controls controls_of(const api::ObjectMeta& app, const std::string& updated_revision) {
  // What follows the revision's name and `separator`; nothing where it is about another one.
  const auto value_of = [&](const char* annotation, char separator) -> std::optional<std::string_view> {
    const auto found = app.annotations.find(annotation);
    if (found == app.annotations.end() || updated_revision.empty()) return std::nullopt;
    std::string_view text = found->second;
    if (!text.starts_with(updated_revision)) return std::nullopt;
    text.remove_prefix(updated_revision.size());
    if (text.empty()) return text;
    if (text.front() != separator) return std::nullopt;
    return text.substr(1);
  };
  Controls controls;
  if (const auto step = value_of(api::kPromoteAnnotation, '/')) {
    int number = 0;
    const auto [end, error] = std::from_chars(step->data(), step->data() + step->size(), number);
    if (*step == "full") {
      controls.promote_fully = true;
    } else if (error == std::errc() && end == step->data() + step->size() && number >= 0) {
      controls.promote_past = number;
    }
  }
  controls.abort = value_of(api::kAbortAnnotation, '/') == std::string_view{};
  if (const auto time = value_of(api::kRetryAnnotation, ' ')) {
    if (const auto at = parse_rfc3339(*time)) controls.retry_of = *at;
  }
  return controls;
}

}  // namespace scalableapp::rollout
