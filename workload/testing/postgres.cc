#include "workload/testing/postgres.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>

#include "workload/testing/eventually.h"

namespace scalableapp::workload {
namespace {

constexpr int kShards = 2;

// Where initdb, postgres and pg_basebackup are: the newest version that the machine has. Empty: none.
std::string find_programs() {
  if (const char* const told = std::getenv("SCALABLEAPP_TEST_POSTGRES_BIN")) return told;
  std::string newest;
  int newest_version = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/usr/lib/postgresql", error)) {
    const int version = std::atoi(entry.path().filename().c_str());
    const std::string programs = entry.path().string() + "/bin";
    if (version > newest_version && access((programs + "/postgres").c_str(), X_OK) == 0) {
      newest = programs;
      newest_version = version;
    }
  }
  return newest;
}

const std::string& programs() {
  static const std::string found = find_programs();
  return found;
}

// Who the servers run as when the tests run as root.
const passwd* server_user() {
  const passwd* const user = getpwnam("postgres");
  return user != nullptr ? user : getpwnam("nobody");
}

// The program as it must be started: as root, through setpriv, in the same process, so that it can be killed by its id.
// The capability lets the other user reach programs below a home that is root's alone.
std::vector<std::string> command(const std::string& program, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), programs() + "/" + program);
  if (geteuid() != 0) return arguments;
  const passwd* const user = server_user();
  const std::vector<std::string> as_user{"/usr/bin/setpriv",
                                         fmt::format("--reuid={}", user->pw_uid),
                                         fmt::format("--regid={}", user->pw_gid),
                                         "--clear-groups",
                                         "--inh-caps=+dac_override",
                                         "--ambient-caps=+dac_override",
                                         "--pdeathsig=KILL",
                                         "--"};
  arguments.insert(arguments.begin(), as_user.begin(), as_user.end());
  return arguments;
}

bool run_to_end(const std::string& program, std::vector<std::string> arguments) {
  return Process(command(program, std::move(arguments))).wait() == 0;
}

std::vector<std::string> settings(const std::string& data_directory, int port) {
  std::vector<std::string> arguments{"-D", data_directory, "-p", fmt::format("{}", port)};
  for (const char* setting :
       {"listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "full_page_writes=off",
        "shared_buffers=32MB", "max_connections=60", "autovacuum=off", "jit=off", "wal_keep_size=256MB",
        "wal_retrieve_retry_interval=100ms", "max_wal_size=1GB", "log_min_messages=fatal"}) {
    arguments.insert(arguments.end(), {"-c", setting});
  }
  return arguments;
}

void must(bool is_done, const std::string& what) {
  if (is_done) return;
  fmt::print(stderr, "{} failed\n", what);
  std::abort();
}

}  // namespace

PostgresServer::PostgresServer(std::string data_directory, int port)
    : data_directory_(std::move(data_directory)), port_(port) {
  connection_ = std::make_unique<DatabaseConnection>(ConnectionOptions{.server = {"127.0.0.1", port_},
                                                                       .user = "postgres",
                                                                       .database = "postgres",
                                                                       .connect_timeout = seconds(5),
                                                                       .statement_timeout = seconds(60)});
}

PostgresServer::~PostgresServer() { stop(); }

std::string PostgresServer::address() const { return fmt::format("127.0.0.1:{}", port_); }

void PostgresServer::start() {
  process_.emplace(command("postgres", settings(data_directory_, port_)));
  must(eventually([this] { return connection_->open().has_value(); }), address());
}

void PostgresServer::stop() {
  if (!process_) return;
  process_->send(SIGCONT);
  process_->send(SIGQUIT);  // Ends at once like SIGKILL, but takes its children and shared memory along.
  process_->wait();
  process_.reset();
}

std::vector<std::vector<Value>> PostgresServer::run(const std::string& sql, const Parameters& parameters) {
  if (!connection_->is_open()) must(connection_->open().has_value(), address());
  auto rows = connection_->run({{sql, parameters}});
  must(rows.has_value(), fmt::format("{}: {}", sql, rows ? "" : rows.error().message));
  return std::move(rows->front().values);
}

void PostgresServer::set_replay(bool is_on) {
  run(is_on ? "select pg_wal_replay_resume()" : "select pg_wal_replay_pause()");
  const std::string wanted = is_on ? "not paused" : "paused";
  must(eventually([&] { return run("select pg_get_wal_replay_pause_state()")[0][0] == wanted; }), "replay pause");
}

PostgresCluster* PostgresCluster::shared() {
  static const std::unique_ptr<PostgresCluster> cluster = why_none().empty() ? start() : nullptr;
  return cluster.get();
}

std::string PostgresCluster::why_none() {
  if (programs().empty()) return "no PostgreSQL in /usr/lib/postgresql";
  if (geteuid() != 0) return {};
  if (server_user() == nullptr) return "neither a user postgres nor nobody to run PostgreSQL as";
  if (!run_to_end("postgres", {"--version"})) return "setpriv cannot run PostgreSQL as another user here";
  return {};
}

std::unique_ptr<PostgresCluster> PostgresCluster::start() {
  std::string directory = (std::filesystem::temp_directory_path() / "postgres-test.XXXXXX").string();
  must(mkdtemp(directory.data()) != nullptr, directory);
  if (geteuid() == 0) must(chown(directory.c_str(), server_user()->pw_uid, server_user()->pw_gid) == 0, "chown");
  std::unique_ptr<PostgresCluster> cluster(new PostgresCluster);
  cluster->directory_ = directory;
  for (int shard = 0; shard < kShards; ++shard) {
    const std::string data = fmt::format("{}/primary-{}", directory, shard);
    must(run_to_end("initdb", {"-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync",
                               "--wal-segsize=1"}),
         "initdb");
    cluster->primaries_.push_back(std::make_unique<PostgresServer>(data, free_port()));
    cluster->primaries_.back()->start();
    const std::string copy = fmt::format("{}/replica-{}", directory, shard);
    must(run_to_end("pg_basebackup", {"-D", copy, "-h", "127.0.0.1", "-p",
                                      fmt::format("{}", cluster->primaries_.back()->port()), "-U", "postgres", "-R",
                                      "-c", "fast", "-X", "stream", "--no-sync"}),
         "pg_basebackup");
    cluster->replicas_.push_back(std::make_unique<PostgresServer>(copy, free_port()));
    cluster->replicas_.back()->start();
  }
  return cluster;
}

PostgresCluster::~PostgresCluster() {
  replicas_.clear();
  primaries_.clear();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

std::string PostgresCluster::shards() const {
  std::string text;
  for (std::size_t shard = 0; shard < primaries_.size(); ++shard) {
    text += fmt::format("{}{}/{}", shard == 0 ? "" : ",", primaries_[shard]->address(), replicas_[shard]->address());
  }
  return text;
}

void PostgresCluster::catch_up() {
  for (std::size_t shard = 0; shard < primaries_.size(); ++shard) {
    const auto written = primaries_[shard]->run("select pg_current_wal_lsn()")[0][0].value();
    must(eventually([&] {
           return replicas_[shard]->run("select pg_last_wal_replay_lsn() >= '" + written + "'")[0][0] == "t";
         }),
         "catching up");
  }
}

}  // namespace scalableapp::workload
