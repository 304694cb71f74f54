#include "workload/jobs/kafka.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <deque>
#include <unordered_map>

#include "workload/common/instant.h"
#include "workload/jobs/kafka_handle.h"

namespace scalableapp::workload {
namespace {

constexpr long long kRemembered = 20'000;  // Ids of each partition.
// The longest job, which the worker's flags bound; a consumer that is silent for longer is thrown out.
constexpr const char* kLongestJobMillis = "900000";

std::optional<long long> number_header(const rd_kafka_headers_t* headers, const char* name) {
  const void* value = nullptr;
  std::size_t size = 0;
  if (headers == nullptr || rd_kafka_header_get_last(headers, name, &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return std::nullopt;
  }
  long long number = 0;
  const auto* text = static_cast<const char*>(value);
  const auto [end, error] = std::from_chars(text, text + size, number);
  if (error != std::errc{} || end != text + size || number < 0) return std::nullopt;
  return number;
}

struct Arrived {
  ClaimedJob claimed;
  std::string topic;
  int partition = 0;
  long long offset = 0;
  WallTime due;
};

Arrived read_record(const rd_kafka_message_t& message) {
  rd_kafka_headers_t* headers = nullptr;
  rd_kafka_message_headers(&message, &headers);
  Arrived arrived{.topic = rd_kafka_topic_name(message.rkt), .partition = message.partition, .offset = message.offset};
  auto& job = arrived.claimed.job;
  job.id.assign(static_cast<const char*>(message.key), message.key_len);
  job.payload.assign(static_cast<const char*>(message.payload), std::min(message.len, kMaxJobPayloadBytes));
  const auto enqueued = number_header(headers, "enqueued");
  const auto attempts = number_header(headers, "attempts");
  if (job.id.empty() || job.id.size() > kMaxJobIdBytes) {
    arrived.claimed.why_malformed = fmt::format("key must have 1 to {} bytes", kMaxJobIdBytes);
    job.id = fmt::format("{}:{}", message.partition, message.offset);
  } else if (message.len > kMaxJobPayloadBytes) {
    arrived.claimed.why_malformed = fmt::format("value must have at most {} bytes", kMaxJobPayloadBytes);
  } else if (!enqueued || !attempts || *attempts > 1'000'000) {
    arrived.claimed.why_malformed = "headers enqueued and attempts must be whole numbers";
  }
  job.enqueued = WallTime(milliseconds(enqueued.value_or(0)));
  arrived.claimed.attempts = static_cast<int>(attempts.value_or(0));
  arrived.claimed.handle = fmt::format("{}/{}/{}", arrived.topic, arrived.partition, arrived.offset);
  arrived.due = WallTime(milliseconds(number_header(headers, "due").value_or(0)));
  return arrived;
}

// Where the ids of a partition were first seen, as far back as it goes.
class Remembered {
 public:
  // False if it was seen at an earlier offset.
  bool add(const std::string& id, long long offset) {
    const auto [found, is_new] = first_.try_emplace(id, offset);
    if (!is_new) return found->second == offset;
    order_.push_back(id);
    if (std::ssize(order_) > kRemembered) {
      first_.erase(order_.front());
      order_.pop_front();
    }
    return true;
  }

 private:
  std::unordered_map<std::string, long long> first_;
  std::deque<std::string> order_;
};

struct Partition {
  long long begins = 0;         // What is before was done by others and is read for its ids only.
  Remembered ids;               // Of QUEUE; QUEUE.retry has the same ids again.
  std::optional<Arrived> held;  // Not due yet; the partition is paused.
};

class KafkaQueue final : public JobTransport {
 public:
  KafkaQueue(KafkaClient& client, std::string queue) : client_(client), queue_(std::move(queue)) {}
  ~KafkaQueue() override { close(); }

  Result<bool> put(const Job& job) override {
    if (job.id.empty() || job.id.size() > kMaxJobIdBytes) {
      return fail(ErrorCode::kInvalid, fmt::format("id of a job must have 1 to {} bytes", kMaxJobIdBytes));
    }
    if (job.payload.size() > kMaxJobPayloadBytes) {
      return fail(ErrorCode::kInvalid, fmt::format("payload of a job must have at most {} bytes", kMaxJobPayloadBytes));
    }
    if (client_.last_length(queue_) >= client_.options().max_length) {
      return tl::unexpected(Error{ErrorCode::kTooManyRequests,
                                  fmt::format("queue {} holds {} jobs already", queue_, client_.options().max_length),
                                  seconds(5)});
    }
    return client_.write({.topic = queue_, .job = job}).map([] { return true; });
  }

  Result<std::optional<ClaimedJob>> claim(const std::string& consumer, milliseconds wait) override {
    if (consumer_ == nullptr) {
      if (auto subscribed = subscribe(consumer); !subscribed) return tl::unexpected(subscribed.error());
    }
    const Instant give_up = instant_now() + wait;
    do {
      if (current_) return current_->claimed;  // Given back, or its end failed.
      if (take_due()) continue;
      const auto left = std::chrono::duration_cast<milliseconds>(give_up - instant_now());
      const KafkaPtr<rd_kafka_message_t> message(rd_kafka_consumer_poll(
          consumer_.get(), static_cast<int>(std::clamp(left, milliseconds(0), milliseconds(100)).count())));
      if (message == nullptr || message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (message != nullptr && rd_kafka_fatal_error(consumer_.get(), nullptr, 0) != RD_KAFKA_RESP_ERR_NO_ERROR) {
          close();
          return kafka_error(message->err, "claim");
        }
        continue;  // Nothing yet, or what librdkafka mends by itself, as a topic that is not there yet.
      }
      if (auto taken = take(read_record(*message)); !taken) return tl::unexpected(taken.error());
    } while (current_ || instant_now() < give_up);
    return std::nullopt;
  }

  Result<bool> done(const ClaimedJob& job, const std::optional<NextStage>& next) override {
    if (!next) return end(job, std::nullopt);
    if (next->payload.size() > kMaxJobPayloadBytes) {
      return fail(ErrorCode::kInvalid,
                  fmt::format("payload for {} must have at most {} bytes", next->queue, kMaxJobPayloadBytes));
    }
    return end(job, KafkaRecord{.topic = next->queue, .job = {job.job.id, next->payload, job.job.enqueued}});
  }
  Result<bool> retry_later(const ClaimedJob& job, milliseconds delay) override {
    return end(
        job, KafkaRecord{
                 .topic = queue_ + ".retry", .job = job.job, .attempts = job.attempts + 1, .due = wall_now() + delay});
  }
  Result<bool> bury(const ClaimedJob& job, const std::string& why) override {
    return end(
        job,
        KafkaRecord{.topic = queue_ + ".dead", .job = job.job, .attempts = job.attempts, .why = why.substr(0, 1000)});
  }
  // It is still the current one, which the next claim returns, or another consumer's once this one has left.
  Result<bool> give_back(const ClaimedJob& job) override { return is_current(job); }

  // librdkafka's own thread tells the broker that the consumer is alive.
  Result<void> renew(const std::string&) override { return {}; }
  Result<void> leave(const std::string&) override {
    close();
    return {};
  }
  Result<void> keep_up() override { return {}; }

  Result<Backlog> backlog() override;

 private:
  using Place = std::pair<std::string, int>;

  Result<void> subscribe(const std::string& consumer);
  static void on_rebalance(rd_kafka_t* handle, rd_kafka_resp_err_t what, rd_kafka_topic_partition_list_t* list,
                           void* self);
  void assigned(rd_kafka_topic_partition_list_t& list);
  void close();

  bool is_current(const ClaimedJob& job) const { return current_ && current_->claimed.handle == job.handle; }

  // A record becomes the current job, unless it is one of those before, known, or not due.
  Result<void> take(Arrived arrived) {
    const auto found = partitions_.find({arrived.topic, arrived.partition});
    if (found == partitions_.end()) return {};
    auto& partition = found->second;
    if (arrived.topic == queue_) {
      const bool is_new = partition.ids.add(arrived.claimed.job.id, arrived.offset);
      if (arrived.offset < partition.begins) return {};
      if (!is_new) return commit(arrived).map([](bool) {});
    } else if (arrived.due > wall_now()) {
      set_paused(arrived, true);
      partition.held = std::move(arrived);
      return {};
    }
    current_ = std::move(arrived);
    return {};
  }

  bool take_due() {
    for (auto& [place, partition] : partitions_) {
      if (!partition.held || partition.held->due > wall_now()) continue;
      current_ = std::move(partition.held);
      partition.held.reset();
      set_paused(*current_, false);
      return true;
    }
    return false;
  }

  void set_paused(const Arrived& arrived, bool paused) {
    const KafkaPtr<rd_kafka_topic_partition_list_t> list(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_list_add(list.get(), arrived.topic.c_str(), arrived.partition);
    if (paused) {
      rd_kafka_pause_partitions(consumer_.get(), list.get());
    } else {
      rd_kafka_resume_partitions(consumer_.get(), list.get());
    }
  }

  // First what became of the job, then that it has ended.
  Result<bool> end(const ClaimedJob& job, const std::optional<KafkaRecord>& record) {
    if (!is_current(job)) return false;
    if (record) {
      if (auto written = client_.write(*record); !written) return tl::unexpected(written.error());
    }
    auto committed = commit(*current_);
    if (committed) current_.reset();
    return committed;
  }

  // False if the partition is another consumer's by now.
  Result<bool> commit(const Arrived& arrived) {
    const KafkaPtr<rd_kafka_topic_partition_list_t> list(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_list_add(list.get(), arrived.topic.c_str(), arrived.partition)->offset =
        arrived.offset + 1;
    const auto error = rd_kafka_commit(consumer_.get(), list.get(), 0);
    switch (error) {
      case RD_KAFKA_RESP_ERR_NO_ERROR:
        return true;
      case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:
      case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
      case RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
        return false;
      default:
        return kafka_error(error, "commit of " + arrived.topic);
    }
  }

  KafkaClient& client_;
  const std::string queue_;
  KafkaPtr<rd_kafka_t> consumer_;  // From the first claim on.
  KafkaPtr<rd_kafka_t> looker_;    // From the first backlog on; in no group.
  std::map<Place, Partition> partitions_;
  std::optional<Arrived> current_;
};

std::vector<std::pair<const char*, std::string>> consumer_settings(const KafkaOptions& options,
                                                                   const std::string& queue) {
  return {{"bootstrap.servers", options.brokers}, {"group.id", queue + ".workers"},  {"enable.auto.commit", "false"},
          {"enable.auto.offset.store", "false"},  {"auto.offset.reset", "earliest"}, {"log_level", "2"}};
}

Result<void> KafkaQueue::subscribe(const std::string& consumer) {
  auto settings = consumer_settings(client_.options(), queue_);
  settings.insert(
      settings.end(),
      {{"client.id", consumer},
       {"allow.auto.create.topics", "true"},
       {"topic.metadata.refresh.interval.ms", "1000"},
       {"session.timeout.ms", fmt::format("{}", std::max(client_.options().dead_after, milliseconds(6000)).count())},
       {"heartbeat.interval.ms", "1000"},
       {"max.poll.interval.ms", kLongestJobMillis}});
  const auto handle = make_kafka_handle(RD_KAFKA_CONSUMER, settings, [this](rd_kafka_conf_t* conf) {
    rd_kafka_conf_set_opaque(conf, this);
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
  });
  if (!handle) return tl::unexpected(handle.error());
  consumer_.reset(*handle);
  rd_kafka_poll_set_consumer(consumer_.get());
  const KafkaPtr<rd_kafka_topic_partition_list_t> topics(rd_kafka_topic_partition_list_new(2));
  rd_kafka_topic_partition_list_add(topics.get(), queue_.c_str(), RD_KAFKA_PARTITION_UA);
  rd_kafka_topic_partition_list_add(topics.get(), (queue_ + ".retry").c_str(), RD_KAFKA_PARTITION_UA);
  const auto error = rd_kafka_subscribe(consumer_.get(), topics.get());
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return kafka_error(error, "subscribe to " + queue_);
  return {};
}

void KafkaQueue::on_rebalance(rd_kafka_t* handle, rd_kafka_resp_err_t what, rd_kafka_topic_partition_list_t* list,
                              void* self) {
  auto& queue = *static_cast<KafkaQueue*>(self);
  queue.partitions_.clear();
  queue.current_.reset();
  if (what == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
    queue.assigned(*list);
    rd_kafka_assign(handle, list);
  } else {
    rd_kafka_assign(handle, nullptr);
  }
}

// Begins each partition a bit before where the group is, for the ids.
void KafkaQueue::assigned(rd_kafka_topic_partition_list_t& list) {
  const auto error = rd_kafka_committed(consumer_.get(), &list, kKafkaTimeoutMillis);
  for (int index = 0; index < list.cnt; ++index) {
    auto& entry = list.elems[index];
    auto& partition = partitions_[{entry.topic, entry.partition}];
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR || entry.offset < 0) {
      entry.offset = RD_KAFKA_OFFSET_STORED;  // The broker knows, or it is the beginning.
      continue;
    }
    partition.begins = entry.offset;
    if (entry.topic == queue_) entry.offset = std::max(0LL, partition.begins - kRemembered);
  }
}

Result<Backlog> KafkaQueue::backlog() {
  if (looker_ == nullptr) {
    auto settings = consumer_settings(client_.options(), queue_);
    // It wants one record of each partition, now.
    settings.insert(settings.end(),
                    {{"fetch.wait.max.ms", "20"}, {"queued.min.messages", "1"}, {"fetch.message.max.bytes", "32768"}});
    const auto handle = make_kafka_handle(RD_KAFKA_CONSUMER, settings, [](rd_kafka_conf_t*) {});
    if (!handle) return tl::unexpected(handle.error());
    looker_.reset(*handle);
    rd_kafka_poll_set_consumer(looker_.get());
  }
  auto backlog = read_kafka_backlog(looker_.get(), queue_);
  if (backlog) client_.saw_length(queue_, backlog->all());
  return backlog;
}

void KafkaQueue::close() {
  if (consumer_ != nullptr) rd_kafka_consumer_close(consumer_.get());
  consumer_.reset();
  partitions_.clear();
  current_.reset();
}

}  // namespace

std::unique_ptr<JobTransport> open_kafka_queue(KafkaClient& client, const std::string& queue) {
  return std::make_unique<KafkaQueue>(client, queue);
}

}  // namespace scalableapp::workload
