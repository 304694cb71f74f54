#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "operator/api/spec_parts.h"

namespace scalableapp::api {
namespace {

struct MetricKind {
  MetricType type;
  const char* name;
  const char* block;  // The field that holds what only this type has.
};
constexpr std::array<MetricKind, 4> kMetricKinds{{
    {MetricType::kLatency, "Latency", "latency"},
    {MetricType::kCpu, "CPU", "cpu"},
    {MetricType::kQueueLength, "QueueLength", "queueLength"},
    {MetricType::kPrometheus, "Prometheus", "prometheus"},
}};

// The type's own block, or null where type or block are missing; tells of blocks of other types.
const MetricKind* kind_of(SpecReader& read, const Field& field) {
  const MetricKind* kind = nullptr;
  for (const MetricKind& one : kMetricKinds) {
    if (field["type"].value == one.name) kind = &one;
  }
  if (kind == nullptr) {
    read.wrong(field["type"], "must be Latency, CPU, QueueLength or Prometheus");
    return nullptr;
  }
  for (const MetricKind& one : kMetricKinds) {
    if (&one != kind && field[one.block].is_set()) {
      read.wrong(field[one.block], fmt::format("must not be set for type {}", kind->name));
    }
  }
  if (field[kind->block].value.is_object()) return kind;
  read.wrong(field[kind->block], fmt::format("must be set for type {}", kind->name));
  return nullptr;
}

// By the load that goes with it a latency can be modelled only if the operator knows that load.
LatencyModel decode_latency_model(SpecReader& read, const Field& field, bool has_query) {
  const LatencyModel fallback = has_query ? LatencyModel::kRatio : LatencyModel::kCapacity;
  const LatencyModel model = *read.choice<LatencyModel>(
      field, fallback, {{"Capacity", LatencyModel::kCapacity}, {"Ratio", LatencyModel::kRatio}});
  if (!has_query || model == LatencyModel::kRatio) return model;
  read.wrong(field, "must be Ratio where there is a query, whose load is not known");
  return LatencyModel::kRatio;
}

std::optional<Fallback> decode_fallback(SpecReader& read, const Field& field) {
  if (!field.is_set()) return std::nullopt;
  return Fallback{.failure_seconds = read.whole(field["failureSeconds"], 180, 10, 86'400),
                  .replicas = read.whole(field["replicas"], std::nullopt, 1, kMostReplicas)};
}

}  // namespace

MetricSpec decode_metric(SpecReader& read, const Field& field) {
  MetricSpec spec;
  spec.name = read.words(field["name"]);
  if (spec.name.empty() || spec.name.size() > 63) {
    read.wrong(field["name"], "must have 1 to 63 characters");
  }
  const MetricKind* kind = kind_of(read, field);
  if (kind == nullptr) return spec;
  const Field block = field[kind->block];
  spec.type = kind->type;
  spec.query = read.words(block["query"]);
  spec.fallback = decode_fallback(read, field["fallback"]);
  switch (kind->type) {
    case MetricType::kLatency: {
      spec.quantile = read.number(block["quantile"], spec.quantile);
      if (!(spec.quantile > 0 && spec.quantile < 1)) {
        read.wrong(block["quantile"], "must be over 0 and under 1");
      }
      const auto target = parse_duration(text(block.value, "target"));
      spec.target = target ? static_cast<double>(target->count()) / 1000.0 : 0;
      if (!(spec.target > 0))
        read.wrong(block["target"], "must be a duration over 0 such as 200ms");
      spec.latency_model = decode_latency_model(read, block["model"], !spec.query.empty());
      break;
    }
    case MetricType::kCpu:
      spec.target = read.whole(block["targetUtilization"], std::nullopt, 1, 1000) / 100.0;
      break;
    case MetricType::kQueueLength:
      spec.target_type = TargetType::kAverageValue;
      spec.target = read.positive(block["targetPerReplica"]);
      spec.queue = read.words(block["queue"]);
      if (block["drainSeconds"].is_set()) {
        spec.drain_seconds = read.whole(block["drainSeconds"], std::nullopt, 1, 86'400);
      }
      spec.arrival_query = read.words(block["arrivalQuery"]);
      spec.completion_query = read.words(block["completionQuery"]);
      spec.activation_threshold = read.not_negative(block["activationThreshold"]);
      break;
    case MetricType::kPrometheus:
      if (spec.query.empty()) read.wrong(block["query"], "must be a PromQL query");
      spec.target_type = *read.choice<TargetType>(
          block["target"]["type"], TargetType::kAverageValue,
          {{"Value", TargetType::kValue}, {"AverageValue", TargetType::kAverageValue}});
      spec.target = read.positive(block["target"]["value"]);
      spec.activation_threshold = read.not_negative(block["activationThreshold"]);
      if (block["activationThreshold"].is_set() && spec.target_type == TargetType::kValue) {
        read.wrong(block["activationThreshold"], "needs target.type to be AverageValue");
      }
      return spec;  // A window, if any, is part of the query.
  }
  spec.window_seconds = read.whole(block["windowSeconds"], spec.window_seconds, 2, 3600);
  return spec;
}

}  // namespace scalableapp::api
