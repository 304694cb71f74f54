// Text with places that each request fills anew: a path, a body, a header's value. Pure.
//
//   {user}          the number of the request's user, from 1 on
//   {id}            32 hexadecimal digits, new for each request, the same everywhere in it
//   {uniform:N}     a whole number from 1 to N, each as likely
//   {zipf:N}        a whole number from 1 to N, k as likely as 1/k: 1 is the hot one
//   {between:A:B}   a decimal number from A to B with six decimals
//
// A brace that no small letter follows stands for itself, so JSON needs no escapes.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "operator/base/result.h"
#include "workload/load/zipf.h"

namespace scalableapp::workload {

struct TemplateValues {
  std::uint64_t user = 1;
  std::string_view id;
  std::mt19937_64& random;
};

class TextTemplate {
 public:
  TextTemplate() = default;  // The empty text.
  // kInvalid names the place in braces and what it may be.
  static Result<TextTemplate> parse(const std::string& text);

  void append_to(std::string& out, const TemplateValues& values) const;
  bool uses_id() const { return uses_id_; }
  const std::string& text() const { return text_; }

 private:
  struct User {};
  struct Id {};
  struct Uniform {
    std::uint64_t high;
  };
  struct Between {
    double low;
    double high;
  };
  using Part = std::variant<std::string, User, Id, Uniform, Zipf, Between>;
  static Result<Part> parse_place(const std::string& place);

  std::string text_;
  std::vector<Part> parts_;
  bool uses_id_ = false;
};

}  // namespace scalableapp::workload
