// Text in aligned columns as kubectl prints it: headings in capitals, three blanks between columns,
// numbers to the right. Pure.
#pragma once

#include <string>
#include <vector>

namespace scalableapp::plugin {

struct Table {
  std::vector<std::string> headings;
  std::vector<std::vector<std::string>> rows;  // Each as long as `headings`.
  std::vector<bool> is_number;                 // By column; empty: none is.
};

// Widths count characters of UTF-8, not bytes. No blanks at the ends of lines.
std::string render(const Table& table);

// RFC 4180: quoted where need be; lines end with "\n".
std::string render_csv(const Table& table);

// "12", "2.5": at most one digit behind the point, and none from 1000 on.
std::string short_number(double value);

}  // namespace scalableapp::plugin
