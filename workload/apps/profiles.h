// What every region takes writes of: profiles, of which the last write wins, and counters.
//
//   GET/PUT /profiles/*    a text of up to 4 KiB
//   GET     /counters/*    POST /counters/*  ?by=N, 1 unless told: counts up
//   GET     /region        the region's name, the conflicts it has seen
#pragma once

#include <memory>

#include "workload/apps/parts.h"
#include "workload/service/route.h"

namespace scalableapp::workload {

// parts.region must be set.
std::unique_ptr<RouteFamily> make_profiles(const AppParts& parts);

}  // namespace scalableapp::workload
