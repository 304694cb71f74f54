#include "operator/plugin/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "operator/api/json_fields.h"
#include "operator/kube/api_error.h"
#include "operator/kube/paths.h"
#include "operator/plugin/table.h"

namespace scalableapp::plugin {
namespace {

// Records are shown as they came, members in their order.
using Json = nlohmann::ordered_json;

constexpr const char* kOperatorLabel = "app.kubernetes.io/name=scalableapp-operator";
constexpr int kOperatorPort = 8080;  // Where a pod names no port "http".

Result<std::string> get(kube::HttpTransport& transport, const std::string& path) {
  auto response = transport.send({.path_and_query = path}, {});
  if (!response) return tl::unexpected(response.error());
  if (!response->ok()) return tl::unexpected(kube::error_of_response(*response, "GET " + path));
  return std::move(response->body);
}

std::string decisions_path(const api::ObjectKey& app) {
  return fmt::format("/debug/decisions/{}/{}", kube::percent_encode(app.namespace_name),
                     kube::percent_encode(app.name));
}

// An operator's pod that runs.
struct OperatorPod {
  api::ObjectKey key;
  int port = kOperatorPort;
  bool holds_lease = false;
};

std::vector<OperatorPod> read_pods(const std::string& list) {
  std::vector<OperatorPod> pods;
  const auto object = nlohmann::json::parse(list, nullptr, false);
  for (const auto& item : api::child(object, "items")) {
    const auto& metadata = api::child(item, "metadata");
    if (api::text(api::child(item, "status"), "phase") != "Running") continue;
    OperatorPod pod{.key = {api::text(metadata, "namespace"), api::text(metadata, "name")}};
    for (const auto& container : api::child(api::child(item, "spec"), "containers")) {
      for (const auto& port : api::child(container, "ports")) {
        if (api::text(port, "name") == "http") {
          pod.port = static_cast<int>(api::integer(port, "containerPort", kOperatorPort));
        }
      }
    }
    pods.push_back(std::move(pod));
  }
  return pods;
}

// Who may not read Leases asks every pod.
void mark_leaders(kube::HttpTransport& api_server, std::vector<OperatorPod>& pods) {
  std::vector<std::string> asked;
  for (const OperatorPod& one : pods) {
    const std::string namespace_name = one.key.namespace_name;
    if (std::ranges::find(asked, namespace_name) != asked.end()) continue;
    asked.push_back(namespace_name);
    const auto leases = get(api_server, kube::collection_path(kube::kLeases, namespace_name));
    if (!leases) continue;
    const auto object = nlohmann::json::parse(*leases, nullptr, false);
    for (const auto& item : api::child(object, "items")) {
      const std::string holder = api::text(api::child(item, "spec"), "holderIdentity");
      for (OperatorPod& pod : pods) {
        if (pod.key == api::ObjectKey{namespace_name, holder}) pod.holds_lease = true;
      }
    }
  }
  std::ranges::stable_partition(pods, &OperatorPod::holds_lease);
}

// The decisions of the pod that has them, or why none has.
Result<std::string> ask_operator(kube::HttpTransport& api_server, const api::ObjectKey& app,
                                 const std::string& operator_namespace) {
  const auto list =
      get(api_server, kube::list_path(kube::kPods, {.namespace_name = operator_namespace,
                                                    .label_selector = kOperatorLabel}));
  if (!list) return list;
  std::vector<OperatorPod> pods = read_pods(*list);
  if (pods.empty()) {
    return fail(
        ErrorCode::kNotFound,
        fmt::format("no running pod has the label {}{}", kOperatorLabel,
                    operator_namespace.empty() ? "" : " in namespace " + operator_namespace));
  }
  mark_leaders(api_server, pods);
  std::optional<Error> why;
  for (const OperatorPod& pod : pods) {
    const std::string path = fmt::format("{}:{}/proxy{}", kube::object_path(kube::kPods, pod.key),
                                         pod.port, decisions_path(app));
    auto records = get(api_server, path);
    if (records) return records;
    if (!why) why = records.error();
  }
  return tl::unexpected(*why);
}

// status.lastDecision and status.metrics as the one record there is.
std::string record_of_status(const nlohmann::json& object) {
  const auto& status = api::child(object, "status");
  const auto& last = api::child(status, "lastDecision");
  if (!last.is_object()) return "[]";
  const auto& metadata = api::child(object, "metadata");
  Json record{
      {"time", api::text(last, "time")},      {"namespace", api::text(metadata, "namespace")},
      {"name", api::text(metadata, "name")},  {"from", api::integer(last, "from")},
      {"to", api::integer(last, "to")},       {"reason", api::text(last, "reason")},
      {"message", api::text(last, "message")}};
  record["metrics"] = Json::array();
  for (const auto& metric : api::child(status, "metrics"))
    record["metrics"].push_back(Json(metric));
  record["clamps"] = Json::array();
  for (const auto& clamp : api::child(last, "clamps")) record["clamps"].push_back(Json(clamp));
  return Json::array({record}).dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<Json> last_records(std::string_view records, std::size_t limit) {
  Json all = Json::parse(records, nullptr, false);
  if (!all.is_array()) {
    return fail(ErrorCode::kDecode, "the answer is no JSON array of decisions");
  }
  Json last = Json::array();
  for (std::size_t i = all.size() - std::min(limit, all.size()); i < all.size(); ++i) {
    if (!all[i].is_object())
      return fail(ErrorCode::kDecode, "the answer holds what is no decision");
    last.push_back(std::move(all[i]));
  }
  return last;
}

// A member as a cell; "-" where there is none.
std::string cell(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (!object.is_object() || found == object.end() || found->is_null()) return "-";
  const std::string text = found->is_string()
                               ? found->get<std::string>()
                               : found->dump(-1, ' ', false, Json::error_handler_t::replace);
  return text.empty() ? "-" : text;
}

// To the second: what lies below is for machines.
std::string time_cell(const Json& record) {
  const std::string text = cell(record, "time");
  const auto time = parse_rfc3339(text);
  return time ? format_rfc3339(*time) : text;
}

std::string age_cell(const Json& metric) {
  if (const auto age = metric.find("ageMilliseconds"); age != metric.end() && age->is_number()) {
    return format_duration(milliseconds(age->get<std::int64_t>()));
  }
  if (const auto age = metric.find("ageSeconds"); age != metric.end() && age->is_number()) {
    return format_duration(seconds(age->get<std::int64_t>()));
  }
  return "-";
}

const Json& list_of(const Json& record, const char* name) {
  static const Json kNone = Json::array();
  const auto found = record.find(name);
  return found != record.end() && found->is_array() ? *found : kNone;
}

std::string indented(const std::string& block) {
  std::string out;
  std::size_t from = 0;
  while (from < block.size()) {
    const std::size_t end = block.find('\n', from);
    out += "  " + block.substr(from, end - from) + "\n";
    from = end + 1;
  }
  return out;
}

}  // namespace

Result<Decisions> fetch_decisions(kube::HttpTransport& api_server, const api::ObjectKey& app,
                                  const std::string& operator_namespace) {
  auto records = ask_operator(api_server, app, operator_namespace);
  if (records) return Decisions{.records = std::move(*records)};
  const auto object = get(api_server, kube::object_path(kube::kScalableApps, app));
  if (!object) return tl::unexpected(object.error());
  return Decisions{
      .records = record_of_status(nlohmann::json::parse(*object, nullptr, false)),
      .warnings = {fmt::format("warning: the operator's decisions cannot be read ({}); this is "
                               "status.lastDecision of {}.",
                               records.error().message, api::to_string(app))}};
}

Result<Decisions> fetch_decisions_directly(kube::HttpTransport& server, const api::ObjectKey& app) {
  auto records = get(server, decisions_path(app));
  if (!records) return tl::unexpected(records.error());
  return Decisions{.records = std::move(*records)};
}

Result<std::string> explain_table(std::string_view records, std::size_t limit) {
  const auto last = last_records(records, limit);
  if (!last) return tl::unexpected(last.error());
  if (last->empty()) return "No decisions yet.\n";
  Table decisions{.headings = {"TIME", "FROM", "TO", "REASON", "MESSAGE"},
                  .is_number = {false, true, true, false, false}};
  for (const Json& record : *last) {
    decisions.rows.push_back({time_cell(record), cell(record, "from"), cell(record, "to"),
                              cell(record, "reason"), cell(record, "message")});
  }
  const Json& newest = last->back();
  std::string out = render(decisions);
  out += fmt::format("\nThe newest, {}: {} -> {}, {}\n", time_cell(newest), cell(newest, "from"),
                     cell(newest, "to"), cell(newest, "reason"));
  if (const auto degraded = newest.find("degradeLevel"); degraded != newest.end() && degraded->is_object()) {
    out += fmt::format("Degrade level {} of {}: {}\n", cell(*degraded, "level"), cell(*degraded, "of"),
                       cell(*degraded, "why"));
  }
  if (const Json& metrics = list_of(newest, "metrics"); !metrics.empty()) {
    Table table{.headings = {"METRIC", "TYPE", "VALUE", "TARGET", "AGE", "PROPOSES", "MISSING"},
                .is_number = {false, false, true, true, true, true, false}};
    for (const Json& metric : metrics) {
      if (!metric.is_object()) continue;
      table.rows.push_back({cell(metric, "name"), cell(metric, "type"), cell(metric, "current"),
                            cell(metric, "target"), age_cell(metric),
                            cell(metric, "proposedReplicas"), cell(metric, "missing")});
    }
    out += "\n" + indented(render(table));
  }
  if (const Json& steps = list_of(newest, "steps"); !steps.empty()) {
    Table table{.headings = {"STEP", "BEFORE", "AFTER", "WHY"},
                .is_number = {false, true, true, false}};
    for (const Json& step : steps) {
      if (!step.is_object()) continue;
      table.rows.push_back(
          {cell(step, "name"), cell(step, "before"), cell(step, "after"), cell(step, "detail")});
    }
    out += "\n" + indented(render(table));
  } else if (const Json& clamps = list_of(newest, "clamps"); !clamps.empty()) {
    out += "\n  Limited by:";
    for (const Json& clamp : clamps) out += clamp.is_string() ? " " + clamp.get<std::string>() : "";
    out += "\n";
  }
  return out;
}

Result<std::string> explain_json(std::string_view records, std::size_t limit) {
  const auto last = last_records(records, limit);
  if (!last) return tl::unexpected(last.error());
  return last->dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace scalableapp::plugin
