#include "service/deliverer.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "demo/pagerduty_standin.h"
#include "tests/service/watched_journal.h"
#include "tests/transport/smtp_standin.h"
#include "transport/http_server.h"

namespace tocsin {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

constexpr char kRoutingKey[] = "secret-routing-key-0123456789abc";
constexpr absl::Duration kGrace = absl::Minutes(1);

std::unique_ptr<Sink> MakeSink(const std::string& stanza) {
  setenv("TOCSIN_TEST_ROUTING_KEY", kRoutingKey, 1);
  ErrorList errors;
  const ConfigNode node = ParseYaml(stanza, "test.yaml", &errors);
  std::unique_ptr<Sink> sink =
      NewSink({.name = node.Find("name")->scalar, .kind = node.Find("kind")->scalar, .node = node},
              std::make_shared<MessageTemplates>(), &errors);
  EXPECT_TRUE(errors.empty()) << errors.Sorted()[0].ToString();
  return sink;
}

std::unique_ptr<Sink> PagerDuty(const std::string& url) {
  return MakeSink(
      absl::StrCat("{name: oncall, kind: pagerduty, routing_key_env: "
                   "TOCSIN_TEST_ROUTING_KEY, url: '",
                   url, "'}"));
}

std::unique_ptr<Sink> Webhook(const std::string& name, const std::string& url) {
  return MakeSink(absl::StrCat("{name: ", name, ", kind: webhook, url: '", url, "'}"));
}

std::unique_ptr<Sink> Mail(const std::string& server, const std::string& more) {
  return MakeSink(absl::StrCat("{name: mail, kind: email, from: tocsin@example.com, server: '",
                               server, "', ", more, "}"));
}

Notification Make(NotificationAction action, std::uint64_t incident = 1) {
  Notification notification{.action = action, .level = 1, .incident = {}};
  notification.incident.id = {.high = incident, .low = 7};
  notification.incident.title = absl::StrCat("incident ", incident);
  notification.incident.scope = "prod";
  return notification;
}

Hash128 Id(const std::string& sink, NotificationAction action, std::uint64_t incident = 1) {
  return DeliveryId(sink, {.high = incident, .low = 7}, 1, action);
}

constexpr NotificationAction kTrigger = NotificationAction::kTrigger;
constexpr NotificationAction kResolve = NotificationAction::kResolve;

std::vector<std::string> Actions(const PagerDutyStandIn& pagerduty) {
  std::vector<std::string> actions;
  for (const PagerDutyStandIn::Request& request : pagerduty.Requests()) {
    actions.push_back(request.action);
  }
  return actions;
}

// Posts to an address and lets the test wait for what was judged.
class JudgedSink final : public Sink {
 public:
  JudgedSink(std::string url, DurationUs timeout)
      : Sink("judged", "test"), url_(std::move(url)), timeout_(timeout) {}

  SinkRequest Render(const Delivery&) const override {
    SinkRequest request;
    request.url = url_;
    request.timeout = timeout_;
    return request;
  }
  SendOutcome JudgeAnswer(const SinkReply& reply) const override {
    absl::MutexLock lock(&mutex_);
    errors_.push_back(reply.error);
    return Sink::JudgeAnswer(reply);
  }
  // "" if there was none within a minute.
  std::string AwaitError() const {
    absl::MutexLock lock(&mutex_);
    const auto judged = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !errors_.empty(); };
    mutex_.AwaitWithTimeout(absl::Condition(&judged), absl::Minutes(1));
    return errors_.empty() ? "" : errors_.front();
  }

 private:
  const std::string url_;
  const DurationUs timeout_;
  mutable absl::Mutex mutex_;
  mutable std::vector<std::string> errors_ ABSL_GUARDED_BY(mutex_);
};

bool Await(const std::function<bool()>& condition) {
  const absl::Time give_up = absl::Now() + absl::Minutes(1);
  while (!condition()) {
    if (absl::Now() > give_up) return false;
    absl::SleepFor(absl::Milliseconds(1));
  }
  return true;
}

class DelivererTest : public testing::Test {
 protected:
  // Loopback must be reached directly, whatever this machine is configured for.
  DelivererTest() { setenv("no_proxy", "127.0.0.1", 1); }

  void Start() {
    deliverer_ = std::make_unique<Deliverer>(routes_, sinks_, &journal_, &time_);
    ASSERT_TRUE(deliverer_->Start().ok());
  }

  std::vector<RouteConfig> routes_;
  std::vector<std::unique_ptr<Sink>> sinks_;
  WatchedJournal journal_;
  const TimeSource time_;
  std::unique_ptr<Deliverer> deliverer_;  // goes first
};

TEST_F(DelivererTest, TriggerAndResolveArriveInOrder) {
  PagerDutyStandIn pagerduty({});
  ASSERT_TRUE(pagerduty.Start().ok());
  sinks_.push_back(PagerDuty(pagerduty.url()));
  Start();
  deliverer_->Submit({Make(kTrigger)});
  ASSERT_TRUE(journal_.AwaitState(Id("oncall", kTrigger), DeliveryState::kDelivered));
  deliverer_->Submit({Make(kResolve)});
  ASSERT_TRUE(journal_.AwaitState(Id("oncall", kResolve), DeliveryState::kDelivered));
  deliverer_->Stop(kGrace);

  EXPECT_THAT(Actions(pagerduty), ElementsAre("trigger", "resolve"));
  ASSERT_THAT(pagerduty.Pages(), SizeIs(1));
  EXPECT_EQ(pagerduty.Pages()[0].summary, "incident 1");
  EXPECT_TRUE(pagerduty.Pages()[0].resolved);
  EXPECT_EQ(deliverer_->counters().submitted, 2);
  EXPECT_EQ(deliverer_->counters().delivered, 2);
  EXPECT_EQ(deliverer_->pending(), 0u);
}

TEST_F(DelivererTest, AnIntentIsDurableBeforeItsRequest) {
  std::vector<bool> durable;
  PagerDutyStandIn pagerduty({.on_request = [&](const PagerDutyStandIn::Request&) {
    durable.push_back(journal_.Has(Id("oncall", kTrigger)));
  }});
  ASSERT_TRUE(pagerduty.Start().ok());
  sinks_.push_back(PagerDuty(pagerduty.url()));
  Start();
  deliverer_->Submit({Make(kTrigger)});
  deliverer_->Stop(kGrace);
  pagerduty.Stop();
  EXPECT_THAT(durable, ElementsAre(true));
}

TEST_F(DelivererTest, NothingIsSentThatTheLeaseDoesNotCover) {
  PagerDutyStandIn pagerduty({});
  ASSERT_TRUE(pagerduty.Start().ok());
  sinks_.push_back(PagerDuty(pagerduty.url()));
  // Longer than this machine is up: the one answer covers the rest of the test.
  Lease lease(kDayUs * 365 * 100);
  deliverer_ = std::make_unique<Deliverer>(routes_, sinks_, &journal_, &time_, &lease);
  ASSERT_TRUE(deliverer_->Start().ok());
  deliverer_->Submit({Make(kTrigger)});
  ASSERT_TRUE(journal_.AwaitState(Id("oncall", kTrigger), DeliveryState::kIntended));
  absl::SleepFor(absl::Milliseconds(50));
  EXPECT_THAT(pagerduty.Requests(), SizeIs(0));
  lease.Renewed(1);
  EXPECT_TRUE(journal_.AwaitState(Id("oncall", kTrigger), DeliveryState::kDelivered));
  EXPECT_EQ(journal_.Get(Id("oncall", kTrigger)).attempts, 1);
}

TEST_F(DelivererTest, SubmittingAgainDoesNothing) {
  PagerDutyStandIn pagerduty({});
  ASSERT_TRUE(pagerduty.Start().ok());
  sinks_.push_back(PagerDuty(pagerduty.url()));
  Start();
  for (int i = 0; i < 3; ++i) deliverer_->Submit({Make(kTrigger)});
  ASSERT_TRUE(journal_.AwaitState(Id("oncall", kTrigger), DeliveryState::kDelivered));
  deliverer_->Submit({Make(kTrigger)});
  deliverer_->Stop(kGrace);
  EXPECT_THAT(Actions(pagerduty), ElementsAre("trigger"));
}

TEST_F(DelivererTest, RetriesServerErrors) {
  int calls = 0;
  PagerDutyStandIn pagerduty(
      {.act_up = [&](const PagerDutyStandIn::Request&) { return calls++ == 0 ? 500 : 0; }});
  ASSERT_TRUE(pagerduty.Start().ok());
  sinks_.push_back(PagerDuty(pagerduty.url()));
  Start();
  deliverer_->Submit({Make(kTrigger)});
  ASSERT_TRUE(journal_.AwaitState(Id("oncall", kTrigger), DeliveryState::kDelivered));
  deliverer_->Stop(kGrace);
  EXPECT_THAT(Actions(pagerduty), ElementsAre("trigger", "trigger"));
  EXPECT_EQ(deliverer_->counters().retried, 1);
  EXPECT_THAT(pagerduty.Pages(), SizeIs(1));
}

// Answers 429 with the given Retry-After once, and notes when each request came.
class RetryAfterServer {
 public:
  explicit RetryAfterServer(std::function<std::string()> retry_after)
      : retry_after_(std::move(retry_after)),
        server_({}, [this](const HttpRequest& request) { return Answer(request); }) {
    EXPECT_TRUE(server_.Start().ok());
  }
  std::string url() const { return absl::StrCat("http://127.0.0.1:", server_.port(), "/"); }
  // From the first request to the second.
  absl::Duration Gap() const {
    absl::MutexLock lock(&mutex_);
    return times_.size() < 2 ? absl::ZeroDuration() : times_[1] - times_[0];
  }

 private:
  HttpResponse Answer(const HttpRequest&) {
    absl::MutexLock lock(&mutex_);
    times_.push_back(absl::Now());
    HttpResponse response;
    if (times_.size() > 1) return response;
    response.status = 429;
    response.headers["Retry-After"] = retry_after_();
    return response;
  }

  const std::function<std::string()> retry_after_;
  mutable absl::Mutex mutex_;
  std::vector<absl::Time> times_ ABSL_GUARDED_BY(mutex_);
  HttpServer server_;
};

TEST_F(DelivererTest, WaitsForRetryAfterInSeconds) {
  RetryAfterServer server([] { return "3"; });
  sinks_.push_back(Webhook("hook", server.url()));
  Start();
  deliverer_->Submit({Make(kTrigger)});
  ASSERT_TRUE(journal_.AwaitState(Id("hook", kTrigger), DeliveryState::kDelivered));
  EXPECT_GE(server.Gap(), absl::Seconds(3) - absl::Milliseconds(50));
}

TEST_F(DelivererTest, WaitsForRetryAfterAsADate) {
  RetryAfterServer server([] {
    return absl::FormatTime("%a, %d %b %Y %H:%M:%S GMT", absl::Now() + absl::Seconds(4),
                            absl::UTCTimeZone());
  });
  sinks_.push_back(Webhook("hook", server.url()));
  Start();
  deliverer_->Submit({Make(kTrigger)});
  ASSERT_TRUE(journal_.AwaitState(Id("hook", kTrigger), DeliveryState::kDelivered));
  // Dates have whole seconds; without the header it is at most 1.5 s.
  EXPECT_GE(server.Gap(), absl::Seconds(2));
}

TEST_F(DelivererTest, A429HoldsWhatWaitsForTheSameSink) {
  // The first eight are on their way when it comes; the others must not go on.
  absl::Mutex mutex;
  int requests = 0;
  int at_once = 0;
  absl::Time first = absl::InfiniteFuture();
  HttpServer server({}, [&](const HttpRequest&) {
    absl::MutexLock lock(&mutex);
    if (++requests == 1) first = absl::Now();
    if (absl::Now() < first + absl::Milliseconds(900)) ++at_once;
    HttpResponse response;
    if (requests <= 8) response.status = 429;
    return response;
  });
  ASSERT_TRUE(server.Start().ok());
  sinks_.push_back(Webhook("hook", absl::StrCat("http://127.0.0.1:", server.port(), "/")));
  Start();
  std::vector<Notification> storm;
  for (std::uint64_t i = 1; i <= 40; ++i) storm.push_back(Make(kTrigger, i));
  deliverer_->Submit(storm);
  for (std::uint64_t i = 1; i <= 40; ++i) {
    ASSERT_TRUE(journal_.AwaitState(Id("hook", kTrigger, i), DeliveryState::kDelivered)) << i;
  }
  deliverer_->Stop(kGrace);
  absl::MutexLock lock(&mutex);
  EXPECT_LE(at_once, 8);
}

TEST_F(DelivererTest, GoesOnUntilTheServerAppears) {
  // A port that is free: bound once, then given back.
  std::string address;
  {
    HttpServer probe({}, [](const HttpRequest&) { return HttpResponse{}; });
    ASSERT_TRUE(probe.Start().ok());
    address = absl::StrCat("127.0.0.1:", probe.port());
  }
  auto owned = std::make_unique<JudgedSink>(absl::StrCat("http://", address, "/"), kMinuteUs);
  const JudgedSink& sink = *owned;
  sinks_.push_back(std::move(owned));
  Start();
  deliverer_->Submit({Make(kTrigger)});
  EXPECT_THAT(sink.AwaitError(), HasSubstr("Failed to connect"));
  HttpServer server({.address = address}, [](const HttpRequest&) { return HttpResponse{}; });
  ASSERT_TRUE(server.Start().ok());
  ASSERT_TRUE(journal_.AwaitState(Id("judged", kTrigger), DeliveryState::kDelivered));
  deliverer_->Stop(kGrace);
  EXPECT_GE(deliverer_->counters().retried, 1);
}

TEST_F(DelivererTest, DroppedRepliesLeaveOneOpenPage) {
  int calls = 0;
  PagerDutyStandIn pagerduty(
      {.act_up = [&](const PagerDutyStandIn::Request&) { return calls++ < 2 ? -1 : 0; }});
  ASSERT_TRUE(pagerduty.Start().ok());
  sinks_.push_back(PagerDuty(pagerduty.url()));
  Start();
  deliverer_->Submit({Make(kTrigger)});
  ASSERT_TRUE(journal_.AwaitState(Id("oncall", kTrigger), DeliveryState::kDelivered));
  deliverer_->Stop(kGrace);
  ASSERT_THAT(pagerduty.Pages(), SizeIs(1));
  EXPECT_EQ(pagerduty.Pages()[0].triggers, 3);  // not more: libcurl repeats nothing by itself
}

TEST_F(DelivererTest, ARestartSendsWhatHasNoReceiptAndNothingElse) {
  absl::Mutex mutex;
  bool deaf = false;
  int dropped = 0;
  PagerDutyStandIn pagerduty({.act_up = [&](const PagerDutyStandIn::Request&) {
    absl::MutexLock lock(&mutex);
    dropped += deaf ? 1 : 0;
    return deaf ? -1 : 0;
  }});
  ASSERT_TRUE(pagerduty.Start().ok());
  sinks_.push_back(PagerDuty(pagerduty.url()));
  Start();
  deliverer_->Submit({Make(kTrigger, 1)});
  ASSERT_TRUE(journal_.AwaitState(Id("oncall", kTrigger, 1), DeliveryState::kDelivered));
  {
    absl::MutexLock lock(&mutex);
    deaf = true;
  }
  deliverer_->Submit({Make(kTrigger, 2)});
  {
    absl::MutexLock lock(&mutex);
    ASSERT_TRUE(mutex.AwaitWithTimeout(absl::Condition(
                                           +[](int* count) { return *count > 0; }, &dropped),
                                       kGrace));
  }
  deliverer_->Stop(absl::ZeroDuration());
  EXPECT_EQ(deliverer_->pending(), 1u);
  deliverer_.reset();
  {
    absl::MutexLock lock(&mutex);
    deaf = false;
  }
  Start();
  // Stage 2 decides again after a restart.
  deliverer_->Submit({Make(kTrigger, 1), Make(kTrigger, 2)});
  ASSERT_TRUE(journal_.AwaitState(Id("oncall", kTrigger, 2), DeliveryState::kDelivered));
  deliverer_->Stop(kGrace);
  const std::vector<PagerDutyStandIn::Page> pages = pagerduty.Pages();
  ASSERT_THAT(pages, SizeIs(2));
  EXPECT_EQ(pages[0].triggers, 1);
  EXPECT_GE(pages[1].triggers, 2);
}

TEST_F(DelivererTest, ADeadSinkDoesNotHoldUpAnother) {
  // Takes connections and never answers: far more incidents than it may have requests.
  absl::Mutex mutex;
  bool leave = false;
  HttpServer dead({}, [&](const HttpRequest&) {
    absl::MutexLock lock(&mutex);
    mutex.Await(absl::Condition(&leave));
    return HttpResponse{};
  });
  ASSERT_TRUE(dead.Start().ok());
  PagerDutyStandIn pagerduty({});
  ASSERT_TRUE(pagerduty.Start().ok());
  sinks_.push_back(Webhook("dead", absl::StrCat("http://127.0.0.1:", dead.port(), "/")));
  sinks_.push_back(PagerDuty(pagerduty.url()));
  Start();
  std::vector<Notification> storm;
  for (std::uint64_t i = 1; i <= 50; ++i) storm.push_back(Make(kTrigger, i));
  deliverer_->Submit(storm);
  for (std::uint64_t i = 1; i <= 50; ++i) {
    ASSERT_TRUE(journal_.AwaitState(Id("oncall", kTrigger, i), DeliveryState::kDelivered)) << i;
  }
  EXPECT_THAT(pagerduty.Pages(), SizeIs(50));
  const absl::Time before = absl::Now();
  deliverer_->Stop(absl::Milliseconds(10));
  EXPECT_LT(absl::Now() - before, absl::Seconds(8));  // not the time-out of the requests
  EXPECT_EQ(deliverer_->pending(), 50u);
  {
    absl::MutexLock lock(&mutex);
    leave = true;
  }
}

TEST_F(DelivererTest, ARequestEndsAfterItsTimeout) {
  absl::Mutex mutex;
  bool leave = false;
  int requests = 0;
  HttpServer stuck({}, [&](const HttpRequest&) {
    absl::MutexLock lock(&mutex);
    if (++requests == 1) mutex.Await(absl::Condition(&leave));
    return HttpResponse{};
  });
  ASSERT_TRUE(stuck.Start().ok());
  auto owned = std::make_unique<JudgedSink>(absl::StrCat("http://127.0.0.1:", stuck.port(), "/"),
                                            200 * kMillisecondUs);
  const JudgedSink& sink = *owned;
  sinks_.push_back(std::move(owned));
  Start();
  deliverer_->Submit({Make(kTrigger)});
  EXPECT_THAT(sink.AwaitError(), HasSubstr("timed out"));
  {
    absl::MutexLock lock(&mutex);
    leave = true;
  }
  EXPECT_TRUE(journal_.AwaitState(Id("judged", kTrigger), DeliveryState::kDelivered));
}

TEST_F(DelivererTest, SecretsStayOutOfErrors) {
  // The receiver repeats what it was sent.
  HttpServer server({}, [](const HttpRequest& request) {
    return HttpResponse{.status = 400, .body = "bad request: " + request.body};
  });
  ASSERT_TRUE(server.Start().ok());
  sinks_.push_back(PagerDuty(absl::StrCat("http://127.0.0.1:", server.port(), "/")));
  Start();
  deliverer_->Submit({Make(kTrigger)});
  ASSERT_TRUE(journal_.AwaitState(Id("oncall", kTrigger), DeliveryState::kParked));
  EXPECT_THAT(journal_.Get(Id("oncall", kTrigger)).last_error,
              AllOf(HasSubstr("HTTP 400: bad request"), HasSubstr("(secret)"),
                    Not(HasSubstr(kRoutingKey))));
  deliverer_->Stop(kGrace);
  EXPECT_EQ(deliverer_->counters().parked, 1);
}

TEST_F(DelivererTest, RedirectsAreNotFollowed) {
  PagerDutyStandIn elsewhere({});
  ASSERT_TRUE(elsewhere.Start().ok());
  HttpServer server({}, [&](const HttpRequest&) {
    HttpResponse response{.status = 307};
    response.headers["Location"] = elsewhere.url();
    return response;
  });
  ASSERT_TRUE(server.Start().ok());
  sinks_.push_back(PagerDuty(absl::StrCat("http://127.0.0.1:", server.port(), "/")));
  Start();
  deliverer_->Submit({Make(kTrigger)});
  ASSERT_TRUE(journal_.AwaitState(Id("oncall", kTrigger), DeliveryState::kParked));
  EXPECT_THAT(elsewhere.Requests(), SizeIs(0));
}

TEST_F(DelivererTest, ALongReplyIsCutAndStillCounts) {
  std::string agent;
  HttpServer server({}, [&](const HttpRequest& request) {
    agent = request.headers.at("user-agent");
    return HttpResponse{.status = 202, .body = std::string(32 << 20, 'x')};
  });
  ASSERT_TRUE(server.Start().ok());
  sinks_.push_back(PagerDuty(absl::StrCat("http://127.0.0.1:", server.port(), "/")));
  Start();
  deliverer_->Submit({Make(kTrigger)});
  EXPECT_TRUE(journal_.AwaitState(Id("oncall", kTrigger), DeliveryState::kDelivered));
  server.Stop();
  EXPECT_EQ(agent, "tocsin/" TOCSIN_VERSION);
}

// A page must not wait for the disk that it may be about.
TEST_F(DelivererTest, APageGoesOutWhileTheJournalFails) {
  PagerDutyStandIn pagerduty({});
  ASSERT_TRUE(pagerduty.Start().ok());
  sinks_.push_back(PagerDuty(pagerduty.url()));
  Start();
  journal_.FailWrites(true);
  deliverer_->Submit({Make(kTrigger)});
  deliverer_->Submit({Make(kTrigger)});
  ASSERT_TRUE(Await([&] { return deliverer_->counters().delivered == 1; }));
  EXPECT_FALSE(deliverer_->AllWritten());
  EXPECT_NE(deliverer_->health().failing_since, kNoTime);
  EXPECT_FALSE(journal_.Has(Id("oncall", kTrigger)));
  journal_.FailWrites(false);
  ASSERT_TRUE(journal_.AwaitState(Id("oncall", kTrigger), DeliveryState::kDelivered));
  ASSERT_TRUE(Await([&] { return deliverer_->AllWritten(); }));
  deliverer_->Stop(kGrace);
  EXPECT_THAT(Actions(pagerduty), ElementsAre("trigger"));
}

TEST_F(DelivererTest, AReceiptThatCannotBeWrittenIsWrittenLaterAndNothingIsSentAgain) {
  PagerDutyStandIn pagerduty({.on_request = [&](const PagerDutyStandIn::Request& request) {
    if (request.action == "trigger") journal_.FailWrites(true);
  }});
  ASSERT_TRUE(pagerduty.Start().ok());
  sinks_.push_back(PagerDuty(pagerduty.url()));
  Start();
  deliverer_->Submit({Make(kTrigger)});
  ASSERT_TRUE(journal_.AwaitRefusals(1));
  deliverer_->Submit({Make(kResolve)});
  ASSERT_TRUE(Await([&] { return deliverer_->counters().delivered == 2; }));
  ASSERT_TRUE(journal_.AwaitRefusals(3));
  journal_.FailWrites(false);
  ASSERT_TRUE(journal_.AwaitState(Id("oncall", kResolve), DeliveryState::kDelivered));
  deliverer_->Stop(kGrace);
  EXPECT_EQ(journal_.Get(Id("oncall", kTrigger)).state, DeliveryState::kDelivered);
  EXPECT_THAT(Actions(pagerduty), ElementsAre("trigger", "resolve"));
}

TEST_F(DelivererTest, WritesLinesToStandardOutput) {
  sinks_.push_back(MakeSink("{name: console, kind: stdout, format: text}"));
  Start();
  testing::internal::CaptureStdout();
  deliverer_->Submit({Make(kTrigger)});
  const bool delivered = journal_.AwaitState(Id("console", kTrigger), DeliveryState::kDelivered);
  deliverer_->Stop(kGrace);
  EXPECT_EQ(testing::internal::GetCapturedStdout().find("TRIGGER level 1"), 0u);
  EXPECT_TRUE(delivered);
}

// Standard output as a pipe that is full until the object goes.
class StalledStdout {
 public:
  StalledStdout() {
    std::fflush(stdout);
    saved_ = dup(STDOUT_FILENO);
    int ends[2];
    if (pipe2(ends, O_NONBLOCK) != 0) std::abort();
    read_end_ = ends[0];
    const std::string page(4096, '.');
    while (write(ends[1], page.data(), page.size()) > 0) {
    }
    // The other side waits, as a pipe of a shell's makes it.
    fcntl(ends[1], F_SETFL, 0);
    dup2(ends[1], STDOUT_FILENO);
    close(ends[1]);
  }
  ~StalledStdout() {
    std::fflush(stdout);
    dup2(saved_, STDOUT_FILENO);
    close(saved_);
    close(read_end_);  // ends a write that still waits
  }

 private:
  int saved_ = -1, read_end_ = -1;
};

TEST_F(DelivererTest, AStalledStdoutHoldsUpNeitherOthersNorTheEnd) {
  PagerDutyStandIn pagerduty({});
  ASSERT_TRUE(pagerduty.Start().ok());
  sinks_.push_back(MakeSink("{name: console, kind: stdout}"));
  sinks_.push_back(PagerDuty(pagerduty.url()));
  bool delivered = true;
  {
    const StalledStdout stalled;
    Start();
    std::vector<Notification> storm;
    for (std::uint64_t i = 1; i <= 50; ++i) storm.push_back(Make(kTrigger, i));
    deliverer_->Submit(storm);
    for (std::uint64_t i = 1; i <= 50; ++i) {
      delivered &= journal_.AwaitState(Id("oncall", kTrigger, i), DeliveryState::kDelivered);
    }
    deliverer_->Stop(absl::Milliseconds(10));
  }
  EXPECT_TRUE(delivered);
  EXPECT_EQ(deliverer_->pending(), 50u) << "standard output hears of them at the next start";
}

TEST_F(DelivererTest, NobodyWaitsForAJournalThatHangs) {
  HttpServer server({}, [](const HttpRequest&) { return HttpResponse{.status = 400}; });
  ASSERT_TRUE(server.Start().ok());
  sinks_.push_back(Webhook("hook", absl::StrCat("http://127.0.0.1:", server.port(), "/")));
  Start();
  deliverer_->Submit({Make(kTrigger)});
  ASSERT_TRUE(journal_.AwaitState(Id("hook", kTrigger), DeliveryState::kParked));
  const Hash128 incident = Make(kTrigger).incident.id;
  ASSERT_TRUE(Await([&] { return deliverer_->counters().parked == 1; }));
  journal_.HoldWrites(true);
  deliverer_->Submit({Make(kTrigger, 2)});
  ASSERT_TRUE(journal_.AwaitHeld());
  // The API's queries are answered meanwhile.
  const std::vector<Delivery> known = deliverer_->DeliveriesOf(incident);
  ASSERT_THAT(known, SizeIs(1));
  EXPECT_EQ(known[0].state, DeliveryState::kParked);
  EXPECT_EQ(known[0].last_error, "HTTP 400");
  EXPECT_EQ(known[0].payload, "");
  EXPECT_EQ(deliverer_->RetryParked(incident), 1u);
  EXPECT_EQ(deliverer_->RetryParked({.high = 99, .low = 99}), 0u) << "nobody knows it";
  // It is sent again, and refused again; and so is the new one.
  EXPECT_TRUE(Await([&] { return deliverer_->counters().parked == 3; }));
  EXPECT_EQ(deliverer_->DeliveriesOf(incident)[0].attempts, 2);
  EXPECT_FALSE(journal_.Has(Id("hook", kTrigger, 2)));
  journal_.HoldWrites(false);
  EXPECT_TRUE(journal_.AwaitState(Id("hook", kTrigger, 2), DeliveryState::kParked));
}

TEST_F(DelivererTest, OtherSecretsTakeThePlaceOfThoseBefore) {
  std::atomic<int> wrong{0};
  HttpServer server({}, [&](const HttpRequest& request) {
    const bool right = request.headers.contains("x-tocsin-signature");
    if (!right) ++wrong;
    return HttpResponse{.status = right ? 200 : 503};
  });
  ASSERT_TRUE(server.Start().ok());
  const std::string url = absl::StrCat("http://127.0.0.1:", server.port(), "/");
  sinks_.push_back(Webhook("hook", url));
  Start();
  deliverer_->Submit({Make(kTrigger)});
  const absl::Time give_up = absl::Now() + absl::Minutes(1);
  while (wrong == 0 && absl::Now() < give_up) absl::SleepFor(absl::Milliseconds(1));
  setenv("TOCSIN_TEST_SECRET", "s3cret", 1);
  std::vector<std::unique_ptr<Sink>> sinks;
  sinks.push_back(MakeSink(absl::StrCat("{name: hook, kind: webhook, url: '", url,
                                        "', secret_env: TOCSIN_TEST_SECRET}")));
  deliverer_->ReplaceSinks(std::move(sinks));
  EXPECT_TRUE(journal_.AwaitState(Id("hook", kTrigger), DeliveryState::kDelivered));
  EXPECT_GE(wrong, 1);
}

TEST_F(DelivererTest, TheFirstThatIsTakenReleasesTheOthers) {
  // Nothing is taken at first; then all is.
  absl::Mutex mutex;
  bool well = false;
  std::vector<std::string> taken;
  int asked = 0;
  HttpServer server({}, [&](const HttpRequest& request) {
    absl::MutexLock lock(&mutex);
    ++asked;
    if (!well) return HttpResponse{.status = 503};
    const std::size_t at = request.body.find("\"title\":\"") + 9;
    taken.push_back(request.body.substr(at, request.body.find('"', at) - at));
    return HttpResponse{};
  });
  ASSERT_TRUE(server.Start().ok());
  sinks_.push_back(Webhook("hook", absl::StrCat("http://127.0.0.1:", server.port(), "/")));
  Start();
  std::vector<Notification> storm;
  for (std::uint64_t i = 1; i <= 20; ++i) {
    storm.push_back(Make(kTrigger, i));
    storm.back().level = i == 20 ? 1 : 3;
  }
  deliverer_->Submit(storm);
  {
    absl::MutexLock lock(&mutex);
    // Eight at once, and then probes, two a round.
    const auto probed = [&] { return asked >= 10; };
    ASSERT_TRUE(mutex.AwaitWithTimeout(absl::Condition(&probed), absl::Minutes(1)));
    well = true;
    const auto all = [&] { return taken.size() == 20; };
    ASSERT_TRUE(mutex.AwaitWithTimeout(absl::Condition(&all), absl::Minutes(1)));
    EXPECT_LE(asked, 8 + 2 * 3 + 20) << "one probe at a time";
  }
  deliverer_->Stop(kGrace);
  EXPECT_EQ(deliverer_->pending(), 0u);
}

TEST_F(DelivererTest, AFileThatCannotBeWrittenHoldsUpNobodyAndIsTriedAgain) {
  const std::string directory = ::testing::TempDir() + "/deliverer_record";
  std::filesystem::remove_all(directory);
  sinks_.push_back(MakeSink("{name: record, kind: file, path: " + directory + "/lines.jsonl}"));
  PagerDutyStandIn pagerduty({});
  ASSERT_TRUE(pagerduty.Start().ok());
  sinks_.push_back(PagerDuty(pagerduty.url()));
  Start();
  deliverer_->Submit({Make(kTrigger)});
  ASSERT_TRUE(journal_.AwaitState(Id("oncall", kTrigger), DeliveryState::kDelivered));
  ASSERT_TRUE(Await([&] { return deliverer_->counters().retried > 0; }));
  std::filesystem::create_directory(directory);
  ASSERT_TRUE(journal_.AwaitState(Id("record", kTrigger), DeliveryState::kDelivered));
  deliverer_->Stop(kGrace);
  std::ifstream lines(directory + "/lines.jsonl");
  std::string line;
  ASSERT_TRUE(std::getline(lines, line));
  EXPECT_THAT(line, HasSubstr(R"("action":"trigger")"));
  EXPECT_THAT(line, HasSubstr(R"("repeat":true)"));
  EXPECT_FALSE(std::getline(lines, line));
}

// A snapshot does not forget it, so the next start decides it again.
TEST_F(DelivererTest, WhatIsSubmittedAfterStopDoesNotPassForWritten) {
  PagerDutyStandIn pagerduty({});
  ASSERT_TRUE(pagerduty.Start().ok());
  sinks_.push_back(PagerDuty(pagerduty.url()));
  Start();
  EXPECT_TRUE(deliverer_->Stop(kGrace));
  EXPECT_TRUE(deliverer_->Stop(kGrace));
  deliverer_->Submit({Make(kTrigger)});
  EXPECT_FALSE(deliverer_->AllWritten());
  deliverer_.reset();
  EXPECT_THAT(pagerduty.Requests(), SizeIs(0));
  Start();
  deliverer_->Submit({Make(kTrigger)});
  ASSERT_TRUE(journal_.AwaitState(Id("oncall", kTrigger), DeliveryState::kDelivered));
  EXPECT_THAT(Actions(pagerduty), ElementsAre("trigger"));
}

TEST_F(DelivererTest, StopSendsWhatIsDueWithinItsGrace) {
  PagerDutyStandIn pagerduty({});
  ASSERT_TRUE(pagerduty.Start().ok());
  sinks_.push_back(PagerDuty(pagerduty.url()));
  Start();
  std::vector<Notification> storm;
  for (std::uint64_t i = 1; i <= 30; ++i) storm.push_back(Make(kTrigger, i));
  deliverer_->Submit(storm);
  deliverer_->Stop(kGrace);
  EXPECT_THAT(pagerduty.Pages(), SizeIs(30));
  EXPECT_EQ(deliverer_->pending(), 0u);
  for (std::uint64_t i = 1; i <= 30; ++i) {
    EXPECT_EQ(journal_.Get(Id("oncall", kTrigger, i)).state, DeliveryState::kDelivered) << i;
  }
}

TEST_F(DelivererTest, AMailArrivesOnce) {
  SmtpStandIn server;
  sinks_.push_back(Mail(server.url(), "tls: false, to: [a@example.com, b@example.com]"));
  Start();
  deliverer_->Submit({Make(kTrigger)});
  ASSERT_TRUE(journal_.AwaitState(Id("mail", kTrigger), DeliveryState::kDelivered));
  ASSERT_THAT(server.Mails(), SizeIs(1));
  const SmtpStandIn::Mail mail = server.Mails()[0];
  EXPECT_EQ(mail.from, "MAIL FROM:<tocsin@example.com>");
  EXPECT_THAT(mail.to, ElementsAre("RCPT TO:<a@example.com>", "RCPT TO:<b@example.com>"));
  EXPECT_THAT(mail.data, HasSubstr("\nSubject: =?UTF-8?B?"));
}

TEST_F(DelivererTest, AMailWhoseReplyIsLostIsSentAgainUnderItsId) {
  SmtpStandIn server;
  server.Answer(".", "");  // takes it and hangs up
  sinks_.push_back(Mail(server.url(), "tls: false, to: [a@example.com]"));
  Start();
  deliverer_->Submit({Make(kTrigger)});
  const absl::Time deadline = absl::Now() + kGrace;
  while (server.Mails().empty() && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(5));
  server.Answer(".", "250 queued");
  ASSERT_TRUE(journal_.AwaitState(Id("mail", kTrigger), DeliveryState::kDelivered));
  const std::vector<SmtpStandIn::Mail> mails = server.Mails();
  ASSERT_GE(mails.size(), 2u);
  EXPECT_EQ(mails[0].data, mails[1].data);
}

TEST_F(DelivererTest, AMailThatIsRefusedIsParkedWithTheServersWords) {
  SmtpStandIn server;
  server.Answer("RCPT", "550 no such user");
  sinks_.push_back(Mail(server.url(), "tls: false, to: [a@example.com]"));
  Start();
  deliverer_->Submit({Make(kTrigger)});
  ASSERT_TRUE(journal_.AwaitState(Id("mail", kTrigger), DeliveryState::kParked));
  EXPECT_THAT(journal_.Get(Id("mail", kTrigger)).last_error, HasSubstr("SMTP 550: RCPT failed"));
  EXPECT_THAT(server.Mails(), SizeIs(0));
}

TEST_F(DelivererTest, AMailIsNotSentInTheClearUnlessThatIsAsked) {
  SmtpStandIn server;  // knows no STARTTLS
  sinks_.push_back(Mail(server.url(), "to: [a@example.com]"));
  Start();
  deliverer_->Submit({Make(kTrigger)});
  const absl::Time deadline = absl::Now() + kGrace;
  while (deliverer_->counters().retried == 0 && deliverer_->counters().parked == 0 &&
         absl::Now() < deadline) {
    absl::SleepFor(absl::Milliseconds(5));
  }
  EXPECT_GT(deliverer_->counters().retried + deliverer_->counters().parked, 0);
  EXPECT_THAT(server.Mails(), SizeIs(0));
}

}  // namespace
}  // namespace tocsin
