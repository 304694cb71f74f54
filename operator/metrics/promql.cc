#include "operator/metrics/promql.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <iterator>

#include "operator/api/revision.h"

namespace scalableapp::metrics {
namespace {

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

// For the inside of a double-quoted PromQL string; the same text where nothing needs escaping.
std::string escape_label_value(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

// A regular expression that matches `text` alone. A dot becomes [.], which needs no backslash and
// so reads the same within any quotes.
std::string escape_regex(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '.') {
      out += "[.]";
    } else {
      // RE2 takes a backslash before any ASCII punctuation; other bytes stand for themselves.
      if (!is_name_char(c) && c > ' ' && c < '\x7f') out += '\\';
      out += c;
    }
  }
  return out;
}

// Pods are called <ReplicaSet>-<5 characters>; the API server cuts no name that short
// (apiserver/pkg/storage/names). A ReplicaSet is called by its revision, or, where it was a Deployment's, by the
// pod-template-hash: a 32-bit number whose digits are written with these ten characters
// (apimachinery/pkg/util/rand, SafeEncodeString). One in 40,000 such numbers has fewer than six digits; those are left
// out, since then "web" might mean another app's "web-db".
constexpr std::string_view kPodSuffix = "[a-z0-9]{5}";
std::string pods_regex(std::string_view name) {
  return fmt::format("{}-([{}]{{{}}}|[4-9bcdf]{{6,9}})-{}", escape_regex(api::replica_set_prefix(name)),
                     api::kRevisionAlphabet, api::kRevisionLength, kPodSuffix);
}

std::string render_latency(const api::MetricSpec& metric, std::string_view selector) {
  const auto quantile =
      fmt::format("histogram_quantile({}, sum by (le) (rate({}_bucket{}[{}s]))) >= 0",
                  metric.quantile, kLatencyMetric, selector, metric.window_seconds);
  const auto none_finished =
      fmt::format("sum(rate({}_count{}[{}s])) == 0", kLatencyMetric, selector, metric.window_seconds);
  const auto in_flight =
      fmt::format("sum(last_over_time({}{}[{}s]))", kInFlightMetric, selector, metric.window_seconds);
  const auto none_for_long =
      fmt::format("sum(increase({0}_count{1}[{2}s])) == 0 and sum({0}_count{1} offset {2}s)",
                  kLatencyMetric, selector,
                  std::max<std::int64_t>(kIdleWithoutGauge.count(), metric.window_seconds));
  return fmt::format(
      R"({} or label_replace({} and {} == 0 or {} unless {}, "{}", "true", "", ""))", quantile,
      none_finished, in_flight, none_for_long, in_flight, kIdleLabel);
}

}  // namespace

std::string render_template(std::string_view query, const api::ObjectKey& app,
                            const std::vector<Placeholder>& more) {
  std::vector<Placeholder> values{{"$(namespace)", app.namespace_name},
                                  {"$(name)", app.name},
                                  {"$(pods)", pods_regex(app.name)}};
  values.insert(values.end(), more.begin(), more.end());
  for (Placeholder& one : values) one.value = escape_label_value(one.value);
  std::string out;
  while (!query.empty()) {
    const auto value = std::find_if(values.begin(), values.end(),
                                    [&](const Placeholder& one) { return query.starts_with(one.name); });
    if (value != values.end()) {
      out += value->value;
      query.remove_prefix(value->name.size());
    } else {
      out += query.front();
      query.remove_prefix(1);
    }
  }
  return out;
}

std::string pods_of(const std::vector<std::string>& replica_sets) {
  if (replica_sets.empty()) return "-";  // No name begins like that.
  std::string names;
  for (const std::string& name : replica_sets) {
    if (!names.empty()) names += '|';
    names += escape_regex(name);
  }
  return fmt::format("({})-{}", names, kPodSuffix);
}

std::string queue_series(const api::MetricSpec& metric, const api::ObjectKey& app) {
  return fmt::format(R"({}{{namespace="{}",queue="{}"}})", kQueueMetric,
                     escape_label_value(app.namespace_name),
                     escape_label_value(metric.queue.empty() ? app.name : metric.queue));
}

std::string render(const api::MetricSpec& metric, const api::ObjectKey& app) {
  if (!metric.query.empty()) return render_template(metric.query, app);
  const std::string selector =
      render_template(R"q({namespace="$(namespace)",pod=~"$(pods)"})q", app);
  switch (metric.type) {
    case api::MetricType::kLatency:
      return render_latency(metric, selector);
    case api::MetricType::kCpu:
      return fmt::format("sum by (pod) (rate({}{}[{}s]))", kCpuMetric, selector,
                         metric.window_seconds);
    case api::MetricType::kQueueLength:
      return fmt::format("max(last_over_time({}[{}s]))", queue_series(metric, app),
                         metric.window_seconds);
    case api::MetricType::kPrometheus:
      break;
  }
  return {};
}

Result<void> check_self_contained(std::string_view query) {
  std::string closers;
  bool has_text = false;
  for (std::size_t i = 0; i < query.size(); ++i) {
    const char c = query[i];
    if (c == '#') {
      i = std::min(query.find_first_of("\r\n", i), query.size());
      continue;
    }
    if (c != ' ' && c != '\t' && c != '\r' && c != '\n') has_text = true;
    switch (c) {
      case '(':
        closers += ')';
        break;
      case '[':
        closers += ']';
        break;
      case '{':
        closers += '}';
        break;
      case ')':
      case ']':
      case '}':
        if (closers.empty() || closers.back() != c) {
          return fail(ErrorCode::kInvalid,
                      fmt::format("query: '{}' at character {} closes nothing", c, i + 1));
        }
        closers.pop_back();
        break;
      case '"':
      case '\'':
      case '`': {
        const std::size_t opened = i++;
        while (i < query.size() && query[i] != c) {
          if (c != '`' && query[i] == '\\') ++i;
          if (c != '`' && i < query.size() && query[i] == '\n') break;  // Not even escaped.
          ++i;
        }
        if (i >= query.size() || query[i] != c) {
          return fail(ErrorCode::kInvalid,
                      fmt::format("query: the string at character {} is not closed", opened + 1));
        }
        break;
      }
      default:
        break;
    }
  }
  if (!closers.empty()) {
    return fail(ErrorCode::kInvalid, fmt::format("query: a '{}' is missing", closers.back()));
  }
  if (!has_text) return fail(ErrorCode::kInvalid, "query: is empty");
  return {};
}

namespace {

void append_tree(std::span<const QueryPart> parts, std::size_t first, std::string& out) {
  if (parts.size() == 1) {
    const std::string limit =
        parts[0].is_scalar ? "vector(" : fmt::format("topk({}, ", kMaxSeries + 1);
    // The line break ends a comment that the part may end in.
    fmt::format_to(std::back_inserter(out), "label_replace({}{}\n), \"{}\", \"{}\", \"\", \"\")",
                   limit, parts[0].text, kQueryLabel, first);
    return;
  }
  const std::size_t middle = parts.size() / 2;
  out += '(';
  append_tree(parts.first(middle), first, out);
  out += " or ";
  append_tree(parts.subspan(middle), first + middle, out);
  out += ')';
}

}  // namespace

std::string combine(std::span<const QueryPart> parts) {
  std::string out;
  if (!parts.empty()) append_tree(parts, 0, out);
  return out;
}

}  // namespace scalableapp::metrics
