// What kafka.cc and kafka_client.cc share of librdkafka. Only for them.
#pragma once

#include <librdkafka/rdkafka.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "operator/base/result.h"
#include "workload/jobs/transport.h"

namespace scalableapp::workload {

constexpr int kKafkaTimeoutMillis = 5000;

struct KafkaDestroy {
  void operator()(rd_kafka_t* handle) const { rd_kafka_destroy(handle); }
  void operator()(rd_kafka_topic_partition_list_t* list) const { rd_kafka_topic_partition_list_destroy(list); }
  void operator()(rd_kafka_message_t* message) const { rd_kafka_message_destroy(message); }
  void operator()(rd_kafka_topic_t* topic) const { rd_kafka_topic_destroy(topic); }
  void operator()(const rd_kafka_metadata_t* metadata) const { rd_kafka_metadata_destroy(metadata); }
};
template <typename T>
using KafkaPtr = std::unique_ptr<T, KafkaDestroy>;

inline tl::unexpected<Error> kafka_error(rd_kafka_resp_err_t error, const std::string& what) {
  const bool timed_out = error == RD_KAFKA_RESP_ERR__TIMED_OUT || error == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT;
  return fail(timed_out ? ErrorCode::kTimeout : ErrorCode::kUnavailable,
              "kafka: " + what + ": " + rd_kafka_err2str(error));
}

// `prepare` sets callbacks. kInvalid: librdkafka refuses a setting.
template <typename Prepare>
Result<rd_kafka_t*> make_kafka_handle(rd_kafka_type_t type,
                                      const std::vector<std::pair<const char*, std::string>>& settings,
                                      Prepare prepare) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  char why[256] = "";
  for (const auto& [name, value] : settings) {
    if (rd_kafka_conf_set(conf, name, value.c_str(), why, sizeof why) != RD_KAFKA_CONF_OK) {
      rd_kafka_conf_destroy(conf);
      return fail(ErrorCode::kInvalid, std::string("kafka: ") + why);
    }
  }
  prepare(conf);
  rd_kafka_t* handle = rd_kafka_new(type, conf, why, sizeof why);  // Owns conf from now on.
  if (handle == nullptr) {
    rd_kafka_conf_destroy(conf);
    return fail(ErrorCode::kInvalid, std::string("kafka: ") + why);
  }
  return handle;
}

// What a handle of the group's id that is in no group sees of the queue (kafka_backlog.cc).
Result<Backlog> read_kafka_backlog(rd_kafka_t* looker, const std::string& queue);

}  // namespace scalableapp::workload
