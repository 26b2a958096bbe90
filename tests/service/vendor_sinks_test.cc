// Every kind of sink that speaks HTTP or SMTP, through the deliverer and over sockets, to a
// receiver that checks what it gets (tests/sinks/vendors.h) and now and then takes a request
// without an answer, or refuses one for the moment.
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "service/deliverer.h"
#include "tests/service/watched_journal.h"
#include "tests/sinks/sink_fixtures.h"
#include "tests/sinks/vendors.h"
#include "tests/transport/smtp_standin.h"
#include "transport/http_server.h"

namespace tocsin {
namespace {

// A vendor behind HTTP with a bad start: what becomes of its first requests. '5' is 503, '9' 429,
// 'd' taken without an answer, 'p' with a page that nobody understands.
constexpr std::string_view kFaults = ".5.d..p.9..d.p..5";

class VendorServer {
 public:
  explicit VendorServer(const VendorKind& kind)
      : vendor_(kind.make()),
        http_({}, [this](const HttpRequest& request) { return Handle(request); }) {}
  bool Start() { return http_.Start().ok(); }
  std::string url() const { return absl::StrCat("http://127.0.0.1:", http_.port()); }
  Vendor::Thing Of(const std::string& title, int level) const {
    absl::MutexLock lock(&mutex_);
    return vendor_->Of(title, level);
  }
  std::set<std::string> Faults() const {
    absl::MutexLock lock(&mutex_);
    return vendor_->Faults();
  }
  bool tells_repeats() const {
    absl::MutexLock lock(&mutex_);
    return vendor_->tells_repeats();
  }

 private:
  HttpResponse Handle(const HttpRequest& request) {
    absl::MutexLock lock(&mutex_);
    const char fault = requests_ < kFaults.size() ? kFaults[requests_] : '.';
    ++requests_;
    if (fault == '5') return {.status = 503};
    if (fault == '9') return {.status = 429, .headers = {{"Retry-After", "1"}}};
    SinkRequest received;
    received.method = request.method;
    received.url = request.target;
    received.body = request.body;
    for (const auto& [name, value] : request.headers) received.headers.emplace_back(name, value);
    const SinkReply reply = vendor_->Receive(received);
    if (fault == 'd') return {.drop = true};
    if (fault == 'p') return {.status = reply.status, .body = "<html>a proxy's page</html>"};
    return {.status = reply.status, .content_type = "application/json", .body = reply.body};
  }

  mutable absl::Mutex mutex_;
  const std::unique_ptr<Vendor> vendor_ ABSL_PT_GUARDED_BY(mutex_);
  std::size_t requests_ ABSL_GUARDED_BY(mutex_) = 0;
  HttpServer http_;  // last: it stops before what its handler uses goes
};

class VendorSinks : public testing::Test {
 protected:
  VendorSinks() {
    setenv("no_proxy", "127.0.0.1", 1);
    setenv("TOCSIN_TEST_KEY", "R0123456789", 1);
  }

  static const VendorKind& Kind(const std::string& name) {
    for (const VendorKind& kind : VendorKinds()) {
      if (kind.name == name) return kind;
    }
    std::abort();
  }

  void Start() {
    deliverer_ = std::make_unique<Deliverer>(routes_, sinks_, &journal_, &time_);
    ASSERT_TRUE(deliverer_->Start().ok());
  }

  // Triggers, acknowledges and resolves; waits for the receipts of each, since an incident that is
  // already resolved is not sent.
  void Tell(const std::vector<Incident>& incidents) {
    for (const NotificationAction action :
         {NotificationAction::kTrigger, NotificationAction::kAcknowledge,
          NotificationAction::kResolve}) {
      for (Incident incident : incidents) {
        incident.revision = 1 + static_cast<int>(action);
        if (action == NotificationAction::kAcknowledge) {
          incident.state = IncidentState::kAcknowledged;
          incident.acknowledged_by = "ana";
        } else if (action == NotificationAction::kResolve) {
          incident.state = IncidentState::kResolved;
          incident.resolved_at = incident.onset + kHourUs;
        }
        Notification notification = Notify(action, 2, incident);
        notification.tick += static_cast<int>(action) * kMinuteUs;
        deliverer_->Submit({notification});
      }
      for (const std::unique_ptr<Sink>& sink : sinks_) {
        if (!sink->Wants(action)) continue;
        for (const Incident& incident : incidents) {
          EXPECT_TRUE(journal_.AwaitState(DeliveryId(sink->name(), incident.id, 2, action),
                                          DeliveryState::kDelivered))
              << sink->name();
        }
      }
    }
  }

  const std::vector<RouteConfig> routes_;
  std::vector<std::unique_ptr<Sink>> sinks_;
  WatchedJournal journal_;
  const TimeSource time_;
  std::unique_ptr<Deliverer> deliverer_;  // goes first
};

TEST_F(VendorSinks, EveryMessageArrivesAndTheEndIsSeen) {
  std::vector<std::unique_ptr<VendorServer>> servers;
  for (const std::string name : {"pagerduty", "slack by webhook", "slack by token", "github",
                                 "gitlab", "jira", "statuspage", "alertmanager", "webhook"}) {
    servers.push_back(std::make_unique<VendorServer>(Kind(name)));
    ASSERT_TRUE(servers.back()->Start());
    setenv("TOCSIN_TEST_URL", servers.back()->url().c_str(), 1);
    std::string stanza = Kind(name).Stanza("'" + name + "'", servers.back()->url());
    stanza.insert(stanza.size() - 1, ", requests_per_minute: 60000");
    sinks_.push_back(MakeSink(stanza));
    ASSERT_NE(sinks_.back(), nullptr);
  }
  Start();
  const std::vector<Incident> incidents = {MakeIncident("incident 0"), MakeIncident("incident 1")};
  Tell(incidents);
  // A refresh comes behind the end.
  for (int i = 0; deliverer_->pending() > 0 && i < 600; ++i)
    absl::SleepFor(absl::Milliseconds(100));
  EXPECT_EQ(deliverer_->pending(), 0u);
  deliverer_->Stop(absl::ZeroDuration());
  for (std::size_t i = 0; i < servers.size(); ++i) {
    SCOPED_TRACE(sinks_[i]->name());
    const VendorServer& server = *servers[i];
    EXPECT_THAT(server.Faults(), testing::IsEmpty());
    for (const Incident& incident : incidents) {
      const Vendor::Thing thing = server.Of(incident.title, 2);
      // What customers see has no title to tell incidents by.
      EXPECT_EQ(thing.opened, sinks_[i]->is_public() ? 2 : 1) << incident.title;
      EXPECT_TRUE(thing.over) << incident.title;
      EXPECT_TRUE(thing.repeats == 0 || !server.tells_repeats()) << incident.title;
    }
  }
}

// From a mail server that takes a mail and hangs up.
TEST_F(VendorSinks, MailsArriveOnceAndTheEndIsSeen) {
  SmtpStandIn server;
  const VendorKind& kind = Kind("email");
  std::string stanza = kind.Stanza("s", "");
  stanza = stanza.replace(stanza.find("smtp://h"), 8, server.url());
  sinks_.push_back(MakeSink(stanza));
  ASSERT_NE(sinks_[0], nullptr);
  Start();
  server.Answer(".", "");
  const Incident incident = MakeIncident("incident 0");
  deliverer_->Submit({Notify(NotificationAction::kTrigger, 2, incident)});
  while (server.Mails().empty()) absl::SleepFor(absl::Milliseconds(20));
  server.Answer(".", "250 taken");
  Tell({incident});
  deliverer_->Stop(absl::ZeroDuration());
  const std::unique_ptr<Vendor> mailbox = kind.make();
  for (const SmtpStandIn::Mail& mail : server.Mails()) {
    SinkRequest received;
    received.kind = SinkRequest::Kind::kMail;
    received.body = absl::StrReplaceAll(mail.data, {{"\n", "\r\n"}});
    mailbox->Receive(received);
  }
  EXPECT_THAT(mailbox->Faults(), testing::IsEmpty());
  EXPECT_EQ(mailbox->Of("incident 0", 2).opened, 1);
  EXPECT_TRUE(mailbox->Of("incident 0", 2).over);
}

}  // namespace
}  // namespace tocsin
