#include "operator/plugin/adopt_autoscaler.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "operator/api/json_fields.h"
#include "operator/base/quantity.h"

namespace scalableapp::plugin {
namespace {

using nlohmann::json;

constexpr int kMostUtilization = 1000;  // Of the CRD.
constexpr int kLongestWindow = 3600;
constexpr int kMostPolicies = 16;

std::optional<double> quantity(const json& value) {
  if (value.is_number()) return value.get<double>();
  if (!value.is_string()) return std::nullopt;
  const auto parsed = parse_quantity(value.get_ref<const std::string&>());
  return parsed ? std::optional{*parsed} : std::nullopt;
}

// `metrics[1] External "queue_depth"`.
std::string name_of(std::size_t index, const std::string& type, const json& source) {
  std::string name = api::text(source, "name");
  if (name.empty()) name = api::text(api::child(source, "metric"), "name");
  return fmt::format("metrics[{}] {} \"{}\"", index, type, name);
}

// A share of the CPU request in percent, or why it is none.
struct Utilization {
  std::optional<int> percent;
  std::string obstacle;
};

Utilization utilization_of(const std::string& type, const json& source, const json& pod_spec) {
  if (type != "Resource" && type != "ContainerResource") {
    return {.obstacle = "a metrics API of the cluster is not asked; add a metric of type Prometheus with its query"};
  }
  if (api::text(source, "name") != "cpu") {
    return {.obstacle = "only cpu has a built-in metric; add one of type Prometheus with a query"};
  }
  if (type == "ContainerResource" && api::child(pod_spec, "containers").size() != 1) {
    return {.obstacle = fmt::format("a CPU metric is of whole pods; for container {} alone add one with cpu.query",
                                    api::text(source, "container"))};
  }
  const double request_cores = api::cpu_request_cores(pod_spec);
  if (!(request_cores > 0)) {
    return {.obstacle = "it is a share of the CPU request, and not every container has resources.requests.cpu"};
  }
  const json& target = api::child(source, "target");
  double percent = static_cast<double>(api::integer(target, "averageUtilization"));
  if (const auto cores = quantity(api::child(target, "averageValue"))) {
    percent = std::round(100 * *cores / request_cores);
  }
  if (percent >= 1 && percent <= kMostUtilization) return {.percent = static_cast<int>(percent)};
  return {.obstacle = fmt::format("its target is {:g}% of the CPU request, and must be from 1 to {}", percent,
                                  kMostUtilization)};
}

json cpu_metric(int percent, std::size_t number) {
  return {{"name", number == 0 ? "cpu" : fmt::format("cpu-{}", number + 1)},
          {"type", "CPU"},
          {"cpu", {{"targetUtilization", percent}}}};
}

json rules_of(const json& rules, const std::string& direction, std::vector<std::string>& warnings) {
  json translated = json::object();
  if (const json& window = api::child(rules, "stabilizationWindowSeconds"); window.is_number_integer()) {
    translated["stabilizationWindowSeconds"] = std::min(window.get<int>(), kLongestWindow);
  }
  if (const json& select = api::child(rules, "selectPolicy"); select.is_string()) translated["selectPolicy"] = select;
  for (const json& policy : api::child(rules, "policies")) {
    if (translated["policies"].size() == kMostPolicies) {
      warnings.push_back(fmt::format("behavior.{}.policies: only the first {} are kept", direction, kMostPolicies));
      break;
    }
    translated["policies"].push_back({{"type", api::text(policy, "type")},
                                      {"value", api::integer(policy, "value")},
                                      {"periodSeconds", api::integer(policy, "periodSeconds")}});
  }
  if (const auto tolerance = quantity(api::child(rules, "tolerance"))) {
    if (*tolerance >= 0 && *tolerance < 1) {
      translated["tolerance"] = *tolerance;
    } else {
      warnings.push_back(fmt::format("behavior.{}.tolerance {:g} is left out: it must be from 0 to under 1", direction,
                                     *tolerance));
    }
  }
  return translated;
}

}  // namespace

void translate_autoscaler(const json& autoscaler, const json& pod_template, json& spec,
                          std::vector<std::string>& warnings) {
  const json& from = api::child(autoscaler, "spec");
  const json& pod_spec = api::child(pod_template, "spec");
  json metrics = json::array();
  std::size_t index = 0;
  for (const json& metric : api::child(from, "metrics")) {
    const std::string type = api::text(metric, "type");
    std::string block = type;  // "ContainerResource" -> "containerResource".
    if (!block.empty()) block[0] = static_cast<char>(block[0] | 0x20);
    const json& source = api::child(metric, block.c_str());
    const Utilization utilization = utilization_of(type, source, pod_spec);
    if (utilization.percent) {
      metrics.push_back(cpu_metric(*utilization.percent, metrics.size()));
    } else {
      warnings.push_back(fmt::format("{} is left out: {}", name_of(index, type, source), utilization.obstacle));
    }
    ++index;
  }
  if (!metrics.empty()) {
    warnings.emplace_back(
        "the CPU metric is read from process_cpu_seconds_total of the pods in Prometheus, not from the metrics API; "
        "where they do not expose it, set cpu.query");
    spec["metrics"] = std::move(metrics);
  }
  for (const char* direction : {"scaleUp", "scaleDown"}) {
    const json& rules = api::child(api::child(from, "behavior"), direction);
    if (json translated = rules_of(rules, direction, warnings); !translated.empty()) {
      spec["behavior"][direction] = std::move(translated);
    }
  }
}

json autoscaler_for(const json& app) {
  const json& metadata = api::child(app, "metadata");
  const json& spec = api::child(app, "spec");
  json metrics = json::array();
  for (const json& metric : api::child(spec, "metrics")) {
    if (api::text(metric, "type") != "CPU") continue;
    metrics.push_back(
        {{"type", "Resource"},
         {"resource",
          {{"name", "cpu"},
           {"target",
            {{"type", "Utilization"},
             {"averageUtilization", api::integer(api::child(metric, "cpu"), "targetUtilization")}}}}}});
  }
  if (metrics.empty()) return nullptr;
  const json& replicas = api::child(spec, "replicas");
  return {{"apiVersion", "autoscaling/v2"},
          {"kind", "HorizontalPodAutoscaler"},
          {"metadata", {{"name", api::text(metadata, "name")}, {"namespace", api::text(metadata, "namespace")}}},
          {"spec",
           {{"scaleTargetRef",
             {{"apiVersion", "apps/v1"}, {"kind", "Deployment"}, {"name", api::text(metadata, "name")}}},
            {"minReplicas", std::max<std::int64_t>(1, api::integer(replicas, "min", 1))},
            {"maxReplicas", api::integer(replicas, "max")},
            {"metrics", std::move(metrics)}}}};
}

}  // namespace scalableapp::plugin
