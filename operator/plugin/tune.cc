#include "operator/plugin/tune.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>

#include "operator/api/json_fields.h"
#include "operator/plugin/runs.h"

namespace scalableapp::plugin {
namespace {

constexpr int kOff = 0;
// Candidates of one round, whatever the number of cores: the same seed must give the same search.
constexpr std::size_t kRound = 8;
// Of all evaluations so many are random.
constexpr double kRandomShare = 0.4;

std::string number_text(int level) { return fmt::format("{}", level); }
// Levels of the tolerance are thousandths.
std::string tolerance_text(int level) { return fmt::format("{}", level / 1000.0); }

void add(std::vector<Setting>& settings, Setting setting, int current) {
  setting.levels.push_back(current);
  std::ranges::sort(setting.levels);
  const auto [first, last] = std::ranges::unique(setting.levels);
  setting.levels.erase(first, last);
  setting.current =
      static_cast<std::size_t>(std::ranges::find(setting.levels, current) - setting.levels.begin());
  if (setting.levels.size() > 1) settings.push_back(std::move(setting));
}

std::optional<std::size_t> percent_policy(const api::ScalableAppSpec& spec) {
  const auto& policies = spec.behavior.scale_up.policies;
  const auto found =
      std::ranges::find(policies, api::PolicyType::kPercent, &api::ScalingPolicy::type);
  if (found == policies.end()) return std::nullopt;
  return static_cast<std::size_t>(found - policies.begin());
}

std::optional<std::size_t> cpu_metric(const api::ScalableAppSpec& spec) {
  const auto found = std::ranges::find(spec.metrics, api::MetricType::kCpu, &api::MetricSpec::type);
  if (found == spec.metrics.end()) return std::nullopt;
  return static_cast<std::size_t>(found - spec.metrics.begin());
}

bool dominates(const Outcome& a, const Outcome& b) {
  return a.slo_violation_seconds <= b.slo_violation_seconds &&
         a.replica_seconds <= b.replica_seconds &&
         (a.slo_violation_seconds < b.slo_violation_seconds ||
          a.replica_seconds < b.replica_seconds);
}

std::size_t changed_count(const Tuning& tuning, const Candidate& candidate) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < tuning.settings.size(); ++i) {
    count += candidate.levels[i] != tuning.settings[i].current ? 1 : 0;
  }
  return count;
}

class Search {
 public:
  Search(const api::ScalableAppSpec& spec, const TuneOptions& options, const Evaluate& evaluate)
      : spec_(spec), options_(options), evaluate_(evaluate), engine_(options.seed) {
    tuning_.settings = settings_of(spec);
  }

  Result<Tuning> run() {
    std::vector<std::size_t> current;
    for (const Setting& setting : tuning_.settings) current.push_back(setting.current);
    if (auto tried = try_all({current}); !tried) return tl::unexpected(tried.error());
    const std::size_t budget = static_cast<std::size_t>(options_.evaluations);
    const std::size_t kept = std::min(tuning_.settings.size(), budget / 4);
    const auto random = static_cast<std::size_t>(static_cast<double>(budget) * kRandomShare);
    while (!tuning_.settings.empty() && tuning_.candidates.size() + kept < budget) {
      std::vector<std::vector<std::size_t>> round;
      const std::size_t wanted = std::min(kRound, budget - kept - tuning_.candidates.size());
      for (int attempt = 0; attempt < 200 && round.size() < wanted; ++attempt) {
        auto levels = tuning_.candidates.size() + round.size() < random ? anything() : neighbour();
        if (!known_.contains(levels) && std::ranges::find(round, levels) == round.end()) {
          round.push_back(std::move(levels));
        }
      }
      if (round.empty()) break;  // All there is has been tried.
      if (auto tried = try_all(round); !tried) return tl::unexpected(tried.error());
    }
    tuning_.proposed = best();
    if (auto pruned = prune(); !pruned) return tl::unexpected(pruned.error());
    mark_front();
    return std::move(tuning_);
  }

 private:
  // The same on every machine, which std::uniform_int_distribution does not promise.
  std::size_t below(std::size_t count) { return static_cast<std::size_t>(engine_() % count); }

  std::vector<std::size_t> anything() {
    std::vector<std::size_t> levels;
    for (const Setting& setting : tuning_.settings) levels.push_back(below(setting.levels.size()));
    return levels;
  }

  std::vector<std::size_t> neighbour() {
    mark_front();
    std::vector<std::size_t> from;
    for (std::size_t i = 0; i < tuning_.candidates.size(); ++i) {
      if (tuning_.candidates[i].on_front) from.push_back(i);
    }
    const std::size_t start = below(2) == 0 ? best() : from[below(from.size())];
    auto levels = tuning_.candidates[start].levels;
    for (std::size_t steps = 1 + below(2); steps > 0; --steps) {
      const std::size_t which = below(levels.size());
      const std::size_t most = tuning_.settings[which].levels.size() - 1;
      const bool up = levels[which] == 0 || (levels[which] < most && below(2) == 0);
      levels[which] = up ? levels[which] + 1 : levels[which] - 1;
    }
    return levels;
  }

  Result<void> try_all(const std::vector<std::vector<std::size_t>>& round) {
    std::vector<std::optional<Result<Outcome>>> outcomes(round.size());
    side_by_side(round.size(), [&](std::size_t i) {
      outcomes[i] = evaluate_(spec_of(spec_, tuning_, {.levels = round[i]}));
    });
    for (std::size_t i = 0; i < round.size(); ++i) {
      if (!*outcomes[i]) return tl::unexpected(outcomes[i]->error());
      known_[round[i]] = tuning_.candidates.size();
      tuning_.candidates.push_back({.levels = round[i], .outcome = **outcomes[i]});
    }
    return {};
  }

  double cost(const Candidate& candidate) const {
    const Outcome& own = tuning_.candidates.front().outcome;
    const double size = own.measured_seconds > 0 ? own.replica_seconds / own.measured_seconds : 1;
    return candidate.outcome.slo_violation_seconds * options_.slo_weight * size +
           candidate.outcome.replica_seconds;
  }

  std::size_t best() const {
    std::size_t chosen = 0;
    for (std::size_t i = 1; i < tuning_.candidates.size(); ++i) {
      if (cost(tuning_.candidates[i]) < cost(tuning_.candidates[chosen])) chosen = i;
    }
    return chosen;
  }

  Result<void> prune() {
    for (std::size_t i = 0; i < tuning_.settings.size(); ++i) {
      auto levels = tuning_.candidates[tuning_.proposed].levels;
      if (levels[i] == tuning_.settings[i].current) continue;
      levels[i] = tuning_.settings[i].current;
      if (!known_.contains(levels)) {
        if (tuning_.candidates.size() >= static_cast<std::size_t>(options_.evaluations)) continue;
        if (auto tried = try_all({levels}); !tried) return tried;
      }
      const std::size_t without = known_[levels];
      if (cost(tuning_.candidates[without]) <= cost(tuning_.candidates[tuning_.proposed])) {
        tuning_.proposed = without;
      }
    }
    return {};
  }

  void mark_front() {
    for (Candidate& one : tuning_.candidates) {
      one.on_front = std::ranges::none_of(tuning_.candidates, [&](const Candidate& other) {
        return dominates(other.outcome, one.outcome);
      });
    }
    // Of those that did alike, the one that changes least.
    for (Candidate& one : tuning_.candidates) {
      if (!one.on_front) continue;
      for (Candidate& other : tuning_.candidates) {
        if (&one == &other || !other.on_front ||
            one.outcome.slo_violation_seconds != other.outcome.slo_violation_seconds ||
            one.outcome.replica_seconds != other.outcome.replica_seconds) {
          continue;
        }
        const bool stays = &other != &tuning_.candidates[tuning_.proposed] &&
                           changed_count(tuning_, one) <= changed_count(tuning_, other);
        (stays || &one == &tuning_.candidates[tuning_.proposed] ? other : one).on_front = false;
        if (!one.on_front) break;
      }
    }
  }

  const api::ScalableAppSpec& spec_;
  const TuneOptions& options_;
  const Evaluate& evaluate_;
  std::mt19937_64 engine_;
  Tuning tuning_;
  std::map<std::vector<std::size_t>, std::size_t> known_;
};

bool has_list(const std::string& yaml, const std::vector<std::string>& path) {
  const auto texts = yaml_to_json(yaml, "");
  if (!texts) return false;
  for (const std::string& text : *texts) {
    const auto document = nlohmann::json::parse(text, nullptr, false);
    if (api::text(document, "kind") != "ScalableApp") continue;
    const nlohmann::json* at = &document;
    for (const std::string& name : path) at = &api::child(*at, name.c_str());
    return at->is_array() && !at->empty();
  }
  return false;
}

}  // namespace

std::vector<Setting> settings_of(const api::ScalableAppSpec& spec) {
  std::vector<Setting> settings;
  add(settings,
      {.field = "spec.behavior.scaleDown.stabilizationWindowSeconds",
       .short_name = "DOWN-WINDOW(s)",
       .levels = {0, 5, 10, 15, 30, 45, 60, 90, 120, 180, 240, 300, 420, 600},
       .apply = [](auto& changed,
                   int level) { changed.behavior.scale_down.stabilization_window_seconds = level; },
       .text = number_text},
      spec.behavior.scale_down.stabilization_window_seconds);
  if (const auto policy = percent_policy(spec)) {
    add(settings,
        {.field = "spec.behavior.scaleUp.policies",
         .short_name = "UP-POLICY(%)",
         .levels = {25, 50, 100, 150, 200, 300, 400, 600, 900},
         .apply = [at = *policy](
                      auto& changed,
                      int level) { changed.behavior.scale_up.policies[at].value = level; },
         .text = number_text},
        spec.behavior.scale_up.policies[*policy].value);
  }
  if (const auto metric = cpu_metric(spec)) {
    add(settings,
        {.field = fmt::format("spec.metrics.{}.cpu.targetUtilization", *metric),
         .short_name = "CPU-TARGET(%)",
         .levels = {30, 40, 45, 50, 55, 60, 65, 70, 75, 80, 85, 90},
         .apply = [at = *metric](auto& changed,
                                 int level) { changed.metrics[at].target = level / 100.0; },
         .text = number_text},
        static_cast<int>(spec.metrics[*metric].target * 100 + 0.5));
  }
  std::vector<int> thresholds{120, 150, 200, 250, 300, 400};
  if (!spec.burst) thresholds.push_back(kOff);
  add(settings,
      {.field = "spec.burst.thresholdPercent",
       .short_name = "BURST(%)",
       .levels = std::move(thresholds),
       .apply =
           [](auto& changed, int level) {
             if (level == kOff) {
               changed.burst.reset();
             } else {
               api::Burst burst = changed.burst.value_or(api::Burst{});
               burst.threshold_percent = level;
               changed.burst = burst;
             }
           },
       .text = [](int level) { return level == kOff ? std::string("off") : number_text(level); }},
      spec.burst ? spec.burst->threshold_percent : kOff);
  add(settings,
      {.field = "spec.behavior.scaleUp.tolerance",
       .short_name = "UP-TOLERANCE",
       .levels = {0, 20, 50, 100, 150, 200},
       .apply = [](auto& changed,
                   int level) { changed.behavior.scale_up.tolerance = level / 1000.0; },
       .text = tolerance_text},
      static_cast<int>(spec.behavior.scale_up.tolerance * 1000 + 0.5));
  add(settings,
      {.field = "spec.behavior.scaleDown.tolerance",
       .short_name = "DOWN-TOLERANCE",
       .levels = {0, 20, 50, 100, 150, 200, 300},
       .apply = [](auto& changed,
                   int level) { changed.behavior.scale_down.tolerance = level / 1000.0; },
       .text = tolerance_text},
      static_cast<int>(spec.behavior.scale_down.tolerance * 1000 + 0.5));
  std::vector<int> minimums;
  for (const int level : {1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 25, 32, 40, 50, 64, 80, 100}) {
    if (level > spec.min_replicas && level <= spec.max_replicas) minimums.push_back(level);
  }
  add(settings,
      {.field = "spec.replicas.min",
       .short_name = "MIN",
       .levels = std::move(minimums),
       .apply = [](auto& changed, int level) { changed.min_replicas = level; },
       .text = number_text},
      spec.min_replicas);
  return settings;
}

Result<Tuning> tune(const api::ScalableAppSpec& spec, const TuneOptions& options,
                    const Evaluate& evaluate) {
  return Search(spec, options, evaluate).run();
}

api::ScalableAppSpec spec_of(const api::ScalableAppSpec& spec, const Tuning& tuning,
                             const Candidate& candidate) {
  api::ScalableAppSpec changed = spec;
  for (std::size_t i = 0; i < tuning.settings.size(); ++i) {
    const Setting& setting = tuning.settings[i];
    // What the levels round is left alone where nothing is changed.
    if (candidate.levels[i] != setting.current) {
      setting.apply(changed, setting.levels[candidate.levels[i]]);
    }
  }
  return changed;
}

std::vector<Change> changes_of(const std::string& yaml, const api::ScalableAppSpec& spec,
                               const Tuning& tuning, const Candidate& candidate) {
  std::vector<Change> changes;
  const api::ScalableAppSpec wanted = spec_of(spec, tuning, candidate);
  for (std::size_t i = 0; i < tuning.settings.size(); ++i) {
    const Setting& setting = tuning.settings[i];
    if (candidate.levels[i] == setting.current) continue;
    std::vector<std::string> path;
    std::string_view field = setting.field;
    while (!field.empty()) {
      const auto end = std::min(field.find('.'), field.size());
      path.emplace_back(field.substr(0, end));
      field.remove_prefix(std::min(end + 1, field.size()));
    }
    std::string value = setting.text(setting.levels[candidate.levels[i]]);
    if (setting.field == "spec.behavior.scaleUp.policies") {
      if (has_list(yaml, path)) {
        path.push_back(fmt::format("{}", *percent_policy(spec)));
        path.emplace_back("value");
      } else {  // The defaults, written out.
        value.clear();
        for (const api::ScalingPolicy& policy : wanted.behavior.scale_up.policies) {
          value += fmt::format("{}{{type: {}, value: {}, periodSeconds: {}}}",
                               value.empty() ? "[" : ", ",
                               policy.type == api::PolicyType::kPercent ? "Percent" : "Pods",
                               policy.value, policy.period_seconds);
        }
        value += "]";
      }
    }
    changes.push_back({std::move(path), std::move(value)});
  }
  return changes;
}

}  // namespace scalableapp::plugin
