#include "workload/load/mix.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

namespace scalableapp::workload {
namespace {

constexpr std::array<std::string_view, 4> kMethods{"GET", "POST", "PUT", "DELETE"};

}  // namespace

bool is_same_header(std::string_view one, std::string_view other) {
  return std::equal(one.begin(), one.end(), other.begin(), other.end(), [](char left, char right) {
    return std::tolower(static_cast<unsigned char>(left)) ==
           std::tolower(static_cast<unsigned char>(right));
  });
}

bool is_known_method(std::string_view method) {
  return std::find(kMethods.begin(), kMethods.end(), method) != kMethods.end();
}

void Mix::add(MixEntry entry) {
  total_weight += entry.weight;
  entries.push_back(std::move(entry));
}

std::size_t Mix::pick(double number) const {
  double left = number * total_weight;
  for (std::size_t index = 0; index < entries.size(); ++index) {
    left -= entries[index].weight;
    if (left < 0) return index;
  }
  return entries.size() - 1;
}

Result<TextTemplate> parse_path(const std::string& text) {
  const bool is_clean = std::none_of(text.begin(), text.end(), [](unsigned char letter) {
    return letter <= ' ' || letter > '~';
  });
  if (!text.starts_with('/') || !is_clean) {
    return fail(ErrorCode::kInvalid, "the path must begin with / and have no blanks");
  }
  return TextTemplate::parse(text);
}

Result<Mix> parse_mix(const std::string& text) {
  Mix mix;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const auto end = std::min(text.find(',', begin), text.size());
    const std::string part = text.substr(begin, end - begin);
    begin = end + 1;
    const auto bad = [&](const std::string& why) {
      return fail(ErrorCode::kInvalid,
                  fmt::format("\"{}\": must be /PATH=WEIGHT or /PATH:METHOD=WEIGHT: {}", part, why));
    };
    MixEntry entry;
    std::string path = part;
    const auto equals = part.rfind('=');
    if (equals != std::string::npos &&
        parse_number(std::string_view(part).substr(equals + 1), entry.weight)) {
      path.resize(equals);
    }
    const auto colon = path.rfind(':');
    if (colon != std::string::npos && is_known_method(std::string_view(path).substr(colon + 1))) {
      entry.method = path.substr(colon + 1);
      path.resize(colon);
    }
    if (entry.weight <= 0 || entry.weight > 1e6) return bad("the weight must be above 0");
    auto parsed = parse_path(path);
    if (!parsed) return bad(parsed.error().message);
    entry.path = std::move(*parsed);
    mix.add(std::move(entry));
    if (mix.entries.size() > kMaxRequests) return bad(fmt::format("at most {}", kMaxRequests));
  }
  return mix;
}

void name_entries(std::vector<MixEntry*> entries) {
  const auto short_name = [](const MixEntry& entry, bool with_query) {
    const auto& path = entry.path.text();
    return (entry.method == "GET" ? "" : entry.method + " ") +
           (with_query ? path : path.substr(0, path.find('?')));
  };
  std::map<std::string, int> short_names;
  for (const auto* entry : entries) ++short_names[short_name(*entry, false)];
  std::map<std::string, int> used;
  for (const auto* entry : entries) {
    if (!entry->name.empty()) ++used[entry->name];
  }
  for (auto* entry : entries) {
    if (!entry->name.empty()) continue;
    const std::string base = short_name(*entry, short_names[short_name(*entry, false)] > 1);
    std::string name = base;
    for (int number = 2; used[name] > 0; ++number) name = fmt::format("{} #{}", base, number);
    ++used[name];
    entry->name = name;
  }
}

bool needs_id(const MixEntry& entry) {
  return entry.method != "GET" || entry.path.uses_id() || entry.body.uses_id() ||
         std::any_of(entry.headers.begin(), entry.headers.end(),
                     [](const auto& header) { return header.second.uses_id(); });
}

std::string request_text(const MixEntry& entry, const std::string& cookie,
                         const TemplateValues& values) {
  std::string text = entry.method + " ";
  entry.path.append_to(text, values);
  text += " HTTP/1.1\r\nUser-Agent: demo-workload\r\n";
  const auto has = [&](std::string_view name) {
    return std::any_of(entry.headers.begin(), entry.headers.end(),
                       [&](const auto& header) { return is_same_header(header.first, name); });
  };
  if (!has("Host")) {
    text += "Host: " + entry.target.host;
    if (entry.target.port != 80) text += fmt::format(":{}", entry.target.port);
    text += "\r\n";
  }
  for (const auto& [name, value] : entry.headers) {
    text += name + ": ";
    value.append_to(text, values);
    text += "\r\n";
  }
  if (!cookie.empty()) text += "Cookie: " + cookie + "\r\n";
  if (entry.method != "GET") {
    text += "Idempotency-Key: ";
    text += values.id;
    text += "\r\n";
  }
  std::string body;
  entry.body.append_to(body, values);
  if (!body.empty() && !has("Content-Type")) text += "Content-Type: application/json\r\n";
  if (!body.empty() || entry.method != "GET") {
    text += fmt::format("Content-Length: {}\r\n", body.size());
  }
  return text + "\r\n" + body;
}

}  // namespace scalableapp::workload
