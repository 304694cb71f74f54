// What goes into a statement and what comes back, as text and free of libpq's types.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace scalableapp::workload {

using Value = std::optional<std::string>;  // PostgreSQL's text form; none is NULL.
// What $1, $2, ... of a statement stand for: the only way for a value to get into one.
using Parameters = std::vector<Value>;

struct Rows {
  std::vector<std::vector<Value>> values;  // Row by row, columns in the statement's order.
  long long affected = 0;                  // Rows selected, inserted, updated or deleted.

  bool empty() const { return values.empty(); }
};

}  // namespace scalableapp::workload
