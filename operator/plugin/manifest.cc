#include "operator/plugin/manifest.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <exception>
#include <nlohmann/json.hpp>
#include <optional>

#include "operator/api/json_fields.h"
#include "operator/plugin/known_fields.h"

namespace scalableapp::plugin {
namespace {

using nlohmann::json;

// Beyond these a manifest is none: aliases of aliases would fill the memory.
constexpr int kMaxDepth = 100;
constexpr int kMaxNodes = 200'000;

bool all_of(std::string_view digits, std::string_view allowed) {
  return !digits.empty() && digits.find_first_not_of(allowed) == std::string_view::npos;
}

// [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?
bool is_decimal(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789";
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  const auto exponent = text.find_first_of("eE");
  if (exponent != std::string_view::npos) {
    std::string_view power = text.substr(exponent + 1);
    if (power.starts_with('-') || power.starts_with('+')) power.remove_prefix(1);
    if (!all_of(power, kDigits)) return false;
    text = text.substr(0, exponent);
  }
  const auto point = text.find('.');
  const std::string_view whole = text.substr(0, point);
  const std::string_view fraction =
      point == std::string_view::npos ? std::string_view() : text.substr(point + 1);
  if (whole.empty()) return all_of(fraction, kDigits);
  return all_of(whole, kDigits) && (fraction.empty() || all_of(fraction, kDigits));
}

json plain_scalar(const std::string& text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") {
    return nullptr;
  }
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  std::string_view digits = text;
  const bool is_octal = digits.starts_with("0o") && all_of(digits.substr(2), "01234567");
  const bool is_hex =
      digits.starts_with("0x") && all_of(digits.substr(2), "0123456789abcdefABCDEF");
  if (is_octal || is_hex) {
    std::int64_t value = 0;
    const auto [end, error] =
        std::from_chars(text.data() + 2, text.data() + text.size(), value, is_octal ? 8 : 16);
    if (error == std::errc{} && end == text.data() + text.size()) return value;
  }
  if (!is_decimal(text)) return text;
  if (digits.starts_with('+')) digits.remove_prefix(1);
  if (digits.find_first_of(".eE") == std::string_view::npos) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error == std::errc{} && end == digits.data() + digits.size()) return value;
  }
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error == std::errc{} && std::isfinite(value)) return value;
  return text;
}

// Throws YAML::Exception with the place.
json to_json(const YAML::Node& node, int depth, int& nodes) {
  if (depth > kMaxDepth || ++nodes > kMaxNodes) {
    throw YAML::RepresentationException(node.Mark(), "nested too deep or too large");
  }
  switch (node.Type()) {
    case YAML::NodeType::Scalar:
      // "?" is yaml-cpp's tag of what is written without quotes, "!" of what is quoted.
      return node.Tag() == "?" || node.Tag().empty() ? plain_scalar(node.Scalar())
                                                     : json(node.Scalar());
    case YAML::NodeType::Sequence: {
      json list = json::array();
      for (const auto& element : node) list.push_back(to_json(element, depth + 1, nodes));
      return list;
    }
    case YAML::NodeType::Map: {
      json object = json::object();
      for (const auto& entry : node) {
        if (!entry.first.IsScalar()) {
          throw YAML::RepresentationException(entry.first.Mark(), "a key must be text");
        }
        const std::string& key = entry.first.Scalar();
        if (object.contains(key)) {
          throw YAML::RepresentationException(entry.first.Mark(),
                                              fmt::format("\"{}\" is there twice", key));
        }
        object[key] = to_json(entry.second, depth + 1, nodes);
      }
      return object;
    }
    default:
      return nullptr;
  }
}

Error yaml_error(const std::string& name, const YAML::Exception& error) {
  if (error.mark.is_null()) return {ErrorCode::kDecode, fmt::format("{}: {}", name, error.msg), {}};
  return {ErrorCode::kDecode,
          fmt::format("{} line {}, column {}: {}", name, error.mark.line + 1, error.mark.column + 1,
                      error.msg),
          {}};
}

// The schema of v1alpha1 in the CRD. A CRD without one would have no fields at all, which the tests
// would tell.
json schema_of_scalable_apps() {
  const auto texts = yaml_to_json(kCustomResourceDefinition, "CustomResourceDefinition");
  if (!texts || texts->empty()) return nullptr;
  const json crd = json::parse(texts->front(), nullptr, false);
  for (const json& version : api::child(api::child(crd, "spec"), "versions")) {
    if (api::text(version, "name") != "v1alpha1") continue;
    return api::child(api::child(version, "schema"), "openAPIV3Schema");
  }
  return nullptr;
}

// Whether any YAML takes the text without quotes for text: nothing but letters, digits and what is in the middle
// of names, and no word of another type.
bool is_plain_text(std::string_view text) {
  constexpr std::array<std::string_view, 11> kWords{"y", "n", "yes", "no", "on", "off", "true", "false", "null", "inf", "nan"};
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto is_of_name = [&](char c) {
    return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '/';
  };
  if (text.empty() || !is_letter(text.front()) || !std::ranges::all_of(text, is_of_name)) return false;
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return std::ranges::find(kWords, lower) == kWords.end();
}

// JSON's own text is what YAML reads between double quotes, and as numbers.
std::string scalar_to_yaml(const json& value) {
  if (value.is_string() && is_plain_text(value.get_ref<const std::string&>())) return value.get<std::string>();
  return value.dump(-1, ' ', true, json::error_handler_t::replace);
}

// Lines of `indent` spaces and more.
void append_yaml(const json& value, std::size_t indent, std::string& out) {
  const std::string spaces(indent, ' ');
  const auto append_member = [&](const json& member, std::size_t member_indent) {
    if (member.is_structured() && !member.empty()) {
      out += '\n';
      append_yaml(member, member_indent, out);
    } else {
      out += ' ' + scalar_to_yaml(member) + '\n';
    }
  };
  if (value.is_array()) {
    for (const json& element : value) {
      const std::size_t begin = out.size();
      if (element.is_structured() && !element.empty()) {
        append_yaml(element, indent + 2, out);
        out[begin + indent] = '-';
      } else {
        out += spaces + '-';
        append_member(element, indent + 2);
      }
    }
    return;
  }
  for (const auto& [key, member] : value.items()) {
    out += spaces + scalar_to_yaml(key) + ':';
    append_member(member, member.is_array() ? indent : indent + 2);
  }
}

bool is_scalable_app(const YAML::Node& document) {
  return document.IsMap() && document["kind"] && document["kind"].IsScalar() &&
         document["kind"].Scalar() == "ScalableApp";
}

// Where the text of a node begins.
std::size_t offset_of(const std::string& yaml, const YAML::Mark& mark) {
  std::size_t at = 0;
  for (int line = 0; line < mark.line && at != std::string::npos; ++line) {
    at = yaml.find('\n', at);
    if (at != std::string::npos) ++at;
  }
  return at == std::string::npos ? at : at + static_cast<std::size_t>(mark.column);
}

// "{b: {c: 1}}" for the ways that are missing from `path`.
std::string nested(const std::vector<std::string>& path, std::size_t from,
                   const std::string& value) {
  std::string out = value;
  for (std::size_t i = path.size(); i > from; --i)
    out = fmt::format("{{{}: {}}}", path[i - 1], out);
  return out;
}

tl::unexpected<Error> cannot_change(const std::string& name, const std::vector<std::string>& path) {
  return fail(ErrorCode::kInvalid, fmt::format("{}: cannot change {} in place; write it out there",
                                               name, fmt::join(path, ".")));
}

Result<std::string> change_one(const std::string& yaml, const std::string& name,
                               const Change& change) {
  const auto& path = change.path;
  for (const YAML::Node& document : YAML::LoadAll(yaml)) {
    if (!is_scalable_app(document)) continue;
    YAML::Node node;
    node.reset(document);
    std::size_t depth = 0;
    for (; depth < path.size(); ++depth) {
      YAML::Node next;
      if (node.IsSequence()) {
        const auto index = std::stoul(path[depth]);
        if (index >= node.size()) return cannot_change(name, path);
        next.reset(node[index]);
      } else if (node.IsMap()) {
        const YAML::Node child = static_cast<const YAML::Node&>(node)[path[depth]];
        if (!child || child.IsNull()) break;
        next.reset(child);
      } else {
        return cannot_change(name, path);
      }
      node.reset(next);
    }
    std::string out = yaml;
    const std::size_t at = offset_of(yaml, node.Mark());
    if (at >= yaml.size()) return cannot_change(name, path);
    if (depth == path.size()) {
      if (!node.IsScalar()) return cannot_change(name, path);
      std::size_t size = node.Scalar().size();
      if (yaml[at] == '"' || yaml[at] == '\'') {
        size = yaml.find(yaml[at], at + 1) + 1 - at;
      } else if (yaml.compare(at, size, node.Scalar()) != 0) {
        return cannot_change(name, path);
      }
      return out.replace(at, size, change.value);
    }
    const std::string entry =
        fmt::format("{}: {}", path[depth], nested(path, depth + 1, change.value));
    if (yaml[at] == '{') {
      return out.insert(at + 1, node.size() == 0 ? entry : entry + ", ");
    }
    if (node.size() == 0) return cannot_change(name, path);
    // A block mapping begins at its first key, whose column is its indentation.
    const std::string indent(static_cast<std::size_t>(node.Mark().column), ' ');
    return out.insert(at, fmt::format("{}\n{}", entry, indent));
  }
  return fail(ErrorCode::kInvalid, fmt::format("{}: no document of kind ScalableApp", name));
}

}  // namespace

Result<std::vector<std::string>> yaml_to_json(std::string_view yaml, const std::string& name) {
  try {
    std::vector<std::string> texts;
    for (const YAML::Node& document : YAML::LoadAll(std::string(yaml))) {
      int nodes = 0;
      const json value = to_json(document, 0, nodes);
      if (!value.is_null()) {
        texts.push_back(value.dump(-1, ' ', false, json::error_handler_t::replace));
      }
    }
    return texts;
  } catch (const YAML::Exception& error) {
    return tl::unexpected(yaml_error(name, error));
  } catch (const std::exception& error) {
    return fail(ErrorCode::kDecode, fmt::format("{}: {}", name, error.what()));
  }
}

Result<std::string> json_to_yaml(std::string_view text) {
  const json value = json::parse(text, nullptr, false);
  if (value.is_discarded()) return fail(ErrorCode::kDecode, "not JSON");
  if (!value.is_structured() || value.empty()) return scalar_to_yaml(value) + "\n";
  std::string out;
  append_yaml(value, 0, out);
  return out;
}

Result<api::ScalableApp> read_manifest(const std::string& yaml, const std::string& name) {
  auto texts = yaml_to_json(yaml, name);
  if (!texts) return tl::unexpected(texts.error());
  std::vector<json> apps;
  std::vector<std::string> kinds;
  for (const std::string& text : *texts) {
    json document = json::parse(text, nullptr, false);
    // What `kubectl get -o json` writes for several.
    if (const json& items = api::child(document, "items"); items.is_array()) {
      for (const json& item : items) {
        if (api::text(item, "kind") == "ScalableApp") apps.push_back(item);
      }
    }
    const std::string kind = api::text(document, "kind");
    kinds.push_back(kind.empty() ? "none" : kind);
    if (kind == "ScalableApp") apps.push_back(std::move(document));
  }
  if (apps.size() != 1) {
    return fail(
        ErrorCode::kInvalid,
        apps.empty()
            ? fmt::format("{}: must have a document of kind ScalableApp; found: {}", name,
                          kinds.empty() ? "nothing" : fmt::format("{}", fmt::join(kinds, ", ")))
            : fmt::format("{}: must have one ScalableApp, not {}", name, apps.size()));
  }
  const std::string version = api::text(apps[0], "apiVersion");
  if (version != "scalableapp.io/v1alpha1") {
    return fail(
        ErrorCode::kInvalid,
        fmt::format("{}: apiVersion: must be scalableapp.io/v1alpha1, not \"{}\"", name, version));
  }
  static const json kSchema = schema_of_scalable_apps();
  std::vector<std::string> problems = unknown_fields(apps[0], kSchema);
  auto app = api::decode_scalable_app(apps[0]);
  if (!app) {
    problems.push_back(app.error().message);
  } else {
    problems.insert(problems.end(), app->problems.begin(), app->problems.end());
  }
  if (!problems.empty()) {
    std::string lines;
    for (const std::string& problem : problems) {
      lines += fmt::format("{}{}: {}", lines.empty() ? "" : "\n", name, problem);
    }
    return fail(ErrorCode::kInvalid, lines);
  }
  if (app->metadata.namespace_name.empty()) app->metadata.namespace_name = "default";
  return app;
}

Result<std::string> change_manifest(const std::string& yaml, const std::string& name,
                                    const std::vector<Change>& changes) {
  std::string out = yaml;
  try {
    for (const Change& change : changes) {
      auto changed = change_one(out, name, change);
      if (!changed) return changed;
      out = std::move(*changed);
    }
    return out;
  } catch (const YAML::Exception& error) {
    return tl::unexpected(yaml_error(name, error));
  } catch (const std::exception& error) {
    return fail(ErrorCode::kDecode, fmt::format("{}: {}", name, error.what()));
  }
}

}  // namespace scalableapp::plugin
