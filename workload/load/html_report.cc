#include "workload/load/html_report.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <utility>
#include <vector>

namespace scalableapp::workload {
namespace {

constexpr double kLeft = 60, kRight = 880, kTop = 12, kBottom = 210;

std::string escaped(const std::string& text) {
  std::string out;
  for (const char letter : text) {
    out += letter == '<'    ? "&lt;"
           : letter == '>'  ? "&gt;"
           : letter == '&'  ? "&amp;"
           : letter == '"'  ? "&quot;"
                            : std::string(1, letter);
  }
  return out;
}

double to_ms(microseconds latency) { return static_cast<double>(latency.count()) / 1000.0; }

// One picture: values over x, both already between 0 and 1 of their axes.
class Picture {
 public:
  void mark_x(double x, const std::string& label) { mark(at_x(x), kBottom + 16, "middle", label); }
  void mark_y(double y, const std::string& label) {
    fmt::format_to(std::back_inserter(text_),
                   "<line x1='{}' x2='{}' y1='{:.1f}' y2='{:.1f}' stroke='#ddd'/>", kLeft, kRight,
                   at_y(y), at_y(y));
    mark(kLeft - 6, at_y(y) + 4, "end", label);
  }
  void line(const std::vector<std::pair<double, double>>& points, const char* colour,
            const std::string& name) {
    text_ += fmt::format("<polyline fill='none' stroke-width='1.5' stroke='{}' points='", colour);
    for (const auto& [x, y] : points) {
      fmt::format_to(std::back_inserter(text_), "{:.1f},{:.1f} ", at_x(x), at_y(y));
    }
    text_ += fmt::format("'/><text x='{}' y='{}' fill='{}'>{}</text>", legend_, kTop, colour, name);
    legend_ += 12 + 7 * static_cast<double>(name.size());
  }
  std::string svg() const {
    return fmt::format("<svg viewBox='0 0 900 235' width='900'>{}</svg>\n", text_);
  }

 private:
  static double at_x(double x) { return kLeft + (kRight - kLeft) * x; }
  static double at_y(double y) {
    return kBottom - (kBottom - kTop - 12) * std::clamp(y, 0.0, 1.0);
  }
  void mark(double x, double y, const char* anchor, const std::string& label) {
    fmt::format_to(std::back_inserter(text_),
                   "<text x='{:.1f}' y='{:.1f}' text-anchor='{}'>{}</text>", x, y, anchor, label);
  }
  std::string text_;
  double legend_ = kLeft;
};

// Latencies differ by orders of magnitude, so their axis is logarithmic: whole decades from 0.1 ms.
class LatencyAxis {
 public:
  explicit LatencyAxis(double highest_ms)
      : decades_(std::max(1.0, std::ceil(std::log10(std::max(highest_ms, 1.0) / kLowest)))) {}
  double operator()(double ms) const {
    return std::log10(std::max(ms, kLowest) / kLowest) / decades_;
  }
  void marks(Picture& picture) const {
    for (double decade = 0; decade <= decades_; ++decade) {
      picture.mark_y(decade / decades_, fmt::format("{:g} ms", kLowest * std::pow(10, decade)));
    }
  }

 private:
  static constexpr double kLowest = 0.1;
  double decades_;
};

std::string by_percentile(const Tally& total) {
  // The x axis doubles its resolution towards 1 as HdrHistogram's plots do: log10 of 1 / (1 - p).
  constexpr double kNines = 5;
  const LatencyAxis axis(to_ms(total.latency.max()));
  Picture picture;
  axis.marks(picture);
  for (const auto& [fraction, label] : {std::pair{0.0, "0"}, {0.9, "90 %"}, {0.99, "99 %"},
                                        {0.999, "99.9 %"}, {0.9999, "99.99 %"}}) {
    picture.mark_x(-std::log10(1 - fraction) / kNines, label);
  }
  std::vector<std::pair<double, double>> points;
  for (double x = 0; x <= 1; x += 0.005) {
    const double fraction = 1 - std::pow(10, -kNines * x);
    points.emplace_back(x, axis(to_ms(total.latency.quantile(fraction))));
  }
  picture.line(points, "#06c", "latency from the intended start, of successful requests");
  return picture.svg();
}

using Value = std::function<double(const SecondRow&)>;

std::vector<std::pair<double, double>> over_time(const std::vector<SecondRow>& rows,
                                                 const Value& value) {
  std::vector<std::pair<double, double>> points;
  const double last = rows.empty() ? 1 : static_cast<double>(rows.back().time - rows[0].time);
  for (const auto& row : rows) {
    const auto at = static_cast<double>(row.time - rows[0].time);
    points.emplace_back(at / std::max(last, 1.0), value(row));
  }
  return points;
}

void mark_time(Picture& picture, const std::vector<SecondRow>& rows) {
  const auto last = rows.empty() ? 0 : rows.back().time - rows[0].time;
  picture.mark_x(0, "0 s");
  picture.mark_x(1, fmt::format("{} s", last));
}

std::string rates(const std::vector<SecondRow>& rows) {
  double highest = 1;
  for (const auto& row : rows) {
    highest = std::max({highest, row.target_rate, static_cast<double>(row.completed),
                        static_cast<double>(row.failed)});
  }
  Picture picture;
  for (const double share : {0.0, 0.5, 1.0}) {
    picture.mark_y(share, fmt::format("{:.0f}/s", share * highest));
  }
  mark_time(picture, rows);
  const auto line = [&](const char* colour, const char* name, const Value& value) {
    picture.line(over_time(rows, [&](const auto& row) { return value(row) / highest; }), colour,
                 name);
  };
  line("#999", "intended", [](const auto& row) { return row.target_rate; });
  line("#070", "completed", [](const auto& row) { return static_cast<double>(row.completed); });
  line("#c00", "failed", [](const auto& row) { return static_cast<double>(row.failed); });
  return picture.svg();
}

std::string latencies(const std::vector<SecondRow>& rows) {
  double highest = 1;
  for (const auto& row : rows) highest = std::max({highest, row.p99_ms, row.own.lag_p99_ms});
  const LatencyAxis axis(highest);
  Picture picture;
  axis.marks(picture);
  mark_time(picture, rows);
  picture.line(over_time(rows, [&](const auto& row) { return axis(row.p50_ms); }), "#06c", "p50");
  picture.line(over_time(rows, [&](const auto& row) { return axis(row.p99_ms); }), "#c60", "p99");
  picture.line(over_time(rows, [&](const auto& row) { return axis(row.own.lag_p99_ms); }), "#999",
               "the generator's own lag, p99");
  return picture.svg();
}

std::string table_row(const std::string& name, const Tally& tally, std::uint64_t accepted,
                      const std::string& slo) {
  std::string row = fmt::format("<tr><td>{}<td>{}<td>{}<td>{}<td>{}", escaped(name), tally.offered,
                                tally.completed(), tally.failed(), tally.shed());
  for (const double fraction : {0.5, 0.9, 0.99, 0.999, 1.0}) {
    row += fmt::format("<td>{:.1f}", to_ms(tally.latency.quantile(fraction)));
  }
  const auto answers = tally.cache_hits + tally.cache_misses;
  row += answers == 0 ? "<td>"
                      : fmt::format("<td>{:.1f} %", 100.0 * static_cast<double>(tally.cache_hits) /
                                                        static_cast<double>(answers));
  return row + fmt::format("<td>{}<td>{}<td>{}", tally.degraded, accepted, slo);
}

std::string slo_cell(bool has_slo, const SloSeconds& slo_seconds) {
  return has_slo ? fmt::format("{} s", slo_seconds.violated_seconds()) : "";
}

}  // namespace

std::string html_report(const RunRecord& run, const std::deque<SecondRow>& rows) {
  std::vector<SecondRow> own;
  std::copy_if(rows.begin(), rows.end(), std::back_inserter(own), [&](const auto& row) {
    return row.time >= run.started && row.time <= run.ended;
  });
  const Tally total = run.total();
  std::string page = fmt::format(
      "<!doctype html><meta charset='utf-8'><title>Load report</title><style>body{{font:14px "
      "system-ui,sans-serif;margin:24px}}svg{{font-size:11px;display:block}}table{{border-collapse:"
      "collapse}}td,th{{padding:3px 9px;border-bottom:1px solid #ddd;text-align:right}}td:first-"
      "child,th:first-child{{text-align:left}}</style>\n<h1>Load report</h1>\n<p>{:%F %T} UTC, "
      "{:.0f} s{}. Profile {}; mix {}.</p>\n",
      fmt::gmtime(static_cast<std::time_t>(run.started)), run.elapsed_seconds,
      run.was_stopped ? ", stopped early" : "", escaped(run.profile), escaped(run.mix));
  page += fmt::format("<p>{} offered ({:.1f}/s), {} completed, {} failed", total.offered,
                      static_cast<double>(total.offered) / std::max(run.elapsed_seconds, 1e-9),
                      total.completed(), total.failed());
  for (std::size_t index = 1; index < kOutcomes; ++index) {
    if (total.outcomes[index] == 0) continue;
    page += fmt::format("; {} {}", total.outcomes[index], to_string(static_cast<Outcome>(index)));
  }
  page += fmt::format(". {} sent once more, {} sessions lost.</p>\n<p>", total.retried,
                      total.sessions_lost);
  if (run.generator_limited_seconds() == 0) {
    page += "The generator itself was never the limit";
  } else {
    page += fmt::format("<b>The generator itself was the limit in {} seconds</b>",
                        run.generator_limited_seconds());
    for (std::size_t index = 1; index < kLimits; ++index) {
      if (run.limited_seconds[index] == 0) continue;
      page += fmt::format("; {} s: {}", run.limited_seconds[index],
                          to_string(static_cast<Limit>(index)));
    }
  }
  page += fmt::format("; its own lag at p99 was {:.1f} ms.</p>\n",
                      to_ms(total.lag.quantile(0.99)));
  page += "<table><tr><th>Endpoint<th>offered<th>completed<th>failed<th>of them shed<th>p50 ms<th>"
          "p90<th>p99<th>p99.9<th>max<th>cache hits<th>degraded<th>accepted<th>SLO missed\n";
  std::uint64_t accepted = 0;
  for (const auto& endpoint : run.endpoints) {
    accepted += endpoint.accepted.count();
    page += table_row(endpoint.name, endpoint.tally, endpoint.accepted.count(),
                      slo_cell(endpoint.slo.has_value(), endpoint.slo_seconds)) +
            "\n";
  }
  page += table_row("all", total, accepted, slo_cell(run.has_slo(), run.slo_seconds));
  page += "</table>\n<h2>Latency by percentile</h2>\n" + by_percentile(total);
  page += "<h2>Rate</h2>\n" + rates(own) + "<h2>Latency by second</h2>\n" + latencies(own);
  return page;
}

}  // namespace scalableapp::workload
