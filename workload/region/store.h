// The data of one region of several that are all written to, in the region's own Redis. Two kinds that merge without
// asking anybody, so that no region waits for another:
//
//   register  a text; of two writes the one with the later stamp stays (last writer wins)
//   counter   counts up in each region by itself; its value is the sum over the regions (a grow-only counter)
//
// A stamp is a hybrid logical clock's: milliseconds of Redis' clock, or one tick past the latest stamp that was seen, and
// the region's name, so no two are equal and a write that follows one it has seen is later, whatever the clocks say
// (Kulkarni et al., "Logical Physical Clocks", 2014).
//
//   region:register:KEY     hash: value, stamp
//   region:counter:KEY      hash: region -> its count
//   region:clock            the latest stamp
//   region:events           stream of this region's own changes, which the other regions' replicators read
//   region:position:PEER    how far that peer's events are applied here
//   region:conflicts        hash: peer -> writes of it that met one it had not seen
//   region:evacuated        is there while the region is to take no traffic
//
// Each change is one script: it and its event are there or not. One thread, one connection.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "operator/base/result.h"
#include "workload/common/redis.h"

namespace scalableapp::workload {

// Lower-case letters and digits, at most 32: it is part of stamps.
Result<void> check_region(const std::string& name, const std::string& flag);

struct RegionEvent {
  std::string id;  // Of the stream.
  std::string kind;
  std::string key;
  std::string value;
  std::string stamp;
  std::string base;  // Register: the stamp of the value that was overwritten.
};

class RegionStore {
 public:
  RegionStore(RedisConnection& redis, std::string region) : redis_(redis), region_(std::move(region)) {}

  // The write's stamp.
  Result<std::string> put(const std::string& key, const std::string& value);
  Result<std::optional<std::string>> get(const std::string& key);
  // The counter's value after `amount`, at least 1, was added.
  Result<long long> add(const std::string& key, long long amount);
  Result<long long> count(const std::string& key);

  // This region's own changes after that position of the stream, waiting for the first up to `wait`.
  Result<std::vector<RegionEvent>> events_after(const std::string& position, milliseconds wait);
  // "0-0" unless something was applied.
  Result<std::string> position_of(const std::string& peer);
  // Merges a peer's change and notes how far its events are applied; doing it again changes nothing. True if it met a
  // write that the peer had not seen.
  Result<bool> apply(const std::string& peer, const RegionEvent& event);
  // If events after that position may have been dropped from the stream: the position up to which a snapshot taken now
  // makes up for them.
  Result<std::optional<std::string>> dropped_after(const std::string& position);
  Result<void> set_position_of(const std::string& peer, const std::string& position);
  // All registers and counters as events, for a peer that has missed some; `cursor` "0" begins and is "0" at the end.
  Result<std::vector<RegionEvent>> snapshot(std::string& cursor);

  Result<void> set_evacuated(bool is_evacuated);
  Result<bool> is_evacuated();

 private:
  Result<RedisReply> script(const char* source, const std::vector<std::string>& keys,
                            const std::vector<std::string>& arguments);

  RedisConnection& redis_;
  const std::string region_;
};

}  // namespace scalableapp::workload
