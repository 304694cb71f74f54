// The tables of the stories, and putting them onto every primary. Every shard has the same tables and holds the rows of
// its own keys: users and orders by the user's id, restaurants and items by their own.
//
//   users        id bigint, name text, region text, updated timestamptz
//   orders       id text, user_id bigint, restaurant_id bigint, item text, state text, created, updated timestamptz
//     orders_by_user       (user_id, created desc): a user's orders, newest first
//     orders_open          (state, created) where state not in ('delivered', 'cancelled'): work to be done, oldest
//                          first; small however many orders are done
//   restaurants  id bigint, city text, name text, cuisine text, rating real, is_open boolean, updated timestamptz
//     restaurants_by_city  (city, rating desc)
//   items        id bigint, author_id bigint, kind text, title text, created timestamptz: posts, clips, films, goods
//     items_by_kind        (kind, created desc)
//     items_by_author      (author_id, created desc)
#pragma once

#include <stop_token>

#include "operator/base/result.h"
#include "workload/database/options.h"

namespace scalableapp::workload {

struct MigrateOptions {
  DatabaseOptions database;
  milliseconds wait{60'000};  // For primaries that are not up yet.
  int seed_users = 0;         // Users 1 to this, on their shards; those that are there stay as they are.
  int seed_restaurants = 0;
  int seed_items = 0;
};

FlagSet migrate_flags(MigrateOptions& options);

// Applies the schema and the seed to every primary, one shard after the other, and tells on stdout what is there then.
// Changes nothing where that was done before; several at once wait for each other.
Result<void> run_migrate(const MigrateOptions& options, const std::stop_token& stop);

}  // namespace scalableapp::workload
