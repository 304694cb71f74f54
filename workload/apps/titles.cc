#include "workload/apps/titles.h"

#include <fmt/format.h>
#include <prometheus/counter.h>
#include <prometheus/registry.h>

#include <nlohmann/json.hpp>

#include "workload/apps/answer.h"
#include "workload/apps/catalogue.h"
#include "workload/apps/query.h"
#include "workload/common/burn.h"
#include "workload/common/flags.h"
#include "workload/common/random_id.h"

namespace scalableapp::workload {
namespace {

using nlohmann::json;

constexpr std::size_t kRow = 10;
constexpr double kRankingCpuMs = 3;  // Stands for the model that ranks for one user.
constexpr const char* kStreamLife = "14400";  // Seconds after its last heartbeat.
constexpr double kMaxPositionSeconds = 86'400;
constexpr const char* kWatched = "9";  // The index of the last stream that a user's list keeps.

// Only a stream that is known has a position: one that has expired is not half remembered.
constexpr const char* kMove = R"(
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'position', ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1)";

std::string stream_key(const std::string& stream) { return "stream:" + stream; }
std::string watched_key(const std::string& user) { return "watched:" + user; }

class Titles final : public RouteFamily {
 public:
  explicit Titles(const AppParts& parts)
      : catalogue_(parts),
        region_(parts.region),
        starts_(prometheus::BuildCounter()
                    .Name("playback_starts_total")
                    .Help("Streams started in this region.")
                    .Register(parts.registry)
                    .Add({{"region", parts.region}})),
        resumed_(prometheus::BuildCounter()
                     .Name("playback_resumed_total")
                     .Help("Streams found in Redis, whichever pod started them.")
                     .Register(parts.registry)
                     .Add({})),
        lost_(prometheus::BuildCounter()
                  .Name("playback_unknown_total")
                  .Help("Streams that were asked for and Redis did not know.")
                  .Register(parts.registry)
                  .Add({})),
        left_out_(prometheus::BuildCounter()
                      .Name("titles_parts_left_out_total")
                      .Help("Optional rows not served, since the service is degraded or they failed.")
                      .Register(parts.registry)) {
    for (const char* part : {"recommendations", "watched"}) left_out_.Add({{"part", part}});
  }

  std::vector<Route> routes() override {
    return {{"GET", "/titles", Priority::kNormal, [this](Call& call) { return rows(call); }},
            {"POST", "/playback/*", Priority::kCritical, [this](Call& call) { return start(call); }},
            {"PUT", "/playback/*", Priority::kNormal, [this](Call& call) { return move(call); }},
            {"GET", "/playback/*", Priority::kCritical, [this](Call& call) { return resume(call); }}};
  }

 private:
  Result<HttpResponse> rows(Call& call) {
    const auto user = user_of(call.request);
    if (!user) return tl::unexpected(user.error());
    const auto newest = catalogue_.newest("film", call.redis);
    if (!newest) return tl::unexpected(newest.error());
    json body = {{"user", *user}, {"degrade_level", call.degrade_level}, {"new", first_of(*newest, 0)}};
    if (call.degrade_level >= 1) {
      left_out_.Add({{"part", "recommendations"}}).Increment();
    } else {
      burn_cpu(kRankingCpuMs);
      body["recommendations"] = first_of(*newest, std::hash<std::string>{}(*user));
    }
    const auto watched = call.degrade_level >= 2
                             ? Result<RedisReply>(fail(ErrorCode::kCancelled, "left out"))
                             : call.redis.run_twice_at_most({"LRANGE", watched_key(*user), "0", kWatched});
    if (watched) {
      body["watched"] = json::array();
      for (const auto& stream : watched->items) body["watched"].push_back(stream.text);
    } else {
      left_out_.Add({{"part", "watched"}}).Increment();
    }
    auto response = json_answer(200, body);
    response.headers.emplace_back("Cache-Control", "private, no-store");
    return response;
  }

  // A row of titles from a place on, around the end.
  static json first_of(const json& titles, std::size_t place) {
    auto row = json::array();
    for (std::size_t index = 0; index < std::min(kRow, titles.size()); ++index) {
      row.push_back(titles[(place + index) % titles.size()]);
    }
    return row;
  }

  Result<HttpResponse> start(Call& call) {
    const auto user = user_of(call.request);
    if (!user) return tl::unexpected(user.error());
    const auto title = parse_item_id(call.tail);
    if (!title) return tl::unexpected(title.error());
    const auto known = catalogue_.item(*title, call.redis);
    if (!known) return tl::unexpected(known.error());
    const auto stream = random_id();
    const auto title_text = fmt::format("{}", *title);
    // Sent once: if it fails, its id is nobody's and expires.
    const auto stored = call.redis.run_once({{"MULTI"},
                                             {"HSET", stream_key(stream), "user", *user, "title", title_text,
                                              "position", "0", "region", region_},
                                             {"EXPIRE", stream_key(stream), kStreamLife},
                                             {"LPUSH", watched_key(*user), stream},
                                             {"LTRIM", watched_key(*user), "0", kWatched},
                                             {"EXPIRE", watched_key(*user), kStreamLife},
                                             {"EXEC"}});
    if (!stored) return tl::unexpected(stored.error());
    starts_.Increment();
    return json_answer(201, {{"stream", stream}, {"title", *title}, {"position", 0}, {"region", region_}});
  }

  Result<HttpResponse> move(Call& call) {
    const auto given = call.request.query.find("position");
    double position = -1;
    if (given == call.request.query.end() || !parse_number(given->second, position) || position < 0 ||
        position > kMaxPositionSeconds) {
      return fail(ErrorCode::kInvalid, fmt::format("position: must be a number of seconds from 0 to {}",
                                                   kMaxPositionSeconds));
    }
    const auto moved = call.redis.run_twice_at_most(
        {"EVAL", kMove, "1", stream_key(call.tail), fmt::format("{}", position), kStreamLife});
    if (!moved) return tl::unexpected(moved.error());
    if (moved->integer == 0) return unknown();
    return json_answer(200, {{"stream", call.tail}, {"position", position}});
  }

  Result<HttpResponse> resume(Call& call) {
    const auto found = call.redis.run_twice_at_most(
        {"HMGET", stream_key(call.tail), "user", "title", "position", "region"});
    if (!found) return tl::unexpected(found.error());
    const auto& fields = found->items;
    if (fields.size() != 4 || fields[0].is_nil) return unknown();
    resumed_.Increment();
    double title = 0;
    double position = 0;
    parse_number(fields[1].text, title);
    parse_number(fields[2].text, position);
    return json_answer(200, {{"stream", call.tail},
                             {"user", fields[0].text},
                             {"title", static_cast<long long>(title)},
                             {"position", position},
                             {"started_in", fields[3].text},
                             {"region", region_}});
  }

  Result<HttpResponse> unknown() {
    lost_.Increment();
    return fail(ErrorCode::kNotFound, "no such stream, or it was left alone for hours");
  }

  Catalogue catalogue_;
  const std::string region_;
  prometheus::Counter& starts_;
  prometheus::Counter& resumed_;
  prometheus::Counter& lost_;
  prometheus::Family<prometheus::Counter>& left_out_;
};

}  // namespace

std::unique_ptr<RouteFamily> make_titles(const AppParts& parts) { return std::make_unique<Titles>(parts); }

}  // namespace scalableapp::workload
