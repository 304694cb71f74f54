// A video service: rows of titles for a user, and playback whose state lives outside of the pods, so that a stream goes
// on in another pod, or another region that shares the Redis, at the position where it was.
//
//   GET /titles?user=ID                      rows; from degrade level 1 without recommendations
//   POST /playback/TITLE?user=ID             starts a stream; gives its id
//   PUT /playback/STREAM?position=SECONDS    the player's heartbeat
//   GET /playback/STREAM                     title, user and position
#pragma once

#include <memory>

#include "workload/apps/parts.h"
#include "workload/service/route.h"

namespace scalableapp::workload {

std::unique_ptr<RouteFamily> make_titles(const AppParts& parts);

}  // namespace scalableapp::workload
