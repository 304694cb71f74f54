// The feed of short clips: a page of items for a user, hot items that an edge may keep, likes as a counter.
//
//   GET /feed?user=ID   the page; from degrade level 1 without recommendations, from 2 without counts and thumbnails
//   GET /items/ID       one item, cacheable, with an ETag
//   POST /likes/ID      counts a like; seen in the feed when the item's cache entries expire, which is soon enough
//   PUT /items/ID       a new title: written, then invalidated in every pod
#pragma once

#include <memory>

#include "workload/apps/parts.h"
#include "workload/service/route.h"

namespace scalableapp::workload {

std::unique_ptr<RouteFamily> make_feed(const AppParts& parts);

}  // namespace scalableapp::workload
