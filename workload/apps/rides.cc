#include "workload/apps/rides.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <nlohmann/json.hpp>

#include "workload/apps/answer.h"
#include "workload/apps/json_fields.h"
#include "workload/common/instant.h"
#include "workload/common/random_id.h"
#include "workload/geo/drivers.h"
#include "workload/geo/surge.h"
#include "workload/jobs/redis_streams.h"

namespace scalableapp::workload {
namespace {

using nlohmann::json;

constexpr const char* kQueue = "rides";
constexpr std::size_t kMaxNameBytes = 64;

prometheus::Counter& counter(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
}

class Rides final : public RouteFamily {
 public:
  explicit Rides(const AppParts& parts)
      : reports_(counter(parts.registry, "driver_reports_total", "Places that drivers have told.")),
        asked_(counter(parts.registry, "rides_asked_total", "Rides put into the queue.")),
        surge_(prometheus::BuildGauge()
                   .Name("surge_factor")
                   .Help("The factor that was last asked for, of whichever cell.")
                   .Register(parts.registry)
                   .Add({})) {}

  std::vector<Route> routes() override {
    return {{"POST", "/locations", Priority::kNormal, [this](Call& call) { return report(call); }},
            {"POST", "/rides", Priority::kCritical, [this](Call& call) { return ask(call); }},
            {"GET", "/rides/*", Priority::kNormal, [](Call& call) { return show(call); }},
            {"GET", "/surge", Priority::kOptional, [this](Call& call) { return show_surge(call); }}};
  }

 private:
  Result<HttpResponse> report(Call& call) {
    const auto body = parse_body(call.request.body);
    if (!body) return tl::unexpected(body.error());
    const auto driver = text_field(*body, "driver", kMaxNameBytes);
    if (!driver) return tl::unexpected(driver.error());
    const auto place = place_fields(*body);
    if (!place) return tl::unexpected(place.error());
    const auto cell = Drivers(call.redis).report(*driver, *place, wall_now());
    if (!cell) return tl::unexpected(cell.error());
    reports_.Increment();
    return json_answer(200, {{"cell", *cell}});
  }

  Result<HttpResponse> ask(Call& call) {
    const auto body = parse_body(call.request.body);
    if (!body) return tl::unexpected(body.error());
    const auto rider = text_field(*body, "rider", kMaxNameBytes);
    if (!rider) return tl::unexpected(rider.error());
    const auto place = place_fields(*body);
    if (!place) return tl::unexpected(place.error());
    std::string id(call.request.header("Idempotency-Key"));
    if (id.empty()) id = random_id();
    const std::string cell = cell_of(*place);
    Drivers drivers(call.redis);
    if (auto asked = drivers.ask(id, cell, wall_now()); !asked) return tl::unexpected(asked.error());
    const auto counts = drivers.count(cell, wall_now());
    if (!counts) return tl::unexpected(counts.error());
    const double factor = surge_factor(counts->requests, counts->drivers);
    const json payload{{"ride", id}, {"lat", place->latitude}, {"lng", place->longitude}};
    const auto put = RedisStreams(call.redis, kQueue).put({id, payload.dump(), wall_now()});
    if (!put) return tl::unexpected(put.error());
    if (*put) asked_.Increment();
    surge_.Set(factor);
    return json_answer(202, {{"id", id}, {"cell", cell}, {"surge", factor}});
  }

  static Result<HttpResponse> show(Call& call) {
    const auto driver = call.redis.run_twice_at_most({"GET", "geo:ride:" + call.tail});
    if (!driver) return tl::unexpected(driver.error());
    if (driver->is_nil) return fail(ErrorCode::kNotFound, "the ride has no driver");
    return json_answer(200, {{"driver", driver->text}});
  }

  Result<HttpResponse> show_surge(Call& call) {
    Place place;
    for (const auto& [name, degrees] : {std::pair{"lat", &place.latitude}, std::pair{"lng", &place.longitude}}) {
      const auto found = call.request.query.find(name);
      if (found == call.request.query.end() || !parse_number(found->second, *degrees)) {
        return fail(ErrorCode::kInvalid, std::string(name) + " must be a number of degrees");
      }
    }
    if (auto checked = check_place(place); !checked) return tl::unexpected(checked.error());
    const std::string cell = cell_of(place);
    const auto counts = Drivers(call.redis).count(cell, wall_now());
    if (!counts) return tl::unexpected(counts.error());
    const double factor = surge_factor(counts->requests, counts->drivers);
    surge_.Set(factor);
    return json_answer(
        200, {{"cell", cell}, {"surge", factor}, {"requests", counts->requests}, {"drivers", counts->drivers}});
  }

  prometheus::Counter& reports_;
  prometheus::Counter& asked_;
  prometheus::Gauge& surge_;
};

}  // namespace

std::unique_ptr<RouteFamily> make_rides(const AppParts& parts) { return std::make_unique<Rides>(parts); }

Result<std::string> match_ride(const std::string& payload, RedisConnection& redis) {
  const auto body = parse_body(payload);
  if (!body) return tl::unexpected(body.error());
  const auto ride = text_field(*body, "ride", kMaxJobIdBytes);
  if (!ride) return tl::unexpected(ride.error());
  const auto place = place_fields(*body);
  if (!place) return tl::unexpected(place.error());
  const auto driver = Drivers(redis).assign(*ride, *place, wall_now());
  if (!driver) return tl::unexpected(driver.error());
  if (!*driver) return fail(ErrorCode::kUnavailable, "no driver is free nearby");
  return json{{"ride", *ride}, {"driver", **driver}}.dump();
}

}  // namespace scalableapp::workload
