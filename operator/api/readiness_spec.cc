#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "operator/api/spec_parts.h"

namespace scalableapp::api {
namespace {

// What may stand in the first line of a request as it is.
bool is_path(std::string_view text) {
  return text.starts_with('/') &&
         std::ranges::all_of(text, [](char letter) { return letter >= '!' && letter <= '~'; });
}

WarmUpProbe decode_probe(SpecReader& read, const Field& field) {
  WarmUpProbe probe{.port = read.whole(field["port"], std::nullopt, 1, 65'535),
                    .timeout_seconds = read.whole(field["timeoutSeconds"], 1, 1, 60)};
  const Field path = field["path"];
  if (!path.is_set()) return probe;
  probe.path = read.words(path);
  if (path.value.is_string() && !is_path(probe.path)) {
    read.wrong(path, "must begin with / and have no spaces, such as /warm");
  }
  return probe;
}

WarmUpCondition decode_warm_up(SpecReader& read, const Field& field) {
  const Field query = field["query"];
  WarmUpCondition condition{.query = read.words(query),
                            .range = read.range(field),
                            .for_seconds = read.whole(field["forSeconds"], 0, 0, 3600)};
  if (query.value == "") read.wrong(query, "must be a PromQL query");
  const bool is_about_value = !condition.range.is_unbounded() || condition.for_seconds > 0;
  if (query.is_set() && condition.range.is_unbounded()) {
    read.wrong(field, "needs atLeast or atMost");
  } else if (!query.is_set() && !field["httpGet"].is_set()) {
    read.wrong(field, "needs query or httpGet");
  } else if (!query.is_set() && is_about_value) {
    read.wrong(field, "needs query where there is atLeast, atMost or forSeconds");
  }
  if (read.is_block(field["httpGet"])) condition.probe = decode_probe(read, field["httpGet"]);
  return condition;
}

}  // namespace

Readiness decode_readiness(SpecReader& read, const Field& field) {
  Readiness readiness;
  readiness.gate = read.flag(field["gate"], true);
  readiness.min_warm_seconds = read.whole(field["minWarmSeconds"], 0, 0, 3600);
  if (const Field warm_up = field["warmUp"]; warm_up.is_set()) {
    readiness.warm_up = decode_warm_up(read, warm_up);
  }
  if (const Field slow_start = field["slowStart"]; read.is_block(slow_start)) {
    readiness.slow_start = {.max_percent = read.whole(slow_start["maxPercent"], 25, 1, 100),
                            .interval_seconds = read.whole(slow_start["intervalSeconds"], 10, 1, 600)};
  }
  if (const Field fail_open = field["failOpenSeconds"]; fail_open.is_set()) {
    readiness.fail_open_seconds = read.whole(fail_open, std::nullopt, 1, 86'400);
  }
  if (readiness.gate) return readiness;
  for (const char* name : {"warmUp", "slowStart", "failOpenSeconds"}) {
    if (field[name].is_set()) read.wrong(field[name], "needs spec.readiness.gate to be true");
  }
  return readiness;
}

}  // namespace scalableapp::api
