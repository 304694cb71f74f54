#include "workload/edge/exporter.h"

#include <fmt/format.h>
#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <map>
#include <thread>

#include "operator/platform/log.h"
#include "workload/common/http_server.h"
#include "workload/common/metrics_page.h"
#include "workload/common/stop.h"
#include "workload/edge/log_line.h"

namespace scalableapp::workload {
namespace {

namespace asio = boost::asio;
using asio::ip::udp;
using boost::system::error_code;

// "10.96.0.7:80" -> "web:80", of those names that have an address now.
Result<std::map<std::string, std::string>> names_of(const std::string& upstreams) {
  std::map<std::string, std::string> names;
  asio::io_context io;
  asio::ip::tcp::resolver resolver(io);
  std::string_view rest = upstreams;
  while (!rest.empty()) {
    const std::string name(rest.substr(0, rest.find(',')));
    rest.remove_prefix(std::min(name.size() + 1, rest.size()));
    const auto server = parse_host_port(name.find(':') == name.npos ? name + ":80" : name, "upstreams");
    if (!server) return tl::unexpected(server.error());
    error_code error;
    for (const auto& found : resolver.resolve(server->host, fmt::format("{}", server->port), error)) {
      const auto endpoint = found.endpoint();
      names[fmt::format("{}:{}", endpoint.address().to_string(), endpoint.port())] = name;
    }
    if (error) log_warn("an upstream has no address", {{"upstream", name}, {"error", error.message()}});
  }
  return names;
}

class Counters {
 public:
  Counters(prometheus::Registry& registry, std::map<std::string, std::string> names)
      : names_(std::move(names)),
        requests_(prometheus::BuildCounter()
                      .Name("edge_requests_total")
                      .Help("Requests answered, by what the cache did.")
                      .Register(registry)),
        durations_(prometheus::BuildHistogram()
                       .Name("edge_request_duration_seconds")
                       .Help("From the first byte of the request to the last of the answer.")
                       .Register(registry)),
        upstreams_(prometheus::BuildCounter()
                       .Name("edge_upstream_requests_total")
                       .Help("Requests that went on, by who answered.")
                       .Register(registry)),
        malformed_(prometheus::BuildCounter()
                       .Name("edge_log_lines_malformed_total")
                       .Help("Lines that are not of nginx' format.")
                       .Register(registry)
                       .Add({})) {}

  void count(std::string_view line) {
    const auto request = parse_log_line(line);
    if (!request) return malformed_.Increment();
    requests_.Add({{"cache", request->cache}, {"code", fmt::format("{}xx", request->status / 100 % 10)}}).Increment();
    durations_.Add({{"cache", request->cache}}, latency_buckets()).Observe(request->seconds);
    if (request->upstream.empty()) return;
    const auto known = names_.find(request->upstream);
    upstreams_.Add({{"upstream", known == names_.end() ? "other" : known->second}}).Increment();
  }

 private:
  const std::map<std::string, std::string> names_;
  prometheus::Family<prometheus::Counter>& requests_;
  prometheus::Family<prometheus::Histogram>& durations_;
  prometheus::Family<prometheus::Counter>& upstreams_;
  prometheus::Counter& malformed_;
};

// Receives until its socket is closed.
class LogReceiver {
 public:
  explicit LogReceiver(Counters& counters) : counters_(counters), socket_(io_) {}
  ~LogReceiver() {
    io_.stop();
    thread_ = {};
  }

  Result<void> open(int port) {
    error_code error;
    socket_.open(udp::v4(), error);
    // A spike's lines wait here.
    if (!error) socket_.set_option(asio::socket_base::receive_buffer_size(1 << 20), error);
    if (!error) {
      socket_.bind({asio::ip::address_v4::loopback(), static_cast<unsigned short>(port)}, error);
    }
    if (error) {
      return fail(ErrorCode::kUnavailable, fmt::format("--log-port={}: cannot listen: {}", port, error.message()));
    }
    receive();
    thread_ = std::jthread([this] { io_.run(); });
    return {};
  }

 private:
  void receive() {
    socket_.async_receive(asio::buffer(buffer_), [this](error_code error, std::size_t size) {
      if (error == asio::error::operation_aborted) return;
      if (!error) counters_.count({buffer_.data(), size});
      receive();
    });
  }

  Counters& counters_;
  asio::io_context io_{1};
  udp::socket socket_;
  std::array<char, 4096> buffer_{};
  std::jthread thread_;
};

}  // namespace

FlagSet edge_exporter_flags(EdgeExporterOptions& options) {
  FlagSet flags;
  flags.text(options.address, "address", "Address of the admin port.");
  flags.number(options.admin_port, "admin-port", "Port of /metrics and /livez; 0: any.", 0, 65535);
  flags.number(options.log_port, "log-port", "UDP port on loopback that nginx writes its log to.", 1, 65535);
  flags.text(options.upstreams, "upstreams", "Whom nginx asks, HOST[:PORT], comma-separated: labels of a metric.");
  return flags;
}

Result<void> run_edge_exporter(const EdgeExporterOptions& options, std::stop_token stop) {
  auto names = names_of(options.upstreams);
  if (!names) return tl::unexpected(names.error());
  MetricsPage page;
  Counters counters(page.registry(), std::move(*names));
  LogReceiver receiver(counters);
  if (auto opened = receiver.open(options.log_port); !opened) return opened;
  const auto admin = HttpServer::start(
      {.address = options.address, .port = options.admin_port, .port_flag = "admin-port", .max_connections = 64},
      [&](const HttpRequest& request, const Respond& respond) {
        if (request.path == "/metrics") return respond({200, page.render(), kMetricsContentType});
        if (request.path == "/livez") return respond({200, "ok\n", "text/plain"});
        respond(error_response(404, "use /metrics or /livez"));
      });
  if (!admin) return tl::unexpected(admin.error());
  log_info("counting", {{"log_port", options.log_port}, {"admin_port", (*admin)->port()}});
  wait_until_stopped(stop);
  return {};
}

}  // namespace scalableapp::workload
