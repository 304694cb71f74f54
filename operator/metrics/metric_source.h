// Where the newest values of the apps' queries come from. The Sampler is the real one; tests set
// values by hand. Thread-safe.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "operator/api/meta.h"
#include "operator/metrics/query.h"

namespace scalableapp::metrics {

class MetricSource {
 public:
  virtual ~MetricSource() = default;

  // Replaces the app's queries; those that stay keep their answers.
  virtual void subscribe(const api::ObjectKey& app, const std::vector<Query>& queries) = 0;
  virtual void unsubscribe(const api::ObjectKey& app) = 0;

  // Nothing: no such query, or neither answered nor failed yet.
  virtual std::optional<QueryResult> latest(const api::ObjectKey& app,
                                            const std::string& id) const = 0;
};

}  // namespace scalableapp::metrics
