// Places in PostgreSQL's write-ahead log, and the token by which a client that has written reads what it wrote. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "operator/base/result.h"

namespace scalableapp::workload {

// A byte position in the log of one primary and its replicas; other primaries' positions mean nothing to it.
using Lsn = std::uint64_t;

// "16/B374D848", as PostgreSQL writes them. kDecode on other text.
Result<Lsn> parse_lsn(std::string_view text);
std::string format_lsn(Lsn lsn);

inline constexpr const char* kReadAfterHeader = "X-Read-After";

// Up to where each shard's log must have been replayed for a read to see all that the token's holder wrote. Its text
// goes to the client in a header and comes back with its next requests. Not signed: a made-up one sends its sender's
// reads to the primary, as having written would.
class ReadAfter {
 public:
  ReadAfter() = default;  // Asks for nothing.
  ReadAfter(std::size_t shard, Lsn lsn) : lsns_{{shard, lsn}} {}

  // "0@16/B374D848,1@0/300": at most kMaxShards of them. Empty text is the token that asks for nothing; kInvalid on
  // other text.
  static Result<ReadAfter> parse(std::string_view text);
  std::string text() const;

  Lsn lsn(std::size_t shard) const;    // 0: nothing was written there.
  void merge(const ReadAfter& other);  // From now on asks for what either asked for.

  bool operator==(const ReadAfter&) const = default;

 private:
  std::map<std::size_t, Lsn> lsns_;
};

}  // namespace scalableapp::workload
