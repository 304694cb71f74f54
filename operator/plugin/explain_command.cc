// kubectl scalableapp explain
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <memory>

#include "operator/kube/cpprest_transport.h"
#include "operator/plugin/cluster.h"
#include "operator/plugin/commands.h"
#include "operator/plugin/explain.h"

namespace scalableapp::plugin {
namespace {

struct Options {
  std::string name;
  ClusterOptions cluster;
  std::string operator_namespace;
  std::string server;
  std::string output = "table";
  int limit = 10;
};

Result<Decisions> with_url(Result<Decisions> decisions, const std::string& url) {
  if (decisions) return decisions;
  return fail(decisions.error().code, fmt::format("{}: {}", url, decisions.error().message));
}

Result<Decisions> fetch(const Options& options) {
  const auto cluster = connect(options.cluster);
  if (options.server.empty()) {
    if (!cluster) return tl::unexpected(cluster.error());
    return with_url(fetch_decisions(*(*cluster)->transport, {(*cluster)->namespace_name, options.name},
                                    options.operator_namespace),
                    (*cluster)->url);
  }
  // It needs no kubeconfig, but heeds the namespace of one.
  std::string namespace_name = cluster ? (*cluster)->namespace_name : options.cluster.namespace_name;
  if (namespace_name.empty()) namespace_name = "default";
  const SystemClock clock;
  auto transport = kube::make_cpprest_transport({.base_url = options.server}, clock);
  if (!transport) return tl::unexpected(transport.error());
  return with_url(fetch_decisions_directly(**transport, {namespace_name, options.name}), options.server);
}

}  // namespace

Runnable explain_command() {
  auto options = std::make_shared<Options>();
  Runnable runnable{.command =
              {.name = "explain",
               .summary = "Show the last decisions about an app, and why.",
               .description = "Asks the operator that leads, through the API server's pod proxy, "
                              "which needs the rights to\n"
                              "list pods and to get pods/proxy in the operator's namespace. Who "
                              "does not have them is shown\n"
                              "status.lastDecision.\n\n"
                              "Of the newest decision it shows every metric with its value, age "
                              "and proposal, and each step\n"
                              "that changed the number.",
               .examples = "# Why has web the size it has?\n"
                           "kubectl scalableapp explain web\n\n"
                           "# The last 50 decisions about shop/web as the operator recorded them\n"
                           "kubectl scalableapp explain web -n shop -o json --limit 50\n\n"
                           "# From an operator behind kubectl port-forward\n"
                           "kubectl scalableapp explain web --server http://127.0.0.1:8080",
               .usage = "explain NAME [options]",
               .flags = {{"operator-namespace", 0, "''",
                          "Namespace of the operator; default: all are searched by its label.",
                          text(options->operator_namespace)},
                         {"server", 0, "''", "Ask this operator directly, http://HOST:PORT.",
                          [options = options.get()](const std::string& value) -> Result<void> {
                            if (!value.starts_with("http://") && !value.starts_with("https://")) {
                              return fail(
                                  ErrorCode::kInvalid,
                                  "--server=" + value + ": must start with http:// or https://");
                            }
                            options->server = value;
                            return {};
                          }},
                         {"output", 'o', "table", "Output format. One of: table, json.",
                          choice("output", options->output, {"table", "json"})},
                         {"limit", 0, "10", "How many decisions to show, the newest ones.",
                          whole("limit", options->limit, 1, 100'000)}},
               .argument = "NAME",
               .set_argument = text(options->name)},
          .check = [options]() -> Result<void> {
            if (options->name.empty())
              return fail(ErrorCode::kInvalid, "NAME: must be given: the app's name");
            return {};
          },
          .execute = [options]() -> Result<Printed> {
            auto decisions = fetch(*options);
            if (!decisions) return tl::unexpected(decisions.error());
            const auto limit = static_cast<std::size_t>(options->limit);
            auto text = options->output == "json" ? explain_json(decisions->records, limit)
                                                  : explain_table(decisions->records, limit);
            if (!text) return tl::unexpected(text.error());
            return Printed{.out = std::move(*text), .warnings = std::move(decisions->warnings)};
          }};
  std::ranges::move(cluster_flags(options->cluster), std::back_inserter(runnable.command.flags));
  return runnable;
}

}  // namespace scalableapp::plugin
