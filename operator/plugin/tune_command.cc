// kubectl scalableapp tune
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "operator/plugin/commands.h"
#include "operator/plugin/files.h"
#include "operator/plugin/plot.h"
#include "operator/plugin/runs.h"
#include "operator/plugin/table.h"
#include "operator/plugin/tune.h"

namespace scalableapp::plugin {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string filename;
  std::vector<std::string> traces;
  std::string output_file;
  TuneOptions tune;
  RunOptions run;
  OutputOptions output;
};

// The proposal as a manifest, and what is different in it.
struct Proposal {
  std::string manifest;              // Empty: it cannot be written in place; see warnings.
  std::vector<std::string> changes;  // "spec.replicas.min: 3 -> 4".
  std::vector<std::string> warnings;
};

Proposal propose(const Manifest& manifest, const std::string& name, const Tuning& tuning) {
  Proposal proposal;
  const Candidate& chosen = tuning.candidates[tuning.proposed];
  for (std::size_t i = 0; i < tuning.settings.size(); ++i) {
    const Setting& setting = tuning.settings[i];
    if (chosen.levels[i] == setting.current) continue;
    proposal.changes.push_back(
        fmt::format("{}: {} -> {}{}", setting.field, setting.text(setting.levels[setting.current]),
                    setting.text(setting.levels[chosen.levels[i]]),
                    setting.field.ends_with("policies") ? " (the Percent policy's value)" : ""));
  }
  auto changed = change_manifest(manifest.text, name,
                                 changes_of(manifest.text, manifest.app.spec, tuning, chosen));
  if (changed) {
    const auto read = read_manifest(*changed, name);
    if (read && read->spec == spec_of(manifest.app.spec, tuning, chosen)) {
      proposal.manifest = std::move(*changed);
      return proposal;
    }
  }
  proposal.warnings.push_back(
      fmt::format("warning: the changes cannot be written into {}{}; make them by hand.", name,
                  changed ? "" : " (" + changed.error().message + ")"));
  return proposal;
}

// The manifest's own settings, the proposal, and the front, by cost.
std::vector<std::size_t> shown(const Tuning& tuning) {
  std::vector<std::size_t> rows;
  for (std::size_t i = 0; i < tuning.candidates.size(); ++i) {
    if (i == 0 || i == tuning.proposed || tuning.candidates[i].on_front) rows.push_back(i);
  }
  std::ranges::stable_sort(
      rows, {}, [&](std::size_t i) { return tuning.candidates[i].outcome.replica_seconds; });
  return rows;
}

std::string role_of(const Tuning& tuning, std::size_t candidate) {
  std::string role = candidate == 0 ? "current" : "";
  if (candidate == tuning.proposed) role += role.empty() ? "proposed" : ", proposed";
  return role;
}

Table table_of(const Tuning& tuning, bool for_people) {
  Table table{.headings = {for_people ? "" : "role",
                           for_people ? "SLO-VIOLATION(s)" : "sloViolationSeconds",
                           for_people ? "REPLICA-SECONDS" : "replicaSeconds",
                           for_people ? "SCALE-EVENTS" : "scaleEvents",
                           for_people ? "TURNS" : "directionChanges"}};
  for (const Setting& setting : tuning.settings) {
    table.headings.push_back(for_people ? setting.short_name : setting.field);
  }
  for (const std::size_t i : shown(tuning)) {
    const Candidate& candidate = tuning.candidates[i];
    std::vector<std::string> row{role_of(tuning, i),
                                 short_number(candidate.outcome.slo_violation_seconds),
                                 short_number(candidate.outcome.replica_seconds),
                                 fmt::format("{}", candidate.outcome.scale_events),
                                 fmt::format("{}", candidate.outcome.direction_changes)};
    for (std::size_t s = 0; s < tuning.settings.size(); ++s) {
      row.push_back(tuning.settings[s].text(tuning.settings[s].levels[candidate.levels[s]]));
    }
    table.rows.push_back(std::move(row));
  }
  table.is_number.assign(table.headings.size(), true);
  table.is_number[0] = false;
  return table;
}

Json json_of(const Tuning& tuning, std::size_t index) {
  const Candidate& candidate = tuning.candidates[index];
  Json settings = Json::object();
  for (std::size_t i = 0; i < tuning.settings.size(); ++i) {
    const std::string text =
        tuning.settings[i].text(tuning.settings[i].levels[candidate.levels[i]]);
    settings[tuning.settings[i].field] = text == "off" ? Json(text) : Json::parse(text);
  }
  return {{"sloViolationSeconds", candidate.outcome.slo_violation_seconds},
          {"replicaSeconds", candidate.outcome.replica_seconds},
          {"scaleEvents", candidate.outcome.scale_events},
          {"directionChanges", candidate.outcome.direction_changes},
          {"settings", std::move(settings)}};
}

std::string report_json(const Options& options, const Tuning& tuning, const Proposal& proposal) {
  Json front = Json::array();
  for (const std::size_t i : shown(tuning)) {
    if (tuning.candidates[i].on_front) front.push_back(json_of(tuning, i));
  }
  const Json report{{"traces", options.traces},      {"evaluations", tuning.candidates.size()},
                    {"current", json_of(tuning, 0)}, {"proposed", json_of(tuning, tuning.proposed)},
                    {"front", std::move(front)},     {"changes", proposal.changes},
                    {"manifest", proposal.manifest}};
  return report.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string report_text(const Options& options, const api::ScalableApp& app, const Tuning& tuning,
                        const Proposal& proposal) {
  std::string out =
      fmt::format("{}: {} settings tried on {} trace{}; the Pareto front:\n\n{}", app.metadata.name,
                  tuning.candidates.size(), options.traces.size(),
                  options.traces.size() == 1 ? "" : "s", render(table_of(tuning, true)));
  if (proposal.changes.empty()) return out + "\nNone is better than the manifest's own settings.\n";
  out += "\nProposed:\n";
  for (const std::string& change : proposal.changes) out += "  " + change + "\n";
  return out;
}

Result<Printed> execute(const Options& options) {
  const auto manifest = load_manifest(options.filename);
  if (!manifest) return tl::unexpected(manifest.error());
  const auto traces = load_traces(options.traces, manifest->app.spec);
  if (!traces) return tl::unexpected(traces.error());
  TuneOptions tune_options = options.tune;
  tune_options.seed = options.run.workload.seed;
  const auto tuning = tune(manifest->app.spec, tune_options,
                           [&](const api::ScalableAppSpec& spec) -> Result<Outcome> {
                             api::ScalableApp app = manifest->app;
                             app.spec = spec;
                             Outcome sum;
                             for (const simulation::Trace& trace : *traces) {
                               const auto result = play(app, trace, options.run);
                               if (!result) return tl::unexpected(result.error());
                               sum.slo_violation_seconds += result->slo_violation_seconds;
                               sum.replica_seconds += result->replica_seconds;
                               sum.measured_seconds += result->measured_seconds;
                               sum.scale_events += result->scale_events;
                               sum.direction_changes += result->direction_changes;
                             }
                             return sum;
                           });
  if (!tuning) return tl::unexpected(tuning.error());
  const Proposal proposal = propose(*manifest, options.filename, *tuning);
  const std::string text = report_text(options, manifest->app, *tuning, proposal);
  if (!options.output.plot.empty()) {
    const auto format = picture_format_of(options.output.plot);
    if (!format) return tl::unexpected(format.error());
    std::vector<FrontPoint> points;
    for (std::size_t i = 0; i < tuning->candidates.size(); ++i) {
      const Candidate& candidate = tuning->candidates[i];
      points.push_back({candidate.outcome.slo_violation_seconds, candidate.outcome.replica_seconds,
                        candidate.on_front, role_of(*tuning, i)});
    }
    const auto bytes = plot_front(
        points, fmt::format("{}: service level against cost", manifest->app.metadata.name), *format,
        text);
    if (!bytes) return tl::unexpected(bytes.error());
    if (auto written = write_file(options.output.plot, *bytes); !written) {
      return tl::unexpected(written.error());
    }
  }
  Printed printed{.warnings = proposal.warnings};
  if (!options.output_file.empty() && !proposal.manifest.empty()) {
    if (auto written = write_file(options.output_file, proposal.manifest); !written) {
      return tl::unexpected(written.error());
    }
  }
  if (options.output.format == "json") {
    printed.out = report_json(options, *tuning, proposal);
  } else if (options.output.format == "csv") {
    printed.out = render_csv(table_of(*tuning, false));
  } else {
    printed.out = text;
    if (!proposal.changes.empty() && options.output_file.empty() && !proposal.manifest.empty()) {
      printed.out += "\n---\n" + proposal.manifest;
    }
  }
  return printed;
}

}  // namespace

Runnable tune_command() {
  auto options = std::make_shared<Options>();
  Command command{
      .name = "tune",
      .summary = "Search a policy's settings for the best trade-off of service level and cost.",
      .description =
          "Plays the traces with other values of behavior.scaleDown.stabilizationWindowSeconds, of "
          "the\n"
          "Percent policy of behavior.scaleUp, of the CPU target, of burst.thresholdPercent, of "
          "both\n"
          "tolerances and of replicas.min, shows the Pareto front of SLO-violation seconds and\n"
          "replica-seconds, and proposes a manifest. Take several traces: what is best for one day "
          "may\n"
          "only fit that day.",
      .examples =
          "# Propose better settings for these two days\n"
          "kubectl scalableapp tune -f app.yaml --trace monday.csv --trace sale.csv\n\n"
          "# Search longer, and write the proposal to a file and the front to a picture\n"
          "kubectl scalableapp tune -f app.yaml --trace monday.csv --evaluations 200 \\\n"
          "  --output tuned.yaml --plot front.svg",
      .usage = "tune -f FILENAME --trace FILENAME [options]",
      .flags = {
          filename_flag(options->filename),
          traces_flag(options->traces),
          {"evaluations", 0, fmt::format("{}", options->tune.evaluations),
           "How many settings to try at most.",
           whole("evaluations", options->tune.evaluations, 10, 100'000)},
          {"slo-weight", 0, fmt::format("{}", options->tune.slo_weight),
           "A second in which the service level is missed costs as much as so many seconds of the "
           "whole "
           "app at its mean size.",
           number("slo-weight", options->tune.slo_weight, 0, 1e6)},
          {"output", 0, "''", "Write the proposed manifest to this file instead of printing it.",
           text(options->output_file)}}};
  for (Flag& flag : workload_flags(options->run)) command.flags.push_back(std::move(flag));
  for (Flag& flag : output_flags(options->output)) command.flags.push_back(std::move(flag));
  return {.command = std::move(command),
          .check = [options]() -> Result<void> {
            if (auto set = check_filename(options->filename); !set) return set;
            return check_traces(options->traces);
          },
          .execute = [options] { return execute(*options); }};
}

}  // namespace scalableapp::plugin
