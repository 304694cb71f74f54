// The index of restaurants that a pod searches: full text over names, cuisines and dishes, forgiving of typing errors.
// On disk below a directory of its own, made anew by each process; what it is made of comes from elsewhere. Thread-safe:
// searches run side by side, changes one after another.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "operator/base/result.h"

namespace scalableapp::workload {

struct Restaurant {
  std::string id;  // 1 to 64 characters.
  std::string name;
  std::string city;
  std::string cuisine;
  std::vector<std::string> dishes;
  double rating = 0;  // 0 to 5.
};

struct SearchQuery {
  std::string text;
  std::string city;  // Empty: any.
  int limit = 10;
  bool forgives_typos = true;
  // By how well it matches and how it is rated; else by the match alone, which costs less.
  bool ranks = true;
};

struct SearchHit {
  std::string id;
  std::string name;
  std::string city;
  double rating = 0;
  double score = 0;  // 0 to 1; the hits are in its order.
};

struct SearchResult {
  std::vector<SearchHit> hits;
  std::string corrected;  // What was searched for instead; empty: what was asked for.
};

class SearchIndex {
 public:
  // kUnavailable if nothing can be written below `directory`.
  static Result<std::unique_ptr<SearchIndex>> create(const std::string& directory);
  virtual ~SearchIndex() = default;

  // Adds them, or replaces those of the same id; searches see all of it or nothing.
  virtual Result<void> put(const std::vector<Restaurant>& restaurants) = 0;
  // kInvalid names what is wrong with the query.
  virtual Result<SearchResult> search(const SearchQuery& query) = 0;
};

// The same ones for the same count, made up.
std::vector<Restaurant> sample_restaurants(int count);

}  // namespace scalableapp::workload
