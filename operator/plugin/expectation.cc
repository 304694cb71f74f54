#include "operator/plugin/expectation.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "operator/plugin/app_view.h"
#include "operator/scaling/expected_load.h"

namespace scalableapp::plugin {
namespace {

using nlohmann::json;

constexpr milliseconds kInterval{1000};

std::string text_of(const std::string& amount, WallTime until) {
  return fmt::format("{}{} until {}", amount, amount.ends_with('%') ? "" : " replicas", format_rfc3339(until));
}

std::string asked_of(const api::ScalableApp& app) {
  const auto found = app.metadata.annotations.find(api::kExpectLoadAnnotation);
  return found == app.metadata.annotations.end() ? std::string{} : found->second;
}

std::string annotation_patch(const api::ScalableApp& app, const json& value) {
  return json{{"metadata",
               {{"resourceVersion", app.metadata.resource_version},
                {"annotations", {{api::kExpectLoadAnnotation, value}}}}}}
      .dump(-1, ' ', false, json::error_handler_t::replace);
}

// Why the count does not follow what is expected; empty: it does.
std::string obstacle_of(const api::ScalableAppSpec& spec, WallTime now) {
  if (spec.paused) return "spec.paused is set: nothing is scaled";
  if (spec.dry_run) return "spec.dryRun is set: nothing is scaled";
  if (!spec.override_replicas || (spec.override_until && now >= *spec.override_until)) return {};
  return fmt::format("spec.replicas.override holds it at {}", *spec.override_replicas);
}

}  // namespace

Result<void> check_amount(const std::string& amount) {
  if (scaling::parse_expectation(text_of(amount, WallTime{}))) return {};
  return fail(ErrorCode::kInvalid,
              fmt::format("AMOUNT {}: must be a percentage of the present need from 1% to 10000%, such as 200%, or a "
                          "count of replicas, such as 8",
                          amount));
}

Result<Edit> expect(const api::ScalableApp& app, const std::string& amount, WallTime until) {
  const std::string text = text_of(amount, until);
  const auto expectation = scaling::parse_expectation(text);
  if (!expectation) return tl::unexpected(expectation.error());
  if (expectation->replicas.value_or(0) > app.spec.max_replicas) {
    return fail(ErrorCode::kInvalid,
                fmt::format("AMOUNT {}: must be at most spec.replicas.max, {}", amount, app.spec.max_replicas));
  }
  return Edit{.patch = annotation_patch(app, text), .done = "expects " + text};
}

Result<Edit> clear_expectation(const api::ScalableApp& app) {
  if (asked_of(app).empty()) {
    return fail(ErrorCode::kInvalid,
                fmt::format("scalableapps.scalableapp.io \"{}\" expects no load: it has no annotation {}",
                            app.metadata.name, api::kExpectLoadAnnotation));
  }
  return Edit{.patch = annotation_patch(app, nullptr), .done = "expects no load any more"};
}

Progress expectation_progress(const api::ScalableApp& app, WallTime now) {
  const std::string asked = asked_of(app);
  if (asked.empty()) return {Outcome::kFailed, fmt::format("the annotation {} is gone", api::kExpectLoadAnnotation)};
  const auto expectation = scaling::parse_expectation(asked);
  if (!expectation) return {Outcome::kFailed, expectation.error().message};
  const api::ExpectedLoad& seen = app.status.history.expected_load;
  if (seen.asked != asked) {
    if (now >= expectation->until) return {Outcome::kFailed, "its time is over, and the operator has not seen it"};
    return {Outcome::kGoesOn, "the operator has not seen it yet"};
  }
  const int wanted = std::min(seen.replicas, app.spec.max_replicas);
  std::string line = fmt::format("{} of {} replicas are ready", app.status.ready_replicas, wanted);
  if (wanted < seen.replicas) line += fmt::format(", the maximum; {} are expected to be needed", seen.replicas);
  if (app.status.ready_replicas >= wanted) return {Outcome::kComplete, line};
  if (now >= expectation->until) return {Outcome::kFailed, "its time is over: " + line};
  if (const std::string obstacle = obstacle_of(app.spec, now); !obstacle.empty()) {
    return {Outcome::kFailed, line + "; " + obstacle};
  }
  return {Outcome::kGoesOn, line};
}

Result<void> await_expected(kube::Client& client, const Clock& clock, const api::ObjectKey& key,
                            std::optional<milliseconds> timeout, const std::function<void(const std::string&)>& say) {
  const MonotonicTime begin = clock.monotonic_now();
  std::string said;
  while (true) {
    const auto app = fetch_app(client, key);
    if (!app) return tl::unexpected(app.error());
    const Progress progress = expectation_progress(*app, clock.wall_now());
    if (progress.outcome == Outcome::kFailed) return fail(ErrorCode::kInvalid, progress.line);
    if (progress.line != said) say(said = progress.line);
    if (progress.outcome == Outcome::kComplete) return {};
    if (timeout && clock.monotonic_now() - begin >= *timeout) {
      return fail(ErrorCode::kTimeout, fmt::format("not ready after {}: {}", format_duration(*timeout), progress.line));
    }
    sleep_for(clock, kInterval, {});
  }
}

}  // namespace scalableapp::plugin
