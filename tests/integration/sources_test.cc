// Real senders post to us, and kcat writes to a real Kafka: each ends as an event.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "config/config.h"
#include "ingest/sources/file_source.h"
#include "ingest/sources/kafka_source.h"
#include "service/http_in/receiver.h"
#include "sinks/signature.h"
#include "system/host_clock.h"
#include "tests/ingest/recording_sink.h"
#include "tests/integration/http_get.h"
#include "tests/integration/kafka_cluster.h"
#include "tests/service/sns_authority.h"
#include "tests/transport/socket.h"
#include "tests/transport/tls_standin.h"

namespace tocsin {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr int kPatience = 60;

std::string Program(const char* variable) {
  const char* path = std::getenv(variable);
  EXPECT_NE(path, nullptr) << variable << " is not set: ./dev test sets it";
  return path == nullptr ? "/bin/false" : path;
}

class SourcesTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "tocsin-sources-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    setenv("no_proxy", "127.0.0.1", 1);
    begin_ = HostWall();
  }
  void TearDown() override {
    receiver_.reset();
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }

  void Open(const std::string& inputs) {
    ErrorList errors;
    std::optional<Config> config =
        LoadConfigText(absl::StrCat("state_dir: ", folder_,
                                    "/state\nhttp: {listen: \"127.0.0.1:0\"}\ninputs:\n", inputs),
                       "t.yaml", &errors);
    for (const ConfigError& error : errors.Sorted()) ADD_FAILURE() << error.ToString();
    ASSERT_TRUE(config);
    config_ = *std::move(config);
    auto opened = Receiver::Open(&config_, {});
    ASSERT_TRUE(opened.ok()) << opened.status();
    receiver_ = *std::move(opened);
    ASSERT_TRUE(receiver_->Start().ok());
  }
  std::string Url(const std::string& input) const {
    return absl::StrCat("http://127.0.0.1:", receiver_->port(), "/v1/sources/", input);
  }

  // The status of the answer.
  int Post(const std::string& input, const std::string& body, const std::string& headers = "") {
    TestSocket socket(receiver_->port());
    socket.Send(absl::StrCat("POST /v1/sources/", input, " HTTP/1.1\r\nHost: localhost\r\n",
                             headers, "Connection: close\r\nContent-Type: application/json\r\n",
                             "Content-Length: ", body.size(), "\r\n\r\n", body));
    return StatusOf(socket.ReadAll());
  }

  // What has become of all that was posted to the input.
  RecordingSink Events(std::size_t input) {
    RecordingSink sink;
    const InputConfig& config = config_.inputs[input];
    const std::unique_ptr<Decoder> decoder = DecoderFor(config);
    const auto reader = OpenLineReader(config.file->path);
    EXPECT_TRUE(reader.ok()) << reader.status();
    LineReader::Line line;
    while (reader.ok() && (*reader)->Next(&line) == LineReader::Result::kLine) {
      decoder->Decode(line.text, line.time, &sink);
    }
    EXPECT_THAT(sink.reasons, SizeIs(0));
    return sink;
  }
  // The event of this name, once there is one.
  std::optional<KeptEvent> Await(std::size_t input, const std::string& name) {
    std::optional<KeptEvent> found;
    WaitFor(kPatience, [&] {
      for (const KeptEvent& event : Events(input).events) {
        if (event.Get(Field::kName) == name) found = event;
      }
      return found.has_value();
    });
    EXPECT_TRUE(found) << "no event is called " << name;
    return found;
  }
  void ExpectNow(const KeptEvent& event) const {
    EXPECT_GE(event.event.time, begin_ - kSecondUs);
    EXPECT_LE(event.event.time, HostWall() + kSecondUs);
  }
  std::string Log(const char* name) const {
    std::ifstream file(folder_ + "/" + name);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  std::string folder_;
  TimeUs begin_ = 0;
  Config config_;
  std::unique_ptr<Receiver> receiver_;
};

TEST_F(SourcesTest, PrometheusWritesRemotely) {
  Open("  - {name: prom, http: {}, format: prometheus-remote-write}\n");
  const int port = FreePort();
  std::ofstream(folder_ + "/prometheus.yml")
      << "global: {scrape_interval: 1s}\n"
      << "scrape_configs: [{job_name: shop, static_configs: [{targets: ['127.0.0.1:" << port
      << "'], labels: {env: stage}}]}]\n"
      << "remote_write: [{url: '" << Url("prom") << "'}]\n";
  Process prometheus;
  ASSERT_TRUE(prometheus.Start(
      {Program("TOCSIN_PROMETHEUS"), "--config.file=" + folder_ + "/prometheus.yml",
       "--storage.tsdb.path=" + folder_ + "/data",
       absl::StrCat("--web.listen-address=127.0.0.1:", port)},
      folder_ + "/log"));
  const std::optional<KeptEvent> up = Await(0, "up");
  ASSERT_TRUE(up) << Log("log");
  ExpectNow(*up);
  EXPECT_EQ(up->event.type, EventType::kMetric);
  EXPECT_EQ(up->event.metric_type, MetricType::kGauge);
  EXPECT_EQ(up->event.value, 1);
  EXPECT_EQ(up->Get(Field::kService), "shop");
  EXPECT_EQ(up->Get(Field::kEnv), "stage");
  EXPECT_EQ(up->Get(Field::kHost), absl::StrCat("127.0.0.1:", port));
  const std::optional<KeptEvent> counter = Await(0, "go_memstats_mallocs_total");
  ASSERT_TRUE(counter);
  EXPECT_EQ(counter->event.metric_type, MetricType::kCounter);
  EXPECT_GT(counter->event.value.value_or(0), 0);
  // What it exposes as text reads the same.
  InputConfig text;
  text.format = "prometheus-text";
  const RecordingSink scraped = DecodeRecord(text, HttpGet(port, "/metrics"), HostWall());
  EXPECT_THAT(scraped.reasons, SizeIs(0));
  EXPECT_GT(scraped.events.size(), 100U);
}

TEST_F(SourcesTest, AlertmanagerCallsOurWebhook) {
  Open("  - {name: alerts, http: {}, format: alertmanager}\n");
  const int port = FreePort();
  std::ofstream(folder_ + "/alertmanager.yml")
      << "route: {receiver: tocsin, group_wait: 0s, group_interval: 1s}\n"
      << "receivers: [{name: tocsin, webhook_configs: [{url: '" << Url("alerts") << "'}]}]\n";
  Process alertmanager;
  ASSERT_TRUE(alertmanager.Start(
      {Program("TOCSIN_ALERTMANAGER"), "--config.file=" + folder_ + "/alertmanager.yml",
       "--storage.path=" + folder_ + "/data", absl::StrCat("--web.listen-address=127.0.0.1:", port),
       "--cluster.listen-address="},
      folder_ + "/log"));
  ASSERT_TRUE(WaitFor(kPatience, [&] { return HttpGet(port, "/-/ready") == "OK"; })) << Log("log");
  const std::string alert =
      R"([{"labels": {"alertname": "DiskFull", "service": "shop", "severity": "critical"},)"
      R"( "annotations": {"summary": "97 %"}, "startsAt": "2026-01-01T00:00:00Z"}])";
  TestSocket socket(static_cast<std::uint16_t>(port));
  socket.Send(
      absl::StrCat("POST /api/v2/alerts HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                   "Content-Type: application/json\r\nContent-Length: ",
                   alert.size(), "\r\n\r\n", alert));
  ASSERT_EQ(StatusOf(socket.ReadAll()), 200);
  const std::optional<KeptEvent> event = Await(0, "DiskFull");
  ASSERT_TRUE(event) << Log("log");
  EXPECT_EQ(event->event.type, EventType::kAlarm);
  EXPECT_EQ(event->event.state, AlarmState::kAlarm);
  EXPECT_EQ(FormatTime(event->event.time), "2026-01-01T00:00:00Z");
  EXPECT_EQ(event->Get(Field::kService), "shop");
  EXPECT_EQ(event->Get(Field::kSeverity), "critical");
  EXPECT_EQ(event->Get(Field::kMessage), "97 %");
}

TEST_F(SourcesTest, SentryCallsOurWebhook) {
  std::ofstream(folder_ + "/secret") << "s3cret\n";
  Open(absl::StrCat("  - {name: errors, http: {signature: sentry, secret_file: ", folder_,
                    "/secret}, format: sentry}\n"));
  const std::string body =
      R"({"action": "triggered", "installation": {"uuid": "a8e5d37a"}, "data": {"event": {)"
      R"("event_id": "e4874d664c3540c1a32eab185f12c5ab", "project": 1, "level": "error",)"
      R"( "title": "ReferenceError: heck is not defined", "platform": "javascript",)"
      R"( "datetime": "2026-03-01T21:06:17.677000Z", "release": "1.2",)"
      R"( "metadata": {"type": "ReferenceError", "value": "heck is not defined"},)"
      R"( "tags": [["environment", "stage"], ["server_name", "web-1"]]},)"
      R"( "triggered_rule": "Very Important Alert Rule!"}, "actor": {"type": "application"}})";
  const auto post = [&](const std::string& signature) {
    return Post("errors", body,
                absl::StrCat("Sentry-Hook-Resource: event_alert\r\nSentry-Hook-Timestamp: "
                             "1535116923\r\nSentry-Hook-Signature: ",
                             signature, "\r\n"));
  };
  EXPECT_EQ(post(BodySignature("s3creT", body).substr(3)), 401);
  EXPECT_EQ(post(BodySignature("s3cret", body).substr(3)), 200);
  const std::vector<KeptEvent> events = Events(0).events;
  ASSERT_THAT(events, SizeIs(1));
  EXPECT_EQ(FormatTime(events[0].event.time), "2026-03-01T21:06:17.677Z");
  EXPECT_EQ(events[0].event.type, EventType::kLog);
  EXPECT_EQ(events[0].Get(Field::kException), "ReferenceError");
  EXPECT_EQ(events[0].Get(Field::kEnv), "stage");
  EXPECT_EQ(events[0].Get(Field::kHost), "web-1");
}

// Amazon's host as it is seen through a proxy that intercepts, with an authority of its own.
TEST_F(SourcesTest, SnsSignsItsMessages) {
  TlsStandIn amazon({.host = "sns.us-east-1.amazonaws.com",
                     .proxied = true,
                     .answer = [](const std::string& line) -> std::string {
                       if (line.starts_with("GET /SimpleNotificationService-1.pem ")) {
                         return Ours().Pem();
                       }
                       return line.starts_with("GET /?Action=ConfirmSubscription ") ? "<ok/>" : "";
                     }});
  Open(absl::StrCat(
      "  - {name: alarms, format: cloudwatch-alarm, http: {signature: sns, topics: [\"", kTopic,
      "\"], ca_file: ", amazon.certificate(), ", proxy: \"", amazon.proxy(), "\"}}\n"));
  Fields confirmation = Confirmation();
  confirmation["Timestamp"] = FormatTime(HostWall());
  EXPECT_EQ(Post("alarms", Signed(confirmation)), 200);
  EXPECT_EQ(amazon.requests(), 2) << "the certificate, and the address that confirms";
  EXPECT_THAT(Events(0).events, SizeIs(0));
  Fields alarm = Notification();
  alarm["Timestamp"] = FormatTime(HostWall());
  alarm["Message"] =
      R"({"AlarmName": "connections", "NewStateValue": "ALARM", "NewStateReason": "90 % of them",)"
      R"( "StateChangeTime": "2026-03-01T21:05:00.123+0000", "Region": "EU", "AlarmArn":)"
      R"( "arn:aws:cloudwatch:eu-west-1:1:alarm:connections", "Trigger": {"MetricName": "m",)"
      R"( "Namespace": "AWS/ECS", "Dimensions": [{"name": "ServiceName", "value": "api"}]}})";
  EXPECT_EQ(Post("alarms", Signed(alarm, Authority())), 401) << "signed with another key";
  EXPECT_EQ(Post("alarms", Signed(alarm)), 200);
  const std::vector<KeptEvent> events = Events(0).events;
  ASSERT_THAT(events, SizeIs(1));
  EXPECT_EQ(FormatTime(events[0].event.time), "2026-03-01T21:05:00.123Z");
  EXPECT_EQ(events[0].event.type, EventType::kAlarm);
  EXPECT_EQ(events[0].event.state, AlarmState::kAlarm);
  EXPECT_EQ(events[0].Get(Field::kName), "connections");
  EXPECT_EQ(events[0].Get(Field::kService), "api");
  EXPECT_EQ(events[0].Get(Field::kMessage), "90 % of them");
  EXPECT_EQ(amazon.requests(), 2) << "the certificate is kept";
}

TEST_F(SourcesTest, OpenTelemetryExports) {
  Open(
      "  - {name: metrics, http: {}, format: otlp-proto, signal: metrics}\n"
      "  - {name: logs, http: {}, format: otlp-proto, signal: logs}\n");
  Process exporter;
  ASSERT_TRUE(exporter.Start(
      {Program("TOCSIN_OTEL_PYTHON"), TOCSIN_OTLP_EXPORTER, Url("metrics"), Url("logs")},
      folder_ + "/log"));
  EXPECT_EQ(exporter.Wait(kPatience), 0) << Log("log");
  const std::optional<KeptEvent> orders = Await(0, "orders");
  ASSERT_TRUE(orders);
  ExpectNow(*orders);
  EXPECT_EQ(orders->event.type, EventType::kMetric);
  EXPECT_EQ(orders->event.metric_type, MetricType::kCounter);
  EXPECT_EQ(orders->event.value, 7);
  EXPECT_EQ(orders->Get(Field::kService), "checkout");
  EXPECT_EQ(orders->Get(Field::kVersion), "1.2.3");
  EXPECT_EQ(orders->Get(Field::kEnv), "stage");
  EXPECT_EQ(orders->Get(Field::kEndpoint), "/orders");
  EXPECT_THAT(orders->labels, Contains(std::pair<const std::string, std::string>("zone", "a")));
  const std::optional<KeptEvent> latency = Await(0, "latency");
  ASSERT_TRUE(latency);
  EXPECT_EQ(latency->event.metric_type, MetricType::kHistogram);
  EXPECT_EQ(latency->event.count, 1);
  EXPECT_EQ(latency->event.sum, 12.5);
  EXPECT_EQ(Await(0, "depth")->event.value, 4.5);
  const std::vector<KeptEvent> logs = Events(1).events;
  ASSERT_THAT(logs, SizeIs(1));
  ExpectNow(logs[0]);
  EXPECT_EQ(logs[0].event.type, EventType::kLog);
  EXPECT_EQ(logs[0].Get(Field::kLevel), "error");
  EXPECT_EQ(logs[0].Get(Field::kMessage), "connection refused");
  EXPECT_EQ(logs[0].Get(Field::kException), "IOError");
  EXPECT_EQ(logs[0].Get(Field::kService), "checkout");
}

// All events of a topic.
class TopicEvents : public KafkaCallbacks {
 public:
  explicit TopicEvents(const InputConfig& input) : decoder_(DecoderFor(input)) {}
  absl::Status OnAssigned(std::span<KafkaAssignment>) override { return absl::OkStatus(); }
  void OnRevoked(const KafkaPartition&) override {}
  void OnRecord(const KafkaPartition&, const KafkaRecord& record) override {
    decoder_->Decode(record.value, record.timestamp, &sink);
  }
  void OnEnd(const KafkaPartition&, std::int64_t) override {}
  void OnSkipped(const KafkaPartition&, std::int64_t, std::int64_t, std::string_view) override {}
  void OnError(std::string_view) override {}

  RecordingSink sink;

 private:
  std::unique_ptr<Decoder> decoder_;
};

TEST_F(SourcesTest, KcatWritesAndWhatIsPostedIsInTheTopic) {
  KafkaCluster kafka;
  ASSERT_TRUE(kafka.Start());
  ASSERT_TRUE(kafka.CreateTopic("logs", 1, {{"message.timestamp.type", "LogAppendTime"}}));
  Open(absl::StrCat("  - {name: logs, http: {}, kafka: {brokers: \"", kafka.brokers(),
                    "\", topics: [logs]}}\n"));
  std::ofstream(folder_ + "/line")
      << R"({"time": "2026-01-01T00:00:00Z", "type": "request", "service": "shop", "status": 503})"
      << "\n";
  Process kcat;
  ASSERT_TRUE(kcat.Start(
      {Program("TOCSIN_KCAT"), "-P", "-b", kafka.brokers(), "-t", "logs", "-l", folder_ + "/line"},
      folder_ + "/log"));
  ASSERT_EQ(kcat.Wait(kPatience), 0) << Log("log");
  const std::string posted =
      R"({"time": "2026-01-01T00:00:01Z", "type": "log", "service": "shop", "level": "error"})";
  TestSocket socket(receiver_->port());
  socket.Send(
      absl::StrCat("POST /v1/sources/logs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                   "Content-Length: ",
                   posted.size(), "\r\n\r\n", posted));
  ASSERT_EQ(StatusOf(socket.ReadAll()), 200);
  ASSERT_EQ(kafka.Records("logs", 1), 2) << "it was answered when it was there";
  TopicEvents topic(config_.inputs[0]);
  KafkaSource source({.brokers = kafka.brokers(),
                      .topics = {"logs"},
                      .group = "",
                      .instance_id = "",
                      .assign_all = true,
                      .properties = {}},
                     &topic);
  ASSERT_TRUE(source.Start().ok());
  ASSERT_TRUE(WaitFor(kPatience, [&] {
    source.Poll(absl::Milliseconds(100));
    return topic.sink.events.size() >= 2;
  }));
  const KeptEvent& request = topic.sink.events[0];
  EXPECT_EQ(FormatTime(request.event.time), "2026-01-01T00:00:00Z");
  EXPECT_EQ(request.event.type, EventType::kRequest);
  EXPECT_EQ(request.event.status, 503);
  EXPECT_EQ(request.Get(Field::kService), "shop");
  EXPECT_EQ(topic.sink.events[1].Get(Field::kLevel), "error");
  // Nobody there to write to: said, and nothing is taken for durable.
  Open("  - {name: logs, http: {}, kafka: {brokers: \"127.0.0.1:1\", topics: [logs]}}\n");
  TestSocket other(receiver_->port());
  other.Send(
      absl::StrCat("POST /v1/sources/logs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                   "Content-Length: ",
                   posted.size(), "\r\n\r\n", posted));
  EXPECT_THAT(other.ReadAll(), HasSubstr("503"));
}

}  // namespace
}  // namespace tocsin
