// Finding one pod after the other in a map by name. For the .cc files of scaling/. Pure.
#pragma once

#include <iterator>
#include <map>
#include <string>

namespace scalableapp::scaling {

// Quick where names are asked for in about the order of the map, as pods mostly come; right in any.
template <typename Value>
class ByName {
 public:
  explicit ByName(const std::map<std::string, Value>& values) : values_(values), next_(values.begin()) {}
  // Null if there is none.
  const Value* find(const std::string& name) {
    auto entry = next_;
    for (int i = 0; i < kLookAhead; ++i) {
      if (entry == values_.end()) entry = values_.begin();
      if (entry == values_.end()) return nullptr;
      if (entry->first == name) return step_past(entry);
      ++entry;
    }
    entry = values_.find(name);
    return entry == values_.end() ? nullptr : step_past(entry);
  }

 private:
  using Entry = typename std::map<std::string, Value>::const_iterator;
  static constexpr int kLookAhead = 3;  // pod-10 and pod-11 come before pod-2.
  const Value* step_past(Entry entry) {
    next_ = std::next(entry);
    return &entry->second;
  }

  const std::map<std::string, Value>& values_;
  Entry next_;
};

}  // namespace scalableapp::scaling
