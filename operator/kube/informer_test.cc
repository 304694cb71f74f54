#include "operator/kube/informer.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "tests/support/scripted_transport.h"

namespace scalableapp::kube {
namespace {

using api::ObjectKey;
using nlohmann::json;
using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::IsEmpty;

struct Note {
  api::ObjectMeta metadata;
  std::string value;
};

json note_json(const std::string& name, const std::string& version, const std::string& value,
               const std::string& uid = {}) {
  return {{"metadata",
           {{"namespace", "n"},
            {"name", name},
            {"uid", uid.empty() ? "u-" + name : uid},
            {"resourceVersion", version}}},
          {"value", value}};
}

Result<Note> decode_note(const json& object) {
  const json& metadata = object["metadata"];
  Note note;
  note.metadata.namespace_name = "n";
  note.metadata.name = metadata["name"];
  note.metadata.uid = metadata["uid"];
  note.metadata.resource_version = metadata["resourceVersion"];
  note.value = object["value"];
  if (note.value == "bad") return fail(ErrorCode::kDecode, "value: bad");
  return note;
}

std::string list_body(const std::string& version, std::vector<json> items,
                      const std::string& more = {}) {
  return json{{"metadata", {{"resourceVersion", version}, {"continue", more}}}, {"items", items}}
      .dump();
}

std::string event(const std::string& type, const json& object) {
  return json{{"type", type}, {"object", object}}.dump();
}

const std::string kGoneLine = event("ERROR", {{"code", 410}, {"reason", "Expired"}});

// An informer of notes that runs through a script; the story is what its handlers heard:
// "+a=1" new, "a=2" changed, "-a" deleted, "!a" undecodable.
struct World {
  explicit World(std::vector<Reply> script)
      : transport(std::move(script), clock, stop),
        informer(
            transport, clock,
            {.type = kConfigMaps,
             .namespace_name = "n",
             .label_selector = "x=y",
             .page_size = 2,
             .observer = {.on_relist = [this](const char* why) { restarts.push_back(why); },
                          .on_watch_restart = [this](const char* why) { restarts.push_back(why); },
                          .on_error = [this](const Error& error) { errors.push_back(error); }}},
            decode_note, [](const Note& note) { return note.value; },
            {.on_change = [this](const auto& old_note,
                                 const auto& new_note) { tell(old_note, new_note); },
             .on_invalid = [this](const ObjectKey& key,
                                  const Error&) { story.push_back("!" + key.name); }}) {
    informer.run(stop.get_token());
  }

  void tell(const std::shared_ptr<const Note>& old_note,
            const std::shared_ptr<const Note>& new_note) {
    if (!new_note) return story.push_back("-" + old_note->metadata.name);
    EXPECT_EQ(informer.store().get(new_note->metadata.key()), new_note);
    story.push_back((old_note ? "" : "+") + new_note->metadata.name + "=" + new_note->value);
  }

  // What was asked, shortened: "list", "list:<continue>", "watch:<version>".
  std::vector<std::string> asked() const {
    std::vector<std::string> out;
    for (const HttpRequest& request : transport.requests()) {
      const bool watch = request.path_and_query.find("watch=true") != std::string::npos;
      std::string rest = parameter(request, watch ? "resourceVersion=" : "continue=");
      out.push_back((watch ? "watch" : "list") + (rest.empty() ? "" : ":" + rest));
    }
    return out;
  }
  static std::string parameter(const HttpRequest& request, const std::string& name) {
    const auto at = request.path_and_query.find(name);
    if (at == std::string::npos) return {};
    const auto end = request.path_and_query.find('&', at);
    return request.path_and_query.substr(at + name.size(), end - at - name.size());
  }
  std::vector<std::string> values() const {
    std::vector<std::string> out;
    for (const auto& note : informer.store().list())
      out.push_back(note->metadata.name + "=" + note->value);
    return out;
  }

  JumpClock clock;
  std::stop_source stop;
  std::vector<std::string> story;
  std::vector<std::string> restarts;
  std::vector<Error> errors;
  ScriptedTransport transport;
  Informer<Note> informer;
};

TEST(Informer, PagesBecomeOneReplacementAndTheWatchGoesOnFromThere) {
  World world(
      {{.body = list_body("10", {note_json("a", "3", "1"), note_json("b", "4", "1")}, "c1")},
       {.body = list_body("10", {note_json("c", "5", "1")})},
       {.lines = {event("MODIFIED", note_json("a", "11", "2")),
                  event("DELETED", note_json("b", "12", "1")),
                  event("ADDED", note_json("d", "13", "1"))}}});
  EXPECT_THAT(world.story, ElementsAre("+a=1", "+b=1", "+c=1", "a=2", "-b", "+d=1"));
  EXPECT_THAT(world.asked(), ElementsAre("list", "list:c1", "watch:10"));
  EXPECT_EQ(world.transport.requests()[0].path_and_query,
            "/api/v1/namespaces/n/configmaps?labelSelector=x%3Dy&limit=2");
  EXPECT_TRUE(world.informer.store().synced());
}

TEST(Informer, NothingIsKnownUntilTheWholeListIsIn) {
  World world({{.body = list_body("10", {note_json("a", "3", "1")}, "c1")}, {.status = 500}});
  EXPECT_THAT(world.story, IsEmpty());
  EXPECT_FALSE(world.informer.store().synced());
  EXPECT_THAT(world.values(), IsEmpty());
}

TEST(Informer, GoneDuringTheWatchListsAgainWithoutLosingDeletes) {
  World world({{.body = list_body("10", {note_json("a", "3", "1"), note_json("b", "4", "1")})},
               {.lines = {kGoneLine, event("ADDED", note_json("never", "99", "1"))}},
               {.body = list_body("20", {note_json("b", "4", "1"), note_json("c", "15", "1")})},
               {.takes = seconds(2)}});
  EXPECT_THAT(world.story, ElementsAre("+a=1", "+b=1", "-a", "+c=1"));
  EXPECT_THAT(world.asked(), ElementsAre("list", "watch:10", "list", "watch:20"));
  EXPECT_THAT(world.clock.waits(), IsEmpty());
}

TEST(Informer, GoneInTheMiddleOfAListStartsItOver) {
  World world({{.body = list_body("10", {note_json("a", "3", "1")}, "c1")},
               {.status = 410},
               {.body = list_body("20", {note_json("b", "4", "1")})}});
  EXPECT_THAT(world.story, ElementsAre("+b=1"));
  EXPECT_THAT(world.asked(), ElementsAre("list", "list:c1", "list"));
}

TEST(Informer, TheExactRequestsAfterEachKindOfBreak) {
  const std::string bookmark = event("BOOKMARK", {{"metadata", {{"resourceVersion", "30"}}}});
  World world({{.status = 503},
               {.body = list_body("10", {})},
               {.error = Error{ErrorCode::kUnavailable, "refused", {}}},
               {.status = 429, .retry_after = seconds(40)},
               {.lines = {event("ADDED", note_json("a", "11", "1"))},
                .error = Error{ErrorCode::kTimeout, "silence", {}}},
               {.lines = {event("MODIFIED", note_json("a", "12", "2")), R"({"type":"MODIF)"}},
               {.lines = {bookmark}, .takes = seconds(300)},
               {.takes = milliseconds(10)},
               {.lines = {kGoneLine}},
               {.status = 410},
               {.body = list_body("40", {note_json("a", "12", "2")})},
               {.takes = seconds(300)}});
  EXPECT_THAT(world.asked(),
              ElementsAre("list", "list", "watch:10", "watch:10", "watch:10", "watch:11",
                          "watch:12", "watch:30", "watch:30", "list", "list", "watch:40"));
  EXPECT_THAT(world.restarts,
              ElementsAre("unavailable", "unavailable", "too_many_requests", "timeout", "bad_line",
                          "end", "short", "gone", "gone", "end"));
  EXPECT_THAT(world.story, ElementsAre("+a=1", "a=2"));
  ASSERT_EQ(world.clock.waits().size(), 7U);
  EXPECT_EQ(world.clock.waits()[2], seconds(40));
}

TEST(Informer, AnUndecodableObjectKeepsItsLastGoodStateAndStopsNobodyElse) {
  World world({{.body = list_body("10", {note_json("a", "3", "1"), note_json("b", "4", "bad")})},
               {.lines = {event("MODIFIED", note_json("a", "11", "bad")),
                          event("ADDED", note_json("c", "12", "1")), kGoneLine}},
               {.body = list_body("20", {note_json("a", "11", "bad"), note_json("c", "12", "1")})},
               {.lines = {event("MODIFIED", note_json("a", "21", "3")),
                          event("DELETED", note_json("b", "22", "bad"))}}});
  EXPECT_THAT(world.story, ElementsAre("!b", "+a=1", "!a", "+c=1", "!a", "a=3"));
  EXPECT_THAT(world.values(), ElementsAre("a=3", "c=1"));
}

TEST(Informer, AnObjectMadeAnewUnderItsNameComesAsDeleteAndCreate) {
  World world({{.body = list_body("10", {note_json("a", "3", "1", "first")})},
               {.lines = {kGoneLine}},
               {.body = list_body("20", {note_json("a", "15", "2", "second")})}});
  EXPECT_THAT(world.story, ElementsAre("+a=1", "-a", "+a=2"));
}

TEST(Informer, ObjectsThatANewListFindsUnchangedStayTheSamePointer) {
  World world({{.body = list_body("10", {note_json("a", "3", "1")})},
               {.lines = {kGoneLine}},
               {.body = list_body("20", {note_json("a", "3", "1")})}});
  EXPECT_THAT(world.story, ElementsAre("+a=1"));
}

TEST(Informer, AnswersThatAreNoListAreErrors) {
  const std::string whole = list_body("10", {note_json("a", "3", "1")});
  World world({{.body = whole.substr(0, whole.size() - 5)},
               {.body = "[]"},
               {.body = R"({"items":[]})"},
               {.body = R"({"metadata":{},"items":[]})"},
               {.body = whole}});
  EXPECT_THAT(world.asked(), ElementsAre("list", "list", "list", "list", "list"));
  EXPECT_EQ(world.errors.size(), 3U);
  EXPECT_THAT(world.story, ElementsAre("+a=1"));
}

TEST(Informer, OnlyItemsOfTheListCountAsItems) {
  const json tricky = {
      {"metadata", {{"resourceVersion", "10"}, {"extra", {{"metadata", {{"name", "x"}}}}}}},
      {"items", {note_json("a", "3", "1")}},
      {"other", {{{"metadata", {{"name", "y"}}}}}}};
  World world({{.body = tricky.dump()}});
  EXPECT_THAT(world.story, ElementsAre("+a=1"));
}

TEST(Store, TheIndexFollowsTheObjects) {
  Store<Note> store([](const Note& note) { return note.value; });
  const auto put = [&](const std::string& name, const std::string& value) {
    store.put({"n", name}, std::make_shared<const Note>(Note{{}, value}));
  };
  put("a", "x");
  put("b", "x");
  put("c", "");
  EXPECT_EQ(store.list_by_index("x").size(), 2U);
  put("a", "y");
  EXPECT_EQ(store.list_by_index("x").size(), 1U);
  EXPECT_EQ(store.list_by_index("y").front(), store.get({"n", "a"}));
  store.put({"n", "b"}, nullptr);
  EXPECT_THAT(store.list_by_index("x"), IsEmpty());
  EXPECT_THAT(store.list_by_index(""), IsEmpty());
  EXPECT_EQ(store.put({"n", "b"}, nullptr), nullptr);
  EXPECT_FALSE(store.synced());
  EXPECT_EQ(store.replace({{{"n", "d"}, std::make_shared<const Note>(Note{{}, "z"})}}).size(), 2U);
  EXPECT_TRUE(store.synced());
  EXPECT_THAT(store.list_by_index("y"), IsEmpty());
  EXPECT_EQ(store.list_by_index("z").size(), 1U);
}

TEST(Store, WaitingForSyncEndsAtTheDeadlineAndAtAStop) {
  Store<Note> store;
  JumpClock clock;
  const MonotonicTime deadline = clock.monotonic_now() + seconds(5);
  EXPECT_FALSE(store.wait_for_sync(clock, deadline, {}));
  EXPECT_EQ(clock.monotonic_now(), deadline);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_FALSE(store.wait_for_sync(clock, deadline + seconds(5), stop.get_token()));
  store.replace({});
  EXPECT_TRUE(store.wait_for_sync(clock, deadline, {}));
}

// An API server of notes that changes them at random and fails in every way that the protocol
// allows, for `faulty_requests` requests; then it behaves, lets the watch catch up, and stops the
// run.
class UnreliableServer final : public HttpTransport {
 public:
  UnreliableServer(unsigned seed, int faulty_requests, const JumpClock& clock,
                   std::stop_source stop)
      : engine_(seed), faulty_requests_(faulty_requests), clock_(clock), stop_(std::move(stop)) {
    for (int i = 0; i < 5; ++i) mutate();
  }

  Result<HttpResponse> send(const HttpRequest& request, std::stop_token) override {
    begin_request();
    if (faulty() && chance(4)) return any_failure();
    const std::string token = World::parameter(request, "continue=");
    if (token.empty()) {
      snapshot_.assign(objects_.begin(), objects_.end());
      snapshot_version_ = version_;
    } else if (faulty() && chance(4)) {
      return HttpResponse{.status = 410};
    }
    const std::size_t from = token.empty() ? 0 : std::stoul(token);
    const std::size_t to = std::min(from + 2, snapshot_.size());
    std::vector<json> items;
    for (std::size_t i = from; i < to; ++i) items.push_back(snapshot_[i].second);
    std::string body = list_body(std::to_string(snapshot_version_), items,
                                 to < snapshot_.size() ? std::to_string(to) : "");
    if (faulty() && chance(6)) body.resize(body.size() / 2);
    return HttpResponse{200, body, {}};
  }

  Result<HttpResponse> stream(const HttpRequest& request, milliseconds, const OnLine& on_line,
                              std::stop_token) override {
    begin_request();
    long long sent = std::stoll(World::parameter(request, "resourceVersion="));
    EXPECT_LE(sent, version_);
    if (faulty() && chance(4)) return any_failure();
    if (sent < compacted_) {
      if (chance(2)) return HttpResponse{.status = 410};
      on_line(kGoneLine);
      return HttpResponse{.status = 200};
    }
    for (int turn = 0; !faulty() || turn < 6; ++turn) {
      if (faulty() && chance(2)) mutate();
      for (auto it = log_.upper_bound(sent); it != log_.end(); ++it) {
        if (faulty() && chance(8)) return break_off(it->second, on_line);
        if (faulty() && chance(8) && !on_line(R"({"type":"ADDED","object":{}})"))
          return HttpResponse{.status = 200};
        if (!on_line(it->second)) return HttpResponse{.status = 200};
        sent = it->first;
      }
      if (chance(3)) {
        on_line(event("BOOKMARK", {{"metadata", {{"resourceVersion", std::to_string(version_)}}}}));
        sent = version_;
      }
      if (!faulty()) {
        stop_.request_stop();
        return fail(ErrorCode::kCancelled, "caught up");
      }
    }
    return HttpResponse{.status = 200};
  }

  std::map<std::string, std::string> truth() const {
    std::map<std::string, std::string> out;
    for (const auto& [name, object] : objects_) out[name] = object["value"];
    return out;
  }
  int requests() const { return requests_; }

 private:
  bool chance(int one_in) { return std::uniform_int_distribution<int>(1, one_in)(engine_) == 1; }
  bool faulty() const { return requests_ <= faulty_requests_; }

  void begin_request() {
    ++requests_;
    clock_.advance(milliseconds(std::uniform_int_distribution<int>(0, 60'000)(engine_)));
    if (!faulty()) return;
    for (int i = 0; i < 3; ++i) mutate();
    if (chance(3)) {
      compacted_ = version_ - 1;
      log_.erase(log_.begin(), log_.lower_bound(compacted_));
    }
  }

  void mutate() {
    ++version_;
    const std::string name(
        1, static_cast<char>('a' + std::uniform_int_distribution<int>(0, 7)(engine_)));
    const std::string version = std::to_string(version_);
    const auto it = objects_.find(name);
    if (it != objects_.end() && chance(3)) {
      it->second["metadata"]["resourceVersion"] = version;
      log_[version_] = event("DELETED", it->second);
      objects_.erase(it);
      return;
    }
    const std::string uid =
        it != objects_.end() ? it->second["metadata"]["uid"].get<std::string>() : "u" + version;
    const json object = note_json(name, version, version, uid);
    log_[version_] = event(it == objects_.end() ? "ADDED" : "MODIFIED", object);
    objects_[name] = object;
  }

  Result<HttpResponse> any_failure() {
    switch (std::uniform_int_distribution<int>(0, 5)(engine_)) {
      case 0:
        return HttpResponse{.status = 500};
      case 1:
        return HttpResponse{.status = 429, .retry_after = seconds(2)};
      case 2:
        return HttpResponse{.status = 401};
      case 3:
        return HttpResponse{.status = 504, .body = R"({"reason":"Timeout"})"};
      case 4:
        return fail(ErrorCode::kTimeout, "silence");
      default:
        return fail(ErrorCode::kUnavailable, "refused");
    }
  }

  Result<HttpResponse> break_off(const std::string& line, const OnLine& on_line) {
    switch (std::uniform_int_distribution<int>(0, 3)(engine_)) {
      case 0:
        on_line(line.substr(0, line.size() / 2));
        return HttpResponse{.status = 200};
      case 1:
        on_line(event("ERROR", {{"code", 500}}));
        return HttpResponse{.status = 200};
      case 2:
        return fail(ErrorCode::kTimeout, "silence");
      default:
        return HttpResponse{.status = 200};
    }
  }

  std::mt19937 engine_;
  const int faulty_requests_;
  const JumpClock& clock_;
  std::stop_source stop_;
  int requests_ = 0;
  long long version_ = 0;
  long long compacted_ = 0;
  std::map<std::string, json> objects_;
  std::map<long long, std::string> log_;  // Watch lines by version, since the last compaction.
  std::vector<std::pair<std::string, json>> snapshot_;
  long long snapshot_version_ = 0;
};

TEST(Informer, EndsEqualToTheServerWhateverFailedOnTheWay) {
  for (unsigned seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    JumpClock clock;
    std::stop_source stop;
    UnreliableServer server(seed, 40, clock, stop);
    std::map<std::string, std::string> told;  // The handlers' calls, applied.
    std::map<std::string, std::string> uids;
    Informer<Note> informer(server, clock, {.type = kConfigMaps, .seed = seed}, decode_note,
                            nullptr, {.on_change = [&](const auto& old_note, const auto& new_note) {
                              const std::string name =
                                  (new_note ? new_note : old_note)->metadata.name;
                              EXPECT_EQ(told.contains(name), old_note != nullptr) << name;
                              if (old_note) {
                                EXPECT_EQ(told[name], old_note->value);
                              }
                              if (old_note && new_note) {
                                EXPECT_EQ(old_note->metadata.uid, new_note->metadata.uid);
                                EXPECT_LT(std::stoll(old_note->value), std::stoll(new_note->value));
                              }
                              if (new_note) {
                                told[name] = new_note->value;
                              } else {
                                told.erase(name);
                              }
                            }});
    informer.run(stop.get_token());
    std::map<std::string, std::string> stored;
    for (const auto& note : informer.store().list()) stored[note->metadata.name] = note->value;
    EXPECT_EQ(stored, server.truth());
    EXPECT_EQ(told, server.truth());
    EXPECT_LT(server.requests(), 60) << "does not settle";
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace scalableapp::kube
