#include "cli/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/explain_incident.h"
#include "ingest/decoder.h"

namespace tocsin {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kConfig = R"(
inputs: [{name: app, file: /nowhere.jsonl}, {name: audit, file: /nowhere2.jsonl}]
topology: {api: [orders-db]}
detectors:
  - name: api-errors
    kind: error_rate
    where: {type: request, endpoint: {not: /health}}
    by: [service]
    title: Requests fail
    warn: {above: 5%, window: 5m, for: 5m, level: 3}
    critical: {above: 50%, window: 1m, level: 1}
  - {name: slow, kind: latency, where: {type: query}, by: [dependency], warn: {p95_above: 500ms, level: 3}}
  - {name: logins, kind: burst, where: {type: auth}, by: [service], category: security, critical: {count: 9}}
  - {name: disk, kind: saturation, where: {name: disk_used}, by: [host], warn: {above: 90%}}
  - {name: audit-log, kind: burst, inputs: [audit], where: {type: log}, by: [service], critical: {count: 3, window: 1m, level: 2}}
  - {name: sockets, kind: storm, gauge: true, where: {type: metric, name: sockets}, by: [service], critical: {above: 9}}
silences:
  - {name: freeze, match: [service=web], starts: 2026-03-01T00:00:00Z, for: 2d, comment: moving}
severity: {escalation: {SEV1: [{after: 10m, to: [cto]}]}}
sinks: [{name: board, kind: stdout}, {name: tickets, kind: webhook, url: "http://h/"}]
routes: [{match: {level: [1]}, to: [board]}, {to: [tickets]}]
)";

class ExplainTest : public testing::Test, public EventSink {
 protected:
  ExplainTest() {
    ErrorList errors;
    config_ = LoadConfigText(kConfig, "test.yaml", &errors);
    setup_ = EngineSetup::Build(&*config_, &errors);
    sinks_ = NewSinks(*config_, &errors);
    decoder_ = NewDecoder(InputConfig(), &errors);
    for (const ConfigError& error : errors.Sorted()) ADD_FAILURE() << error.ToString();
  }

  // What is said of a JSON event at 21:05; those before it were deploys.
  std::string Explain(const std::string& fields, const std::string& input = "") {
    input_ = input;
    decoder_->Decode(R"({"time": "2026-03-01T21:05:00Z", )" + fields + "}", kNoTime, this);
    return std::exchange(said_, "");
  }

  void OnEvent(const Event& event) override {
    if (event.type == EventType::kDeploy) deploys_.push_back(Fact::FromEvent(event));
    said_ += Explainer(*config_, *setup_, sinks_, deploys_).Explain(event, input_);
  }
  void OnUndecodable(std::string_view, std::string_view reason) override {
    ADD_FAILURE() << reason;
  }

  std::optional<Config> config_;
  std::unique_ptr<EngineSetup> setup_;
  std::vector<std::unique_ptr<Sink>> sinks_;
  std::unique_ptr<Decoder> decoder_;
  std::vector<Fact> deploys_;
  std::string input_, said_;
};

TEST_F(ExplainTest, SaysWhatWouldBecomeOfIt) {
  EXPECT_EQ(Explain(R"("type": "request", "service": "api", "endpoint": "/x", "status": 503)"),
            R"(request of env=prod service=api endpoint=/x, 2026-03-01T21:05:00Z, failed
  api-errors (error_rate) counts it in env=prod service=api
    would say   Requests fail
    joins       what is about api or, by the topology, orders-db; onsets within 5m, or while it fires and has got worse of late
    together    whatever fails, is slow or full and begins within 45s of it, unless the topology knows that they share nothing
    severity    SEV1 (api-errors gives level 1), respond within 5m
    told        board (stdout)
    next        status update due at 2026-03-01 21:20:10 UTC; after 10m without an acknowledgement calls cto
  not for 5 that read other types of events
)");
}

TEST_F(ExplainTest, SaysWhoElseHearsOfLessSevereOnes) {
  EXPECT_THAT(Explain(R"("type": "query", "dependency": "orders-db", "duration_ms": 900)"),
              AllOf(HasSubstr("slow (latency) counts it in env=prod dependency=orders-db"),
                    HasSubstr("orders-db or, by the topology, api"),
                    HasSubstr("told        tickets (webhook)")));
}

TEST_F(ExplainTest, SaysWhatItWouldJoinOnlyBecauseBothBeganThen) {
  EXPECT_THAT(Explain(R"("type": "auth", "service": "api", "outcome": "failure")"),
              HasSubstr("together    another security signal that begins within 45s of it"));
  EXPECT_THAT(
      Explain(R"("type": "metric", "name": "disk_used", "host": "db-1", "value": 1, "limit": 2)"),
      HasSubstr("together    nothing: it drifts"));
  config_->correlate.coincidence = 0;
  EXPECT_THAT(Explain(R"("type": "auth", "service": "api", "outcome": "failure")"),
              HasSubstr("together    nothing: coincidence is 0s"));
}

Signal SignalOn(const char* detector, Labels labels, int minute) {
  Signal signal;
  signal.detector = detector;
  signal.series = std::move(labels);
  signal.series.insert(signal.series.begin(), {"env", "prod"});
  signal.onset = *ParseRfc3339("2026-03-01T21:00:00Z");
  signal.fired_at = signal.onset + minute * kMinuteUs;
  return signal;
}

TEST(ExplainIncident, SaysWhyEachSignalIsInIt) {
  Incident incident;
  incident.number = "INC-2026-002";
  incident.severity = "SEV2";
  incident.title = "Requests fail";
  incident.scope_labels = {{"env", "prod"}};
  incident.signals = {SignalOn("errors", {{"service", "api"}}, 1),
                      SignalOn("slow", {{"service", "api"}}, 2),
                      SignalOn("errors", {{"service", "web"}}, 3),
                      SignalOn("pool", {{"dependency", "orders-db"}}, 4),
                      SignalOn("errors", {{"service", "jobs"}}, 5),
                      SignalOn("errors", {{"service", "api"}}, 6)};
  incident.timeline = {{.at = incident.signals[2].fired_at,
                        .id = "",
                        .author = "tocsin",
                        .what = kJoinedTogether,
                        .text = "web began within 45s of api (…); nothing else connects them"}};
  incident.beside = {"INC-2026-001"};
  const Topology topology(std::map<std::string, std::vector<std::string>>{{"api", {"orders-db"}}});
  EXPECT_EQ(ExplainIncident(incident, topology),
            R"(INC-2026-002 SEV2, open: Requests fail
  21:01:00 errors (service=api), since 21:00:00
    opened it
  21:02:00 slow (service=api), since 21:00:00
    it is about api, too
  21:03:00 errors (service=web), since 21:00:00
    web began within 45s of api (…); nothing else connects them
  21:04:00 pool (dependency=orders-db), since 21:00:00
    the topology: api needs orders-db
  21:05:00 errors (service=jobs), since 21:00:00
    a call that was seen when it fired, or a common beginning or a signal that is not listed
  21:06:00 errors (service=api), since 21:00:00
    the same series again
  beside INC-2026-001: it has something in common with it, but began long after that last got worse
)");
}

TEST_F(ExplainTest, SaysWhatMutesIt) {
  EXPECT_THAT(Explain(R"("type": "request", "service": "web", "endpoint": "/x", "status": 503)"),
              AllOf(HasSubstr("muted by    freeze"), Not(HasSubstr("told  "))));
}

TEST_F(ExplainTest, SuspectsTheDeploysAmongTheEvents) {
  EXPECT_THAT(
      Explain(R"("type": "deploy", "service": "api", "version": "v2", "name": "release")"),
      AllOf(HasSubstr("suspected of what begins within 30m"), HasSubstr("no detector reads it")));
  EXPECT_THAT(Explain(R"("type": "request", "service": "api", "endpoint": "/x", "status": 503)"),
              HasSubstr("suspect     deploy api v2"));
  EXPECT_THAT(Explain(R"("type": "request", "service": "shop", "endpoint": "/x", "status": 503)"),
              Not(HasSubstr("suspect     deploy")));
}

TEST_F(ExplainTest, SaysWhyADetectorDoesNotReadIt) {
  EXPECT_THAT(
      Explain(R"("type": "request", "service": "api", "endpoint": "/health")"),
      AllOf(HasSubstr("no detector reads it"), HasSubstr("not for api-errors: it reads endpoint")));
  EXPECT_THAT(Explain(R"("type": "log", "service": "api")", "app"),
              HasSubstr("not for audit-log: it reads other inputs"));
  EXPECT_THAT(Explain(R"("type": "log", "service": "api")", "audit"),
              HasSubstr("audit-log (burst) counts it"));
}

TEST_F(ExplainTest, SaysWhatItExplains) {
  EXPECT_THAT(Explain(R"("type": "connection", "action": "open", "service": "api")"),
              HasSubstr("  sockets (storm) is explained by it, where its service is the same\n"));
}

TEST_F(ExplainTest, StaysOnItsLinesWhateverTheEventSays) {
  EXPECT_THAT(Explain(R"("type": "request", "service": "a\u001b[31m\nb", "status": 503)"),
              AllOf(HasSubstr("service=a [31m b"), Not(HasSubstr("\x1b"))));
}

}  // namespace
}  // namespace tocsin
