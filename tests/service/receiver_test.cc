#include "service/http_in/receiver.h"
#include "service/http_in/webhook_signature.h"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "config/config.h"
#include "ingest/sources/file_source.h"
#include "service/http_in/seen_bodies.h"
#include "sinks/signature.h"
#include "tests/ingest/packed_text.h"
#include "tests/service/sns_authority.h"
#include "tests/transport/socket.h"

namespace tocsin {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr TimeUs kNow = 1'767'225'600 * kSecondUs;
constexpr char kEvent[] = R"({"time":"2026-01-01T00:00:00Z","type":"log","service":"a"})";

class ReceiverTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "receiver_" +
              testing::UnitTest::GetInstance()->current_test_info()->name() + "/";
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }

  std::string Write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ + name) << text;
    return folder_ + name;
  }

  // Inputs as YAML, one a line.
  void Open(const std::string& inputs, const std::string& http = "") {
    receiver_.reset();
    ErrorList errors;
    std::optional<Config> config =
        LoadConfigText(absl::StrCat("state_dir: ", folder_, "state\nhttp: {listen: \"127.0.0.1:0\"",
                                    http.empty() ? "" : ", ", http, "}\ninputs:\n", inputs),
                       "t.yaml", &errors);
    for (const ConfigError& error : errors.Sorted()) ADD_FAILURE() << error.ToString();
    ASSERT_TRUE(config);
    config_ = *std::move(config);
    absl::StatusOr<std::unique_ptr<Receiver>> opened =
        Receiver::Open(&config_, {.now = [this] { return now_.load(); },
                                  .monotonic = [this] { return monotonic_.load(); },
                                  .fetch = [this](const std::string& url) { return Fetch(url); }});
    ASSERT_TRUE(opened.ok()) << opened.status();
    receiver_ = *std::move(opened);
    ASSERT_TRUE(receiver_->Start().ok());
  }

  std::string Post(const std::string& path, const std::string& body,
                   const std::string& headers = "") {
    TestSocket socket(receiver_->port());
    const std::string host = absl::StrContains(headers, "Host: ") ? "" : "Host: 127.0.0.1\r\n";
    socket.Send(absl::StrCat("POST ", path, " HTTP/1.1\r\n", host, "Connection: close\r\n", headers,
                             "Content-Length: ", body.size(), "\r\n\r\n", body));
    return socket.ReadAll();
  }

  // What the input's log holds, read as `replay` would.
  std::vector<std::string> Logged(const std::string& input) {
    std::vector<std::string> records;
    const auto reader = OpenLineReader(folder_ + "state/http/" + input);
    if (!reader.ok()) return {reader.status().ToString()};
    LineReader::Line line;
    while ((*reader)->Next(&line) == LineReader::Result::kLine) {
      EXPECT_EQ(line.time, kNow);
      records.emplace_back(line.text);
    }
    EXPECT_TRUE((*reader)->status().ok());
    return records;
  }

  absl::StatusOr<std::string> Fetch(const std::string& url) {
    if (hang_.exchange(false)) {
      fetching_.Notify();
      go_on_.WaitForNotification();
    }
    const auto found = served_.find(url);
    if (found == served_.end()) return absl::UnavailableError("status 404");
    return found->second;
  }

  std::string folder_;
  std::map<std::string, std::string> served_;  // by SNS
  std::atomic<bool> hang_{false};              // the next fetch, until it may go on
  absl::Notification fetching_, go_on_;
  std::atomic<TimeUs> now_{kNow};
  std::atomic<TimeUs> monotonic_{kHourUs};
  Config config_;
  std::unique_ptr<Receiver> receiver_;
};

TEST_F(ReceiverTest, WhatIsAnsweredIsInTheLog) {
  Open("  - {name: events, http: {}}\n  - {name: web, http: {}, format: clf}\n");
  EXPECT_EQ(StatusOf(Post("/v1/events", kEvent)), 200);
  EXPECT_EQ(Logged("events"), std::vector<std::string>{kEvent});
  EXPECT_EQ(StatusOf(Post("/v1/sources/events", std::string(kEvent) + "\n" + kEvent)), 200);
  EXPECT_THAT(Logged("events"), SizeIs(2));
  const std::string line =
      "203.0.113.7 - - [01/Jan/2026:00:00:00 +0000] \"GET / HTTP/1.1\" 200 7\n";
  EXPECT_EQ(StatusOf(Post("/v1/sources/web", line + line)), 200);
  EXPECT_EQ(Logged("web"), std::vector<std::string>{line + line});
  EXPECT_EQ(StatusOf(Post("/v1/events", "")), 200) << "nothing is a success";
  EXPECT_THAT(Logged("events"), SizeIs(2));
  const std::vector<Receiver::SourceCounters> counters = receiver_->Counters();
  ASSERT_THAT(counters, SizeIs(2));
  EXPECT_EQ(counters[0].name, "events");
  EXPECT_EQ(counters[0].accepted, 3);
  EXPECT_EQ(counters[0].refused, 0);
}

TEST_F(ReceiverTest, OtherAnswers) {
  Open(
      "  - {name: a, http: {}}\n  - {name: rw, http: {}, format: prometheus-remote-write}\n"
      "  - {name: otlp, http: {}, format: otlp-proto, signal: logs}\n",
      "body_mib_max: 1");
  EXPECT_EQ(StatusOf(Post("/v1/sources/b", kEvent)), 404);
  EXPECT_EQ(StatusOf(Post("/v1/events", kEvent)), 404) << "no input is called events";
  EXPECT_EQ(StatusOf(Post("/", kEvent)), 404);
  const std::string broken = Post("/v1/sources/a", "{\"time\": ");
  EXPECT_EQ(StatusOf(broken), 400);
  EXPECT_THAT(broken, HasSubstr("nothing in it can be read as json: cut short"));
  EXPECT_EQ(StatusOf(Post("/v1/sources/a", std::string((1 << 20) + 1, ' '))), 413);
  EXPECT_EQ(StatusOf(Post("/v1/sources/rw", "x")), 400);
  EXPECT_EQ(StatusOf(Post("/v1/sources/rw", "")), 204);
  EXPECT_THAT(Post("/v1/sources/otlp", ""),
              AllOf(HasSubstr("200 OK"), HasSubstr("application/x-protobuf")));
  EXPECT_EQ(StatusOf(Post("/v1/sources/otlp", "{}", "Content-Type: application/json\r\n")), 415);
  TestSocket socket(receiver_->port());
  socket.Send("GET /v1/sources/a HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(socket.ReadAll(), AllOf(HasSubstr("405"), HasSubstr("Allow: POST")));
  TestSocket health(receiver_->port());
  health.Send("GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(health.ReadAll(), HasSubstr("200 OK"));
  for (const std::string input : {"a", "rw", "otlp"}) EXPECT_THAT(Logged(input), IsEmpty());
}

TEST_F(ReceiverTest, CompressedBodies) {
  Open("  - {name: a, http: {}}\n");
  EXPECT_EQ(StatusOf(Post("/v1/sources/a", Gzip(kEvent), "Content-Encoding: gzip\r\n")), 200);
  EXPECT_EQ(Logged("a"), std::vector<std::string>{kEvent});
  EXPECT_EQ(StatusOf(Post("/v1/sources/a", Zstd(kEvent), "Content-Encoding: zstd\r\n")), 200);
  EXPECT_EQ(StatusOf(Post("/v1/sources/a", kEvent, "Content-Encoding: gzip\r\n")), 400);
  EXPECT_EQ(StatusOf(Post("/v1/sources/a", kEvent, "Content-Encoding: zstd\r\n")), 400);
  EXPECT_EQ(StatusOf(Post("/v1/sources/a", kEvent, "Content-Encoding: br\r\n")), 415);
  EXPECT_EQ(StatusOf(Post("/v1/sources/a", kEvent, "Content-Encoding: snappy\r\n")), 415);
  const std::string bomb = Gzip(std::string(64 << 20, ' '));
  ASSERT_LT(bomb.size(), 1U << 20);
  EXPECT_EQ(StatusOf(Post("/v1/sources/a", bomb, "Content-Encoding: gzip\r\n")), 413);
  const std::string other = Zstd(std::string(64 << 20, ' '));
  EXPECT_EQ(StatusOf(Post("/v1/sources/a", other, "Content-Encoding: zstd\r\n")), 413);
  const std::string half = Zstd(kEvent).substr(0, 20);
  EXPECT_EQ(StatusOf(Post("/v1/sources/a", half, "Content-Encoding: zstd\r\n")), 400);
  EXPECT_EQ(Logged("a"), (std::vector<std::string>{kEvent, kEvent}));
}

TEST_F(ReceiverTest, TokensAndSignatures) {
  const std::string tokens = Write("tokens", "first\nsecond\n");
  const std::string secret = Write("secret", "s3cret\n");
  Open(absl::StrCat("  - {name: a, http: {token_file: ", tokens, "}}\n",
                    "  - {name: gh, http: {signature: github, secret_file: ", secret, "}}\n",
                    "  - {name: gl, http: {signature: gitlab, secret_file: ", secret, "}}\n",
                    "  - {name: se, http: {signature: sentry, secret_file: ", secret, "}}\n",
                    "  - {name: pd, http: {signature: pagerduty, secret_file: ", secret, "}}\n"));
  EXPECT_THAT(Post("/v1/sources/a", kEvent), AllOf(HasSubstr("401"), HasSubstr("Bearer")));
  EXPECT_EQ(StatusOf(Post("/v1/sources/a", kEvent, "Authorization: Bearer third\r\n")), 401);
  EXPECT_EQ(StatusOf(Post("/v1/sources/a", kEvent, "Authorization: Bearer second\r\n")), 200);
  const std::string v1 = BodySignature("s3cret", kEvent);
  const std::string hex = v1.substr(3);
  const std::string wrong(64, 'a');
  const std::pair<std::string, std::pair<std::string, std::string>> schemes[] = {
      {"gh", {"X-Hub-Signature-256: sha256=" + hex, "X-Hub-Signature-256: sha256=" + wrong}},
      {"gl", {"X-Gitlab-Token: s3cret", "X-Gitlab-Token: s3creT"}},
      {"se", {"Sentry-Hook-Signature: " + hex, "Sentry-Hook-Signature: " + wrong}},
      {"pd", {"X-PagerDuty-Signature: " + v1, "X-PagerDuty-Signature: v1=" + wrong}}};
  for (const auto& [name, headers] : schemes) {
    SCOPED_TRACE(name);
    const std::string path = "/v1/sources/" + name;
    EXPECT_EQ(StatusOf(Post(path, kEvent)), 401);
    EXPECT_EQ(StatusOf(Post(path, kEvent, headers.second + "\r\n")), 401);
    EXPECT_EQ(StatusOf(Post(path, std::string(kEvent) + " ", headers.first + "\r\n")),
              name == "gl" ? 200 : 401);
    const std::size_t before = Logged(name).size();
    EXPECT_EQ(StatusOf(Post(path, kEvent, headers.first + "\r\n")), 200);
    EXPECT_THAT(Logged(name), SizeIs(before + 1));
    // A repeat within ten minutes may come from a sender that lost our answer; a later one is a
    // replay.
    now_ = now_ + SeenBodies::kWindow;
    EXPECT_EQ(StatusOf(Post(path, kEvent, headers.first + "\r\n")), 200);
    now_ = now_ + kSecondUs;
    EXPECT_EQ(StatusOf(Post(path, kEvent, headers.first + "\r\n")), 401);
    now_ = kNow;
    EXPECT_THAT(Logged(name), SizeIs(before + 1));
  }
}

TEST_F(ReceiverTest, MessagesOfSns) {
  served_[kCertificate] = Ours().Pem();
  Open(absl::StrCat("  - {name: alarms, http: {signature: sns, topics: [\"", kTopic,
                    "\"]}, format: cloudwatch-alarm}\n"));
  EXPECT_EQ(StatusOf(Post("/v1/sources/alarms", Signed(Confirmation()))), 503)
      << "the address that confirms does not answer";
  served_[kSubscribe] = "confirmed";
  EXPECT_EQ(StatusOf(Post("/v1/sources/alarms", Signed(Confirmation()))), 200);
  EXPECT_THAT(Logged("alarms"), IsEmpty());
  Fields alarm = Notification();
  alarm["Message"] = R"({"AlarmName": "a", "NewStateValue": "ALARM", "StateChangeTime":)"
                     R"( "2026-01-01T00:00:00.000+0000", "Trigger": {}})";
  const std::string body = Signed(alarm);
  EXPECT_EQ(StatusOf(Post("/v1/sources/alarms", body)), 200);
  EXPECT_EQ(StatusOf(Post("/v1/sources/alarms", body)), 200) << "delivered again";
  EXPECT_EQ(Logged("alarms"), std::vector<std::string>{body});
  const Authority other;
  EXPECT_EQ(StatusOf(Post("/v1/sources/alarms", Signed(alarm, other))), 401);
  alarm["TopicArn"] = "arn:aws:sns:us-east-1:666:alarms";
  EXPECT_EQ(StatusOf(Post("/v1/sources/alarms", Signed(alarm))), 403);
  EXPECT_EQ(StatusOf(Post("/v1/sources/alarms", "{}")), 400);
  EXPECT_THAT(Logged("alarms"), SizeIs(1));
}

TEST_F(ReceiverTest, ACertificateThatDoesNotComeHoldsUpNoOtherMessage) {
  served_[kCertificate] = Ours().Pem();
  Open(absl::StrCat("  - {name: alarms, http: {signature: sns, topics: [\"", kTopic,
                    "\"]}, format: cloudwatch-alarm}\n"));
  Fields alarm = Notification();
  alarm["Message"] = R"({"AlarmName": "a", "NewStateValue": "ALARM", "StateChangeTime":)"
                     R"( "2026-01-01T00:00:00.000+0000", "Trigger": {}})";
  EXPECT_EQ(StatusOf(Post("/v1/sources/alarms", Signed(alarm))), 200);
  hang_.store(true);
  Fields made_up = alarm;
  made_up["SigningCertURL"] = "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-2.pem";
  const std::string body = Signed(made_up);
  TestSocket waits(receiver_->port());
  waits.Send(absl::StrCat("POST /v1/sources/alarms HTTP/1.1\r\nContent-Length: ", body.size(),
                          "\r\n\r\n", body));
  ASSERT_TRUE(fetching_.WaitForNotificationWithTimeout(absl::Minutes(1)));
  alarm["MessageId"] = "m2";
  EXPECT_EQ(StatusOf(Post("/v1/sources/alarms", Signed(alarm))), 200);
  go_on_.Notify();
  EXPECT_EQ(StatusOf(waits.ReadReply()), 503);
  EXPECT_EQ(StatusOf(Post("/v1/sources/alarms", body)), 503) << "it is not asked for again at once";
  EXPECT_THAT(Logged("alarms"), SizeIs(2));
}

TEST_F(ReceiverTest, AboveTheRateOrAFullLog) {
  Open("  - {name: a, http: {requests_per_second: 2}}\n");
  EXPECT_EQ(StatusOf(Post("/v1/sources/a", kEvent)), 200);
  EXPECT_EQ(StatusOf(Post("/v1/sources/a", kEvent)), 200);
  EXPECT_THAT(Post("/v1/sources/a", kEvent), AllOf(HasSubstr("429"), HasSubstr("Retry-After: 1")));
  // A clock that steps, either way, lets nobody in and keeps nobody out.
  now_ = kNow + kDayUs;
  EXPECT_EQ(StatusOf(Post("/v1/sources/a", "")), 429);
  now_ = kNow - kDayUs;
  monotonic_ = monotonic_ + kSecondUs;
  EXPECT_EQ(StatusOf(Post("/v1/sources/a", "")), 200);
  now_ = kNow;
  // A log that nobody reads takes what it may hold and no more.
  Open("  - {name: full, http: {}}\n", "log_mib_max: 128");
  const std::string large = std::string(kEvent) + std::string(7 << 20, ' ');
  int taken = 0;
  std::string reply;
  while (StatusOf(reply = Post("/v1/sources/full", large)) == 200) ASSERT_LT(++taken, 100);
  EXPECT_THAT(reply, AllOf(HasSubstr("429"), HasSubstr("have not been read")));
  EXPECT_EQ(taken, 18);
}

TEST_F(ReceiverTest, GoesOnWhereItStopped) {
  const std::string inputs = "  - {name: a, http: {}}\n";
  Open(inputs);
  EXPECT_EQ(StatusOf(Post("/v1/sources/a", kEvent)), 200);
  Open(inputs);
  EXPECT_EQ(StatusOf(Post("/v1/sources/a", kEvent)), 200);
  EXPECT_THAT(Logged("a"), ElementsAre(kEvent, kEvent));
}

TEST_F(ReceiverTest, WhoeverSignedBodiesArePlayedBackToKnowsThemAfterARestart) {
  const std::string inputs = absl::StrCat("  - {name: gh, http: {signature: github, secret_file: ",
                                          Write("secret", "s3cret\n"), "}}\n");
  Open(inputs);
  const std::string header = absl::StrCat(
      "X-Hub-Signature-256: sha256=", BodySignature("s3cret", kEvent).substr(3), "\r\n");
  EXPECT_EQ(StatusOf(Post("/v1/sources/gh", kEvent, header)), 200);
  Open(inputs);
  EXPECT_EQ(StatusOf(Post("/v1/sources/gh", kEvent, header)), 200) << "its sender, once more";
  now_ = kNow + SeenBodies::kWindow + 1;
  EXPECT_EQ(StatusOf(Post("/v1/sources/gh", kEvent, header)), 401);
  EXPECT_THAT(Logged("gh"), SizeIs(1));
}

TEST_F(ReceiverTest, WithoutATokenAnUnfinishedBodyTakesNothing) {
  Open(absl::StrCat("  - {name: a, http: {token_file: ", Write("tokens", "t0ken\n"), "}}\n"),
       "connections_max: 64");
  // Bodies are refused by their announced size, before they arrive.
  std::vector<std::unique_ptr<TestSocket>> hostile;
  for (int i = 0; i < 32; ++i) {
    hostile.push_back(std::make_unique<TestSocket>(receiver_->port()));
    hostile.back()->Send(
        absl::StrCat("POST /v1/sources/a HTTP/1.1\r\nContent-Length: ", 8 << 20, "\r\n\r\nabc"));
    EXPECT_EQ(StatusOf(hostile.back()->ReadReply()), 401);
  }
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(StatusOf(Post("/v1/sources/a", kEvent, "Authorization: Bearer t0ken\r\n")), 200) << i;
  }
  EXPECT_THAT(Logged("a"), SizeIs(50));
  EXPECT_EQ(receiver_->Counters()[0].refused, 32);
  EXPECT_EQ(receiver_->connections().bodies_cut, 0);
}

TEST_F(ReceiverTest, WithATokenManyUnfinishedBodiesKeepNobodyOut) {
  Open(absl::StrCat("  - {name: a, http: {token_file: ", Write("tokens", "t0ken\n"), "}}\n"),
       "connections_max: 64");
  std::vector<std::unique_ptr<TestSocket>> hostile;
  for (int i = 0; i < 64; ++i) {
    hostile.push_back(std::make_unique<TestSocket>(receiver_->port()));
    hostile.back()->Send(absl::StrCat("POST /v1/sources/a HTTP/1.1\r\nAuthorization: Bearer t0ken",
                                      "\r\nContent-Length: ", 8 << 20, "\r\n\r\nabc"));
  }
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(StatusOf(Post("/v1/sources/a", kEvent, "Authorization: Bearer t0ken\r\n")), 200) << i;
  }
  TestSocket health(receiver_->port());
  health.Send("GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(health.ReadAll(), HasSubstr("alive"));
}

TEST_F(ReceiverTest, PagesElsewherePostNothing) {
  Open(absl::StrCat("  - {name: events, http: {}}\n  - {name: gl, http: {signature: gitlab, ",
                    "secret_file: ", Write("secret", "s3cret\n"), "}}\n"));
  EXPECT_EQ(StatusOf(Post("/v1/events", kEvent)), 200);
  EXPECT_EQ(StatusOf(Post("/v1/events", kEvent, "Host: localhost:9465\r\n")), 200);
  EXPECT_EQ(StatusOf(Post("/v1/events", kEvent, "Host: evil.example\r\n")), 403);
  EXPECT_EQ(StatusOf(Post("/v1/events", kEvent, "Origin: https://evil.example\r\n")), 403);
  EXPECT_EQ(StatusOf(Post("/v1/events", kEvent, "Origin: null\r\n")), 403);
  EXPECT_THAT(Logged("events"), SizeIs(2));
  // With the secret, any Host (a proxy) is accepted.
  EXPECT_EQ(
      StatusOf(Post("/v1/sources/gl", kEvent, "Host: hooks.example\r\nX-Gitlab-Token: s3cret\r\n")),
      200);
}

TEST_F(ReceiverTest, ReadsItsSecretsAnew) {
  const std::string tokens = Write("tokens", "old\n");
  Open(absl::StrCat("  - {name: a, http: {token_file: ", tokens, "}}\n"));
  Write("tokens", "new\n");
  EXPECT_EQ(StatusOf(Post("/v1/sources/a", kEvent, "Authorization: Bearer new\r\n")), 401);
  ASSERT_TRUE(receiver_->Reload().ok());
  EXPECT_EQ(StatusOf(Post("/v1/sources/a", kEvent, "Authorization: Bearer new\r\n")), 200);
  EXPECT_EQ(StatusOf(Post("/v1/sources/a", kEvent, "Authorization: Bearer old\r\n")), 401);
  std::filesystem::remove(tokens);
  EXPECT_THAT(std::string(receiver_->Reload().message()), HasSubstr(tokens));
  EXPECT_EQ(StatusOf(Post("/v1/sources/a", kEvent, "Authorization: Bearer new\r\n")), 200);
}

TEST_F(ReceiverTest, WhatCannotBeOpenedIsNamed) {
  ErrorList errors(ErrorList::Secrets::kNotNeeded);
  const std::optional<Config> config = LoadConfigText(
      absl::StrCat("state_dir: ", folder_, "\ninputs: [{name: a, http: {token_file: /nowhere}}]\n"),
      "t.yaml", &errors);
  ASSERT_TRUE(config);
  EXPECT_THAT(std::string(Receiver::Open(&*config, {}).status().message()), HasSubstr("/nowhere"));
}

}  // namespace
}  // namespace tocsin
