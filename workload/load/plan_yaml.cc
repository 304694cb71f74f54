#include "workload/load/plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <set>

namespace scalableapp::workload {
namespace {

constexpr std::size_t kMaxText = 1 << 20;

tl::unexpected<Error> bad(const std::string& where, const std::string& why) {
  return fail(ErrorCode::kInvalid, fmt::format("{}: {}", where, why));
}

// A mapping of the plan: its fields are asked for one by one, and what nobody asked for is unknown.
// Throws YAML's exceptions.
class Fields {
 public:
  Fields(const YAML::Node& node, std::string where) : node_(node), where_(std::move(where)) {}

  std::string path(const std::string& name) const {
    return where_.empty() ? name : where_ + "." + name;
  }
  // Not defined if it is absent or null.
  YAML::Node get(const std::string& name) {
    known_.insert(name);
    const YAML::Node found = node_[name];
    return found.IsDefined() && !found.IsNull() ? found : YAML::Node(YAML::NodeType::Undefined);
  }
  bool has(const std::string& name) { return get(name).IsDefined(); }
  // Leaves `into` alone if it is absent.
  Result<void> text(const std::string& name, std::string& into) {
    const auto found = get(name);
    if (!found.IsDefined()) return {};
    if (!found.IsScalar()) return bad(path(name), "must be a text");
    into = found.Scalar();
    return {};
  }
  template <typename Number>
  Result<void> number(const std::string& name, Number& into, double low, double high) {
    std::string given;
    if (auto read = text(name, given); !read) return read;
    if (given.empty()) return {};
    double value = 0;
    const bool is_whole = std::is_integral_v<Number>;
    if (!parse_number(given, value) || value < low || value > high ||
        (is_whole && value != static_cast<double>(static_cast<std::int64_t>(value)))) {
      return bad(path(name), fmt::format("must be a {}number from {} to {}",
                                         is_whole ? "whole " : "", low, high));
    }
    into = static_cast<Number>(value);
    return {};
  }
  Result<void> only_known() const {
    for (const auto& each : node_) {
      const auto& name = each.first.Scalar();
      if (!known_.contains(name)) {
        return bad(path(name), fmt::format("is not known; use {}", fmt::join(known_, ", ")));
      }
    }
    return {};
  }

 private:
  YAML::Node node_;
  std::string where_;
  std::set<std::string> known_;
};

class Reader {
 public:
  Reader(const PlanDefaults& defaults, const ReadFile& read_file)
      : defaults_(defaults), read_file_(read_file) {}

  Result<RunSpec> read(const YAML::Node& root) {
    if (!root.IsMap() && !root.IsNull()) return bad("plan", "must be a mapping");
    Fields fields(root, "");
    spec_.seed = static_cast<std::uint64_t>(defaults_.seed);
    spec_.users = defaults_.users;
    if (auto ok = fields.number("seed", spec_.seed, 0, 2e9); !ok) return error(ok);
    if (auto ok = fields.number("users", spec_.users, 1, 1e6); !ok) return error(ok);
    const auto streams = fields.get("streams");
    StreamDefaults shared;
    if (auto ok = read_shared(fields, shared); !ok) return error(ok);
    if (!streams.IsDefined()) {
      if (auto ok = read_stream(fields, shared); !ok) return error(ok);
    } else {
      if (!streams.IsSequence() || streams.size() == 0 || streams.size() > kMaxStreams) {
        return bad("streams", fmt::format("must be a list of 1 to {}", kMaxStreams));
      }
      for (std::size_t index = 0; index < streams.size(); ++index) {
        const auto where = fmt::format("streams[{}]", index);
        if (!streams[index].IsMap()) return bad(where, "must be a mapping");
        Fields stream(streams[index], where);
        StreamDefaults own = shared;
        std::string name = fmt::format("{}", index + 1);
        if (auto ok = stream.text("name", name); !ok) return error(ok);
        if (auto ok = read_shared(stream, own); !ok) return error(ok);
        if (auto ok = read_stream(stream, own); !ok) return error(ok);
        if (auto ok = stream.only_known(); !ok) return error(ok);
        spec_.streams.back().name = std::move(name);
      }
    }
    if (auto ok = fields.only_known(); !ok) return error(ok);
    if (auto ok = complete(spec_); !ok) return error(ok);
    return std::move(spec_);
  }

 private:
  using Headers = std::vector<std::pair<std::string, TextTemplate>>;
  // What a stream, or the plan for all its streams, says once for its requests.
  struct StreamDefaults {
    std::optional<HostPort> target;
    std::optional<milliseconds> slo;
    Headers headers;
    std::string arrivals;
  };

  template <typename T>
  static tl::unexpected<Error> error(const Result<T>& failed) {
    return tl::unexpected(failed.error());
  }

  Result<void> read_shared(Fields& fields, StreamDefaults& into) {
    std::string target = spec_default(into.target.has_value(), defaults_.target);
    if (auto ok = fields.text("target", target); !ok) return ok;
    if (!target.empty()) {
      auto parsed = parse_target(target);
      if (!parsed) return bad(fields.path("target"), parsed.error().message);
      into.target = *parsed;
    }
    if (auto ok = read_slo(fields, spec_default(into.slo.has_value(), defaults_.slo), into.slo); !ok) {
      return ok;
    }
    if (into.arrivals.empty()) into.arrivals = defaults_.arrivals;
    if (auto ok = fields.text("arrivals", into.arrivals); !ok) return ok;
    if (into.arrivals != "constant" && into.arrivals != "poisson") {
      return bad(fields.path("arrivals"), "must be constant or poisson");
    }
    return read_headers(fields, into.headers);
  }

  static std::string spec_default(bool is_set, const std::string& initial) {
    return is_set ? std::string() : initial;
  }

  // "250ms", or a mapping with that as `latency`.
  static Result<void> read_slo(Fields& fields, std::string text, std::optional<milliseconds>& into) {
    const auto slo = fields.get("slo");
    auto where = fields.path("slo");
    if (slo.IsDefined() && slo.IsMap()) {
      Fields inner(slo, where);
      if (auto ok = inner.text("latency", text); !ok) return ok;
      if (auto ok = inner.only_known(); !ok) return ok;
      where += ".latency";
    } else if (auto ok = fields.text("slo", text); !ok) {
      return ok;
    }
    if (text.empty()) return {};
    const auto parsed = parse_duration(text);
    if (!parsed || parsed->count() <= 0) return bad(where, "must be a duration, such as 250ms");
    into = *parsed;
    return {};
  }

  static Result<void> read_headers(Fields& fields, Headers& into) {
    const auto headers = fields.get("headers");
    if (!headers.IsDefined()) return {};
    if (!headers.IsMap()) return bad(fields.path("headers"), "must be a mapping of name to text");
    for (const auto& each : headers) {
      const auto& name = each.first.Scalar();
      const auto where = fields.path("headers." + name);
      const bool is_name = !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
        return std::isalnum(c) || c == '-' || c == '_';
      });
      if (!is_name) return bad(where, "the name must be of letters, digits and -");
      for (const char* own : {"Content-Length", "Transfer-Encoding", "Connection", "Cookie",
                              "Idempotency-Key"}) {
        if (is_same_header(name, own)) return bad(where, "is set by the generator");
      }
      if (!each.second.IsScalar()) return bad(where, "must be a text");
      const auto& text = each.second.Scalar();
      if (std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < ' '; })) {
        return bad(where, "must be one line");
      }
      auto value = TextTemplate::parse(text);
      if (!value) return bad(where, value.error().message);
      std::erase_if(into, [&](const auto& header) { return is_same_header(header.first, name); });
      into.emplace_back(name, std::move(*value));
    }
    return {};
  }

  Result<void> read_stream(Fields& fields, const StreamDefaults& shared) {
    Stream stream;
    if (!shared.target) return bad(fields.path("target"), "must be http://HOST[:PORT]");
    stream.arrivals = shared.arrivals == "poisson" ? Arrivals::kPoisson : Arrivals::kConstant;
    if (auto ok = read_profile(fields, stream); !ok) return ok;
    const auto requests = fields.get("requests");
    if (requests.IsDefined() && fields.has("mix")) {
      return bad(fields.path("mix"), "must not be there beside requests");
    }
    if (requests.IsDefined()) {
      if (!requests.IsSequence() || requests.size() == 0) {
        return bad(fields.path("requests"), "must be a list of at least one");
      }
      for (std::size_t index = 0; index < requests.size(); ++index) {
        const auto where = fields.path(fmt::format("requests[{}]", index));
        if (!requests[index].IsMap()) return bad(where, "must be a mapping");
        Fields request(requests[index], where);
        if (auto ok = read_request(request, shared, stream.mix); !ok) return ok;
      }
    } else {
      stream.mix_text = defaults_.mix;
      if (auto ok = fields.text("mix", stream.mix_text); !ok) return ok;
      auto mix = parse_mix(stream.mix_text);
      if (!mix) return bad(fields.path("mix"), mix.error().message);
      stream.mix = std::move(*mix);
      for (auto& entry : stream.mix.entries) {
        entry.target = *shared.target;
        entry.slo = shared.slo;
        entry.headers = shared.headers;
      }
    }
    spec_.streams.push_back(std::move(stream));
    return {};
  }

  Result<void> read_profile(Fields& fields, Stream& stream) {
    std::string csv;
    std::string text;
    TraceScaling scaling{.rate = defaults_.trace_scale, .speed = defaults_.trace_speed};
    const auto profile = fields.get("profile");
    if (profile.IsDefined() && profile.IsSequence()) {
      for (const auto& part : profile) {
        if (!part.IsScalar()) return bad(fields.path("profile"), "must be a text or a list of texts");
        text += (text.empty() ? "" : ",") + part.Scalar();
        if (text.size() > kMaxText) return bad(fields.path("profile"), "is too long");
      }
    } else if (auto ok = fields.text("profile", text); !ok) {
      return ok;
    }
    double rate = defaults_.rate;
    std::string duration = defaults_.duration;
    if (auto ok = fields.number("rate", rate, 0, kMaxRate); !ok) return ok;
    if (auto ok = fields.text("duration", duration); !ok) return ok;
    if (auto ok = fields.text("csv", csv); !ok) return ok;
    if (auto ok = fields.number("traceScale", scaling.rate, 1e-6, 1e6); !ok) return ok;
    if (auto ok = fields.number("traceSpeed", scaling.speed, 1e-3, 1e6); !ok) return ok;
    if (text.empty()) {
      const bool has_rate = fields.has("rate") || fields.has("duration");
      text = has_rate || defaults_.profile.empty() ? fmt::format("{}:{}", rate, duration)
                                                   : defaults_.profile;
    }
    const bool is_trace = fields.has("csv") || text.ends_with(".csv");
    stream.profile_text = fields.has("csv") ? "csv" : text;
    if (is_trace && csv.empty()) {
      if (!read_file_) {
        return bad(fields.path("profile"), "no file can be read here; give its text as csv");
      }
      auto read = read_file_(text);
      if (!read) return bad(fields.path("profile"), read.error().message);
      csv = std::move(*read);
    }
    auto parsed =
        is_trace ? parse_profile_csv(csv, scaling, &spec_.notes) : parse_profile(text);
    if (!parsed) {
      return bad(fields.path(fields.has("csv")        ? "csv"
                             : fields.has("duration") ? "duration"
                                                      : "profile"),
                 parsed.error().message);
    }
    stream.profile = std::move(*parsed);
    return {};
  }

  static Result<void> read_request(Fields& fields, const StreamDefaults& shared, Mix& mix) {
    MixEntry entry;
    entry.target = *shared.target;
    entry.headers = shared.headers;
    entry.slo = shared.slo;
    std::string target;
    std::string path;
    std::string body;
    if (auto ok = fields.text("name", entry.name); !ok) return ok;
    if (auto ok = fields.text("method", entry.method); !ok) return ok;
    if (auto ok = fields.text("target", target); !ok) return ok;
    if (auto ok = fields.text("path", path); !ok) return ok;
    if (auto ok = fields.text("body", body); !ok) return ok;
    if (auto ok = fields.number("weight", entry.weight, 1e-6, 1e6); !ok) return ok;
    if (auto ok = read_slo(fields, "", entry.slo); !ok) return ok;
    if (auto ok = read_headers(fields, entry.headers); !ok) return ok;
    if (auto ok = fields.only_known(); !ok) return ok;
    if (entry.name.size() > 64) return bad(fields.path("name"), "must have at most 64 letters");
    if (!is_known_method(entry.method)) {
      return bad(fields.path("method"), "must be GET, POST, PUT or DELETE");
    }
    if (!target.empty()) {
      auto parsed = parse_target(target);
      if (!parsed) return bad(fields.path("target"), parsed.error().message);
      entry.target = *parsed;
    }
    auto parsed_path = parse_path(path);
    if (!parsed_path) return bad(fields.path("path"), parsed_path.error().message);
    entry.path = std::move(*parsed_path);
    if (!body.empty() && entry.method != "POST" && entry.method != "PUT") {
      return bad(fields.path("body"), "only POST and PUT have one");
    }
    auto parsed_body = TextTemplate::parse(body);
    if (!parsed_body) return bad(fields.path("body"), parsed_body.error().message);
    entry.body = std::move(*parsed_body);
    mix.add(std::move(entry));
    return {};
  }

  const PlanDefaults& defaults_;
  const ReadFile& read_file_;
  RunSpec spec_;
};

}  // namespace

Result<RunSpec> parse_plan(const std::string& text, const PlanDefaults& defaults,
                           const ReadFile& read_file) {
  if (text.size() > kMaxText) return bad("plan", fmt::format("is longer than {} bytes", kMaxText));
  try {
    return Reader(defaults, read_file).read(YAML::Load(text));
  } catch (const YAML::Exception& exception) {
    return bad("plan", fmt::format("is not YAML: {}", exception.what()));
  }
}

}  // namespace scalableapp::workload
