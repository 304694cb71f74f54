#include <algorithm>

#include "workload/common/instant.h"
#include "workload/jobs/kafka_handle.h"

namespace scalableapp::workload {
namespace {

constexpr milliseconds kFirstRecordsWait{300};
constexpr int kAskTimeoutMillis = 2000;

struct Part {
  int number = 0;
  std::int64_t begin = 0;      // Of what the broker still has.
  std::int64_t committed = 0;  // What is before is done.
  std::int64_t end = 0;
};

Result<int> count_partitions(rd_kafka_t* looker, const std::string& topic) {
  const KafkaPtr<rd_kafka_topic_t> handle(rd_kafka_topic_new(looker, topic.c_str(), nullptr));
  const rd_kafka_metadata_t* raw = nullptr;
  const auto error = rd_kafka_metadata(looker, 0, handle.get(), &raw, kAskTimeoutMillis);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return kafka_error(error, "metadata of " + topic);
  const KafkaPtr<const rd_kafka_metadata_t> metadata(raw);
  if (metadata->topic_cnt != 1 || metadata->topics[0].err != RD_KAFKA_RESP_ERR_NO_ERROR) return 0;  // Not made yet.
  return metadata->topics[0].partition_cnt;
}

Result<std::vector<Part>> read_parts(rd_kafka_t* looker, const std::string& topic) {
  const auto count = count_partitions(looker, topic);
  if (!count) return tl::unexpected(count.error());
  if (*count == 0) return {};
  const KafkaPtr<rd_kafka_topic_partition_list_t> list(rd_kafka_topic_partition_list_new(*count));
  for (int number = 0; number < *count; ++number) rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), number);
  const auto asked = rd_kafka_committed(looker, list.get(), kAskTimeoutMillis);
  if (asked != RD_KAFKA_RESP_ERR_NO_ERROR) return kafka_error(asked, "offsets of " + topic);
  std::vector<Part> parts;
  for (int number = 0; number < *count; ++number) {
    Part part{.number = number};
    const auto error =
        rd_kafka_query_watermark_offsets(looker, topic.c_str(), number, &part.begin, &part.end, kAskTimeoutMillis);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return kafka_error(error, "length of " + topic);
    part.committed = std::clamp(list->elems[number].offset, part.begin, std::max(part.begin, part.end));
    parts.push_back(part);
  }
  return parts;
}

// When the oldest of the records that wait was written; now, if there is none or it cannot be had in time.
WallTime oldest(rd_kafka_t* looker, const std::string& topic, const std::vector<Part>& parts) {
  const KafkaPtr<rd_kafka_topic_partition_list_t> list(rd_kafka_topic_partition_list_new(1));
  for (const auto& part : parts) {
    if (part.end == part.committed) continue;
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), part.number)->offset = part.committed;
  }
  WallTime first = wall_now();
  if (list->cnt == 0) return first;
  rd_kafka_assign(looker, list.get());
  std::vector<bool> seen(parts.size());
  const Instant give_up = instant_now() + kFirstRecordsWait;
  for (int left = list->cnt; left > 0 && instant_now() < give_up;) {
    const KafkaPtr<rd_kafka_message_t> message(rd_kafka_consumer_poll(looker, 20));
    if (message == nullptr || message->err != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    const auto number = static_cast<std::size_t>(message->partition);
    if (number >= seen.size() || seen[number]) continue;
    seen[number] = true;
    --left;
    rd_kafka_timestamp_type_t type{};
    const auto written = rd_kafka_message_timestamp(message.get(), &type);
    if (type != RD_KAFKA_TIMESTAMP_NOT_AVAILABLE) first = std::min(first, WallTime(milliseconds(written)));
  }
  rd_kafka_assign(looker, nullptr);
  return first;
}

}  // namespace

Result<Backlog> read_kafka_backlog(rd_kafka_t* looker, const std::string& queue) {
  const auto jobs = read_parts(looker, queue);
  if (!jobs) return tl::unexpected(jobs.error());
  const auto failed = read_parts(looker, queue + ".retry");
  if (!failed) return tl::unexpected(failed.error());
  Backlog backlog;
  for (const auto& part : *jobs) {
    backlog.waiting += part.end - part.committed;
    backlog.finished += part.committed;
  }
  // A job that failed is one more record to be worked on, and no job more.
  for (const auto& part : *failed) {
    backlog.delayed += part.end - part.committed;
    backlog.finished += part.committed - part.end;
  }
  const std::chrono::duration<double> age = wall_now() - oldest(looker, queue, *jobs);
  backlog.oldest_age_seconds = std::max(0.0, age.count());
  if (backlog.waiting == 0) backlog.oldest_age_seconds = 0;
  return backlog;
}

}  // namespace scalableapp::workload
