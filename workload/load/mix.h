// Which requests a run is made of, by weight, and the text of each. Pure.
//
//   /work=90,/=5,/jobs:POST=5
//   /items/{zipf:1000}=80,/likes/{uniform:100}:POST=5
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "operator/base/result.h"
#include "operator/base/time.h"
#include "workload/common/flags.h"
#include "workload/load/template.h"

namespace scalableapp::workload {

inline constexpr std::size_t kMaxRequests = 64;  // Kinds of them in one plan.

struct MixEntry {
  std::string name;  // Of the endpoint in reports and metrics; empty: to be named.
  HostPort target;
  std::string method = "GET";  // Or POST, PUT, DELETE.
  TextTemplate path;           // And query.
  TextTemplate body;
  std::vector<std::pair<std::string, TextTemplate>> headers;
  double weight = 1;
  std::optional<milliseconds> slo;
};

struct Mix {
  std::vector<MixEntry> entries;
  double total_weight = 0;

  void add(MixEntry entry);
  // The index of the entry for a number from [0, 1): each as often as its weight says.
  std::size_t pick(double number) const;
};

// The part after the last '=' is the weight (1 without one that is a number), before it may stand
// :METHOD. kInvalid names the part.
Result<Mix> parse_mix(const std::string& text);

// kInvalid unless it begins with '/', has no blanks and its places are known.
Result<TextTemplate> parse_path(const std::string& text);
bool is_known_method(std::string_view method);
bool is_same_header(std::string_view one, std::string_view other);  // Without regard to case.

// Gives each entry without a name its method (unless GET) and path without the query, with the
// query where that is needed to tell two apart.
void name_entries(std::vector<MixEntry*> entries);

// True if the request carries an id: as header Idempotency-Key, unless GET, or in its templates.
bool needs_id(const MixEntry& entry);
// The whole request. A body is JSON unless a header says otherwise; `cookie` may be empty.
std::string request_text(const MixEntry& entry, const std::string& cookie,
                         const TemplateValues& values);

}  // namespace scalableapp::workload
