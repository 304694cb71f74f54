#include "operator/simulation/rollout_run.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>

#include <fmt/format.h>

#include "operator/rollout/analysis.h"
#include "operator/rollout/plan.h"
#include "operator/scaling/decide.h"
#include "operator/simulation/columns.h"
#include "operator/simulation/metrics_model.h"
#include "operator/simulation/production.h"
#include "operator/simulation/run_setup.h"

namespace scalableapp::simulation {
namespace {

constexpr const char* kStable = "stable";
constexpr const char* kUpdated = "updated";
constexpr milliseconds kNeverWarm{1'000'000'000};

Fleet::Options fleet_options(const std::string& name, const api::ScalableAppSpec& spec, const Workload& workload,
                             const Version& version, std::uint64_t stream) {
  Fleet::Options options{.app = name,
                         .times = times_of(spec, workload),
                         .concurrency = workload.concurrency,
                         .queue_limit = workload.queue_limit,
                         .takes_back = true,
                         .cpu_seconds_per_request = workload.cpu_seconds_per_request * version.cpu_factor,
                         .seed = workload.seed + stream};
  if (version.crashes) options.times.warmup = kNeverWarm;
  return options;
}

class Run {
 public:
  Run(const api::ScalableApp& app, const Trace& trace, const RolloutCase& rollout)
      : spec_(app.spec),
        trace_(trace),
        case_(rollout),
        begin_(Options{}.start - kPreRoll),
        end_(in_milliseconds(end_seconds(trace) - trace.seconds[0]) + kPreRoll),
        change_at_(kPreRoll + in_milliseconds(rollout.begin_seconds - trace.seconds[0])),
        analysis_(app.spec.rollout.analysis.value_or(api::Analysis{})),
        outcomes_(level_of(app.spec, rollout.workload).seconds, false, in_seconds(end_), 1,
                  static_cast<std::size_t>(kPreRoll / seconds{1})),
        stable_(fleet_options(name_of(app, kStable), app.spec, rollout.workload, rollout.stable, 0), outcomes_),
        updated_(fleet_options(name_of(app, kUpdated), app.spec, rollout.workload, rollout.updated, 7919), outcomes_),
        columns_(trace, in_ticks(rollout.workload.scrape_seconds)),
        metrics_(in_ticks(rollout.workload.scrape_seconds), longest_window()),
        errors_(rollout.workload.seed, 5) {
    spec_.paused = spec_.dry_run = false;
    observation_.readings.resize(spec_.metrics.size());
  }

  RolloutResult play() {
    const int initial = initial_replicas(spec_, trace_, case_.workload, Policy::kScalableApp, case_.initial_replicas);
    Arrivals arrivals(trace_, case_.workload, carried_by(initial, trace_, case_.workload));
    stable_.begin(initial);
    desired_ = initial;
    milliseconds next_look = interval();
    double before = 0;
    for (milliseconds now{0}; now < end_; now += kTick) {
      for (Fleet* fleet : fleets_) fleet->step(now);
      metrics_.scrape(now, fleets_);
      if (now % seconds{1} == milliseconds{0}) each_second(now);
      if (now == kPreRoll) before = replica_seconds(now);
      if (now >= next_look) {
        next_look += interval();
        look(now);
      }
      arrivals.generate(in_seconds(now), std::min(in_seconds(now + kTick), in_seconds(end_)),
                        [&](const Request& request, std::uint64_t chance) { arrive(request, chance); });
    }
    result_.replica_seconds = replica_seconds(end_) - before;
    for (Fleet* fleet : fleets_) fleet->finish(end_);
    result_.arrived = outcomes_.total_arrived;
    result_.failed = outcomes_.failed;
    for (std::size_t i = 0; i < result_.points.size(); ++i) {
      result_.points[i].arrivals_per_second = outcomes_.seconds[i].arrived;
    }
    if (result_.end == RolloutEnd::kNone && state_.phase == api::RolloutPhase::kPaused) {
      end_rollout(RolloutEnd::kPaused, end_, state_.pause_reason, state_.message);
    }
    return std::move(result_);
  }

 private:
  static std::string name_of(const api::ScalableApp& app, const char* revision) {
    return fmt::format("{}-{}", app.metadata.name.empty() ? "app" : app.metadata.name, revision);
  }
  milliseconds interval() const { return seconds{std::max(1, spec_.interval_seconds)}; }
  milliseconds longest_window() const {
    int longest = std::max(10, analysis_.interval_seconds);
    for (const api::MetricSpec& metric : spec_.metrics) longest = std::max(longest, metric.window_seconds);
    return seconds{longest};
  }
  double replica_seconds(milliseconds now) const { return stable_.replica_seconds(now) + updated_.replica_seconds(now); }
  WallTime wall(milliseconds now) const { return begin_ + now; }
  bool is_available(const Pod& pod, milliseconds now) const {
    return pod.phase == Pod::Phase::kServing && now - pod.ready >= seconds{spec_.rollout.min_ready_seconds};
  }
  int available(const Fleet& fleet, milliseconds now) const {
    return static_cast<int>(std::ranges::count_if(fleet.pods(), [&](const auto& pod) { return is_available(*pod, now); }));
  }

  void arrive(Request request, std::uint64_t chance) {
    const double share = share_of_updated();
    const bool to_updated = static_cast<double>(chance & 0xffffffffU) < share * 0x1p32;
    const Version& version = to_updated ? case_.updated : case_.stable;
    request.service_seconds *= static_cast<float>(version.service_factor);
    request.is_error |= version.error_ratio > 0 && errors_.unit() < version.error_ratio;
    result_.bad_served += to_updated && request.arrival >= in_seconds(kPreRoll);
    (to_updated ? updated_ : stable_).arrive(request, chance);
  }

  // Of the requests. By the weights of a route, the Service that is active, or else by pods.
  double share_of_updated() const {
    const api::RolloutSpec& rollout = spec_.rollout;
    if (rollout.strategy == api::RolloutStrategy::kBlueGreen && !routing_.stable_revision.empty()) {
      return routing_.stable_revision == kUpdated ? 1 : 0;
    }
    if (rollout.strategy == api::RolloutStrategy::kCanary && !rollout.canary.http_route.empty()) {
      if (routing_.stable_revision == kUpdated) return 1;
      return routing_.weight.value_or(0) / 100.0;
    }
    const int serving = stable_.serving() + updated_.serving();
    return serving == 0 ? 0 : static_cast<double>(updated_.serving()) / serving;
  }

  void each_second(milliseconds now) {
    for (Fleet* fleet : fleets_) fleet->advance(in_seconds(now));
    const int stable = available(stable_, now), updated = available(updated_, now);
    const int all = stable + updated;
    const int bound = desired_ - rollout::resolve(spec_.rollout, desired_).unavailable;
    if (all < available_before_ && all < bound) {
      result_.worst_shortfall = std::max(result_.worst_shortfall, std::min(available_before_, bound) - all);
    }
    available_before_ = all;
    if (now < kPreRoll) return;
    result_.points.push_back({.seconds = in_seconds(now - kPreRoll) + trace_.seconds[0],
                              .desired = desired_,
                              .stable_available = stable,
                              .updated_available = updated,
                              .stable_pods = stable_.desired(),
                              .updated_pods = updated_.desired(),
                              .weight = state_.weight});
    if (updated > 0 && !first_available_) first_available_ = now;
  }

  rollout::RevisionState revision_of(const Fleet& fleet, const char* revision, const Version& version, milliseconds now) {
    rollout::RevisionState state{.revision = revision,
                                 .name = revision,
                                 .uid = revision,
                                 .spec_replicas = fleet.desired(),
                                 .created = wall(revision == std::string_view(kStable) ? milliseconds{0} : created_at_)};
    for (const auto& entry : fleet.pods()) {
      const Pod& pod = *entry;
      if (pod.phase == Pod::Phase::kOrdered || pod.phase == Pod::Phase::kGone) continue;
      rollout::PodFacts facts{.name = pod.name,
                              .serving = pod.phase == Pod::Phase::kServing,
                              .terminating = pod.phase == Pod::Phase::kDraining,
                              .created = wall(pod.created)};
      if (facts.serving) facts.ready_since = wall(pod.ready);
      if (version.crashes && now >= pod.containers_ready) {
        facts.trouble = "CrashLoopBackOff: back-off restarting failed container";
        facts.restart_count = 3;
      }
      state.pods.push_back(std::move(facts));
    }
    return state;
  }

  void measure(milliseconds now, const rollout::RolloutInput& input) {
    if (state_.revision != kUpdated || !rollout::in_flight(input)) return;
    if (wall(now) < rollout::next_measurement(analysis_, state_.analysis, wall(now))) return;
    const milliseconds window = seconds{analysis_.interval_seconds};
    rollout::Measurement measurement{.at = wall(now),
                                     .bounds = {kLatencyBounds.begin(), kLatencyBounds.end()},
                                     .updated = metrics_.evidence(now, updated_, window),
                                     .stable = metrics_.evidence(now, stable_, window),
                                     .is_short_of_pods = rollout::is_short_of_pods(
                                         wall(now), analysis_, history_,
                                         desired_ - available(stable_, now) - available(updated_, now))};
    for (const api::AnalysisMetric& metric : analysis_.metrics) {
      if (metric.type != api::AnalysisMetricType::kPrometheus) continue;
      if (const auto value = columns_.at(now, metric.name)) {
        measurement.values[metric.name] = *value;
      } else {
        measurement.missing[metric.name] = fmt::format("the trace has no column {}", metric.name);
      }
    }
    state_.analysis = rollout::measure(analysis_, measurement, std::move(state_.analysis));
  }

  void look(milliseconds now) {
    const bool is_changed = now >= change_at_;
    rollout::RolloutInput input{.spec = spec_,
                                .updated_revision = is_changed ? kUpdated : kStable,
                                .current_revision = current_};
    input.revisions.push_back(revision_of(stable_, kStable, case_.stable, now));
    if (is_created_) input.revisions.push_back(revision_of(updated_, kUpdated, case_.updated, now));
    input.state = state_;
    measure(now, input);
    input.state = state_;

    observation_.current_replicas = desired_;
    observation_.revision = current_;
    observation_.rollout_in_flight = rollout::holds_scale_down(wall(now), input);
    observation_.pods.clear();
    observe_pods(stable_, begin_, spec_.cpu_request_cores, observation_.pods);
    const std::size_t of_stable = observation_.pods.size();
    observe_pods(updated_, begin_, spec_.cpu_request_cores, observation_.pods);
    for (std::size_t i = 0; i < observation_.pods.size(); ++i) {
      observation_.pods[i].set_aside = !rollout::carries_load(input, i < of_stable ? kStable : kUpdated);
    }
    const std::array<const Fleet*, 2> fleets{&stable_, &updated_};
    for (std::size_t i = 0; i < spec_.metrics.size(); ++i) {
      metrics_.read(now, spec_.metrics[i], fleets, observation_.readings[i]);
      if (spec_.metrics[i].type == api::MetricType::kPrometheus) {
        observation_.readings[i].value = columns_.at(now, spec_.metrics[i].name);
      }
    }
    spec_.dry_run = now < kPreRoll;
    const scaling::Decision decision = scaling::decide(wall(now), spec_, observation_, history_);
    spec_.dry_run = false;
    history_ = decision.history;
    if (now >= kPreRoll) desired_ = decision.replicas;
    input.desired_replicas = desired_;
    input.in_burst = decision.in_burst;

    const rollout::RolloutPlan plan = rollout::plan(wall(now), input);
    state_ = plan.state;
    routing_ = plan.routing;
    note(now, plan);
    for (const rollout::Action& action : plan.actions) act(now, action);
    if (plan.is_complete) current_ = input.updated_revision;
  }

  void act(milliseconds now, const rollout::Action& action) {
    if (const auto* create = std::get_if<rollout::CreateReplicaSet>(&action)) {
      is_created_ = true;
      created_at_ = now;
      updated_.scale(now, create->replicas);
    } else if (const auto* scale = std::get_if<rollout::ScaleReplicaSet>(&action)) {
      (scale->name == kUpdated ? updated_ : stable_).scale(now, scale->to);
    }
  }

  void note(milliseconds now, const rollout::RolloutPlan& plan) {
    if (now >= kPreRoll) {
      for (const rollout::Note& note : plan.notes) {
        result_.messages.push_back({in_seconds(now - kPreRoll) + trace_.seconds[0], desired_, desired_, note.reason, note.message});
      }
    }
    if (now < change_at_ || result_.end != RolloutEnd::kNone || state_.revision != kUpdated) return;
    if (!state_.failure_reason.empty()) {
      end_rollout(RolloutEnd::kRolledBack, now, state_.failure_reason, state_.failure_message);
    } else if (plan.is_complete) {
      end_rollout(RolloutEnd::kPromoted, now, "", state_.message);
    }
  }

  void end_rollout(RolloutEnd end, milliseconds now, std::string reason, std::string message) {
    result_.end = end;
    result_.reason = std::move(reason);
    result_.message = std::move(message);
    result_.seconds = in_seconds(now - change_at_);
    if (first_available_) {
      result_.intervals = static_cast<int>(std::ceil(in_seconds(now - *first_available_) / analysis_.interval_seconds));
    }
  }

  api::ScalableAppSpec spec_;
  const Trace& trace_;
  const RolloutCase& case_;
  const WallTime begin_;
  const milliseconds end_;
  const milliseconds change_at_;
  const api::Analysis analysis_;
  Outcomes outcomes_;
  Fleet stable_, updated_;
  const std::array<Fleet*, 2> fleets_{&stable_, &updated_};
  const PrometheusColumns columns_;
  MetricsModel metrics_;
  Random errors_;
  scaling::Observation observation_;
  api::ScalingHistory history_;
  api::RolloutStatus state_;
  rollout::Routing routing_;
  std::string current_ = kStable;
  bool is_created_ = false;
  milliseconds created_at_{0};
  int desired_ = 0;
  int available_before_ = 0;
  std::optional<milliseconds> first_available_;
  RolloutResult result_;
};

}  // namespace

const char* to_string(RolloutEnd end) {
  switch (end) {
    case RolloutEnd::kNone:
      return "unfinished";
    case RolloutEnd::kPromoted:
      return "promoted";
    case RolloutEnd::kRolledBack:
      return "rolled back";
    case RolloutEnd::kPaused:
      return "paused";
  }
  return "";
}

Result<RolloutResult> simulate_rollout(const api::ScalableApp& app, const Trace& trace, const RolloutCase& rollout) {
  if (const auto ok = check_run(app, rollout.workload, trace); !ok) return tl::unexpected(ok.error());
  if (has_metric(app.spec, api::MetricType::kQueueLength)) {
    return fail(ErrorCode::kInvalid, "spec.metrics: a QueueLength: only a service's rollout can be simulated");
  }
  if (rollout.begin_seconds < trace.seconds[0] || rollout.begin_seconds >= end_seconds(trace)) {
    return fail(ErrorCode::kInvalid, fmt::format("{}: the rollout begins at {:g} s, outside of the trace", trace.name,
                                                 rollout.begin_seconds));
  }
  Run run(app, trace, rollout);
  return run.play();
}

}  // namespace scalableapp::simulation
