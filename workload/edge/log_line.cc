#include "workload/edge/log_line.h"

#include <array>
#include <algorithm>
#include <nlohmann/json.hpp>

namespace scalableapp::workload {
namespace {

// Labels are of a fixed set.
constexpr std::array kCacheWords{"HIT", "MISS", "EXPIRED", "STALE", "UPDATING", "BYPASS", "REVALIDATED"};

}  // namespace

Result<EdgeRequest> parse_log_line(std::string_view line) {
  const auto begin = line.find('{');
  const auto parsed = begin == line.npos ? nlohmann::json()
                                         : nlohmann::json::parse(line.substr(begin), nullptr, false);
  if (!parsed.is_object()) return fail(ErrorCode::kDecode, "the line has no JSON object");
  const auto status = parsed.find("status");
  const auto duration = parsed.find("seconds");
  if (status == parsed.end() || !status->is_number_integer() || duration == parsed.end() || !duration->is_number()) {
    return fail(ErrorCode::kDecode, "status and seconds must be numbers");
  }
  EdgeRequest request{.status = status->get<int>(), .seconds = duration->get<double>()};
  const auto cache = parsed.find("cache");
  const std::string word = cache != parsed.end() && cache->is_string() ? cache->get<std::string>() : "";
  request.cache = std::find(kCacheWords.begin(), kCacheWords.end(), word) != kCacheWords.end() ? word : "NONE";
  const auto upstream = parsed.find("upstream");
  // Of several, separated by commas, the last one answered.
  if (upstream != parsed.end() && upstream->is_string()) {
    const auto all = upstream->get<std::string>();
    const auto last = all.find_last_of(", ");
    request.upstream = last == all.npos ? all : all.substr(last + 1);
    if (request.upstream == "-") request.upstream.clear();
  }
  return request;
}

}  // namespace scalableapp::workload
