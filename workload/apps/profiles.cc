#include "workload/apps/profiles.h"

#include <nlohmann/json.hpp>

#include "workload/apps/answer.h"
#include "workload/region/store.h"

namespace scalableapp::workload {
namespace {

constexpr std::size_t kMaxKeyBytes = 128;
constexpr std::size_t kMaxValueBytes = 4096;

class Profiles final : public RouteFamily {
 public:
  explicit Profiles(const AppParts& parts) : region_(parts.region) {}

  std::vector<Route> routes() override {
    return {{"GET", "/profiles/*", Priority::kNormal, [this](Call& call) { return show(call); }},
            {"PUT", "/profiles/*", Priority::kCritical, [this](Call& call) { return put(call); }},
            {"GET", "/counters/*", Priority::kNormal, [this](Call& call) { return show_count(call); }},
            {"POST", "/counters/*", Priority::kNormal, [this](Call& call) { return add(call); }},
            {"GET", "/region", Priority::kNormal, [this](Call& call) { return show_region(call); }}};
  }

 private:
  static Result<void> check_key(const Call& call) {
    if (call.tail.size() <= kMaxKeyBytes) return {};
    return fail(ErrorCode::kInvalid, "the name must have 1 to 128 bytes");
  }

  Result<HttpResponse> show(Call& call) {
    if (auto checked = check_key(call); !checked) return tl::unexpected(checked.error());
    const auto value = RegionStore(call.redis, region_).get(call.tail);
    if (!value) return tl::unexpected(value.error());
    if (!*value) return fail(ErrorCode::kNotFound, "no such profile");
    return json_answer(200, {{"profile", **value}, {"region", region_}});
  }

  Result<HttpResponse> put(Call& call) {
    if (auto checked = check_key(call); !checked) return tl::unexpected(checked.error());
    if (call.request.body.size() > kMaxValueBytes) {
      return fail(ErrorCode::kInvalid, "the profile must have at most 4096 bytes");
    }
    const auto stamp = RegionStore(call.redis, region_).put(call.tail, call.request.body);
    if (!stamp) return tl::unexpected(stamp.error());
    return json_answer(200, {{"stamp", *stamp}, {"region", region_}});
  }

  Result<HttpResponse> show_count(Call& call) {
    if (auto checked = check_key(call); !checked) return tl::unexpected(checked.error());
    const auto count = RegionStore(call.redis, region_).count(call.tail);
    if (!count) return tl::unexpected(count.error());
    return json_answer(200, {{"count", *count}, {"region", region_}});
  }

  Result<HttpResponse> add(Call& call) {
    if (auto checked = check_key(call); !checked) return tl::unexpected(checked.error());
    double amount = 1;
    const auto by = call.request.query.find("by");
    if (by != call.request.query.end() && (!parse_number(by->second, amount) || amount < 1 || amount > 1000)) {
      return fail(ErrorCode::kInvalid, "by must be a whole number from 1 to 1000");
    }
    const auto count = RegionStore(call.redis, region_).add(call.tail, static_cast<long long>(amount));
    if (!count) return tl::unexpected(count.error());
    return json_answer(200, {{"count", *count}, {"region", region_}});
  }

  Result<HttpResponse> show_region(Call& call) {
    const auto conflicts = call.redis.run_twice_at_most({"HVALS", "region:conflicts"});
    if (!conflicts) return tl::unexpected(conflicts.error());
    long long sum = 0;
    for (const auto& count : conflicts->items) sum += std::strtoll(count.text.c_str(), nullptr, 10);
    return json_answer(200, {{"region", region_}, {"conflicts", sum}});
  }

  const std::string region_;
};

}  // namespace

std::unique_ptr<RouteFamily> make_profiles(const AppParts& parts) { return std::make_unique<Profiles>(parts); }

}  // namespace scalableapp::workload
