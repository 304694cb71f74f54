#include "workload/apps/restaurants.h"

#include <fmt/format.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <atomic>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "operator/platform/clock.h"
#include "operator/platform/log.h"
#include "workload/apps/answer.h"
#include "workload/cache/cache.h"
#include "workload/common/random_id.h"
#include "workload/search/index.h"

namespace scalableapp::workload {
namespace {

using nlohmann::json;

constexpr const char* kMenus = "menus";         // A hash: restaurant -> JSON list of dishes.
constexpr const char* kEvents = "menu:events";  // A stream of the restaurants whose menu changed.
constexpr std::size_t kMaxDishes = 20;
constexpr std::size_t kMaxDishBytes = 80;

// KEYS: the menus, the events. ARGV: restaurant, its dishes.
constexpr const char* kPutMenu = R"(
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return redis.call('XADD', KEYS[2], 'MAXLEN', '~', 10000, '*', 'restaurant', ARGV[1]))";

Result<std::vector<std::string>> dishes_of(const std::string& body) {
  const auto wrong = [] {
    return fail(ErrorCode::kInvalid, fmt::format("dishes must be a list of 1 to {} texts of 1 to {} bytes", kMaxDishes,
                                                 kMaxDishBytes));
  };
  const auto parsed = json::parse(body, nullptr, false);
  if (!parsed.is_object()) return fail(ErrorCode::kInvalid, "the body must be a JSON object with the field dishes");
  const auto found = parsed.find("dishes");
  if (found == parsed.end() || !found->is_array() || found->empty() || found->size() > kMaxDishes) return wrong();
  std::vector<std::string> dishes;
  for (const auto& dish : *found) {
    if (!dish.is_string()) return wrong();
    dishes.push_back(dish.get<std::string>());
    if (dishes.back().empty() || dishes.back().size() > kMaxDishBytes) return wrong();
  }
  return dishes;
}

std::string text_of(const std::vector<std::string>& dishes) {
  return json(dishes).dump(-1, ' ', false, json::error_handler_t::replace);
}

class Restaurants final : public RouteFamily {
 public:
  Restaurants(const AppParts& parts, std::unique_ptr<SearchIndex> index)
      : cache_(parts.cache),
        redis_options_(with_patience(parts.redis)),
        index_(std::move(index)),
        corrected_(prometheus::BuildCounter()
                       .Name("search_corrected_total")
                       .Help("Searches for a word other than the one that was typed.")
                       .Register(parts.registry)
                       .Add({})),
        updates_(prometheus::BuildCounter()
                     .Name("menu_updates_applied_total")
                     .Help("Changed menus that reached this pod's index.")
                     .Register(parts.registry)
                     .Add({})),
        indexed_(prometheus::BuildGauge()
                     .Name("search_index_restaurants")
                     .Help("Restaurants in this pod's index.")
                     .Register(parts.registry)
                     .Add({})) {
    for (auto& restaurant : sample_restaurants(parts.restaurants)) {
      const std::string id = restaurant.id;
      by_id_.emplace(id, std::move(restaurant));
    }
    follower_ = std::jthread([this](const std::stop_token& stop) { follow(stop); });
  }

  std::vector<Route> routes() override {
    return {{"GET", "/search", Priority::kCritical, [this](Call& call) { return search(call); }},
            {"GET", "/menus/*", Priority::kNormal, [this](Call& call) { return show_menu(call); }},
            {"PUT", "/menus/*", Priority::kNormal, [this](Call& call) { return put_menu(call); }}};
  }
  std::string why_not_ready() const override { return is_ready_ ? "" : "the index is not made yet"; }

 private:
  static RedisOptions with_patience(RedisOptions options) {
    options.command_timeout = seconds(3);  // A wait for events lasts a second.
    return options;
  }

  Result<HttpResponse> search(Call& call) {
    const auto& asked = call.request.query;
    const auto text_or = [&](const char* name, const char* otherwise) {
      const auto found = asked.find(name);
      return found == asked.end() ? std::string(otherwise) : found->second;
    };
    double limit = 0;
    if (!parse_number(text_or("limit", "10"), limit)) return fail(ErrorCode::kInvalid, "limit must be a number");
    const auto result = index_->search({.text = text_or("q", ""),
                                        .city = text_or("city", ""),
                                        .limit = static_cast<int>(std::clamp(limit, -1.0, 1000.0)),
                                        .forgives_typos = text_or("typos", "1") != "0",
                                        .ranks = call.degrade_level == 0});
    if (!result) return tl::unexpected(result.error());
    json hits = json::array();
    for (const auto& hit : result->hits) {
      hits.push_back({{"id", hit.id}, {"name", hit.name}, {"city", hit.city}, {"rating", hit.rating}});
    }
    json body{{"hits", std::move(hits)}};
    if (!result->corrected.empty()) {
      corrected_.Increment();
      body["searchedFor"] = result->corrected;
    }
    return json_answer(200, body);
  }

  Result<HttpResponse> show_menu(Call& call) {
    const auto known = by_id_.find(call.tail);
    if (known == by_id_.end()) return fail(ErrorCode::kNotFound, "no such restaurant");
    const auto load = [&]() -> Result<std::string> {
      const auto kept = call.redis.run_twice_at_most({"HGET", kMenus, call.tail});
      if (!kept) return tl::unexpected(kept.error());
      return kept->is_nil ? text_of(known->second.dishes) : kept->text;
    };
    const auto dishes = cache_->get("menu:" + call.tail, call.redis, load);
    if (!dishes) return tl::unexpected(dishes.error());
    return json_answer(200, {{"restaurant", call.tail}, {"dishes", json::parse(*dishes, nullptr, false)}});
  }

  Result<HttpResponse> put_menu(Call& call) {
    if (!by_id_.contains(call.tail)) return fail(ErrorCode::kNotFound, "no such restaurant");
    const auto dishes = dishes_of(call.request.body);
    if (!dishes) return tl::unexpected(dishes.error());
    const auto put = call.redis.run_twice_at_most(
        {"EVAL", kPutMenu, "2", kMenus, kEvents, call.tail, text_of(*dishes)});
    if (!put) return tl::unexpected(put.error());
    if (const auto dropped = cache_->invalidate("menu:" + call.tail, call.redis); !dropped) {
      return tl::unexpected(dropped.error());
    }
    return json_answer(200, {{"restaurant", call.tail}, {"dishes", *dishes}});
  }

  // Makes the index of what there is, then keeps it up with the events from before that look on: an event may be applied
  // twice and none is missed.
  void follow(const std::stop_token& stop) {
    RedisConnection redis(redis_options_);
    std::string last;
    while (!stop.stop_requested()) {
      const auto caught_up = last.empty() ? begin(redis) : next_events(redis, last);
      if (caught_up) {
        last = *caught_up;
        continue;
      }
      log_warn("menus are not followed", {{"error", caught_up.error()}});
      sleep_for(clock_, seconds(1), stop);
    }
  }

  Result<std::string> begin(RedisConnection& redis) {
    const auto latest = redis.run_twice_at_most({"XREVRANGE", kEvents, "+", "-", "COUNT", "1"});
    if (!latest) return tl::unexpected(latest.error());
    const auto kept = redis.run_twice_at_most({"HGETALL", kMenus});
    if (!kept) return tl::unexpected(kept.error());
    for (std::size_t at = 0; at + 1 < kept->items.size(); at += 2) note(kept->items[at].text, kept->items[at + 1].text);
    std::vector<Restaurant> all;
    for (const auto& [id, restaurant] : by_id_) {
      const auto changed = followed_.find(id);
      all.push_back(changed == followed_.end() ? restaurant : changed->second);
    }
    if (auto put = index_->put(all); !put) return tl::unexpected(put.error());
    indexed_.Set(static_cast<double>(all.size()));
    is_ready_ = true;
    return latest->items.empty() ? "0-0" : latest->items.front().items.front().text;
  }

  Result<std::string> next_events(RedisConnection& redis, const std::string& after) {
    const auto reply = redis.run_twice_at_most({"XREAD", "COUNT", "100", "BLOCK", "1000", "STREAMS", kEvents, after});
    if (!reply) return tl::unexpected(reply.error());
    if (reply->items.empty()) return after;
    std::string last = after;
    std::map<std::string, Restaurant> changed;
    for (const auto& event : reply->items.front().items.at(1).items) {
      last = event.items.at(0).text;
      const std::string id = event.items.at(1).items.at(1).text;
      const auto dishes = redis.run_twice_at_most({"HGET", kMenus, id});
      if (!dishes) return tl::unexpected(dishes.error());
      if (const Restaurant* restaurant = note(id, dishes->text)) changed.insert_or_assign(id, *restaurant);
    }
    std::vector<Restaurant> all;
    for (const auto& [id, restaurant] : changed) all.push_back(restaurant);
    if (auto put = index_->put(all); !put) return tl::unexpected(put.error());
    updates_.Increment(static_cast<double>(all.size()));
    return last;
  }

  // The restaurant with those dishes; null if it is none of ours, or they are no list. Only the follower's thread writes
  // dishes; handlers read them only where Redis has none, and then they are as they were made.
  const Restaurant* note(const std::string& id, const std::string& dishes) {
    const auto found = by_id_.find(id);
    const auto parsed = json::parse(dishes, nullptr, false);
    if (found == by_id_.end() || !parsed.is_array()) return nullptr;
    auto& restaurant = followed_.insert_or_assign(id, found->second).first->second;
    restaurant.dishes.clear();
    for (const auto& dish : parsed) {
      if (dish.is_string()) restaurant.dishes.push_back(dish.get<std::string>());
    }
    return &restaurant;
  }

  Cache* const cache_;
  const RedisOptions redis_options_;
  SystemClock clock_;
  const std::unique_ptr<SearchIndex> index_;
  std::map<std::string, Restaurant> by_id_;     // As they were made; not changed any more.
  std::map<std::string, Restaurant> followed_;  // Those with another menu; the follower's.
  std::atomic<bool> is_ready_ = false;
  prometheus::Counter& corrected_;
  prometheus::Counter& updates_;
  prometheus::Gauge& indexed_;
  std::jthread follower_;  // Last: it uses all of the above.
};

}  // namespace

Result<std::unique_ptr<RouteFamily>> make_restaurants(const AppParts& parts) {
  auto index = SearchIndex::create(fmt::format("{}/restaurants-{}", parts.index_directory, random_id().substr(0, 8)));
  if (!index) return tl::unexpected(index.error());
  return std::make_unique<Restaurants>(parts, std::move(*index));
}

}  // namespace scalableapp::workload
