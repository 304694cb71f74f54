#include "operator/plugin/steering.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include "operator/api/json_fields.h"
#include "operator/plugin/app_view.h"
#include "operator/plugin/progress.h"
#include "operator/rollout/plan.h"

namespace scalableapp::plugin {
namespace {

using nlohmann::json;

constexpr const char* kRestartedAt = "kubectl.kubernetes.io/restartedAt";
// The operator writes the status meanwhile, and its resourceVersion is the lock.
constexpr int kMostTries = 5;

std::string dump(const json& object, int indent = -1) {
  return object.dump(indent, ' ', false, json::error_handler_t::replace);
}

// A merge patch of the app as it was read.
Edit edit_of(const api::ScalableApp& app, json change, std::string done) {
  change["metadata"]["resourceVersion"] = app.metadata.resource_version;
  return {.patch = dump(change), .done = std::move(done)};
}

json annotated(const char* name, json value) { return {{"metadata", {{"annotations", {{name, std::move(value)}}}}}}; }

// "scalableapps.scalableapp.io "web" is already paused", as kubectl has it.
tl::unexpected<Error> it_is(const api::ScalableApp& app, std::string_view what) {
  return fail(ErrorCode::kInvalid, fmt::format("scalableapps.scalableapp.io \"{}\" {}", app.metadata.name, what));
}

tl::unexpected<Error> nothing_to(const char* verb, const std::string& why) {
  return fail(ErrorCode::kInvalid, fmt::format("nothing to {}: {}", verb, why));
}

bool is_asked(const api::ScalableApp& app, const char* annotation) {
  const auto found = app.metadata.annotations.find(annotation);
  return found != app.metadata.annotations.end() && found->second == app.status.rollout.revision;
}

// What people ask of a rollout is about the one that the status tells of.
Result<void> check_rollout(const api::ScalableApp& app, const char* verb) {
  if (is_behind(app)) return fail(ErrorCode::kUnavailable, progress_of(app).line + "; try again when it has");
  if (app.status.rollout.revision.empty()) return nothing_to(verb, "no rollout has begun yet");
  return {};
}

// An unfinished and unfailed rollout.
Result<void> check_in_flight(const api::ScalableApp& app, const char* verb) {
  if (auto known = check_rollout(app, verb); !known) return known;
  const api::RolloutStatus& rollout = app.status.rollout;
  if (!rollout.failure_reason.empty() || rollout.phase == api::RolloutPhase::kDegraded) {
    return nothing_to(
        verb, fmt::format("revision {} has failed: {}: {}; 'retry {}' tries it again, 'undo' takes it back",
                          rollout.revision, rollout.failure_reason, rollout.failure_message, app.metadata.name));
  }
  if (is_asked(app, api::kAbortAnnotation)) {
    return nothing_to(verb, fmt::format("revision {} is being aborted; 'retry {}' tries it again", rollout.revision,
                                        app.metadata.name));
  }
  if (rollout.phase == api::RolloutPhase::kHealthy) {
    return nothing_to(verb,
                      fmt::format("{} is Healthy, revision {} is rolled out", app.metadata.name, rollout.revision));
  }
  return {};
}

// One can go past a step, or past an analysis that cannot tell.
Result<void> check_step(const api::ScalableApp& app) {
  const api::RolloutSpec& spec = app.spec.rollout;
  const int count = rollout::step_count(spec);
  const api::RolloutStatus& rollout = app.status.rollout;
  if (rollout.step < count) return {};
  if (spec.paused) {
    return nothing_to("promote", fmt::format("it is paused by spec.rollout.paused; 'resume {}' lets it go on",
                                             app.metadata.name));
  }
  if (rollout.phase == api::RolloutPhase::kPaused) return {};
  return nothing_to("promote", count == 0
                                   ? fmt::format("strategy {} has no steps; it goes on by itself", to_string(spec.strategy))
                                   : fmt::format("revision {} is past the last step; it goes on by itself", rollout.revision));
}

}  // namespace

Result<Edit> promote(const api::ScalableApp& app, bool fully) {
  auto known = fully && can_be_overruled(app) ? check_rollout(app, "promote") : check_in_flight(app, "promote");
  if (known && !fully) known = check_step(app);
  if (!known) return tl::unexpected(known.error());
  const api::RolloutStatus& rollout = app.status.rollout;
  json change = annotated(api::kPromoteAnnotation, fully ? rollout.revision + "/full"
                                                         : fmt::format("{}/{}", rollout.revision, rollout.step));
  std::string done = fully ? "fully promoted" : "promoted";
  if (app.spec.rollout.paused) {
    change["spec"]["rollout"]["paused"] = false;
    done += " and resumed";
  }
  return edit_of(app, std::move(change), std::move(done));
}

Result<Edit> abort(const api::ScalableApp& app) {
  if (auto checked = check_in_flight(app, "abort"); !checked) return tl::unexpected(checked.error());
  const std::string& revision = app.status.rollout.revision;
  if (app.status.current_revision.empty() || app.status.current_revision == revision) {
    return nothing_to("abort", fmt::format("there is no revision before {} to go back to", revision));
  }
  return edit_of(app, annotated(api::kAbortAnnotation, revision), "aborted");
}

Result<Edit> retry(const api::ScalableApp& app, WallTime now) {
  if (auto known = check_rollout(app, "retry"); !known) return tl::unexpected(known.error());
  const api::RolloutStatus& rollout = app.status.rollout;
  if (rollout.failure_reason.empty() && !is_asked(app, api::kAbortAnnotation)) {
    return nothing_to("retry", fmt::format("revision {} has not failed, it is {}", rollout.revision,
                                           to_string(rollout.phase)));
  }
  // This machine's clock may be behind the operator's.
  const WallTime after = rollout.failed_at ? *rollout.failed_at + milliseconds{1} : now;
  json change = annotated(api::kRetryAnnotation,
                          fmt::format("{} {}", rollout.revision, format_rfc3339_micro(std::max(now, after))));
  change["metadata"]["annotations"][api::kAbortAnnotation] = nullptr;
  return edit_of(app, std::move(change), "is tried again");
}

Result<Edit> pause(const api::ScalableApp& app) {
  if (app.spec.rollout.paused) return it_is(app, "is already paused");
  return edit_of(app, {{"spec", {{"rollout", {{"paused", true}}}}}}, "paused");
}

Result<Edit> resume(const api::ScalableApp& app) {
  if (!app.spec.rollout.paused) return it_is(app, "is not paused");
  return edit_of(app, {{"spec", {{"rollout", {{"paused", false}}}}}}, "resumed");
}

Result<Edit> restart(const api::ScalableApp& app, WallTime now) {
  if (app.spec.rollout.paused) {
    return it_is(app, fmt::format("is paused: spec.rollout.paused; run resume {} first", app.metadata.name));
  }
  const std::string time = format_rfc3339(now);
  const json present = json::parse(app.spec.template_json, nullptr, false);
  if (api::text(api::child(api::child(present, "metadata"), "annotations"), kRestartedAt) == time) {
    return it_is(app, "has been restarted within this second; wait for the next one");
  }
  return edit_of(app, {{"spec", {{"template", annotated(kRestartedAt, time)}}}}, "restarted");
}

Result<Edit> hold(const api::ScalableApp& app, int count, std::optional<WallTime> until) {
  const int least = std::max(1, app.spec.min_replicas);  // 0 is no override.
  if (count < least || count > app.spec.max_replicas) {
    return fail(ErrorCode::kInvalid,
                fmt::format("--hold={}: must be from spec.replicas.min to spec.replicas.max, {} to {}", count, least,
                            app.spec.max_replicas));
  }
  const json end = until ? json(format_rfc3339(*until)) : json();
  return edit_of(app, {{"spec", {{"replicas", {{"override", count}, {"overrideUntil", end}}}}}},
                 until ? fmt::format("held at {} until {}", count, format_rfc3339(*until))
                       : fmt::format("held at {} until it is released", count));
}

Result<Edit> release(const api::ScalableApp& app) {
  if (!app.spec.override_replicas) return it_is(app, "is not held: spec.replicas.override is not set");
  return edit_of(app, {{"spec", {{"replicas", {{"override", nullptr}, {"overrideUntil", nullptr}}}}}}, "released");
}

Result<Printed> steer(kube::Client& client, const Clock& clock, const api::ObjectKey& key, bool dry_run,
                      const MakeEdit& make_edit) {
  for (int tries = 1;; ++tries) {
    const auto app = fetch_app(client, key);
    if (!app) return tl::unexpected(app.error());
    auto edit = make_edit(client, *app, clock.wall_now());
    if (!edit) return tl::unexpected(edit.error());
    const std::string said = fmt::format("scalableapp.scalableapp.io/{} {}", key.name, edit->done);
    Printed printed{.out = said + "\n", .warnings = std::move(edit->notes)};
    if (edit->patch.empty()) return printed;
    if (dry_run) {
      printed.out = dump(json::parse(edit->patch), 2) + "\n";
      printed.warnings.push_back(said + " (dry run)");
      return printed;
    }
    const auto written = client.patch(kube::kScalableApps, key, edit->patch, edit->kind, {}, kPluginFieldManager);
    if (written) return printed;
    if (written.error().code != ErrorCode::kConflict || tries == kMostTries) return tl::unexpected(written.error());
  }
}

void take_name(Runnable& runnable, std::string& name) {
  runnable.command.argument = "NAME";
  runnable.command.set_argument = text(name);
  runnable.check = [&name, rest = std::move(runnable.check)]() -> Result<void> {
    if (name.empty()) return fail(ErrorCode::kInvalid, "NAME: must be given: the app's name");
    return rest ? rest() : Result<void>();
  };
}

Runnable steering_command(Command command, std::shared_ptr<SteeringOptions> options, MakeEdit make_edit) {
  Runnable runnable{.command = std::move(command)};
  auto& flags = runnable.command.flags;
  std::ranges::move(cluster_flags(options->cluster), std::back_inserter(flags));
  flags.push_back({"dry-run", 0, "'none'",
                   "Must be none or client. client, or no value, prints the patch and writes nothing.",
                   choice("dry-run", options->dry_run, {"none", "client"}), "client"});
  take_name(runnable, options->name);
  runnable.execute = [options, make_edit = std::move(make_edit)]() -> Result<Printed> {
    const auto cluster = connect(options->cluster);
    if (!cluster) return tl::unexpected(cluster.error());
    return steer(*(*cluster)->client, (*cluster)->clock, {(*cluster)->namespace_name, options->name},
                 options->dry_run == "client", make_edit);
  };
  return runnable;
}

}  // namespace scalableapp::plugin
