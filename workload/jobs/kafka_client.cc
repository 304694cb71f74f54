#include <fmt/format.h>

#include <condition_variable>

#include "workload/jobs/kafka.h"
#include "workload/jobs/kafka_handle.h"

namespace scalableapp::workload {
namespace {

// How long a caller waits for the broker to have a record, tries on other connections included.
constexpr const char* kWriteTimeoutMillis = "3000";

// A record on its way; lives on the stack of its writer, who waits until librdkafka has told of it.
struct Delivery {
  std::mutex mutex;
  std::condition_variable told;
  std::optional<rd_kafka_resp_err_t> outcome;
};

void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void*) {
  auto& delivery = *static_cast<Delivery*>(message->_private);
  const std::lock_guard lock(delivery.mutex);
  delivery.outcome = message->err;
  delivery.told.notify_one();  // With the lock held: the writer may be gone right after.
}

}  // namespace

void KafkaClient::Free::operator()(rd_kafka_s* handle) const {
  rd_kafka_flush(handle, kKafkaTimeoutMillis);
  rd_kafka_destroy(handle);
}

KafkaClient::KafkaClient(const KafkaOptions& options, rd_kafka_s* producer)
    : options_(options), producer_(producer), poller_([this](const std::stop_token& stop) {
        while (!stop.stop_requested()) rd_kafka_poll(producer_.get(), 100);
      }) {}

KafkaClient::~KafkaClient() = default;

Result<std::unique_ptr<KafkaClient>> KafkaClient::open(const KafkaOptions& options) {
  const auto producer = make_kafka_handle(
      RD_KAFKA_PRODUCER,
      {{"bootstrap.servers", options.brokers},
       {"enable.idempotence", "true"},  // A record whose answer got lost is sent again and written once.
       {"linger.ms", "0"},
       {"message.timeout.ms", kWriteTimeoutMillis},
       {"log_level", "2"}},
      [](rd_kafka_conf_t* conf) { rd_kafka_conf_set_dr_msg_cb(conf, on_delivery); });
  if (!producer) return tl::unexpected(producer.error());
  return std::unique_ptr<KafkaClient>(new KafkaClient(options, *producer));
}

Result<void> KafkaClient::write(const KafkaRecord& record) {
  Delivery delivery;
  const auto enqueued = fmt::format("{}", record.job.enqueued.time_since_epoch().count());
  const auto attempts = fmt::format("{}", record.attempts);
  const auto due = record.due ? fmt::format("{}", record.due->time_since_epoch().count()) : "";
  rd_kafka_headers_t* headers = rd_kafka_headers_new(4);
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) rd_kafka_header_add(headers, name, -1, value.data(), std::ssize(value));
  };
  add("enqueued", enqueued);
  add("attempts", attempts);
  add("due", due);
  add("why", record.why);
  auto* const payload = const_cast<char*>(record.job.payload.data());  // RD_KAFKA_MSG_F_COPY: it is only read.
  auto* const id = const_cast<char*>(record.job.id.data());
  const rd_kafka_vu_t parts[] = {{.vtype = RD_KAFKA_VTYPE_TOPIC, .u = {.cstr = record.topic.c_str()}},
                                 {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u = {.i = RD_KAFKA_MSG_F_COPY}},
                                 {.vtype = RD_KAFKA_VTYPE_KEY, .u = {.mem = {id, record.job.id.size()}}},
                                 {.vtype = RD_KAFKA_VTYPE_VALUE, .u = {.mem = {payload, record.job.payload.size()}}},
                                 {.vtype = RD_KAFKA_VTYPE_HEADERS, .u = {.headers = headers}},
                                 {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u = {.ptr = &delivery}}};
  if (rd_kafka_error_t* const refused = rd_kafka_produceva(producer_.get(), parts, std::size(parts))) {
    const auto error = rd_kafka_error_code(refused);
    rd_kafka_error_destroy(refused);
    rd_kafka_headers_destroy(headers);  // Still ours.
    return kafka_error(error, "write to " + record.topic);
  }
  std::unique_lock lock(delivery.mutex);
  delivery.told.wait(lock, [&] { return delivery.outcome.has_value(); });
  if (*delivery.outcome != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return kafka_error(*delivery.outcome, "write to " + record.topic);
  }
  return {};
}

void KafkaClient::saw_length(const std::string& queue, long long length) {
  const std::lock_guard lock(mutex_);
  lengths_[queue] = length;
}

long long KafkaClient::last_length(const std::string& queue) const {
  const std::lock_guard lock(mutex_);
  const auto found = lengths_.find(queue);
  return found == lengths_.end() ? -1 : found->second;
}

}  // namespace scalableapp::workload
