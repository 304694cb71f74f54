#include "workload/apps/feed.h"

#include <fmt/format.h>
#include <prometheus/counter.h>
#include <prometheus/registry.h>

#include <nlohmann/json.hpp>

#include "workload/apps/answer.h"
#include "workload/apps/catalogue.h"
#include "workload/apps/query.h"
#include "workload/common/burn.h"

namespace scalableapp::workload {
namespace {

using nlohmann::json;

constexpr std::size_t kPage = 10;
constexpr std::size_t kRecommended = 5;
constexpr double kRankingCpuMs = 3;  // Stands for the model that ranks for one user.
// An edge answers for a second by itself, and for some more while it fetches the next.
constexpr const char* kItemCaching = "public, max-age=1, stale-while-revalidate=5";
constexpr std::size_t kMaxTitle = 200;

// Strong, and the same in every pod: FNV-1a of the bytes.
std::string entity_tag(const std::string& body) {
  std::uint64_t hash = 14695981039346656037U;
  for (const char byte : body) hash = (hash ^ static_cast<unsigned char>(byte)) * 1099511628211U;
  return fmt::format("\"{:016x}\"", hash);
}

std::string likes_key(std::int64_t id) { return fmt::format("likes:{}", id); }

class Feed final : public RouteFamily {
 public:
  explicit Feed(const AppParts& parts)
      : catalogue_(parts),
        left_out_(prometheus::BuildCounter()
                      .Name("feed_parts_left_out_total")
                      .Help("Optional parts of pages not served, since the service is degraded or they failed.")
                      .Register(parts.registry)),
        without_recommendations_(left_out_.Add({{"part", "recommendations"}})),
        without_counts_(left_out_.Add({{"part", "counts"}})) {}

  std::vector<Route> routes() override {
    return {{"GET", "/feed", Priority::kNormal, [this](Call& call) { return page(call); }},
            {"GET", "/items/*", Priority::kNormal, [this](Call& call) { return item(call); }},
            {"PUT", "/items/*", Priority::kNormal, [this](Call& call) { return rename(call); }},
            {"POST", "/likes/*", Priority::kOptional, [this](Call& call) { return like(call); }}};
  }

 private:
  Result<HttpResponse> page(Call& call) {
    const auto user = user_of(call.request);
    if (!user) return tl::unexpected(user.error());
    const auto newest = catalogue_.newest("clip", call.redis);
    if (!newest) return tl::unexpected(newest.error());
    const std::size_t first = newest->empty() ? 0 : std::hash<std::string>{}(*user) % newest->size();
    auto items = pick(*newest, first, kPage);
    if (call.degrade_level >= 2 || !add_extras(items, call.redis)) without_counts_.Increment();
    json body = {{"user", *user}, {"degrade_level", call.degrade_level}};
    if (call.degrade_level >= 1) {
      without_recommendations_.Increment();
    } else {
      burn_cpu(kRankingCpuMs);
      body["recommendations"] = pick(*newest, first + kPage, kRecommended);
    }
    body["items"] = std::move(items);
    auto response = json_answer(200, body);
    response.headers.emplace_back("Cache-Control", "private, no-store");
    return response;
  }

  // `count` of the items from the place `first` on, around the end.
  static json pick(const json& items, std::size_t first, std::size_t count) {
    auto picked = json::array();
    for (std::size_t index = 0; index < std::min(count, items.size()); ++index) {
      picked.push_back(items[(first + index) % items.size()]);
    }
    return picked;
  }

  // Likes and thumbnails; false, and the items as they were, when Redis does not tell the likes.
  static bool add_extras(json& items, RedisConnection& redis) {
    if (items.empty()) return true;
    RedisConnection::Command command{"MGET"};
    for (const auto& item : items) command.push_back(likes_key(item.value("id", 0LL)));
    const auto counts = redis.run_twice_at_most(command);
    if (!counts || counts->items.size() != items.size()) return false;
    for (std::size_t index = 0; index < items.size(); ++index) {
      double likes = 0;
      parse_number(counts->items[index].text, likes);
      items[index]["likes"] = static_cast<long long>(likes);
      items[index]["thumbnail"] = fmt::format("/thumbnails/{}.jpg", items[index].value("id", 0LL));
    }
    return true;
  }

  Result<HttpResponse> item(Call& call) {
    const auto id = parse_item_id(call.tail);
    if (!id) return tl::unexpected(id.error());
    const auto text = catalogue_.item(*id, call.redis);
    if (!text) return tl::unexpected(text.error());
    HttpResponse response{200, *text + "\n"};
    const auto tag = entity_tag(response.body);
    // One tag, several, or "*"; ours has quotes around it and so is found in a list only as a whole.
    const auto known = call.request.header("If-None-Match");
    if (known == "*" || known.find(tag) != std::string_view::npos) response = {304, ""};
    response.headers = {{"ETag", tag}, {"Cache-Control", kItemCaching}};
    return response;
  }

  Result<HttpResponse> rename(Call& call) {
    const auto id = parse_item_id(call.tail);
    if (!id) return tl::unexpected(id.error());
    const auto body = json::parse(call.request.body, nullptr, false);
    const auto title = body.is_object() ? body.find("title") : body.end();
    if (!body.is_object() || title == body.end() || !title->is_string()) {
      return fail(ErrorCode::kInvalid, "body: must be JSON such as {\"title\": \"...\"}");
    }
    const auto text = title->get<std::string>();
    if (text.empty() || text.size() > kMaxTitle) {
      return fail(ErrorCode::kInvalid, fmt::format("title: must have 1 to {} bytes", kMaxTitle));
    }
    return catalogue_.rename(*id, text, call.redis).map([](const std::string& item) {
      return HttpResponse{200, item + "\n"};
    });
  }

  // Sent once: a like that is lost or counted twice when Redis fails is nobody's loss.
  Result<HttpResponse> like(Call& call) {
    const auto id = parse_item_id(call.tail);
    if (!id) return tl::unexpected(id.error());
    const auto item = catalogue_.item(*id, call.redis);  // No counters for what does not exist.
    if (!item) return tl::unexpected(item.error());
    return call.redis.run_once({{"INCR", likes_key(*id)}}).map([&](const RedisReply& likes) {
      return json_answer(200, {{"id", *id}, {"likes", likes.integer}});
    });
  }

  Catalogue catalogue_;
  prometheus::Family<prometheus::Counter>& left_out_;
  prometheus::Counter& without_recommendations_;
  prometheus::Counter& without_counts_;
};

}  // namespace

std::unique_ptr<RouteFamily> make_feed(const AppParts& parts) { return std::make_unique<Feed>(parts); }

}  // namespace scalableapp::workload
