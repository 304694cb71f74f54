#include "workload/apps/users.h"

#include <charconv>

#include <nlohmann/json.hpp>

#include "workload/apps/answer.h"
#include "workload/apps/json_fields.h"
#include "workload/database/database.h"

namespace scalableapp::workload {
namespace {

constexpr const char* kServedByHeader = "X-Served-By";
constexpr std::size_t kMaxNameBytes = 200;
constexpr std::size_t kMaxRegionBytes = 64;

Result<std::int64_t> user_id(const std::string& text) {
  std::int64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error == std::errc{} && end == text.data() + text.size() && id >= 1) return id;
  return fail(ErrorCode::kInvalid, "user id: must be a whole number from 1 on");
}

class Users final : public RouteFamily {
 public:
  explicit Users(const AppParts& parts) : database_(*parts.database) {}

  std::vector<Route> routes() override {
    return {{"GET", "/users/*", Priority::kNormal, [this](Call& call) { return show(call); }},
            {"PUT", "/users/*", Priority::kCritical, [this](Call& call) { return put(call); }}};
  }
  std::string why_not_ready() const override { return database_.why_not_ready(); }

 private:
  Result<HttpResponse> show(Call& call) {
    const auto id = user_id(call.tail);
    if (!id) return tl::unexpected(id.error());
    const auto after = ReadAfter::parse(call.request.header(kReadAfterHeader));
    if (!after) return tl::unexpected(after.error());
    const auto found =
        database_.read(*id, "select name, region from users where id = $1", {std::to_string(*id)}, *after);
    if (!found) return tl::unexpected(found.error());
    if (found->rows.empty()) return fail(ErrorCode::kNotFound, "no such user");
    const auto& user = found->rows.values[0];
    auto response = json_answer(200, {{"id", *id}, {"name", user[0].value_or("")}, {"region", user[1].value_or("")}});
    response.headers.emplace_back(kServedByHeader, found->served_by());
    return response;
  }

  Result<HttpResponse> put(Call& call) {
    const auto id = user_id(call.tail);
    if (!id) return tl::unexpected(id.error());
    const auto body = parse_body(call.request.body);
    if (!body) return tl::unexpected(body.error());
    const auto name = text_field(*body, "name", kMaxNameBytes);
    if (!name) return tl::unexpected(name.error());
    const auto region = text_field(*body, "region", kMaxRegionBytes);
    if (!region) return tl::unexpected(region.error());
    const auto written = database_.write(
        *id,
        "insert into users (id, name, region) values ($1, $2, $3)"
        " on conflict (id) do update set name = excluded.name, region = excluded.region, updated = now()",
        {std::to_string(*id), *name, *region});
    if (!written) return tl::unexpected(written.error());
    auto response = json_answer(200, {{"id", *id}, {"name", *name}, {"region", *region}});
    response.headers.emplace_back(kServedByHeader, written->served_by());
    response.headers.emplace_back(kReadAfterHeader, written->read_after.text());
    return response;
  }

  Database& database_;
};

}  // namespace

std::unique_ptr<RouteFamily> make_users(const AppParts& parts) { return std::make_unique<Users>(parts); }

}  // namespace scalableapp::workload
