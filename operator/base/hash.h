// FNV-1a, 64 bit (G. Fowler, L. C. Noll, K.-P. Vo; offset basis and prime as published): the same on
// every machine and in every process, unlike std::hash. Not against anybody who means ill.
#pragma once

#include <cstdint>
#include <string_view>

namespace scalableapp {

// `hash`: of what comes before `bytes`.
inline std::uint64_t fnv1a(std::string_view bytes, std::uint64_t hash = 14695981039346656037ULL) {
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash;
}

}  // namespace scalableapp
