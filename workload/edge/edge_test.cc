#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "workload/edge/exporter.h"
#include "workload/edge/log_line.h"
#include "workload/testing/eventually.h"
#include "workload/testing/http_probe.h"
#include "workload/testing/process.h"

namespace scalableapp::workload {
namespace {

TEST(LogLine, IsReadFromBehindTheSyslogHeader) {
  const auto request = parse_log_line(
      R"(<190>Nov 25 07:00:00 edge: {"status":200,"cache":"HIT","upstream":"","seconds":0.001})").value();
  EXPECT_EQ(request.status, 200);
  EXPECT_EQ(request.cache, "HIT");
  EXPECT_EQ(request.upstream, "");
  EXPECT_EQ(request.seconds, 0.001);
}

TEST(LogLine, OfSeveralUpstreamsTheLastAnswered) {
  EXPECT_EQ(parse_log_line(R"({"status":200,"cache":"","upstream":"10.0.0.1:80, 10.0.0.2:80","seconds":1})")
                .value().upstream,
            "10.0.0.2:80");
}

TEST(LogLine, WordsThatAreNotNginxsBecomeNoLabels) {
  EXPECT_EQ(parse_log_line(R"({"status":200,"cache":"x","seconds":1})").value().cache, "NONE");
  for (const char* line : {"", "edge: no json", "{", R"({"status":"200","seconds":1})", R"({"status":200})"}) {
    EXPECT_FALSE(parse_log_line(line)) << line;
  }
}

void send_line(int port, const std::string& line) {
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sendto(fd, line.data(), line.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
  close(fd);
}

TEST(EdgeExporter, CountsRequestsByWhatTheCacheDidAndByWhoAnswered) {
  const EdgeExporterOptions options{.address = "127.0.0.1",
                                    .admin_port = free_port(),
                                    .log_port = free_port(),
                                    .upstreams = "127.0.0.1:8080"};
  std::stop_source stop;
  std::jthread exporter([&] { EXPECT_TRUE(run_edge_exporter(options, stop.get_token())); });
  ASSERT_TRUE(eventually([&] { return http_get(options.admin_port, "/livez").status == 200; }));
  send_line(options.log_port, R"({"status":200,"cache":"HIT","upstream":"","seconds":0.001})");
  send_line(options.log_port, R"({"status":200,"cache":"MISS","upstream":"127.0.0.1:8080","seconds":0.02})");
  send_line(options.log_port, "nonsense");
  const auto counted = [&](const std::string& name) { return metric(options.admin_port, name); };
  EXPECT_TRUE(eventually([&] { return counted("edge_log_lines_malformed_total") == 1; }));
  EXPECT_EQ(counted(R"(edge_requests_total{cache="HIT",code="2xx"})"), 1);
  EXPECT_EQ(counted(R"(edge_upstream_requests_total{upstream="127.0.0.1:8080"})"), 1);
  stop.request_stop();
}

}  // namespace
}  // namespace scalableapp::workload
