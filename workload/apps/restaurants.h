// Restaurants to be found and their menus. Each pod has an index of all; menus are kept in Redis, and a change reaches
// the index of every pod, and the caches, by an event.
//
//   GET /search   ?q=TEXT[&city=NAME][&limit=N][&typos=0]: forgiving of typing errors unless typos=0; ranked by rating
//                 too, which is left out from degrade level 1 on
//   GET /menus/*  the menu of a restaurant, cached
//   PUT /menus/*  {"dishes": ["...", ...]}: 1 to 20 dishes
//
// Not ready until the index is made, which takes a second or so: what a cold pod must not be asked.
#pragma once

#include <memory>

#include "workload/apps/parts.h"
#include "workload/service/route.h"

namespace scalableapp::workload {

// kUnavailable if the index cannot be written.
Result<std::unique_ptr<RouteFamily>> make_restaurants(const AppParts& parts);

}  // namespace scalableapp::workload
