// Pictures of runs and of a Pareto front, drawn by one code for SVG and PNG; HTML is the SVG with
// the report's text under it. Returns the file's bytes and writes no file. Deterministic on one
// machine (glyphs come from its fonts). cairo stays in plot.cc. Thread-compatible.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "operator/base/result.h"
#include "operator/plugin/report.h"

namespace scalableapp::plugin {

enum class PictureFormat { kSvg, kPng, kHtml };
// By the file's ending: .svg, .png, .html. kInvalid names it.
Result<PictureFormat> picture_format_of(std::string_view path);

// For each trace three panels over one time axis: load, latency against its target, replicas of
// each policy (thick: desired, thin: serving). `text` goes under it in HTML.
Result<std::string> plot_runs(std::span<const TraceReport> reports, PictureFormat format,
                              std::string_view text);

struct FrontPoint {
  double slo_violation_seconds = 0;
  double replica_seconds = 0;
  bool on_front = false;
  std::string label;  // "current", "proposed"; empty: none.
};
Result<std::string> plot_front(std::span<const FrontPoint> points, const std::string& title,
                               PictureFormat format, std::string_view text);

}  // namespace scalableapp::plugin
