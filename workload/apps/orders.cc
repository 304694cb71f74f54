#include "workload/apps/orders.h"

#include <fmt/format.h>
#include <prometheus/counter.h>
#include <prometheus/registry.h>

#include <nlohmann/json.hpp>

#include "workload/apps/answer.h"
#include "workload/apps/json_fields.h"
#include "workload/common/instant.h"
#include "workload/common/random_id.h"
#include "workload/database/database.h"
#include "workload/jobs/redis_streams.h"

namespace scalableapp::workload {
namespace {

using nlohmann::json;

constexpr const char* kQueue = "orders";
constexpr const char* kStates = "order:";  // Hash of what is known of an order besides its row; gone after a day.
constexpr const char* kStateSeconds = "86400";
constexpr long long kMaxId = 1'000'000'000'000;
constexpr long long kPartners = 200;

struct Order {
  std::string id;
  long long user = 0;
  long long restaurant = 0;
  std::string item;
};

Result<Order> order_of(const json& body) {
  const auto user = number_field(body, "user", 1, kMaxId);
  if (!user) return tl::unexpected(user.error());
  const auto restaurant = number_field(body, "restaurant", 0, kMaxId);
  if (!restaurant) return tl::unexpected(restaurant.error());
  const auto item = text_field(body, "item", 200);
  if (!item) return tl::unexpected(item.error());
  return Order{.user = *user, .restaurant = *restaurant, .item = *item};
}

Result<void> note(RedisConnection& redis, const std::string& order, std::vector<std::string> fields) {
  RedisConnection::Command set{"HSET", kStates + order};
  set.insert(set.end(), fields.begin(), fields.end());
  return redis.run_once({set, {"EXPIRE", kStates + order, kStateSeconds}}).map([](const RedisReply&) {});
}

class Orders final : public RouteFamily {
 public:
  explicit Orders(const AppParts& parts)
      : database_(parts.database),
        placed_(prometheus::BuildCounter()
                    .Name("orders_placed_total")
                    .Help("Orders accepted for the first time.")
                    .Register(parts.registry)
                    .Add({})) {}

  std::vector<Route> routes() override {
    return {{"POST", "/orders", Priority::kCritical, [this](Call& call) { return place(call); }},
            {"GET", "/orders/*", Priority::kNormal, [this](Call& call) { return show(call); }}};
  }
  std::string why_not_ready() const override { return database_ != nullptr ? database_->why_not_ready() : ""; }

 private:
  // The row first, then the job: an order whose job is not in is not accepted, and whoever asks again with the same key
  // finds the row there and puts the job in.
  Result<HttpResponse> place(Call& call) {
    const auto body = parse_body(call.request.body);
    if (!body) return tl::unexpected(body.error());
    auto order = order_of(*body);
    if (!order) return tl::unexpected(order.error());
    order->id = std::string(call.request.header("Idempotency-Key"));
    if (order->id.size() > kMaxJobIdBytes) {
      return fail(ErrorCode::kInvalid, fmt::format("Idempotency-Key must have at most {} bytes", kMaxJobIdBytes));
    }
    if (order->id.empty()) order->id = random_id();
    std::string read_after;
    if (database_ != nullptr) {
      const auto written = database_->write(
          order->user,
          "insert into orders (id, user_id, restaurant_id, item, state) values ($1, $2, $3, $4, 'placed')"
          " on conflict (id) do nothing",
          {order->id, fmt::format("{}", order->user), fmt::format("{}", order->restaurant), order->item});
      if (!written) return tl::unexpected(written.error());
      read_after = written->read_after.text();
    }
    if (auto noted = note(call.redis, order->id, {"item", order->item}); !noted) return tl::unexpected(noted.error());
    const json payload{{"order", order->id}, {"user", order->user}, {"restaurant", order->restaurant}};
    const auto put = RedisStreams(call.redis, kQueue).put({order->id, payload.dump(), wall_now()});
    if (!put) return tl::unexpected(put.error());
    if (*put) placed_.Increment();
    auto response = json_answer(202, {{"id", order->id}});
    if (!read_after.empty()) response.headers.emplace_back(kReadAfterHeader, read_after);
    return response;
  }

  Result<HttpResponse> show(Call& call) {
    const auto user = call.request.query.find("user");
    double number = 0;
    if (user == call.request.query.end() || !parse_number(user->second, number) || number < 1 || number > kMaxId) {
      return fail(ErrorCode::kInvalid, "user must be the number of the order's user");
    }
    json answer{{"id", call.tail}};
    if (database_ != nullptr) {
      const auto after = ReadAfter::parse(std::string(call.request.header(kReadAfterHeader)));
      if (!after) return tl::unexpected(after.error());
      const auto found = database_->read(static_cast<long long>(number), "select state from orders where id = $1",
                                         {call.tail}, *after);
      if (!found) return tl::unexpected(found.error());
      if (found->rows.empty()) return fail(ErrorCode::kNotFound, "no such order of that user");
      answer["state"] = found->rows.values.at(0).at(0).value_or("");
    }
    const auto known = call.redis.run_twice_at_most({"HMGET", kStates + call.tail, "item", "partner", "minutes"});
    if (!known) return tl::unexpected(known.error());
    if (known->items.at(0).is_nil && database_ == nullptr) return fail(ErrorCode::kNotFound, "no such order");
    if (!known->items.at(1).is_nil) answer["partner"] = known->items.at(1).text;
    if (!known->items.at(2).is_nil) answer["minutes"] = known->items.at(2).text;
    return json_answer(200, answer);
  }

  Database* const database_;
  prometheus::Counter& placed_;
};

// The order's row, if there is a database, goes on to `state` unless it is there already.
Result<void> advance(Database* database, const json& order, const char* state, const char* from) {
  if (database == nullptr) return {};
  return database
      ->write(order.at("user").get<long long>(),
              "update orders set state = $2, updated = now() where id = $1 and state = $3",
              {order.at("order").get<std::string>(), state, from})
      .map([](const WriteAnswer&) {});
}

Result<json> job_of(const std::string& payload) {
  auto body = parse_body(payload);
  if (!body) return body;
  if (auto id = text_field(*body, "order", kMaxJobIdBytes); !id) return tl::unexpected(id.error());
  if (auto user = number_field(*body, "user", 1, kMaxId); !user) return tl::unexpected(user.error());
  if (auto restaurant = number_field(*body, "restaurant", 0, kMaxId); !restaurant) {
    return tl::unexpected(restaurant.error());
  }
  return body;
}

}  // namespace

std::unique_ptr<RouteFamily> make_orders(const AppParts& parts) { return std::make_unique<Orders>(parts); }

Result<std::string> assign_partner(const std::string& payload, RedisConnection& redis, Database* database) {
  auto order = job_of(payload);
  if (!order) return tl::unexpected(order.error());
  // In turn: each partner gets as many as the next one.
  const auto turn = redis.run_once({{"INCR", "partners:turn"}});
  if (!turn) return tl::unexpected(turn.error());
  const std::string partner = fmt::format("p{}", turn->integer % kPartners);
  const std::string id = (*order)["order"];
  if (auto noted = note(redis, id, {"partner", partner}); !noted) return tl::unexpected(noted.error());
  if (auto advanced = advance(database, *order, "assigned", "placed"); !advanced) {
    return tl::unexpected(advanced.error());
  }
  (*order)["partner"] = partner;
  return order->dump();
}

Result<std::string> estimate_arrival(const std::string& payload, RedisConnection& redis, Database* database) {
  auto order = job_of(payload);
  if (!order) return tl::unexpected(order.error());
  // Cooking and a way, by restaurant: made up, and the same each time.
  const long long minutes = 15 + (*order)["restaurant"].get<long long>() % 30;
  const std::string id = (*order)["order"];
  if (auto noted = note(redis, id, {"minutes", fmt::format("{}", minutes)}); !noted) {
    return tl::unexpected(noted.error());
  }
  if (auto advanced = advance(database, *order, "on_the_way", "assigned"); !advanced) {
    return tl::unexpected(advanced.error());
  }
  (*order)["minutes"] = minutes;
  return order->dump();
}

}  // namespace scalableapp::workload
