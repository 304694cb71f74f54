#include "workload/testing/kafka_broker.h"

#include <fmt/format.h>

#include <cstdlib>
#include <fstream>

#include "workload/common/random_id.h"

namespace scalableapp::workload {
namespace {

constexpr const char* kSettings = R"(process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{0},CONTROLLER://127.0.0.1:{1}
controller.quorum.bootstrap.servers=127.0.0.1:{1}
controller.listener.names=CONTROLLER
log.dirs={2}/data
num.partitions=2
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
)";

}  // namespace

std::unique_ptr<KafkaBroker> KafkaBroker::start() {
  const char* const jars = std::getenv("SCALABLEAPP_TEST_KAFKA");
  const std::string java = find_on_path("java");
  if (jars == nullptr || java.empty()) return nullptr;
  auto broker = std::make_unique<KafkaBroker>();
  broker->directory_ = std::filesystem::temp_directory_path() / ("kafka-" + random_id());
  std::filesystem::create_directory(broker->directory_);
  broker->port_ = free_port();
  const std::string settings = broker->directory_ / "server.properties";
  std::ofstream(settings) << fmt::format(kSettings, broker->port_, free_port(), broker->directory_.string());
  const std::vector<std::string> run = {java, "-Xmx384m", "-XX:TieredStopAtLevel=1", "-cp", std::string(jars) + "/*"};
  auto format = run;
  format.insert(format.end(),
                {"kafka.tools.StorageTool", "format", "--standalone", "-t", "AAAAAAAAAAAAAAAAAAAAAQ", "-c", settings});
  if (Process(format).wait() != 0) std::abort();
  auto serve = run;
  serve.insert(serve.end(), {"kafka.Kafka", settings});
  broker->process_.emplace(serve);
  return broker;
}

KafkaBroker::~KafkaBroker() {
  process_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

std::string KafkaBroker::address() const { return fmt::format("127.0.0.1:{}", port_); }

}  // namespace scalableapp::workload
