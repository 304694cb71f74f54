// kubectl scalableapp decide
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "operator/plugin/commands.h"
#include "operator/plugin/files.h"
#include "operator/plugin/runs.h"
#include "operator/scaling/decide.h"
#include "operator/scaling/record.h"

namespace scalableapp::plugin {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string filename;
  std::string observation;
};

Result<Printed> execute(const Options& options) {
  const auto manifest = load_manifest(options.filename);
  if (!manifest) return tl::unexpected(manifest.error());
  const auto text = read_file(options.observation);
  if (!text) return tl::unexpected(text.error());
  Json records = Json::parse(*text, nullptr, false);
  if (records.is_object()) records = Json::array({std::move(records)});
  if (!records.is_array()) {
    return fail(ErrorCode::kDecode,
                fmt::format("{}: must be a JSON object or an array of them", options.observation));
  }
  if (records.empty()) {
    return fail(ErrorCode::kDecode, fmt::format("no record in {}", options.observation));
  }
  Printed printed;
  for (std::size_t i = 0; i < records.size(); ++i) {
    const std::string which = records.size() == 1
                                  ? options.observation
                                  : fmt::format("{}: record {}", options.observation, i + 1);
    const std::string written = records[i].dump(-1, ' ', false, Json::error_handler_t::replace);
    const auto input = scaling::parse_record(written);
    if (!input)
      return fail(input.error().code, fmt::format("{}: {}", which, input.error().message));
    api::ScalableApp app = manifest->app;
    if (!input->name.empty() && input->name != app.metadata.name) {
      printed.warnings.push_back(
          fmt::format("warning: {}: was recorded of {}, the manifest is of {}", which, input->name,
                      app.metadata.name));
    }
    // The record says whose it is; a manifest from a file knows no generation.
    if (!input->name.empty()) app.metadata.name = input->name;
    if (!input->namespace_name.empty()) app.metadata.namespace_name = input->namespace_name;
    app.metadata.generation = input->generation;
    const scaling::Decision decision =
        scaling::decide(input->now, app.spec, input->observation, input->history);
    const std::string again =
        scaling::render_record(input->now, app, input->observation, input->history, decision);
    if (records[i].contains("reason") && again != written) {
      printed.warnings.push_back(fmt::format(
          "warning: {}: is decided differently now; the spec or the operator's version was another",
          which));
    }
    printed.out += again + "\n";
  }
  return printed;
}

}  // namespace

Runnable decide_command() {
  auto options = std::make_shared<Options>();
  return {.command =
              {.name = "decide",
               .summary = "Make recorded decisions again, to the same bytes.",
               .description = "Takes a record as the operator serves it under /debug/decisions and "
                              "explain -o json prints it,\n"
                              "or an array of them, and decides again on what was known then, with "
                              "the given spec. Prints one\n"
                              "record a line. A case may also be written by hand: time and "
                              "input.observation are all it needs.",
               .examples = "# Does this version decide the same?\n"
                           "kubectl scalableapp explain web -o json > records.json\n"
                           "kubectl scalableapp decide -f app.yaml --observation records.json\n\n"
                           "# What would another spec have done with it?\n"
                           "kubectl scalableapp decide -f other.yaml --observation record.json",
               .usage = "decide -f FILENAME --observation FILENAME",
               .flags =
                   {filename_flag(options->filename),
                    {"observation", 0, "''",
                     "JSON with the record or an array of records; - for standard input. Required.",
                     text(options->observation)}}},
          .check = [options]() -> Result<void> {
            if (auto set = check_filename(options->filename); !set) return set;
            if (options->observation.empty()) {
              return fail(ErrorCode::kInvalid, "--observation: must be set: a recorded decision");
            }
            if (options->filename == "-" && options->observation == "-") {
              return fail(ErrorCode::kInvalid,
                          "--observation=-: must be a file where -f is standard input");
            }
            return {};
          },
          .execute = [options] { return execute(*options); }};
}

}  // namespace scalableapp::plugin
