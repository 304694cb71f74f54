#include "workload/load/generator.h"

#include <gtest/gtest.h>

#include <future>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "workload/common/http_server.h"
#include "workload/load/calibrate.h"
#include "workload/load/load.h"
#include "workload/testing/eventually.h"
#include "workload/testing/http_probe.h"
#include "workload/testing/process.h"
#include "workload/testing/rude_server.h"

namespace scalableapp::workload {
namespace {

using nlohmann::json;

// A server whose answers the test decides.
class GeneratorTest : public ::testing::Test {
 protected:
  void serve(HttpHandler handler) {
    server_ = HttpServer::start({.address = "127.0.0.1"}, std::move(handler)).value();
    options_.target = "http://127.0.0.1:" + std::to_string(server_->port());
    options_.mix = "/=1";
    options_.address = "127.0.0.1";
    options_.admin_port = 0;
    options_.quiet = true;
  }
  json play(const std::string& profile) {
    options_.profile = profile;
    return json::parse(LoadServer::start(options_).value()->play({}).value());
  }
  static void ok(const HttpRequest&, const Respond& respond) { respond({}); }

  std::unique_ptr<HttpServer> server_;
  LoadOptions options_;
};

TEST_F(GeneratorTest, OffersWhatTheProfileSaysAndReportsEachPhase) {
  serve(ok);
  const auto report = play("50:1s,200:1s");
  EXPECT_EQ(report["total"]["offered"], 250);
  EXPECT_EQ(report["total"]["completed"], 250);
  EXPECT_EQ(report["total"]["failed"], 0);
  EXPECT_EQ(report["phases"][0]["offered"], 50);
  EXPECT_EQ(report["phases"][1]["offered"], 200);
  EXPECT_EQ(report["phases"][1]["name"], "200:1s");
  EXPECT_EQ(report["total"]["offered_per_second"], 125);
  std::uint64_t in_seconds = 0;
  for (const auto& second : report["seconds"])
    in_seconds += second["completed"].get<std::uint64_t>();
  EXPECT_EQ(in_seconds, 250u);
  EXPECT_GT(report["total"]["latency_ms"]["p50"], 0);
}

TEST_F(GeneratorTest, LatencyCountsFromTheIntendedStartWhenTheServerStalls) {
  // The first answer is held back, on the only connection, until thirty more are due: a closed loop
  // would have sent one slow request and then fast ones.
  std::mutex mutex;
  Respond held;
  bool is_first = true;
  serve([&](const HttpRequest&, const Respond& respond) {
    const std::lock_guard lock(mutex);
    if (std::exchange(is_first, false)) {
      held = respond;
    } else {
      respond({});
    }
  });
  options_.max_connections = 1;
  options_.profile = "100:500ms";
  const auto generator = LoadServer::start(options_).value();
  auto report = std::async(std::launch::async, [&] { return generator->play({}).value(); });
  ASSERT_TRUE(eventually(
      [&] { return metric(generator->admin_port(), "load_offered_requests_total") >= 31; }));
  {
    const std::lock_guard lock(mutex);
    held({});
  }
  const auto total = json::parse(report.get())["total"];
  EXPECT_EQ(total["completed"], 50);
  EXPECT_GT(total["latency_ms"]["max"], 290);
  EXPECT_GT(total["latency_ms"]["p50"], 40);
  EXPECT_TRUE(total["generator_limited"]) << "one connection was its own limit";
}

TEST_F(GeneratorTest, OutcomesAreToldApart) {
  std::vector<Respond> hanging;  // Of the server's one thread, until it has nothing more to do.
  serve([&](const HttpRequest& request, const Respond& respond) {
    if (request.path == "/hang") return hanging.push_back(respond);
    respond({std::stoi(request.path.substr(1)), "x"});
  });
  options_.timeout = milliseconds(200);
  options_.mix = "/200=1,/404=1,/503=1,/500=1,/429=1,/hang=1";
  const auto report = play("200:500ms");
  const auto& total = report["total"];
  EXPECT_EQ(total["offered"], 100);
  for (const char* kind : {"status_4xx", "shed", "limited", "status_5xx", "timeout"}) {
    EXPECT_GT(total["failures"].value(kind, 0), 5) << kind;
    int in_seconds = 0;
    for (const auto& second : report["seconds"]) in_seconds += second["failures"].value(kind, 0);
    EXPECT_EQ(in_seconds, total["failures"].value(kind, 0)) << kind;
  }
  EXPECT_EQ(total["completed"].get<int>() + total["failed"].get<int>(), 100);
}

TEST_F(GeneratorTest, ARefusedConnectionIsAFailure) {
  serve(ok);
  options_.target = "http://127.0.0.1:" + std::to_string(free_port());
  EXPECT_EQ(play("20:200ms")["total"]["failures"]["connect"], 4);
}

TEST_F(GeneratorTest, ARequestOnAConnectionThatWasClosedMeanwhileIsSentOnceMore) {
  serve(ok);
  const RudeServer rude;
  options_.target = "http://127.0.0.1:" + std::to_string(rude.port());
  options_.connection_lifetime = seconds(60);
  const auto total = play("50:500ms")["total"];
  EXPECT_EQ(total["completed"], 25);
  EXPECT_EQ(total["failed"], 0);
  EXPECT_GT(total["retried"], 5);
  EXPECT_EQ(total["retried"], rude.closed());
}

TEST_F(GeneratorTest, ConnectionsAreReusedAndRecycled) {
  serve(ok);
  options_.connection_lifetime = milliseconds(1);
  EXPECT_EQ(play("50:500ms")["total"]["failed"], 0);
  options_.connection_lifetime = seconds(60);
  options_.profile = "50:500ms";
  const auto generator = LoadServer::start(options_).value();
  ASSERT_TRUE(generator->play({}));
  EXPECT_LT(metric(generator->admin_port(), "load_connections"), 10);
  EXPECT_GE(metric(generator->admin_port(), "load_connections"), 1);
}

TEST_F(GeneratorTest, CookiesOfAUserComeBackToTheServer) {
  std::atomic<int> with = 0;
  std::atomic<int> without = 0;
  serve([&](const HttpRequest& request, const Respond& respond) {
    if (request.cookie("session") == "abc") {
      ++with;
      return respond({});
    }
    ++without;
    respond({200, "", "text/plain", {{"Set-Cookie", "session=abc; Path=/"}}});
  });
  options_.users = 1;
  play("50:1s");
  EXPECT_GT(with, 40);
  EXPECT_GE(without, 1);
}

TEST_F(GeneratorTest, ASessionThatTheServerNoLongerKnowsIsCountedAsLost) {
  std::atomic<int> asked = 0;
  serve([&](const HttpRequest& request, const Respond& respond) {
    if (request.cookie("session").empty()) {
      return respond({200, "", "text/plain", {{"Set-Cookie", "session=abc"}}});
    }
    respond({++asked == 5 ? 401 : 200});
  });
  options_.users = 1;
  const auto total = play("50:500ms")["total"];
  EXPECT_EQ(total["sessions_lost"], 1);
  EXPECT_EQ(total["failures"]["status_4xx"], 1);
}

TEST_F(GeneratorTest, StreamsPlayTheirOwnProfilesOnTheirOwnTargets) {
  std::atomic<int> pings = 0;
  std::atomic<int> keys = 0;
  const auto rides = HttpServer::start({.address = "127.0.0.1"}, [&](const HttpRequest& request,
                                                                      const Respond& respond) {
                       const auto key = request.header("Idempotency-Key");
                       const bool is_ping = request.method == "PUT" && request.path == "/pings/1";
                       pings += is_ping && request.body == R"({"id":")" + std::string(key) + "\"}";
                       keys += key.size() == 32;
                       respond({});
                     }).value();
  serve([](const HttpRequest& request, const Respond& respond) {
    HttpResponse answer;
    answer.headers.emplace_back("X-Cache", request.path == "/1" ? "HIT" : "MISS");
    answer.headers.emplace_back("X-Degrade-Level", request.path == "/1" ? "0" : "2");
    answer.status = request.method == "POST" ? 202 : 200;
    if (request.path == "/limited") answer.status = 429;
    if (request.path == "/slow") return respond({503});
    respond(answer);
  });
  options_.serve = true;
  const auto generator = LoadServer::start(options_).value();
  const int admin = generator->admin_port();
  const json plan{
      {"users", 1},
      {"slo", "20s"},
      {"streams",
       {{{"name", "drivers"},
         {"target", "http://127.0.0.1:" + std::to_string(rides->port())},
         {"profile", "100:400ms"},
         {"requests",
          {{{"path", "/pings/{user}"}, {"method", "PUT"}, {"body", R"({"id":"{id}"})"}}}}},
        {{"profile", "200:1s"}, {"mix", "/{uniform:2}=8,/orders:POST=1,/limited=1,/slow=1"}}}}};
  ASSERT_EQ(http_post(admin, "/start", plan.dump()).status, 200);
  ASSERT_TRUE(eventually([&] {
    const auto stats = json::parse(http_get(admin, "/stats").body);
    return !stats["running"] && stats["in_flight"] == 0;
  }));
  const auto report = json::parse(http_get(admin, "/report").body);
  EXPECT_EQ(report["total"]["offered"], 240);
  EXPECT_EQ(report["total"]["duration_seconds"], 1);
  EXPECT_EQ(report["phases"][0]["name"], "drivers 100:400ms");
  EXPECT_EQ(report["phases"][1]["offered"], 200);
  std::map<std::string, json> endpoints;
  for (const auto& each : report["endpoints"]) endpoints[each["name"]] = each;
  ASSERT_EQ(endpoints.size(), 5u);
  EXPECT_EQ(endpoints["PUT /pings/{user}"]["completed"], 40);
  EXPECT_EQ(pings, 40);
  EXPECT_EQ(keys, 40);
  const auto& items = endpoints["/{uniform:2}"];
  EXPECT_GT(items["cache_hits"], 30);
  EXPECT_EQ(items["cache_misses"], items["degraded"]);
  EXPECT_EQ(items["cache_hits"].get<int>() + items["cache_misses"].get<int>(), items["completed"]);
  EXPECT_EQ(items["slo_violation_seconds"], 0);
  EXPECT_EQ(endpoints["/limited"]["failures"]["limited"], endpoints["/limited"]["offered"]);
  EXPECT_GE(endpoints["/slow"]["slo_violation_seconds"], 1);
  EXPECT_EQ(report["total"]["shed"], report["total"]["failed"]);
  const auto accepted = http_get(admin, "/accepted?endpoint=POST%20/orders").body;
  EXPECT_EQ(accepted.size(), 33 * endpoints["POST /orders"]["accepted"].get<std::size_t>());
  EXPECT_GT(accepted.size(), 33u);
  EXPECT_EQ(http_get(admin, "/accepted?offset=1&limit=1").body, accepted.substr(33, 33));
  EXPECT_EQ(http_get(admin, "/accepted?endpoint=none").status, 404);
  EXPECT_EQ(http_get(admin, "/accepted?limit=1000001").status, 400);
  EXPECT_EQ(metric(admin, R"(load_requests_total{endpoint="PUT /pings/{user}",outcome="ok"})"), 40);
  EXPECT_EQ(http_get(admin, "/report.html").status, 200);
  const auto rows = report["seconds"];
  int in_seconds = 0;
  for (const auto& row : rows) {
    const auto found = row["endpoints"].find("PUT /pings/{user}");
    if (found != row["endpoints"].end()) in_seconds += (*found)[0].get<int>();
    EXPECT_TRUE(row.contains("slo_violated"));
  }
  EXPECT_EQ(in_seconds, 40);
}

TEST_F(GeneratorTest, AStandstillMissesTheSloInTheSecondsItLasted) {
  // Nothing is answered until two seconds of requests are due; then everything at once.
  std::mutex mutex;
  std::vector<Respond> held;
  bool is_open = false;
  serve([&](const HttpRequest&, const Respond& respond) {
    const std::lock_guard lock(mutex);
    if (is_open) return respond({});
    held.push_back(respond);
  });
  options_.slo = "500ms";
  options_.profile = "50:3s";
  const auto generator = LoadServer::start(options_).value();
  auto report = std::async(std::launch::async, [&] { return generator->play({}).value(); });
  ASSERT_TRUE(eventually(
      [&] { return metric(generator->admin_port(), "load_offered_requests_total") >= 110; }));
  {
    const std::lock_guard lock(mutex);
    is_open = true;
    for (const auto& respond : held) respond({});
  }
  const auto total = json::parse(report.get())["total"];
  EXPECT_EQ(total["completed"], 150);
  EXPECT_GE(total["slo_violation_seconds"], 2);
}

TEST(Calibration, SaysWhatThisMachineCanOfferOrThatItIsTooBusy) {
  EXPECT_EQ(describe({.rate = 8000, .lag_p99_ms = 2.5, .too_fast = 9000}),
            "kept 8000 requests/s, 99 % of them at most 2.5 ms late; late at 9000/s\n");
  EXPECT_EQ(describe({.rate = 0, .too_fast = 10}),
            "no rate was kept, not even 10/s: this machine is too busy to measure\n");
  const auto calibration = calibrate();
  EXPECT_GT(calibration.rate + calibration.too_fast, 0);
}

TEST_F(GeneratorTest, AStopEndsTheRunEarlyAndSaysSo) {
  serve(ok);
  options_.profile = "100:1h";
  const auto generator = LoadServer::start(options_).value();
  std::stop_source stop;
  auto report =
      std::async(std::launch::async, [&] { return generator->play(stop.get_token()).value(); });
  ASSERT_TRUE(eventually(
      [&] { return metric(generator->admin_port(), "load_offered_requests_total") >= 20; }));
  stop.request_stop();
  const auto parsed = json::parse(report.get());
  EXPECT_TRUE(parsed["stopped_early"]);
  EXPECT_EQ(parsed["total"]["offered"], parsed["total"]["completed"]);
  EXPECT_LT(parsed["total"]["duration_seconds"], 60);
}

TEST_F(GeneratorTest, ServesCommandsAndShowsWhatHappens) {
  serve(ok);
  options_.serve = true;
  const auto generator = LoadServer::start(options_).value();
  const int admin = generator->admin_port();
  EXPECT_FALSE(json::parse(http_get(admin, "/stats").body)["running"]);
  EXPECT_EQ(http_post(admin, "/start", R"({"profile":"40:3x"})").status, 400);
  EXPECT_EQ(http_post(admin, "/start", R"({"profile":"100:3600s","seed":7})").status, 200);
  ASSERT_TRUE(eventually([&] {
    const auto stats = json::parse(http_get(admin, "/stats").body);
    return stats["running"] && stats["last_second"]["completed"] > 0 &&
           !stats["last_second"]["p99_ms"].is_null();
  }));
  EXPECT_EQ(http_post(admin, "/start", R"({"profile":"200:3600s"})").status, 200)
      << "replaces the first";
  ASSERT_TRUE(eventually([&] {
    return json::parse(http_get(admin, "/stats").body)["last_second"]["offered"] >= 180;
  }));
  EXPECT_EQ(http_post(admin, "/stop").status, 200);
  ASSERT_TRUE(eventually([&] { return !json::parse(http_get(admin, "/stats").body)["running"]; }));
  const auto seconds_list = json::parse(http_get(admin, "/timeline").body)["seconds"];
  ASSERT_GE(seconds_list.size(), 2u);
  for (std::size_t index = 1; index < seconds_list.size(); ++index) {
    EXPECT_EQ(seconds_list[index]["time"], seconds_list[index - 1]["time"].get<int>() + 1);
  }
  const auto since = std::to_string(seconds_list.back()["time"].get<int>());
  EXPECT_EQ(json::parse(http_get(admin, "/timeline?since=" + since).body)["seconds"].size(), 1u);
  EXPECT_EQ(http_get(admin, "/timeline?since=x").status, 400);
  EXPECT_EQ(http_get(admin, "/start").status, 405);
}

TEST_F(GeneratorTest, WithoutServeItTakesNoCommands) {
  serve(ok);
  const auto generator = LoadServer::start(options_).value();
  EXPECT_EQ(http_post(generator->admin_port(), "/start", "{}").status, 403);
}

}  // namespace
}  // namespace scalableapp::workload
