// Finding one pod after the other in a map by name. For the .cc files of scaling/. Pure.
#pragma once

#include <map>
#include <string>

namespace scalableapp::scaling {

// Quick where names are asked for in the order of the map, as pods mostly come; right in any order.
template <typename Value>
class ByName {
 public:
  explicit ByName(const std::map<std::string, Value>& values) : values_(values), next_(values.begin()) {}
  // Null if there is none.
  const Value* find(const std::string& name) {
    if (next_ == values_.end() || next_->first != name) {
      const auto found = values_.find(name);
      if (found == values_.end()) return nullptr;
      next_ = found;
    }
    return &(next_++)->second;
  }

 private:
  const std::map<std::string, Value>& values_;
  typename std::map<std::string, Value>::const_iterator next_;
};

}  // namespace scalableapp::scaling
