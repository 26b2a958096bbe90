// The HTTP API by itself, and what people do going through a whole pipeline and a restart.

#include "api/api.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/time/clock.h"
#include "service/pipeline.h"
#include "sinks/incident_line.h"
#include "sinks/signature.h"

namespace tocsin {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr TimeUs kNow = 1'772'400'000 * kSecondUs;

Incident OpenIncident(std::uint64_t id, const std::string& number, int level) {
  Incident incident;
  incident.id = {.high = 7, .low = id};
  incident.number = number;
  incident.severity_level = level;
  incident.detected_at = kNow + static_cast<TimeUs>(id) * kSecondUs;
  incident.title = "api fails";
  return incident;
}

class Api : public ::testing::Test {
 protected:
  Api() {
    context_.incidents = &book_;
    context_.silences = [this] { return silences_; };
    context_.submit = [this](const OperatorAction& act) {
      if (submitted_.ok()) acts_.push_back(act);
      return submitted_;
    };
    context_.now = [] { return kNow; };
  }

  HttpResponse Call(const std::string& method, const std::string& target,
                    const std::string& body = "",
                    const std::string& content_type = "application/json") {
    HttpRequest request{.method = method, .target = target};
    request.headers["content-type"] = content_type;
    if (!shown_.empty()) request.headers["authorization"] = shown_;
    if (!host_.empty()) request.headers["host"] = host_;
    if (!origin_.empty()) request.headers["origin"] = origin_;
    HttpServer::Admission admission = AdmitApi(request, context_);
    proven_ = admission.proven;
    if (admission.refused) return *std::move(admission.refused);
    request.body = body;
    return AnswerApi(request, context_);
  }

  IncidentBook book_{2};
  std::vector<Silence> silences_;
  std::vector<OperatorAction> acts_;
  absl::Status submitted_;
  std::string shown_, host_, origin_;
  bool proven_ = false;
  ApiContext context_;
};

TEST_F(Api, ALineThatLeavesSomethingOutIsListedAndTheWholeIsToldById) {
  const Incident incident = OpenIncident(1, "INC-2026-001", 3);
  const std::string whole = incident.ToJson();
  const std::string line = incident.ToJson({.signals = 7});
  book_.Put(line, whole);
  EXPECT_FALSE(book_.LacksWhole(incident.id));
  EXPECT_EQ(Call("GET", "/api/v1/incidents/INC-2026-001").body, whole + "\n");
  book_.Put(line);
  EXPECT_TRUE(book_.LacksWhole(incident.id)) << "as of the journal";
  EXPECT_THAT(Call("GET", "/api/v1/incidents/INC-2026-001").body,
              HasSubstr(R"("omitted":{"signals":7})"));
}

TEST_F(Api, ListsTheOpenOnesTheMostSevereFirst) {
  book_.Put(OpenIncident(1, "INC-2026-001", 3).ToJson());
  book_.Put(OpenIncident(2, "INC-2026-002", 1).ToJson());
  book_.Put(OpenIncident(3, "INC-2026-003", 3).ToJson());
  Incident resolved = OpenIncident(4, "INC-2026-004", 1);
  book_.Put(resolved.ToJson());
  resolved.state = IncidentState::kResolved;
  book_.Put(resolved.ToJson());
  const auto numbers = [&](const std::string& target) {
    const HttpResponse response = Call("GET", target);
    EXPECT_EQ(response.status, 200);
    std::string found;
    for (std::size_t at = 0; (at = response.body.find("INC-2026-", at)) != std::string::npos;) {
      found += response.body.substr(at + 9, 3) + " ";
      at += 9;
    }
    return found + response.body.substr(0, 10);
  };
  EXPECT_EQ(numbers("/api/v1/incidents"), "002 003 001 {\"total\":3");
  EXPECT_EQ(numbers("/api/v1/incidents?limit=1"), "002 {\"total\":3");
  EXPECT_EQ(numbers("/api/v1/incidents?state=all"), "002 003 001 004 {\"total\":4");
  EXPECT_EQ(Call("GET", "/api/v1/incidents?limit=x").status, 400);
  EXPECT_EQ(Call("DELETE", "/api/v1/incidents").status, 405);
}

TEST_F(Api, ForgetsTheOldestResolvedOnes) {
  for (std::uint64_t id = 1; id <= 4; ++id) {
    Incident incident = OpenIncident(id, "INC-2026-00" + std::to_string(id), 2);
    incident.state = IncidentState::kResolved;
    book_.Put(incident.ToJson());
  }
  EXPECT_EQ(Call("GET", "/api/v1/incidents/INC-2026-002").status, 404);
  EXPECT_EQ(Call("GET", "/api/v1/incidents/INC-2026-003").status, 200);
  EXPECT_THAT(Call("GET", "/api/v1/incidents").body, HasSubstr("\"total\":0"));
}

TEST_F(Api, ShowsOneByIdOrNumber) {
  const Incident incident = OpenIncident(1, "INC-2026-001", 2);
  book_.Put(incident.ToJson());
  EXPECT_EQ(Call("GET", "/api/v1/incidents/INC-2026-001").body, incident.ToJson() + "\n");
  EXPECT_EQ(Call("GET", "/api/v1/incidents/" + incident.id.Hex()).body, incident.ToJson() + "\n");
  EXPECT_EQ(Call("GET", "/api/v1/incidents/INC-2026-009").status, 404);
  // Another scope numbers from 1, too.
  book_.Put(OpenIncident(2, "INC-2026-001", 2).ToJson());
  EXPECT_EQ(Call("GET", "/api/v1/incidents/INC-2026-001").status, 409);
}

TEST_F(Api, HandsOnWhatPeopleDo) {
  const Incident incident = OpenIncident(1, "INC-2026-001", 2);
  book_.Put(incident.ToJson());
  const std::string path = "/api/v1/incidents/INC-2026-001/";
  EXPECT_EQ(Call("POST", path + "acknowledge",
                 R"({"id": "a1", "author": "ana", "text": "looking", "for": "2h"})")
                .body,
            "{\"act\":\"a1\"}\n");
  ASSERT_THAT(acts_, SizeIs(1));
  EXPECT_EQ(acts_[0].kind, OperatorActionKind::kAcknowledge);
  EXPECT_EQ(acts_[0].incident, incident.id);
  EXPECT_EQ(acts_[0].author, "ana");
  EXPECT_EQ(acts_[0].text, "looking");
  EXPECT_EQ(acts_[0].until, kNow + 2 * kHourUs);
  EXPECT_EQ(Call("POST", path + "resolve", R"({"author": "ana"})").status, 202);
  EXPECT_EQ(Call("POST", path + "note", R"({"author": "ana", "text": "t"})").status, 202);
  EXPECT_EQ(Call("POST", path + "link", R"({"author": "ana", "text": "u"})").status, 202);
  ASSERT_THAT(acts_, SizeIs(4));
  EXPECT_NE(acts_[1].id, acts_[2].id);
  EXPECT_EQ(acts_[1].kind, OperatorActionKind::kResolve);
  EXPECT_EQ(acts_[2].kind, OperatorActionKind::kNote);
  EXPECT_EQ(acts_[3].kind, OperatorActionKind::kLink);
}

TEST_F(Api, SaysWhatIsWrongAndDoesNothing) {
  Incident resolved = OpenIncident(2, "INC-2026-002", 2);
  resolved.state = IncidentState::kResolved;
  book_.Put(resolved.ToJson());
  book_.Put(OpenIncident(1, "INC-2026-001", 2).ToJson());
  const std::string path = "/api/v1/incidents/INC-2026-001/";
  struct Case {
    std::string method, target, body;
    int status;
    const char* says;
  };
  const Case cases[] = {
      {"POST", path + "acknowledge", "{}", 400, "author"},
      {"POST", path + "acknowledge", "[1]", 400, "not a JSON object"},
      {"POST", path + "acknowledge", "{", 400, "not a JSON object"},
      {"POST", path + "acknowledge", R"({"author": 7})", 400, "author: expected a string"},
      {"POST", path + "acknowledge", R"({"autor": "ana"})", 400, "autor: unknown field"},
      {"POST", path + "acknowledge", R"({"author": "a", "for": "long"})", 400, "duration"},
      {"POST", path + "note", R"({"author": "a"})", 400, "text"},
      {"POST", path + "note", R"({"author": "a", "text": ")" + std::string(5'000, 'x') + "\"}", 400,
       "longer than 4 KiB"},
      {"POST", path + "dance", R"({"author": "a"})", 404, "acts are"},
      {"POST", "/api/v1/incidents/INC-2026-002/resolve", R"({"author": "a"})", 409, "is resolved"},
      {"POST", "/api/v1/silences", "{}", 400, "match"},
      {"POST", "/api/v1/silences", R"({"match": ["service"], "for": "1h"})", 400, "no matcher"},
      {"POST", "/api/v1/silences", R"({"match": ["a=b"]})", 400, "expected \\\"for\\\""},
      {"POST", "/api/v1/silences", R"({"match": ["a=b"], "for": "10y"})", 400, "at most a year"},
      {"POST", "/api/v1/silences", R"({"match": ["a=b"], "for": "2h", "every": "1h"})", 400,
       "never end"},
      {"POST", "/api/v1/silences",
       R"({"match": ["a=b"], "starts": "2020-01-01T00:00:00Z", "for": "1h"})", 400, "is past"},
      {"DELETE", "/api/v1/silences/none", "", 404, "no silence"},
      {"GET", "/api/v2/incidents", "", 404, "expected /api/v1"},
      {"GET", "/api/v1/incidents/a/b/c", "", 404, "expected /api/v1"},
      {"PUT", "/api/v1/silences", "", 405, "GET or POST"},
  };
  for (const Case& c : cases) {
    const HttpResponse response = Call(c.method, c.target, c.body);
    EXPECT_EQ(response.status, c.status) << c.target << " " << c.body.substr(0, 80);
    EXPECT_THAT(response.body, HasSubstr(c.says)) << c.target;
  }
  EXPECT_THAT(acts_, IsEmpty());
}

TEST_F(Api, ShowsDeliveriesAndSendsAgainWhatWasRefused) {
  const Incident incident = OpenIncident(1, "INC-2026-001", 2);
  book_.Put(incident.ToJson());
  context_.deliveries = [&](const Hash128& id) {
    EXPECT_EQ(id, incident.id);
    Delivery delivery;
    delivery.sink = "oncall";
    delivery.level = 2;
    delivery.state = DeliveryState::kParked;
    delivery.attempts = 1;
    delivery.last_error = "HTTP 400: \"bad key\"";
    delivery.payload = "not shown";
    delivery.tick = kNow;
    return std::vector<Delivery>{delivery};
  };
  EXPECT_EQ(Call("GET", "/api/v1/incidents/INC-2026-001/deliveries").body,
            R"({"deliveries":[{"sink":"oncall","action":"trigger","level":2,"state":"parked",)"
            R"("attempts":1,"last_error":"HTTP 400: \"bad key\"","tick":")" +
                FormatTime(kNow) + "\"}]}\n");
  absl::StatusOr<std::size_t> retried = 1;
  context_.retry_parked = [&](const Hash128&) { return retried; };
  const std::string retry = "/api/v1/incidents/INC-2026-001/retry";
  EXPECT_EQ(Call("POST", retry).body, "{\"retried\":1}\n");
  EXPECT_EQ(Call("GET", retry).status, 405);
  EXPECT_EQ(Call("POST", retry, "", "text/plain").status, 415);
  retried = absl::ResourceExhaustedError("the disk is full");
  EXPECT_EQ(Call("POST", retry).status, 503);
  EXPECT_EQ(Call("GET", "/api/v1/incidents/INC-2026-009/deliveries").status, 404);
}

TEST_F(Api, OnlyThoseWhoMayAct) {
  book_.Put(OpenIncident(1, "INC-2026-001", 2).ToJson());
  const auto acknowledge = [&](const char* type = "application/json") {
    return Call("POST", "/api/v1/incidents/INC-2026-001/acknowledge", R"({"author": "a"})", type)
        .status;
  };
  EXPECT_EQ(acknowledge("text/plain"), 415) << "what a foreign page's form can send";
  context_.loopback = false;
  EXPECT_EQ(acknowledge(), 403);
  context_.token = "s3cret";
  EXPECT_EQ(acknowledge(), 401);
  shown_ = "Bearer s3creT";
  EXPECT_EQ(acknowledge(), 401);
  context_.loopback = true;
  EXPECT_EQ(acknowledge(), 401) << "who shows a token shows the right one";
  shown_.clear();
  context_.token_required = true;
  EXPECT_EQ(acknowledge(), 401);
  EXPECT_THAT(acts_, IsEmpty());
  context_.token_required = false;
  EXPECT_EQ(acknowledge(), 202) << "on this machine its own token may be shown, and need not be";
  EXPECT_FALSE(proven_);
  shown_ = "Bearer s3cret";
  EXPECT_EQ(acknowledge(), 202);
  EXPECT_TRUE(proven_);
  submitted_ = absl::ResourceExhaustedError("too many");
  EXPECT_EQ(acknowledge(), 429);
  submitted_ = absl::UnavailableError("ending");
  EXPECT_EQ(acknowledge(), 503);
}

TEST_F(Api, PagesElsewhereNeitherReadNorChangeAnything) {
  const HostPolicy policy({.listen = "127.0.0.1:9464", .hosts = {}});
  context_.host_policy = &policy;
  context_.token = "s3cret";
  const auto silence = [&] {
    return Call("POST", "/api/v1/silences",
                R"({"name": "all", "match": ["env=prod"], "for": "365d", "author": "eve"})")
        .status;
  };
  host_ = "evil.example";
  EXPECT_EQ(silence(), 403);
  EXPECT_EQ(Call("GET", "/api/v1/incidents").status, 403);
  EXPECT_EQ(Call("DELETE", "/api/v1/silences/all").status, 403);
  host_ = "127.0.0.1:9464";
  origin_ = "https://evil.example";
  EXPECT_EQ(silence(), 403);
  EXPECT_THAT(acts_, IsEmpty());
  origin_.clear();
  EXPECT_EQ(silence(), 202);
  EXPECT_EQ(Call("GET", "/api/v1/incidents").status, 200);
  // A reverse proxy in front, with the token.
  host_ = "tocsin.example";
  shown_ = "Bearer s3cret";
  EXPECT_EQ(silence(), 202);
  EXPECT_EQ(Call("GET", "/api/v1/incidents").status, 200);
}

TEST_F(Api, AddsAndListsAndExpiresSilences) {
  EXPECT_EQ(Call("POST", "/api/v1/silences",
                 R"({"name": "freeze", "match": ["service=api", "env!=test"], "for": "2h",
                     "author": "ana", "comment": "moving"})")
                .status,
            202);
  ASSERT_THAT(acts_, SizeIs(1));
  const Silence& silence = acts_[0].silence;
  EXPECT_EQ(silence.name, "freeze");
  EXPECT_THAT(silence.matchers, SizeIs(2));
  EXPECT_EQ(silence.starts, kNow);
  EXPECT_EQ(silence.ends, kNow + 2 * kHourUs);
  silences_ = {silence};
  EXPECT_THAT(Call("GET", "/api/v1/silences").body, HasSubstr("\"active\":true"));
  EXPECT_EQ(Call("DELETE", "/api/v1/silences/freeze").status, 202);
  EXPECT_EQ(acts_.back().kind, OperatorActionKind::kExpire);
  EXPECT_EQ(acts_.back().text, "freeze");
}

TEST_F(Api, AMatcherHasALimit) {
  const std::string matcher = "service=~" + std::string(limits::kMatcherBytesMax, 'a');
  const HttpResponse refused =
      Call("POST", "/api/v1/silences", R"({"match": [")" + matcher + R"("], "for": "1h"})");
  EXPECT_EQ(refused.status, 400);
  EXPECT_THAT(refused.body, HasSubstr("the matcher of 'service' has 2057 bytes"));
  EXPECT_THAT(acts_, IsEmpty());
}

TEST_F(Api, ListsPlannedSilencesWhichOnlyTheConfigurationEnds) {
  context_.planned = {{.name = "backup",
                       .matchers = {"dependency=orders-db"},
                       .starts = kNow - kHourUs,
                       .ends = kNow,
                       .every = kDayUs,
                       .author = "",
                       .comment = ""}};
  const std::string listed = Call("GET", "/api/v1/silences").body;
  EXPECT_THAT(listed, HasSubstr("\"name\":\"backup\""));
  EXPECT_THAT(listed, HasSubstr("\"planned\":true"));
  EXPECT_THAT(listed, HasSubstr("\"active\":false"));
  const HttpResponse refused = Call("DELETE", "/api/v1/silences/backup");
  EXPECT_EQ(refused.status, 409);
  EXPECT_THAT(refused.body, HasSubstr("configuration"));
  const HttpResponse taken =
      Call("POST", "/api/v1/silences", R"({"name": "backup", "match": ["a=b"], "for": "1h"})");
  EXPECT_EQ(taken.status, 409);
  EXPECT_THAT(acts_, IsEmpty());
}

// A followed file on which a pool is full, and everything a pipeline needs.
class ApiPipeline : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "tocsin-api-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    std::ofstream events(directory_ + "/events.jsonl");
    for (int i = 0; i < 12; ++i) {
      events << R"({"time":")" << FormatTime(kNow + i * 10 * kSecondUs)
             << R"(","type":"metric","name":"db_connections","service":"api","value":)"
             << (i < 4 ? 40 : 99) << R"(,"limit":100})"
             << "\n";
    }
    ErrorList errors;
    config_ = LoadConfigText("inputs: [{name: app, file: '" + directory_ +
                                 "/events.jsonl'}]\nstate_dir: '" + directory_ + R"(/state'
detectors:
  - name: pool
    kind: saturation
    where: {type: metric, name: db_connections}
    by: [service]
    critical: {above: 95%, for: 0s, level: 1}
)",
                             "test.yaml", &errors);
    for (const ConfigError& error : errors.Sorted()) ADD_FAILURE() << error.ToString();
    ASSERT_TRUE(config_.has_value());
    Start();
  }
  void TearDown() override {
    pipeline_.reset();
    std::filesystem::remove_all(directory_);
  }

  void Start() {
    pipeline_ = std::make_unique<Pipeline>(Pipeline::Options{
        .config = &*config_, .incidents_path = "", .signals_path = "", .on_decision = nullptr});
    ASSERT_TRUE(pipeline_->Start().ok());
  }
  std::string Line() const {
    const auto found = pipeline_->incidents().Find("INC-2026-001");
    return found.empty() ? "" : found[0].line;
  }
  static void WaitFor(const std::function<bool()>& condition) {
    const absl::Time deadline = absl::Now() + absl::Minutes(1);
    while (!condition()) {
      ASSERT_LT(absl::Now(), deadline);
      absl::SleepFor(absl::Milliseconds(5));
    }
  }

  std::string directory_;
  std::optional<Config> config_;
  std::unique_ptr<Pipeline> pipeline_;
};

TEST_F(ApiPipeline, WhatAPersonDidOutlivesARestart) {
  WaitFor([&] { return !Line().empty(); });
  const ApiContext api = {
      .incidents = &pipeline_->incidents(),
      .silences = [&] { return pipeline_->silences(); },
      .submit = [&](const OperatorAction& act) { return pipeline_->Submit(act); },
      .now = [] { return kNow; },
      .token = ""};
  const auto post = [&](const std::string& target, const std::string& body) {
    return AnswerApi({.method = "POST",
                      .target = target,
                      .headers = {{"content-type", "application/json"}},
                      .body = body},
                     api)
        .status;
  };
  EXPECT_EQ(
      post("/api/v1/incidents/INC-2026-001/acknowledge", R"({"author": "ana", "text": "looking"})"),
      202);
  EXPECT_EQ(post("/api/v1/silences", R"({"name": "s", "match": ["service=web"], "for": "9d"})"),
            202);
  // No event comes any more; it takes effect nonetheless.
  WaitFor([&] { return Line().find("\"state\":\"acknowledged\"") != std::string::npos; });
  WaitFor([&] { return pipeline_->silences().size() == 1; });
  const std::string before = Line();
  ASSERT_TRUE(pipeline_->Stop().ok());
  EXPECT_EQ(post("/api/v1/incidents/INC-2026-001/resolve", R"({"author": "ana"})"), 503);
  Start();
  EXPECT_EQ(Line(), before);
  EXPECT_THAT(pipeline_->silences(), SizeIs(1));
  const absl::StatusOr<Incident> incident = ReadIncident(Line());
  ASSERT_TRUE(incident.ok());
  EXPECT_EQ(incident->acknowledged_by, "ana");
  EXPECT_EQ(pipeline_->Snapshot().times.acknowledge.count, 1);
}

TEST_F(ApiPipeline, WhoAcknowledgesOnPagerDutyIsNotCalledAgain) {
  WaitFor([&] { return !Line().empty(); });
  const ApiContext api = {
      .incidents = &pipeline_->incidents(),
      .silences = [&] { return pipeline_->silences(); },
      .submit = [&](const OperatorAction& act) { return pipeline_->Submit(act); },
      .now = [] { return kNow; },
      .token = "",
      .loopback = true,
      .pagerduty_secrets = {"s3cret"}};
  const std::string key = Incident::DedupKey(ReadIncident(Line())->id, 1);
  const auto post = [&](const char* id, const char* type) {
    const std::string body = std::string(R"({"event": {"id": ")") + id +
                             R"(", "event_type": "incident.)" + type +
                             R"(", "agent": {"type": "user_reference", "summary": "Ana Lee"},)" +
                             R"("data": {"incident_key": ")" + key + R"("}}})";
    return AnswerApi({.method = "POST",
                      .target = "/api/v1/pagerduty",
                      .headers = {{"x-pagerduty-signature", BodySignature("s3cret", body)}},
                      .body = body},
                     api)
        .status;
  };
  EXPECT_EQ(post("1", "acknowledged"), 202);
  EXPECT_EQ(post("1", "acknowledged"), 202) << "PagerDuty sends at least once";
  EXPECT_EQ(post("2", "resolved"), 202);
  WaitFor([&] { return Line().find("\"state\":\"resolved\"") != std::string::npos; });
  const absl::StatusOr<Incident> incident = ReadIncident(Line());
  ASSERT_TRUE(incident.ok());
  EXPECT_EQ(incident->acknowledged_by, "Ana Lee");
  ASSERT_THAT(incident->timeline, SizeIs(2));
  EXPECT_EQ(incident->timeline[0].what, "acknowledged");
  EXPECT_EQ(incident->timeline[0].author, "Ana Lee");
  EXPECT_EQ(incident->timeline[1].what, "resolved");
}

}  // namespace
}  // namespace tocsin
