#include "operator/plugin/plot.h"

#include <cairo-svg.h>
#include <cairo.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>

namespace scalableapp::plugin {
namespace {

using simulation::PolicyResult;

struct Color {
  double red = 0, green = 0, blue = 0;
};
constexpr Color kInk{0.13, 0.13, 0.15};
constexpr Color kFaint{0.45, 0.45, 0.48};
constexpr Color kGrid{0.90, 0.90, 0.92};
constexpr Color kLoad{0.55, 0.60, 0.68};
constexpr Color kTarget{0.72, 0.11, 0.11};
// Told apart with any colour vision: M. Okabe and K. Ito, Color Universal Design, 2008.
constexpr std::array<Color, 4> kPolicies{
    {{0.00, 0.45, 0.70}, {0.90, 0.62, 0.00}, {0.00, 0.62, 0.45}, {0.80, 0.47, 0.65}}};
constexpr double kWidth = 1000, kMarginLeft = 74, kMarginRight = 26;
constexpr double kTitle = 64, kGap = 34, kBottom = 44;

// An axis of values; logarithmic where the caller says so.
struct Scale {
  double low = 0, high = 1;
  bool is_log = false;
  std::vector<double> ticks;

  double share(double value) const {
    if (is_log) {
      return std::log(std::clamp(value, low, high) / low) / std::log(high / low);
    }
    return (std::clamp(value, low, high) - low) / (high - low);
  }
};

Scale linear(double low, double high, int wanted, bool whole = false) {
  if (!(high > low)) high = low + 1;
  const double rough = (high - low) / wanted;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= rough * 0.999) {
      step = factor * power;
      break;
    }
  }
  if (whole) step = std::max(1.0, std::round(step));
  Scale scale{.low = std::floor(low / step) * step, .high = std::ceil(high / step - 1e-9) * step};
  for (int i = 0; scale.low + i * step <= scale.high + step * 1e-6; ++i) {
    scale.ticks.push_back(scale.low + i * step);
  }
  return scale;
}

Scale logarithmic(double low, double high) {
  Scale scale{.low = std::pow(10, std::floor(std::log10(low))),
              .high = std::pow(10, std::ceil(std::log10(high))),
              .is_log = true};
  if (scale.high <= scale.low) scale.high = scale.low * 10;
  for (double tick = scale.low; tick <= scale.high * 1.001; tick *= 10) scale.ticks.push_back(tick);
  return scale;
}

// From second to second of a trace, with ticks at times that people name.
Scale time_axis(double low, double high) {
  Scale scale{.low = low, .high = std::max(high, low + 1)};
  double step = 86'400;
  for (const double one : {1., 2., 5., 10., 30., 60., 120., 300., 600., 1200., 1800., 3600., 7200.,
                           10'800., 21'600., 43'200., 86'400., 172'800.}) {
    step = one;
    if ((scale.high - low) / one <= 10) break;
  }
  for (double tick = std::ceil(low / step) * step; tick <= scale.high; tick += step) {
    scale.ticks.push_back(tick);
  }
  return scale;
}

std::string time_text(double at, double span) {
  const auto whole = static_cast<std::int64_t>(std::llround(at));
  if (span <= 120) return fmt::format("{}s", whole);
  if (span < 7200) return fmt::format("{}:{:02}", whole / 60, whole % 60);
  if (span < 172'800) return fmt::format("{}:{:02}", whole / 3600, whole / 60 % 60);
  return fmt::format("{}d {:02}h", whole / 86'400, whole / 3600 % 24);
}

const char* time_unit(double span) {
  return span <= 120      ? "seconds"
         : span < 7200    ? "minutes:seconds"
         : span < 172'800 ? "hours:minutes"
                          : "days and hours";
}

std::string seconds_text(double value) {
  return value < 0.9995 ? fmt::format("{:.3g}ms", value * 1e3) : fmt::format("{:.4g}s", value);
}

std::string plain_text(double value) { return fmt::format("{:.6g}", value); }

struct Panel {
  double left = 0, top = 0, width = 0, height = 0;
  Scale x, y;
  double at_x(double value) const { return left + x.share(value) * width; }
  double at_y(double value) const { return top + height - y.share(value) * height; }
};

enum class Align { kLeft, kMiddle, kRight };

class Pen {
 public:
  explicit Pen(cairo_t* cairo) : cairo_(cairo) {
    cairo_set_line_join(cairo, CAIRO_LINE_JOIN_ROUND);
  }

  void background(double width, double height) {
    cairo_set_source_rgb(cairo_, 1, 1, 1);
    cairo_rectangle(cairo_, 0, 0, width, height);
    cairo_fill(cairo_);
  }

  void color(const Color& color, double alpha = 1) {
    cairo_set_source_rgba(cairo_, color.red, color.green, color.blue, alpha);
  }

  void write(double x, double y, const std::string& text, double size, Align align = Align::kLeft,
             bool bold = false) {
    cairo_select_font_face(cairo_, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
                           bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(cairo_, size);
    if (align != Align::kLeft) x -= text_width(text) * (align == Align::kRight ? 1 : 0.5);
    cairo_move_to(cairo_, x, y);
    cairo_show_text(cairo_, text.c_str());
  }

  // In the font of the last write().
  double text_width(const std::string& text) {
    cairo_text_extents_t extents;
    cairo_text_extents(cairo_, text.c_str(), &extents);
    return extents.x_advance;
  }

  void line(double x1, double y1, double x2, double y2, double width, bool dashed = false) {
    const std::array<double, 2> dashes{6, 4};
    if (dashed) cairo_set_dash(cairo_, dashes.data(), 2, 0);
    cairo_set_line_width(cairo_, width);
    cairo_move_to(cairo_, x1, y1);
    cairo_line_to(cairo_, x2, y2);
    cairo_stroke(cairo_);
    cairo_set_dash(cairo_, nullptr, 0, 0);
  }

  void dot(double x, double y, double radius) {
    cairo_arc(cairo_, x, y, radius, 0, 2 * M_PI);
    cairo_fill(cairo_);
  }

  // Axes, ticks and the panel's name.
  void frame(const Panel& panel, const std::string& name,
             const std::function<std::string(double)>& y_text, bool with_time) {
    color(kInk);
    write(panel.left, panel.top - 8, name, 12, Align::kLeft, true);
    for (const double tick : panel.y.ticks) {
      color(kGrid);
      line(panel.left, panel.at_y(tick), panel.left + panel.width, panel.at_y(tick), 1);
      color(kFaint);
      write(panel.left - 8, panel.at_y(tick) + 4, y_text(tick), 11, Align::kRight);
    }
    for (const double tick : panel.x.ticks) {
      color(kGrid);
      line(panel.at_x(tick), panel.top, panel.at_x(tick), panel.top + panel.height, 1);
      if (!with_time) continue;
      color(kFaint);
      write(panel.at_x(tick), panel.top + panel.height + 18,
            time_text(tick, panel.x.high - panel.x.low), 11, Align::kMiddle);
    }
    color(kFaint);
    line(panel.left, panel.top + panel.height, panel.left + panel.width, panel.top + panel.height,
         1);
    if (with_time) {
      write(panel.left + panel.width, panel.top + panel.height + 34,
            time_unit(panel.x.high - panel.x.low), 11, Align::kRight);
    }
  }

  // Steps through the points' values, each holding until the next point; nullopt is a gap.
  // `filled`: down to the axis.
  void steps(const Panel& panel, const std::vector<simulation::Point>& points,
             const std::function<std::optional<double>(const simulation::Point&)>& value,
             double width, bool filled = false) {
    cairo_save(cairo_);
    cairo_rectangle(cairo_, panel.left, panel.top - 6, panel.width, panel.height + 12);
    cairo_clip(cairo_);
    const double bottom = panel.top + panel.height;
    bool is_down = false;
    for (std::size_t i = 0; i < points.size(); ++i) {
      const auto here = value(points[i]);
      const double from = panel.at_x(points[i].seconds);
      const double to =
          i + 1 < points.size() ? panel.at_x(points[i + 1].seconds) : panel.left + panel.width;
      if (!here) {
        is_down = false;
        continue;
      }
      const double y = panel.at_y(*here);
      if (is_down) {
        cairo_line_to(cairo_, from, y);
      } else if (filled) {
        cairo_move_to(cairo_, from, bottom);
        cairo_line_to(cairo_, from, y);
      } else {
        cairo_move_to(cairo_, from, y);
      }
      is_down = true;
      cairo_line_to(cairo_, to, y);
      if (filled && i + 1 == points.size()) cairo_line_to(cairo_, to, bottom);
    }
    cairo_set_line_width(cairo_, width);
    if (filled) {
      cairo_fill(cairo_);
    } else {
      cairo_stroke(cairo_);
    }
    cairo_restore(cairo_);
  }

 private:
  cairo_t* cairo_;
};

constexpr double kLoadHeight = 120, kLatencyHeight = 190, kReplicasHeight = 220;
constexpr double kRunHeight =
    kTitle + kLoadHeight + kGap + kLatencyHeight + kGap + kReplicasHeight + kBottom;

// On the title's line, to the right; says where it begins.
double legend(Pen& pen, const TraceReport& report, double y) {
  constexpr double kLine = 22, kSpace = 6, kBetween = 20;
  pen.color(kInk);
  double x = kWidth - kMarginRight + kBetween;
  pen.write(0, -100, "", 12);
  for (const PolicyResult& policy : report.policies) {
    x -= kLine + kSpace + pen.text_width(policy.name) + kBetween;
  }
  x -= kLine + kSpace + pen.text_width("target") + kBetween;
  const double begin = x;
  for (std::size_t i = 0; i < report.policies.size(); ++i) {
    pen.color(kPolicies[i % kPolicies.size()]);
    pen.line(x, y - 4, x + kLine, y - 4, 3);
    pen.color(kInk);
    pen.write(x + kLine + kSpace, y, report.policies[i].name, 12);
    x += kLine + kSpace + pen.text_width(report.policies[i].name) + kBetween;
  }
  pen.color(kTarget);
  pen.line(x, y - 4, x + kLine, y - 4, 1.5, true);
  pen.color(kInk);
  pen.write(x + kLine + kSpace, y, "target", 12);
  return begin;
}

Scale latency_scale(const TraceReport& report) {
  double low = report.policies.front().slo_seconds, high = low;
  for (const PolicyResult& policy : report.policies) {
    for (const simulation::Point& point : policy.points) {
      if (!(point.latency_seconds > 0)) continue;
      low = std::min(low, point.latency_seconds);
      high = std::max(high, point.latency_seconds);
    }
  }
  if (!(low > 0)) low = 0.001;
  return high / low > 30 ? logarithmic(low, high) : linear(0, high * 1.05, 4);
}

void draw_run(Pen& pen, const TraceReport& report, double top) {
  const PolicyResult& first = report.policies.front();
  double end = 1;
  double begin = first.points.empty() ? 0 : first.points.front().seconds;
  if (first.points.size() > 1) {
    const auto& last = first.points.back();
    end = last.seconds + (last.seconds - first.points[first.points.size() - 2].seconds);
  }
  const double room = legend(pen, report, top + 24) - kMarginLeft - 20;
  pen.color(kInk);
  pen.write(0, -100, "", 15, Align::kLeft, true);
  const double size = 15 * std::min(1.0, room / std::max(1.0, pen.text_width(report.trace)));
  pen.write(kMarginLeft, top + 24, report.trace, size, Align::kLeft, true);

  double most_load = 0, most_replicas = 1;
  for (const PolicyResult& policy : report.policies) {
    for (const simulation::Point& point : policy.points) {
      most_load = std::max(most_load, point.arrivals_per_second);
      most_replicas =
          std::max<double>(most_replicas, std::max(point.replicas_desired, point.replicas_serving));
    }
  }
  Panel panel{.left = kMarginLeft,
              .top = top + kTitle,
              .width = kWidth - kMarginLeft - kMarginRight,
              .height = kLoadHeight,
              .x = time_axis(begin, end),
              .y = linear(0, most_load, 3)};
  pen.frame(panel, "Load, per second", plain_text, false);
  pen.color(kLoad, 0.8);
  pen.steps(
      panel, first.points,
      [](const simulation::Point& point) { return std::optional(point.arrivals_per_second); }, 1,
      true);

  panel.top += panel.height + kGap;
  panel.height = kLatencyHeight;
  panel.y = latency_scale(report);
  pen.frame(panel,
            panel.y.is_log ? "Latency (log scale); wanted: " + first.slo
                           : "Latency; wanted: " + first.slo,
            seconds_text, false);
  // The one that this is about is drawn last, over the others.
  for (std::size_t i = report.policies.size(); i > 0; --i) {
    pen.color(kPolicies[(i - 1) % kPolicies.size()], 0.9);
    pen.steps(
        panel, report.policies[i - 1].points,
        [](const simulation::Point& point) {
          return point.latency_seconds > 0 ? std::optional(point.latency_seconds) : std::nullopt;
        },
        i == 1 ? 1.8 : 1.3);
  }
  pen.color(kTarget);
  pen.line(panel.left, panel.at_y(first.slo_seconds), panel.left + panel.width,
           panel.at_y(first.slo_seconds), 1.5, true);

  panel.top += panel.height + kGap;
  panel.height = kReplicasHeight;
  panel.y = linear(0, most_replicas, 5, true);
  pen.frame(panel, "Replicas: thick desired, thin serving", plain_text, true);
  // A little apart, so that equal counts do not hide each other.
  panel.top += 0.8 * static_cast<double>(report.policies.size());
  for (std::size_t i = report.policies.size(); i > 0; --i) {
    panel.top -= 1.6;
    const auto& points = report.policies[i - 1].points;
    const Color& color = kPolicies[(i - 1) % kPolicies.size()];
    pen.color(color, 0.55);
    pen.steps(
        panel, points,
        [](const simulation::Point& point) {
          return std::optional<double>(point.replicas_serving);
        },
        0.9);
    pen.color(color);
    pen.steps(
        panel, points,
        [](const simulation::Point& point) {
          return std::optional<double>(point.replicas_desired);
        },
        2.2);
  }
}

constexpr double kFrontHeight = 520;

void draw_front(Pen& pen, std::span<const FrontPoint> points, const std::string& title) {
  double least = points.front().replica_seconds, most = least, worst = 0;
  for (const FrontPoint& point : points) {
    least = std::min(least, point.replica_seconds);
    most = std::max(most, point.replica_seconds);
    worst = std::max(worst, point.slo_violation_seconds);
  }
  const Panel panel{.left = kMarginLeft,
                    .top = kTitle,
                    .width = kWidth - kMarginLeft - kMarginRight,
                    .height = kFrontHeight - kTitle - kBottom - 20,
                    .x = linear(least, most * 1.02, 8),
                    .y = linear(0, worst * 1.05, 6)};
  pen.color(kInk);
  pen.write(kMarginLeft, 24, title, 15, Align::kLeft, true);
  Panel grid = panel;
  grid.x.ticks.clear();
  pen.frame(grid, "SLO-violation seconds", plain_text, false);
  for (const double tick : panel.x.ticks) {
    pen.color(kGrid);
    pen.line(panel.at_x(tick), panel.top, panel.at_x(tick), panel.top + panel.height, 1);
    pen.color(kFaint);
    pen.write(panel.at_x(tick), panel.top + panel.height + 18, plain_text(tick), 11,
              Align::kMiddle);
  }
  pen.color(kInk);
  pen.write(panel.left + panel.width, panel.top + panel.height + 38, "replica-seconds", 12,
            Align::kRight, true);
  std::vector<FrontPoint> front;
  for (const FrontPoint& point : points) {
    if (point.on_front) front.push_back(point);
    pen.color(kLoad, 0.7);
    pen.dot(panel.at_x(point.replica_seconds), panel.at_y(point.slo_violation_seconds), 3.5);
  }
  std::ranges::sort(front, {}, &FrontPoint::replica_seconds);
  pen.color(kPolicies[0]);
  for (std::size_t i = 0; i < front.size(); ++i) {
    const double x = panel.at_x(front[i].replica_seconds);
    const double y = panel.at_y(front[i].slo_violation_seconds);
    pen.dot(x, y, 4.5);
    if (i + 1 < front.size()) {
      const double next_x = panel.at_x(front[i + 1].replica_seconds);
      pen.line(x, y, next_x, y, 1.5);
      pen.line(next_x, y, next_x, panel.at_y(front[i + 1].slo_violation_seconds), 1.5);
    }
  }
  for (const FrontPoint& point : points) {
    if (point.label.empty()) continue;
    const double x = panel.at_x(point.replica_seconds);
    const double y = panel.at_y(point.slo_violation_seconds);
    pen.color(kTarget);
    pen.dot(x, y, 5.5);
    pen.color(kInk);
    const bool at_the_right = x > kWidth - 140;
    // "current" under its point, as it is often beside the other; both within the panel.
    bool is_under = point.label == "current";
    if (y < panel.top + 20) is_under = true;
    if (y > panel.top + panel.height - 20) is_under = false;
    pen.write(x + (at_the_right ? -10 : 10), is_under ? y + 18 : y - 8, point.label, 12,
              at_the_right ? Align::kRight : Align::kLeft, true);
  }
}

cairo_status_t append(void* closure, const unsigned char* data, unsigned int length) {
  static_cast<std::string*>(closure)->append(reinterpret_cast<const char*>(data), length);
  return CAIRO_STATUS_SUCCESS;
}

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

using Surface = std::unique_ptr<cairo_surface_t, decltype(&cairo_surface_destroy)>;
using Cairo = std::unique_ptr<cairo_t, decltype(&cairo_destroy)>;

// The bytes of one picture; PNG at twice the size, so that lines stay crisp.
Result<std::string> picture(double width, double height, PictureFormat format,
                            std::string_view text, const std::function<void(Pen&)>& draw) {
  std::string bytes;
  const bool is_png = format == PictureFormat::kPng;
  constexpr double kPngScale = 2;
  // A PNG's sides are limited by cairo to 32767 pixels.
  if (is_png && height * kPngScale > 32'000) {
    return fail(ErrorCode::kInvalid, "--plot: too many traces for one .png; take .svg or .html");
  }
  {
    Surface surface(
        is_png ? cairo_image_surface_create(CAIRO_FORMAT_RGB24, static_cast<int>(width * kPngScale),
                                            static_cast<int>(height * kPngScale))
               : cairo_svg_surface_create_for_stream(append, &bytes, width, height),
        cairo_surface_destroy);
    Cairo cairo(cairo_create(surface.get()), cairo_destroy);
    if (is_png) cairo_scale(cairo.get(), kPngScale, kPngScale);
    Pen pen(cairo.get());
    pen.background(width, height);
    draw(pen);
    cairo_show_page(cairo.get());
    cairo_status_t status = cairo_status(cairo.get());
    cairo.reset();
    if (is_png && status == CAIRO_STATUS_SUCCESS) {
      status = cairo_surface_write_to_png_stream(surface.get(), append, &bytes);
    }
    cairo_surface_finish(surface.get());
    if (status != CAIRO_STATUS_SUCCESS) {
      return fail(ErrorCode::kInternal,
                  fmt::format("--plot: cannot draw: {}", cairo_status_to_string(status)));
    }
  }
  if (format != PictureFormat::kHtml) return bytes;
  const auto svg = std::min(bytes.find("<svg"), bytes.size());
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<title>kubectl-scalableapp</title>\n<style>\n"
      "body {{ font-family: sans-serif; margin: 1rem auto; max-width: 1000px; color: #222; }}\n"
      "svg {{ width: 100%; height: auto; }}\npre {{ overflow-x: auto; }}\n</style>\n</head>\n"
      "<body>\n{}\n<pre>{}</pre>\n</body>\n</html>\n",
      bytes.substr(svg), escape_html(text));
}

}  // namespace

Result<PictureFormat> picture_format_of(std::string_view path) {
  if (path.ends_with(".svg")) return PictureFormat::kSvg;
  if (path.ends_with(".png")) return PictureFormat::kPng;
  if (path.ends_with(".html")) return PictureFormat::kHtml;
  return fail(ErrorCode::kInvalid,
              fmt::format("--plot={}: must be a file that ends in .svg, .png or .html", path));
}

Result<std::string> plot_runs(std::span<const TraceReport> reports, PictureFormat format,
                              std::string_view text) {
  return picture(kWidth, kRunHeight * static_cast<double>(reports.size()), format, text,
                 [&](Pen& pen) {
                   for (std::size_t i = 0; i < reports.size(); ++i) {
                     draw_run(pen, reports[i], kRunHeight * static_cast<double>(i));
                   }
                 });
}

Result<std::string> plot_front(std::span<const FrontPoint> points, const std::string& title,
                               PictureFormat format, std::string_view text) {
  return picture(kWidth, kFrontHeight, format, text,
                 [&](Pen& pen) { draw_front(pen, points, title); });
}

}  // namespace scalableapp::plugin
