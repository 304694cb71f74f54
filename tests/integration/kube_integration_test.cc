// The client, the transport and the informers against a real kube-apiserver. KUBECONFIG names it;
// SCALABLEAPP_TEST_ETCD (http://127.0.0.1:port) and SCALABLEAPP_TEST_RESTART (a command that
// restarts the API server) enable the tests that need them. scripts/apiserver sets all three.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "operator/kube/api_error.h"
#include "operator/kube/client.h"
#include "operator/kube/config.h"
#include "operator/kube/cpprest_transport.h"
#include "operator/kube/informer.h"
#include "operator/platform/clock.h"
#include "operator/platform/random.h"

namespace scalableapp::kube {
namespace {

using api::ObjectKey;
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr seconds kPatience{30};

std::string environment(const char* name) { return process_environment()(name).value_or(""); }

// A cached ConfigMap: the value of its key "v".
struct Note {
  api::ObjectMeta metadata;
  std::string value;
};

Result<Note> decode_note(const json& object) {
  Note note;
  const json& metadata = object.at("metadata");
  note.metadata.name = metadata.at("name");
  note.metadata.namespace_name = metadata.at("namespace");
  note.metadata.uid = metadata.at("uid");
  note.metadata.resource_version = metadata.at("resourceVersion");
  note.value = object.value(json::json_pointer("/data/v"), "");
  if (note.value == "undecodable") return fail(ErrorCode::kDecode, "as asked");
  return note;
}

// The handlers' view of a watch as text: "+a=1", "a=2", "-a", "!a".
class Diary {
 public:
  Informer<Note>::Handlers handlers() {
    return {.on_change =
                [this](const auto& old_object, const auto& new_object) {
                  if (!new_object) return add("-" + old_object->metadata.name);
                  add(fmt::format("{}{}={}", old_object ? "" : "+", new_object->metadata.name,
                                  new_object->value));
                },
            .on_invalid = [this](const ObjectKey& key, const Error&) { add("!" + key.name); }};
  }

  void add(std::string line) {
    const std::lock_guard lock(mutex_);
    lines_.push_back(std::move(line));
    changed_.notify_all();
  }

  // All lines so far, once there are `count`.
  std::vector<std::string> await(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kPatience, [&] { return lines_.size() >= count; });
    return lines_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
};

class KubeIntegration : public testing::Test {
 protected:
  void SetUp() override {
    if (environment("KUBECONFIG").empty()) GTEST_SKIP() << "KUBECONFIG names no API server";
    config_ = kubeconfig(environment("KUBECONFIG")).value();
    transport_ = make_cpprest_transport(config_.endpoint, clock_).value();
    client_ = make_client(*transport_, clock_, random_);
    namespace_ = "kube-it-" + random_.hex_suffix();
    const json body = {
        {"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", namespace_}}}};
    auto made = client_->create(kNamespaces, "", body.dump());
    ASSERT_TRUE(made) << made.error().message;
  }

  void TearDown() override {
    if (client_) static_cast<void>(client_->remove(kNamespaces, {"", namespace_}));
  }

  ObjectKey key(const std::string& name) const { return {namespace_, name}; }

  json note(const std::string& name, const std::string& value) const {
    return {{"apiVersion", "v1"},
            {"kind", "ConfigMap"},
            {"metadata", {{"name", name}, {"namespace", namespace_}}},
            {"data", {{"v", value}}}};
  }

  json create(const std::string& name, const std::string& value) {
    auto made = client_->create(kConfigMaps, namespace_, note(name, value).dump());
    EXPECT_TRUE(made) << made.error().message;
    return json::parse(made.value_or("{}"));
  }

  Result<std::string> write(const std::string& name, const std::string& value) {
    const json body = {{"data", {{"v", value}}}};
    return client_->patch(kConfigMaps, key(name), body.dump(), PatchKind::kMerge);
  }

  std::unique_ptr<Informer<Note>> informer(HttpTransport& transport, Diary& diary,
                                           WatchObserver observer = {}, int page_size = 500) {
    ReflectorOptions options{.type = kConfigMaps, .namespace_name = namespace_};
    options.page_size = page_size;
    options.observer = std::move(observer);
    return std::make_unique<Informer<Note>>(transport, clock_, options, decode_note, nullptr,
                                            diary.handlers());
  }

  // Restarts the API server and waits until it answers again.
  void restart() {
    ASSERT_EQ(std::system(environment("SCALABLEAPP_TEST_RESTART").c_str()), 0);
    const MonotonicTime deadline = clock_.monotonic_now() + seconds(90);
    for (;;) {
      const auto ready = transport_->send({.path_and_query = "/readyz"}, {});
      if (ready && ready->ok()) return;
      ASSERT_LT(clock_.monotonic_now(), deadline) << "the API server did not come back";
      sleep_for(clock_, milliseconds(50), {});
    }
  }

  static std::string version_of(const json& object) {
    return object["metadata"]["resourceVersion"];
  }

  SystemClock clock_;
  Random random_;
  ClusterConfig config_;
  std::unique_ptr<HttpTransport> transport_;
  std::unique_ptr<Client> client_;
  std::string namespace_;
};

// Lets a test break a watch.
class TamperingTransport final : public HttpTransport {
 public:
  explicit TamperingTransport(HttpTransport& inner) : inner_(inner) {}

  Result<HttpResponse> send(const HttpRequest& request, std::stop_token stop) override {
    return inner_.send(request, stop);
  }
  Result<HttpResponse> stream(const HttpRequest& request, milliseconds idle, const OnLine& on_line,
                              std::stop_token stop) override {
    ++streams;
    return inner_.stream(
        request, idle,
        [&](std::string_view line) {
          if (expire.exchange(false)) return on_line(kGoneLine);
          return !cut.exchange(false) && on_line(line);
        },
        stop);
  }

  std::atomic<bool> cut = false;     // The next line is lost and the watch ends.
  std::atomic<bool> expire = false;  // The next line is replaced by the server's "too old".
  std::atomic<int> streams = 0;

 private:
  static constexpr std::string_view kGoneLine =
      R"json({"type":"ERROR","object":{"kind":"Status","status":"Failure","reason":"Expired",
              "message":"too old resource version: 1 (2)","code":410}})json";

  HttpTransport& inner_;
};

TEST_F(KubeIntegration, WritesAndReadsGiveTheErrorsThatCallersBranchOn) {
  const json made = create("a", "1");
  EXPECT_EQ(client_->create(kConfigMaps, namespace_, note("a", "1").dump()).error().code,
            ErrorCode::kAlreadyExists);
  EXPECT_EQ(client_->get(kConfigMaps, key("none")).error().code, ErrorCode::kNotFound);
  const auto invalid = client_->create(kConfigMaps, namespace_, note("Not_A_Name", "1").dump());
  EXPECT_EQ(invalid.error().code, ErrorCode::kInvalid);
  EXPECT_THAT(invalid.error().message, HasSubstr("metadata.name"));

  json stale = made;
  ASSERT_TRUE(write("a", "2"));
  stale["data"]["v"] = "3";
  const auto conflict = client_->update(kConfigMaps, key("a"), stale.dump());
  EXPECT_EQ(conflict.error().code, ErrorCode::kConflict);
  const json locked = {{"metadata", {{"resourceVersion", version_of(made)}}},
                       {"data", {{"v", "4"}}}};
  EXPECT_EQ(client_->patch(kConfigMaps, key("a"), locked.dump(), PatchKind::kMerge).error().code,
            ErrorCode::kConflict);
  EXPECT_EQ(json::parse(client_->get(kConfigMaps, key("a")).value())["data"]["v"], "2");

  EXPECT_EQ(client_->remove(kConfigMaps, key("a"), {.uid = "another"}).error().code,
            ErrorCode::kConflict);
  EXPECT_TRUE(client_->remove(kConfigMaps, key("a"), {.uid = made["metadata"]["uid"]}));
  EXPECT_EQ(client_->remove(kConfigMaps, key("a")).error().code, ErrorCode::kNotFound);
}

TEST_F(KubeIntegration, PatchKindsAndSubresourcesReachTheServerAsMeant) {
  create("a", "1");
  const json replace = json::parse(R"([{"op":"test","path":"/data/v","value":"1"},
                                       {"op":"replace","path":"/data/v","value":"2"}])");
  ASSERT_TRUE(client_->patch(kConfigMaps, key("a"), replace.dump(), PatchKind::kJson));
  EXPECT_EQ(client_->patch(kConfigMaps, key("a"), replace.dump(), PatchKind::kJson).error().code,
            ErrorCode::kInvalid);
  const json strategic = {{"data", {{"w", "x"}}}};
  const auto patched =
      client_->patch(kConfigMaps, key("a"), strategic.dump(), PatchKind::kStrategic);
  ASSERT_TRUE(patched) << patched.error().message;
  EXPECT_EQ(json::parse(*patched)["data"], (json{{"v", "2"}, {"w", "x"}}));
  const auto listed = client_->list(kConfigMaps, {.namespace_name = namespace_});
  EXPECT_EQ(json::parse(listed.value())["items"].size(), 1U);
}

TEST_F(KubeIntegration, ApplyOwnsItsFieldsAndOthersMeetAConflict) {
  const auto made = client_->apply(kConfigMaps, key("a"), note("a", "1").dump(), "first");
  ASSERT_TRUE(made) << made.error().message;
  HttpRequest rival{.method = "PATCH",
                    .path_and_query = object_path(kConfigMaps, key("a")) +
                                      write_query({.field_manager = "second & third"}),
                    .content_type = "application/apply-patch+yaml",
                    .body = note("a", "2").dump()};
  const auto refused = transport_->send(rival, {});
  ASSERT_TRUE(refused) << refused.error().message;
  const Error error = error_of_response(*refused, "apply");
  EXPECT_EQ(error.code, ErrorCode::kConflict);
  EXPECT_THAT(error.message, HasSubstr(".data.v"));
  const auto forced =
      client_->apply(kConfigMaps, key("a"), note("a", "2").dump(), "second & third");
  ASSERT_TRUE(forced) << forced.error().message;
  EXPECT_EQ(json::parse(*forced)["data"]["v"], "2");
}

TEST_F(KubeIntegration, InformerListsAndThenSeesEachChangeInOrder) {
  create("a", "1");
  create("b", "1");
  create("c", "undecodable");
  Diary diary;
  auto notes = informer(*transport_, diary, {}, /*page_size=*/2);
  notes->start();
  ASSERT_TRUE(notes->wait_for_sync(clock_.monotonic_now() + kPatience, {}));
  EXPECT_EQ(notes->store().get(key("a"))->value, "1");
  diary.await(3);
  create("d", "1");
  for (int i = 2; i <= 4; ++i) ASSERT_TRUE(write("d", std::to_string(i)));
  ASSERT_TRUE(write("d", "undecodable"));
  ASSERT_TRUE(client_->remove(kConfigMaps, key("d")));
  EXPECT_THAT(diary.await(9),
              ElementsAre("!c", "+a=1", "+b=1", "+d=1", "d=2", "d=3", "d=4", "!d", "-d"));
  notes->stop();
}

TEST_F(KubeIntegration, ACutWatchGoesOnWhereItWas) {
  Diary diary;
  std::atomic<int> relists = 0;
  TamperingTransport tampering(*transport_);
  auto notes = informer(tampering, diary, {.on_relist = [&](const char*) { ++relists; }});
  notes->start();
  ASSERT_TRUE(notes->wait_for_sync(clock_.monotonic_now() + kPatience, {}));
  create("a", "1");
  diary.await(1);
  tampering.cut = true;
  ASSERT_TRUE(write("a", "2"));
  ASSERT_TRUE(write("a", "3"));
  EXPECT_THAT(diary.await(3), ElementsAre("+a=1", "a=2", "a=3"));
  EXPECT_GE(tampering.streams, 2);
  EXPECT_EQ(relists, 0);
}

TEST_F(KubeIntegration, AWatchThatExpiresMakesANewListWithoutLosingDeletes) {
  create("a", "1");
  create("b", "1");
  Diary diary;
  std::atomic<int> relists = 0;
  TamperingTransport tampering(*transport_);
  auto notes = informer(tampering, diary, {.on_relist = [&](const char*) { ++relists; }});
  notes->start();
  diary.await(2);
  tampering.expire = true;
  ASSERT_TRUE(client_->remove(kConfigMaps, key("a")));
  EXPECT_THAT(diary.await(3), ElementsAre("+a=1", "+b=1", "-a"));
  EXPECT_EQ(relists, 1);
  ASSERT_TRUE(write("b", "2"));
  EXPECT_THAT(diary.await(4), ElementsAre("+a=1", "+b=1", "-a", "b=2"));
}

TEST_F(KubeIntegration, TheWatchOutlivesARestartOfTheApiServer) {
  if (environment("SCALABLEAPP_TEST_RESTART").empty()) {
    GTEST_SKIP() << "SCALABLEAPP_TEST_RESTART names no command";
  }
  create("a", "1");
  Diary diary;
  auto notes = informer(*transport_, diary);
  notes->start();
  diary.await(1);
  const MonotonicTime before = clock_.monotonic_now();
  restart();
  const milliseconds served = clock_.monotonic_now() - before;
  ASSERT_TRUE(write("a", "2"));
  const auto back = diary.await(2);
  EXPECT_EQ(back.back(), "a=2");
  fmt::print("server back after {} ms, first event after {} ms\n", served.count(),
             (clock_.monotonic_now() - before).count());
  ASSERT_TRUE(client_->remove(kConfigMaps, key("a")));
  EXPECT_EQ(diary.await(back.size() + 1).back(), "-a");
}

TEST_F(KubeIntegration, AListWhosePagesWereCompactedAwayIsGone) {
  const std::string etcd = environment("SCALABLEAPP_TEST_ETCD");
  if (etcd.empty() || environment("SCALABLEAPP_TEST_RESTART").empty()) {
    GTEST_SKIP() << "SCALABLEAPP_TEST_ETCD and SCALABLEAPP_TEST_RESTART are not both set";
  }
  create("a", "1");
  create("b", "1");
  ListOptions page{.namespace_name = namespace_, .limit = 1};
  const json first = json::parse(client_->list(kConfigMaps, page).value());
  page.continue_token = first["metadata"]["continue"];
  const std::string newer = version_of(create("c", "1"));
  auto compactor = make_cpprest_transport({.base_url = etcd}, clock_).value();
  const json body = {{"revision", newer}, {"physical", true}};
  const auto done = compactor->send({.method = "POST",
                                     .path_and_query = "/v3/kv/compaction",
                                     .content_type = "application/json",
                                     .body = body.dump()},
                                    {});
  ASSERT_TRUE(done && done->ok()) << (done ? done->body : done.error().message);
  restart();  // Or the API server answers from its own cache.
  const auto next = client_->list(kConfigMaps, page);
  ASSERT_FALSE(next);
  EXPECT_EQ(next.error().code, ErrorCode::kGone) << next.error().message;
}

TEST_F(KubeIntegration, WatchLatencyIsMilliseconds) {
  create("a", "0");
  Diary diary;
  auto notes = informer(*transport_, diary);
  notes->start();
  diary.await(1);
  milliseconds worst{0};
  for (std::size_t i = 1; i <= 50; ++i) {
    ASSERT_TRUE(write("a", std::to_string(i)));
    const MonotonicTime written = clock_.monotonic_now();
    ASSERT_EQ(diary.await(i + 1).size(), i + 1);
    worst = std::max(worst, clock_.monotonic_now() - written);
  }
  RecordProperty("worst_watch_latency_ms", static_cast<int>(worst.count()));
  fmt::print("worst of 50: {} ms from the write's answer to the handler\n", worst.count());
  EXPECT_LT(worst, milliseconds(1'000));
}

TEST_F(KubeIntegration, AnUnreachableServerIsUnavailableAndABadCaIsToo) {
  Endpoint nobody{.base_url = "http://127.0.0.1:1"};
  auto refused =
      make_cpprest_transport(nobody, clock_).value()->send({.path_and_query = "/version"}, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable) << refused.error().message;

  Endpoint distrusted = config_.endpoint;
  distrusted.ca_pem.clear();
  auto untrusted =
      make_cpprest_transport(distrusted, clock_).value()->send({.path_and_query = "/version"}, {});
  ASSERT_FALSE(untrusted);
  EXPECT_EQ(untrusted.error().code, ErrorCode::kUnavailable) << untrusted.error().message;

  Endpoint garbage = config_.endpoint;
  garbage.client_key_pem = "no key";
  EXPECT_EQ(make_cpprest_transport(garbage, clock_).error().code, ErrorCode::kInvalid);
}

TEST_F(KubeIntegration, StoppingEndsASilentWatchAtOnce) {
  Diary diary;
  auto notes = informer(*transport_, diary);
  notes->start();
  ASSERT_TRUE(notes->wait_for_sync(clock_.monotonic_now() + kPatience, {}));
  const MonotonicTime asked = clock_.monotonic_now();
  notes->stop();
  EXPECT_LT(clock_.monotonic_now() - asked, milliseconds(500));
}

}  // namespace
}  // namespace scalableapp::kube
