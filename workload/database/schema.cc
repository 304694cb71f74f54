#include "workload/database/schema.h"

#include <fmt/format.h>

#include <array>
#include <cstdio>

#include "operator/platform/clock.h"
#include "workload/database/connection.h"
#include "workload/database/shard_map.h"

namespace scalableapp::workload {
namespace {

constexpr std::array kStatements{
    "create table if not exists users ("
    " id bigint primary key, name text not null, region text not null, updated timestamptz not null default now())",

    "create table if not exists orders ("
    " id text primary key, user_id bigint not null, restaurant_id bigint, item text not null, state text not null,"
    " created timestamptz not null default now(), updated timestamptz not null default now())",
    "create index if not exists orders_by_user on orders (user_id, created desc)",
    "create index if not exists orders_open on orders (state, created) where state not in ('delivered', 'cancelled')",

    "create table if not exists restaurants ("
    " id bigint primary key, city text not null, name text not null, cuisine text not null, rating real not null,"
    " is_open boolean not null default true, updated timestamptz not null default now())",
    "create index if not exists restaurants_by_city on restaurants (city, rating desc)",

    "create table if not exists items ("
    " id bigint primary key, author_id bigint not null, kind text not null, title text not null,"
    " created timestamptz not null default now())",
    "create index if not exists items_by_kind on items (kind, created desc)",
    "create index if not exists items_by_author on items (author_id, created desc)",
};

// Any number, as long as all who migrate take the same.
constexpr const char* kLock = "select pg_advisory_lock(7125001)";

// Each makes rows of the ids in $1 and leaves those alone that are there.
constexpr const char* kSeedUsers =
    "insert into users (id, name, region)"
    " select id, 'user-' || id, (array['north', 'south', 'east', 'west'])[1 + id % 4] from unnest($1::bigint[]) id"
    " on conflict do nothing";
constexpr const char* kSeedRestaurants =
    "insert into restaurants (id, city, name, cuisine, rating)"
    " select id, (array['Delhi', 'Mumbai', 'Pune', 'Chennai'])[1 + id % 4],"
    " (array['Golden', 'Royal', 'Little', 'Spicy', 'Green'])[1 + id % 5] || ' ' ||"
    " (array['Kitchen', 'Garden', 'Corner', 'Palace', 'Table', 'House', 'Oven'])[1 + id % 7] || ' ' || id,"
    " (array['indian', 'chinese', 'italian', 'thai', 'vegan'])[1 + id % 5], 1 + (id * 7 % 41) / 10.0"
    " from unnest($1::bigint[]) id on conflict do nothing";
constexpr const char* kSeedItems =
    "insert into items (id, author_id, kind, title, created)"
    " select id, 1 + id % 1000, (array['clip', 'film', 'goods'])[1 + id % 3], 'item ' || id,"
    " timestamptz '2026-01-01 00:00:00Z' + id * interval '1 second'"
    " from unnest($1::bigint[]) id on conflict do nothing";

constexpr int kSeedBatch = 10'000;

Result<void> seed(DatabaseConnection& connection, const char* sql, int count, std::size_t shard, std::size_t shards) {
  for (int first = 1; first <= count; first += kSeedBatch) {
    std::string ids;
    for (int id = first; id <= count && id < first + kSeedBatch; ++id) {
      if (ShardKey(id).shard(shards) == shard) ids += fmt::format("{}{}", ids.empty() ? "{" : ",", id);
    }
    if (ids.empty()) continue;
    if (auto done = connection.run({{sql, {ids + "}"}}}); !done) return tl::unexpected(done.error());
  }
  return {};
}

Result<void> open_within(DatabaseConnection& connection, milliseconds wait, const std::stop_token& stop) {
  const SystemClock clock;
  const auto deadline = clock.monotonic_now() + wait;
  while (true) {
    auto opened = connection.open();
    if (opened || clock.monotonic_now() >= deadline) return opened;
    if (!sleep_for(clock, milliseconds(500), stop)) return fail(ErrorCode::kCancelled, "asked to stop");
  }
}

Result<void> migrate(const MigrateOptions& options, const HostPort& primary, std::size_t shard, std::size_t shards,
                     const std::stop_token& stop) {
  DatabaseConnection connection({.server = primary,
                                 .user = options.database.user,
                                 .database = options.database.name,
                                 .connect_timeout = seconds(2),
                                 .statement_timeout = seconds(300)});  // An index over many rows takes its time.
  if (auto opened = open_within(connection, options.wait, stop); !opened) return opened;
  if (auto locked = connection.run({{kLock}}); !locked) return tl::unexpected(locked.error());
  for (const char* statement : kStatements) {
    if (auto done = connection.run({{statement}}); !done) return tl::unexpected(done.error());
  }
  if (auto done = seed(connection, kSeedUsers, options.seed_users, shard, shards); !done) return done;
  if (auto done = seed(connection, kSeedRestaurants, options.seed_restaurants, shard, shards); !done) return done;
  if (auto done = seed(connection, kSeedItems, options.seed_items, shard, shards); !done) return done;
  // Without it, plans would be made for empty tables until autovacuum comes by.
  if (auto done = connection.run({{"analyze users, orders, restaurants, items"}}); !done) {
    return tl::unexpected(done.error());
  }
  const auto rows = connection.run({{"select (select count(*) from users), (select count(*) from restaurants),"
                                     " (select count(*) from items)"}});
  if (!rows) return tl::unexpected(rows.error());
  const auto& counts = rows->front().values.front();
  fmt::print("shard {} ({}:{}): schema applied; {} users, {} restaurants, {} items\n", shard, primary.host,
             primary.port, *counts[0], *counts[1], *counts[2]);
  std::fflush(stdout);
  return {};
}

}  // namespace

FlagSet migrate_flags(MigrateOptions& options) {
  FlagSet flags;
  add_database_server_flags(flags, options.database);
  flags.duration(options.wait, "wait", "How long to wait for primaries that are not up yet.", milliseconds(0),
                 seconds(3600));
  flags.number(options.seed_users, "seed-users", "Make users 1 to this.", 0, 10'000'000);
  flags.number(options.seed_restaurants, "seed-restaurants", "Make restaurants 1 to this.", 0, 1'000'000);
  flags.number(options.seed_items, "seed-items", "Make items 1 to this.", 0, 10'000'000);
  return flags;
}

Result<void> run_migrate(const MigrateOptions& options, const std::stop_token& stop) {
  const auto shards = parse_shards(options.database.shards);
  if (!shards) return tl::unexpected(shards.error());
  for (std::size_t shard = 0; shard < shards->size(); ++shard) {
    auto done = migrate(options, (*shards)[shard].primary, shard, shards->size(), stop);
    if (!done) return done;
  }
  return {};
}

}  // namespace scalableapp::workload
