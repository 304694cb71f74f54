#include "operator/kube/leader_elector.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "operator/platform/log.h"

namespace scalableapp::kube {
namespace {

using nlohmann::json;

constexpr std::int64_t kLongestLease =
    86'400;  // Seconds; keeps a mistyped record from overflowing.

// Fields of another type than the API's count as missing.
template <typename T>
T field_or(const json& object, const char* name, T fallback) {
  const auto found = object.find(name);
  if (found == object.end()) return fallback;
  if constexpr (std::is_same_v<T, std::string>) {
    return found->is_string() ? found->template get<T>() : fallback;
  } else {
    return found->is_number_integer() ? found->template get<T>() : fallback;
  }
}

json spec_of(const json& lease) {
  const auto found = lease.is_object() ? lease.find("spec") : lease.end();
  return found != lease.end() && found->is_object() ? *found : json::object();
}

Result<LeaseRecord> decode(const std::string& body) {
  const json lease = json::parse(body, nullptr, false);
  if (!lease.is_object()) return fail(ErrorCode::kDecode, "lease: not a JSON object");
  const json spec = spec_of(lease);
  const auto duration = field_or<std::int64_t>(spec, "leaseDurationSeconds", 0);
  return LeaseRecord{.holder = field_or<std::string>(spec, "holderIdentity", ""),
                     .duration = seconds(std::clamp<std::int64_t>(duration, 0, kLongestLease)),
                     .renew_time = field_or<std::string>(spec, "renewTime", ""),
                     .transitions = field_or<int>(spec, "leaseTransitions", 0)};
}

// `body` with the record in it; what others keep in the Lease stays. Empty `body`: a new Lease.
std::string encode(const std::string& body, const api::ObjectKey& key, const LeaseRecord& record,
                   bool is_new_holder) {
  json lease = body.empty()
                   ? json{{"apiVersion", "coordination.k8s.io/v1"},
                          {"kind", "Lease"},
                          {"metadata", {{"name", key.name}, {"namespace", key.namespace_name}}}}
                   : json::parse(body, nullptr, false);
  json spec = spec_of(lease);
  spec["holderIdentity"] = record.holder;
  spec["leaseDurationSeconds"] = record.duration.count();
  spec["renewTime"] = record.renew_time;
  spec["leaseTransitions"] = record.transitions;
  if (is_new_holder) spec["acquireTime"] = record.renew_time;
  lease["spec"] = std::move(spec);
  return lease.dump(-1, ' ', false, json::error_handler_t::replace);
}

seconds duration_of(const LeaseRecord& record, seconds fallback) {
  return record.duration > seconds::zero() ? record.duration : fallback;
}

}  // namespace

Result<void> validate(const ElectionTimes& times) {
  const auto longest_retry = times.retry * (1 + kRetryJitter);
  if (times.retry <= milliseconds::zero() || times.renew_deadline <= longest_retry ||
      times.lease <= times.renew_deadline) {
    return fail(
        ErrorCode::kInvalid,
        fmt::format("election times: want lease ({}) > renew deadline ({}) > {} * retry ({}) > 0",
                    format_duration(times.lease), format_duration(times.renew_deadline),
                    1 + kRetryJitter, format_duration(times.retry)));
  }
  return {};
}

LeaseStep next_step(const std::optional<LeaseObservation>& seen, std::string_view identity,
                    seconds fallback, MonotonicTime now) {
  if (!seen) return LeaseStep::kCreate;
  if (seen->record.holder == identity) return LeaseStep::kRenew;
  if (seen->record.holder.empty()) return LeaseStep::kTake;
  return now >= seen->since + duration_of(seen->record, fallback) ? LeaseStep::kTake
                                                                  : LeaseStep::kWait;
}

LeaderElector::LeaderElector(Client& client, const Clock& clock, Random& random,
                             ElectorOptions options, ElectionCallbacks callbacks)
    : client_(client),
      clock_(clock),
      random_(random),
      options_(std::move(options)),
      callbacks_(std::move(callbacks)) {}

LeaderElector::~LeaderElector() { stop(); }

Result<void> LeaderElector::start() {
  if (options_.identity.empty() || options_.lease.name.empty() ||
      options_.lease.namespace_name.empty()) {
    return fail(ErrorCode::kInvalid,
                "election: identity, lease namespace and lease name must be set");
  }
  if (const auto valid = validate(options_.times); !valid) return valid;
  thread_ = std::jthread([this](std::stop_token stop) { run(stop); });
  return {};
}

void LeaderElector::stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
}

bool LeaderElector::is_leader() const {
  return clock_.monotonic_now().time_since_epoch().count() < leads_until_;
}

std::string LeaderElector::holder() const {
  std::lock_guard lock(mutex_);
  return holder_;
}

void LeaderElector::run(std::stop_token stop) {
  do {
    if (leading_ && !is_leader()) stand_down("not renewed in time");
    const MonotonicTime begun = clock_.monotonic_now();
    const Result<bool> held = try_hold();
    if (held && *held) {
      const MonotonicTime until = begun + options_.times.renew_deadline;
      leads_until_ = until.time_since_epoch().count();
    } else if (held && leading_) {
      stand_down("the lease is gone or another's");
    }
    if (held.has_value() == failing_) {
      failing_ = !held;
      if (failing_) {
        log_warn("lease cannot be reached",
                 {{"lease", to_string(options_.lease)}, {"error", held.error()}});
      } else {
        log_info("lease is reached again", {{"lease", to_string(options_.lease)}});
      }
    }
    if (!leading_ && is_leader()) {
      leading_ = true;
      log_info("started leading",
               {{"lease", to_string(options_.lease)}, {"identity", options_.identity}});
      if (callbacks_.on_started_leading) callbacks_.on_started_leading();
    }
  } while (sleep_for(clock_, pause(), stop));
  if (leading_) stand_down("stopping");
  if (seen_ && seen_->record.holder == options_.identity) release();
}

LeaseStep LeaderElector::next() const {
  return next_step(seen_, options_.identity, options_.times.lease, clock_.monotonic_now());
}

Result<bool> LeaderElector::try_hold() {
  // Our own lease and one that ran out are written without a look: the server refuses that if the
  // Lease is not what we last saw.
  if (!seen_ || in_doubt_ || next() == LeaseStep::kWait) {
    if (const auto observed = observe(); !observed) return tl::unexpected(observed.error());
  }
  const LeaseStep step = next();
  if (step == LeaseStep::kWait) return false;
  const auto written = write(step);
  if (written) return true;
  const ErrorCode code = written.error().code;
  const bool lost_race = code == ErrorCode::kConflict || code == ErrorCode::kAlreadyExists ||
                         code == ErrorCode::kNotFound;
  if (!lost_race) return tl::unexpected(written.error());
  if (const auto observed = observe(); !observed) return tl::unexpected(observed.error());
  // Someone else may have edited the Lease without taking it: that is no reason to stand down.
  if (seen_ && seen_->record.holder == options_.identity) return tl::unexpected(written.error());
  // Nor to leave a lease that ran out.
  if (step != LeaseStep::kTake || next() != LeaseStep::kTake) return false;
  return write(LeaseStep::kTake).map([] { return true; });
}

Result<void> LeaderElector::observe() {
  const Result<std::string> body = client_.get(kLeases, options_.lease);
  if (!body && body.error().code == ErrorCode::kNotFound) {
    seen_.reset();
    body_.clear();
    in_doubt_ = false;
    return {};
  }
  if (!body) return tl::unexpected(body.error());
  return adopt(*body);
}

Result<void> LeaderElector::adopt(const std::string& body) {
  Result<LeaseRecord> record = decode(body);
  if (!record) return tl::unexpected(record.error());
  body_ = body;
  in_doubt_ = false;
  if (seen_ && seen_->record == *record) return {};
  if (!seen_ || seen_->record.holder != record->holder) {
    if (!record->holder.empty()) {
      log_info("lease holder", {{"lease", to_string(options_.lease)}, {"holder", record->holder}});
    }
    std::lock_guard lock(mutex_);
    holder_ = record->holder;
  }
  seen_ = LeaseObservation{*std::move(record), clock_.monotonic_now()};
  return {};
}

Result<void> LeaderElector::write(LeaseStep step) {
  const bool is_new_holder = step != LeaseStep::kRenew;
  const int transitions = seen_ ? seen_->record.transitions : 0;
  const LeaseRecord record{.holder = options_.identity,
                           .duration = options_.times.lease,
                           .renew_time = format_rfc3339_micro(clock_.wall_now()),
                           .transitions = transitions + (step == LeaseStep::kTake ? 1 : 0)};
  const std::string wanted = encode(body_, options_.lease, record, is_new_holder);
  const Result<std::string> body =
      step == LeaseStep::kCreate ? client_.create(kLeases, options_.lease.namespace_name, wanted)
                                 : client_.update(kLeases, options_.lease, wanted);
  in_doubt_ = true;  // Unless the answer says what the server has now.
  if (!body) return tl::unexpected(body.error());
  return adopt(*body);
}

void LeaderElector::stand_down(std::string_view why) {
  leads_until_ = 0;
  leading_ = false;
  log_warn("stopped leading", {{"lease", to_string(options_.lease)}, {"why", why}});
  if (callbacks_.on_stopped_leading) callbacks_.on_stopped_leading();
}

void LeaderElector::release() {
  // Two tries: someone may have edited the Lease since.
  for (int i = 0; i < 2; ++i) {
    if (const auto observed = in_doubt_ ? observe() : Result<void>(); !observed) return;
    if (!seen_ || seen_->record.holder != options_.identity) return;
    LeaseRecord record = seen_->record;
    record.holder.clear();
    record.duration = seconds(1);  // The API wants more than 0.
    record.renew_time = format_rfc3339_micro(clock_.wall_now());
    const auto written =
        client_.update(kLeases, options_.lease, encode(body_, options_.lease, record, true));
    if (written) {
      static_cast<void>(adopt(*written));
      return;
    }
    in_doubt_ = true;
  }
}

milliseconds LeaderElector::pause() {
  const MonotonicTime now = clock_.monotonic_now();
  auto pause = std::chrono::duration_cast<milliseconds>(options_.times.retry *
                                                        (1 + kRetryJitter * random_.uniform()));
  if (leading_) {
    const milliseconds left = MonotonicTime(milliseconds(leads_until_)) - now;
    if (left > milliseconds::zero()) pause = std::min(pause, left);
  } else if (next() == LeaseStep::kWait) {
    pause = pause_beside_a_holder(now - seen_->since, pause);
  }
  return std::max(pause, milliseconds(1));
}

// A takeover is late by as much as the last renewal was seen late. So a candidate keeps in step
// with the holder: it looks when a renewal may have come at the earliest, and then more often until
// it has. Once the holder is missing nothing is gained by that, and shortly before the end of the
// lease a look could only delay the takeover.
milliseconds LeaderElector::pause_beside_a_holder(milliseconds age, milliseconds usual) const {
  const milliseconds retry = options_.times.retry;
  const milliseconds left = duration_of(seen_->record, options_.times.lease) - age;
  if (left < 2 * retry) return left;
  if (age < retry) return retry - age;
  return age < 2 * retry ? retry * 3 / 10 : usual;
}

}  // namespace scalableapp::kube
