#include "operator/kube/cpprest_transport.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <deque>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>
#include <utility>

#include "operator/platform/clock.h"

// OpenSSL's memory of cpprestsdk's thread, which ends with the process, is no leak.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libcrypto"; }

namespace scalableapp::kube {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// The bytes that a request is answered with. Unless closed, the connection waits for the next
// request.
struct Answer {
  std::string bytes;
  bool close = false;
};

std::string whole(const std::string& status, const std::string& body,
                  const std::string& headers = {}) {
  return fmt::format("HTTP/1.1 {}\r\nContent-Length: {}\r\n{}\r\n{}", status, body.size(), headers,
                     body);
}
std::string chunk(const std::string& bytes) {
  return fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes);
}
constexpr char kTlsHandshake = 0x16;  // What a TLS connection begins with.
const std::string kChunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

// A server of bytes on a port of its own. Requests get the answers in turn, on whatever connection.
class ByteServer {
 public:
  explicit ByteServer(std::vector<Answer> script) : script_(script.begin(), script.end()) {
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(listener_, generic, size), 0);
    EXPECT_EQ(listen(listener_, 8), 0);
    EXPECT_EQ(getsockname(listener_, generic, &size), 0);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] {
      for (int peer = 0; (peer = accept(listener_, nullptr, nullptr)) >= 0;) {
        peers_.push_back(peer);
        threads_.emplace_back([this, peer] { serve(peer); });
      }
    });
  }
  ~ByteServer() {
    shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    for (const int peer : peers_) shutdown(peer, SHUT_RDWR);
    for (std::thread& thread : threads_) thread.join();
    for (const int peer : peers_) close(peer);
    close(listener_);
  }

  std::string url() const { return fmt::format("http://127.0.0.1:{}", port_); }
  std::uint16_t port() const { return port_; }
  std::vector<std::string> heads() {
    const std::lock_guard lock(mutex_);
    return heads_;
  }
  // At the beginning of each request, of the client's end of its connection; 0: not kept alive.
  std::vector<int> keep_alive_idle_seconds() {
    const std::lock_guard lock(mutex_);
    return keep_alive_idle_seconds_;
  }

 private:
  void serve(int peer) {
    std::string head;
    for (char byte = 0; read(peer, &byte, 1) == 1;) {
      if (head.empty()) look_at_the_other_end(peer);
      if (head.empty() && byte == kTlsHandshake) {
        shutdown(peer, SHUT_RDWR);
        return;
      }
      head += byte;
      if (!head.ends_with("\r\n\r\n")) continue;
      const Answer answer = next(std::exchange(head, {}));
      if (send(peer, answer.bytes.data(), answer.bytes.size(), MSG_NOSIGNAL) < 0) return;
      if (answer.close) {
        shutdown(peer, SHUT_RDWR);
        return;
      }
    }
  }

  // The client is in this process as well.
  void look_at_the_other_end(int peer) {
    sockaddr_in wanted{};
    socklen_t size = sizeof(wanted);
    getpeername(peer, reinterpret_cast<sockaddr*>(&wanted), &size);
    for (int handle = 0; handle < 1024; ++handle) {
      sockaddr_in own{};
      size = sizeof(own);
      if (getsockname(handle, reinterpret_cast<sockaddr*>(&own), &size) != 0 ||
          own.sin_family != AF_INET || own.sin_port != wanted.sin_port) {
        continue;
      }
      int is_on = 0;
      int idle_seconds = 0;
      size = sizeof(int);
      getsockopt(handle, SOL_SOCKET, SO_KEEPALIVE, &is_on, &size);
      getsockopt(handle, IPPROTO_TCP, TCP_KEEPIDLE, &idle_seconds, &size);
      const std::lock_guard lock(mutex_);
      keep_alive_idle_seconds_.push_back(is_on != 0 ? idle_seconds : 0);
    }
  }

  Answer next(std::string head) {
    const std::lock_guard lock(mutex_);
    heads_.push_back(std::move(head));
    if (script_.empty()) return {"HTTP/1.1 500 End of the script\r\nContent-Length: 0\r\n\r\n"};
    Answer answer = std::move(script_.front());
    script_.pop_front();
    return answer;
  }

  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::mutex mutex_;
  std::deque<Answer> script_;       // Guarded by mutex_.
  std::vector<std::string> heads_;  // Guarded by mutex_.
  std::vector<int> keep_alive_idle_seconds_;  // Guarded by mutex_.
  std::vector<int> peers_;          // Of the acceptor, until it is joined.
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

class CpprestTransportTest : public testing::Test {
 protected:
  std::unique_ptr<HttpTransport> connect(const ByteServer& server) {
    Endpoint endpoint = endpoint_;
    endpoint.base_url = server.url() + prefix_;
    return make_cpprest_transport(endpoint, clock_).value();
  }
  Result<HttpResponse> stream(HttpTransport& transport, milliseconds idle = seconds(20)) {
    return transport.stream(
        {.path_and_query = "/w?watch=true"}, idle,
        [this](std::string_view line) {
          lines_.emplace_back(line);
          return lines_.size() < most_lines_;
        },
        stop_.get_token());
  }

  SystemClock clock_;
  Endpoint endpoint_;
  std::string prefix_;
  std::stop_source stop_;
  std::vector<std::string> lines_;
  std::size_t most_lines_ = 100;
};

TEST_F(CpprestTransportTest, ARequestCarriesWhatItWasGivenAndTheAnswerComesBackWhole) {
  endpoint_.bearer_token = "secret";
  prefix_ = "/prefix";
  ByteServer server({{whole("429 Slow", "why", "Retry-After: 7\r\n")}});
  const auto answer = connect(server)->send({.method = "PATCH",
                                             .path_and_query = "/a%2Fb?x=y%26z&force=true",
                                             .content_type = "application/apply-patch+yaml",
                                             .body = "{}"},
                                            {});
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(*answer, (HttpResponse{429, "why", seconds(7)}));
  const std::string head = server.heads().at(0);
  EXPECT_THAT(head, HasSubstr("PATCH /prefix/a%2Fb?x=y%26z&force=true HTTP/1.1\r\n"));
  EXPECT_THAT(head, HasSubstr("Content-Type:application/apply-patch+yaml\r\n"));
  EXPECT_THAT(head, HasSubstr("Accept:application/json\r\n"));
  EXPECT_THAT(head, HasSubstr("Authorization:Bearer secret\r\n"));
}

TEST_F(CpprestTransportTest, AConnectionThatTheServerClosedIsReplaced) {
  ByteServer server({{whole("200 OK", "1")}, {whole("200 OK", "2"), true}, {whole("200 OK", "3")}});
  const auto transport = connect(server);
  for (const char* want : {"1", "2", "3"}) {
    const auto answer = transport->send({.path_and_query = "/"}, {});
    ASSERT_TRUE(answer) << want << ": " << answer.error().message;
    EXPECT_EQ(answer->body, want);
  }
}

TEST_F(CpprestTransportTest, NoServerIsUnavailable) {
  endpoint_.base_url = "http://127.0.0.1:1";
  const auto transport = make_cpprest_transport(endpoint_, clock_).value();
  EXPECT_EQ(transport->send({.path_and_query = "/"}, {}).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(stream(*transport).error().code, ErrorCode::kUnavailable);
}

TEST_F(CpprestTransportTest, AnAnswerThatDoesNotComeWholeLeavesTheOutcomeOpen) {
  endpoint_.request_timeout = milliseconds(100);
  ByteServer server({{""},
                     {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"},
                     {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", true},
                     {"no HTTP at all\r\n\r\n", true}});
  const auto transport = connect(server);
  for (int i = 0; i < 4; ++i) {
    const auto answer = transport->send({.path_and_query = "/"}, {});
    ASSERT_FALSE(answer) << i;
    EXPECT_EQ(answer.error().code, ErrorCode::kTimeout) << i << answer.error().message;
  }
}

TEST_F(CpprestTransportTest, AnAnswerOverTheLimitIsGivenUpHoweverItArrives) {
  endpoint_.max_body_bytes = 1000;
  const std::string longest(1000, 'x');
  ByteServer server({{whole("200 OK", longest)},
                     {whole("200 OK", longest + "x")},
                     {kChunked + chunk(longest) + chunk("x")},
                     {whole("200 OK", "short")}});
  const auto transport = connect(server);
  EXPECT_EQ(transport->send({.path_and_query = "/"}, {})->body, longest);
  for (int i = 0; i < 2; ++i) {
    const auto answer = transport->send({.path_and_query = "/"}, {});
    ASSERT_FALSE(answer) << i;
    EXPECT_EQ(answer.error(), (Error{ErrorCode::kDecode, "an answer of over 1000 bytes", {}})) << i;
  }
  EXPECT_EQ(transport->send({.path_and_query = "/"}, {})->body, "short");
}

TEST_F(CpprestTransportTest, AnAnswerWithoutEndIsGivenUpAtTheLimit) {
  endpoint_.max_body_bytes = 100'000;
  ByteServer server({{kChunked + chunk(std::string(200'000, 'x'))}});  // And nothing ever after.
  EXPECT_EQ(connect(server)->send({.path_and_query = "/"}, {}).error().code, ErrorCode::kDecode);
}

TEST_F(CpprestTransportTest, LinesAreCutAtTheirEndsHoweverTheyArrive) {
  ByteServer server(
      {{kChunked + chunk("one\ntw") + chunk("o\n") + chunk("\nthree\n") + chunk("")}});
  const auto ended = stream(*connect(server));
  ASSERT_TRUE(ended) << ended.error().message;
  EXPECT_EQ(ended->status, 200);
  EXPECT_THAT(lines_, ElementsAre("one", "two", "three"));
}

TEST_F(CpprestTransportTest, AHalfWrittenLineIsDroppedAndBreaksTheStream) {
  ByteServer server(
      {{kChunked + chunk("one\nha") + chunk("")}, {kChunked + chunk("two\n") + "5\r\nab", true}});
  const auto transport = connect(server);
  EXPECT_EQ(stream(*transport).error().code, ErrorCode::kUnavailable);
  const auto cut = stream(*transport);
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().code, ErrorCode::kUnavailable) << cut.error().message;
  EXPECT_THAT(lines_, ElementsAre("one", "two"));
}

TEST_F(CpprestTransportTest, SilenceEndsAStream) {
  ByteServer server({{kChunked + chunk("one\n")}});
  EXPECT_EQ(stream(*connect(server), milliseconds(100)).error().code, ErrorCode::kTimeout);
  EXPECT_THAT(lines_, ElementsAre("one"));
}

TEST_F(CpprestTransportTest, AStreamsHeadIsWaitedForOnlyAsLongAsAnyAnswer) {
  endpoint_.request_timeout = milliseconds(100);
  ByteServer server({{""}});
  const auto ended = stream(*connect(server), std::chrono::hours(1));
  EXPECT_EQ(ended.error().code, ErrorCode::kTimeout);
}

TEST_F(CpprestTransportTest, AConnectionToAnAddressIsKeptAliveFromItsFirstRequestOn) {
  ByteServer server({{whole("200 OK", "")}, {whole("200 OK", "")}});
  const auto transport = connect(server);
  EXPECT_TRUE(transport->send({.path_and_query = "/"}, {}));
  EXPECT_TRUE(stream(*transport));
  EXPECT_THAT(server.keep_alive_idle_seconds(), ElementsAre(15, 15));
}

TEST_F(CpprestTransportTest, AConnectionWithTlsIsKeptAliveToo) {
  ByteServer server({});
  endpoint_.base_url = fmt::format("https://127.0.0.1:{}", server.port());
  const auto transport = make_cpprest_transport(endpoint_, clock_).value();
  EXPECT_FALSE(transport->send({.path_and_query = "/"}, {})) << "it hangs up on TLS";
  EXPECT_FALSE(stream(*transport));
  EXPECT_THAT(server.keep_alive_idle_seconds(), ElementsAre(15, 15));
}

TEST_F(CpprestTransportTest, AConnectionToANameIsKeptAliveFromItsSecondRequestOn) {
  ByteServer server({{whole("200 OK", "")}, {whole("200 OK", "")}});
  endpoint_.base_url = fmt::format("http://localhost:{}", server.port());
  const auto transport = make_cpprest_transport(endpoint_, clock_).value();
  EXPECT_TRUE(transport->send({.path_and_query = "/"}, {}));
  EXPECT_TRUE(transport->send({.path_and_query = "/"}, {}));
  EXPECT_THAT(server.keep_alive_idle_seconds(), ElementsAre(0, 15));
}

TEST_F(CpprestTransportTest, AStopEndsAStreamAndARequestAtOnce) {
  ByteServer server({{kChunked + chunk("one\n")}, {""}});
  const auto transport = connect(server);
  const auto ended = transport->stream(
      {.path_and_query = "/"}, seconds(20),
      [this](std::string_view) {
        stop_.request_stop();
        return true;
      },
      stop_.get_token());
  EXPECT_EQ(ended.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(transport->send({.path_and_query = "/"}, stop_.get_token()).error().code,
            ErrorCode::kCancelled);
}

TEST_F(CpprestTransportTest, TheReaderMayEndAStream) {
  most_lines_ = 2;
  ByteServer server({{kChunked + chunk("one\ntwo\nthree\n")}});
  EXPECT_TRUE(stream(*connect(server)));
  EXPECT_THAT(lines_, ElementsAre("one", "two"));
}

TEST_F(CpprestTransportTest, ARefusedStreamGivesItsBody) {
  ByteServer server({{whole("410 Gone", "{\n}\n")}});
  const auto refused = stream(*connect(server));
  ASSERT_TRUE(refused) << refused.error().message;
  EXPECT_EQ(*refused, (HttpResponse{410, "{\n}\n", {}}));
  EXPECT_TRUE(lines_.empty());
}

TEST_F(CpprestTransportTest, ATokenThatRotatedIsReadAgainAfterA401) {
  const std::string file = testing::TempDir() + "/cpprest_transport_token";
  std::ofstream(file) << "old\n";
  endpoint_.bearer_token_file = file;
  ByteServer server({{whole("200 OK", "")},
                     {whole("401 No", "")},
                     {whole("200 OK", "")},
                     {whole("401 No", "again")}});
  const auto transport = connect(server);
  EXPECT_EQ(transport->send({.path_and_query = "/"}, {})->status, 200);
  std::ofstream(file) << "new\n";
  EXPECT_EQ(transport->send({.path_and_query = "/"}, {})->status, 200);
  EXPECT_EQ(transport->send({.path_and_query = "/"}, {})->status, 401);
  std::filesystem::remove(file);
  const auto heads = server.heads();
  ASSERT_EQ(heads.size(), 4U);
  EXPECT_THAT(heads[1], HasSubstr("Bearer old\r\n"));
  EXPECT_THAT(heads[2], HasSubstr("Bearer new\r\n"));
}

TEST_F(CpprestTransportTest, WhatCannotBeUsedIsRefusedAtOnce) {
  EXPECT_EQ(make_cpprest_transport({.base_url = "http://a b"}, clock_).error().code,
            ErrorCode::kInvalid);
  EXPECT_EQ(
      make_cpprest_transport({.base_url = "https://h", .ca_pem = "no PEM"}, clock_).error().code,
      ErrorCode::kInvalid);
}

TEST(LineSplitter, GivesUpOnALineWithoutEnd) {
  LineSplitter lines;
  const std::string part(LineSplitter::kMaxLine, 'x');
  const auto keep = [](std::string_view) { return true; };
  EXPECT_EQ(lines.feed(part, keep), LineSplitter::Status::kMore);
  EXPECT_EQ(lines.feed("x", keep), LineSplitter::Status::kTooLong);
}

}  // namespace
}  // namespace scalableapp::kube
