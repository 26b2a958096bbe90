// One sink acts up in every way that a receiver can; the other one hears everything, once and in
// order, and the first one catches up once it is well.
#include "service/deliverer.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/time/clock.h"
#include "demo/pagerduty_standin.h"
#include "tests/service/watched_journal.h"
#include "tests/sinks/sink_fixtures.h"
#include "tests/transport/hostile_server.h"
#include "tests/transport/tls_standin.h"

namespace tocsin {
namespace {

using Mode = HostileServer::Mode;

// What becomes of a message while the receiver is like that.
DeliveryState StateWhile(Mode mode) {
  if (mode == Mode::kHugeReply || mode == Mode::kNoJson) return DeliveryState::kDelivered;
  return mode == Mode::kRedirect ? DeliveryState::kParked : DeliveryState::kIntended;
}

class HostileSink : public testing::TestWithParam<std::pair<Mode, const char*>> {
 protected:
  HostileSink() {
    setenv("no_proxy", "127.0.0.1", 1);
    setenv("TOCSIN_TEST_KEY", "R0123456789", 1);
  }
  Hash128 Id(const std::string& sink, const Incident& incident, NotificationAction action) const {
    return DeliveryId(sink, incident.id, 2, action);
  }
};

TEST_P(HostileSink, HoldsUpNobodyAndLosesNothing) {
  const Mode mode = GetParam().first;
  PagerDutyStandIn pagerduty({});
  ASSERT_TRUE(pagerduty.Start().ok());
  HostileServer stranger(Mode::kGood);
  HostileServer server(mode, stranger.url());
  std::vector<std::unique_ptr<Sink>> sinks;
  sinks.push_back(MakeSink("{name: bot, kind: webhook, timeout: 1s, url: '" + server.url() + "'}"));
  sinks.push_back(
      MakeSink("{name: oncall, kind: pagerduty, routing_key_env: TOCSIN_TEST_KEY, url: '" +
               pagerduty.url() + "'}"));
  const std::vector<RouteConfig> routes;
  WatchedJournal journal;
  const TimeSource time;
  Deliverer deliverer(routes, sinks, &journal, &time);
  ASSERT_TRUE(deliverer.Start().ok());
  std::vector<Incident> incidents;
  for (int i = 0; i < 12; ++i) incidents.push_back(MakeIncident("incident " + std::to_string(i)));

  for (const NotificationAction action :
       {NotificationAction::kTrigger, NotificationAction::kResolve}) {
    for (const Incident& incident : incidents) {
      deliverer.Submit({Notify(action, 2, incident)});
    }
    for (const Incident& incident : incidents) {
      EXPECT_TRUE(journal.AwaitState(Id("oncall", incident, action), DeliveryState::kDelivered));
    }
    if (action == NotificationAction::kResolve) break;
    if (StateWhile(mode) != DeliveryState::kIntended) {
      for (const Incident& incident : incidents) {
        EXPECT_TRUE(journal.AwaitState(Id("bot", incident, action), StateWhile(mode)));
      }
    }
    EXPECT_EQ(stranger.requests(), 0);
    server.Become(Mode::kGood);
    for (const Incident& incident : incidents) {
      if (mode == Mode::kRedirect) {
        EXPECT_EQ(journal.Get(Id("bot", incident, action)).last_error, "HTTP 307");
        EXPECT_EQ(deliverer.RetryParked(incident.id), 1u);
      }
      EXPECT_TRUE(journal.AwaitState(Id("bot", incident, action), DeliveryState::kDelivered));
    }
  }
  for (const Incident& incident : incidents) {
    EXPECT_TRUE(journal.AwaitState(Id("bot", incident, NotificationAction::kResolve),
                                   DeliveryState::kDelivered));
  }
  deliverer.Stop(absl::Seconds(10));
  const std::vector<PagerDutyStandIn::Page> pages = pagerduty.Pages();
  ASSERT_EQ(pages.size(), incidents.size());
  for (const PagerDutyStandIn::Page& page : pages) {
    EXPECT_TRUE(page.resolved);
    EXPECT_EQ(page.triggers, 1);
  }
  EXPECT_EQ(deliverer.pending(), 0u);
}

struct BadCertificate {
  const char* name;
  TlsStandIn::Options options;
  bool trusted = true;
};

class HostileCertificate : public testing::TestWithParam<BadCertificate> {};

TEST_P(HostileCertificate, NothingIsSentUntilItIsRight) {
  setenv("no_proxy", "127.0.0.1", 1);
  setenv("TOCSIN_TEST_KEY", "R0123456789", 1);
  PagerDutyStandIn pagerduty({});
  ASSERT_TRUE(pagerduty.Start().ok());
  TlsStandIn server(GetParam().options);
  TlsStandIn stranger({});
  // The authorities that the sink trusts; read again for each request.
  const std::string trusted = testing::TempDir() + "trusted_" + std::to_string(getpid()) + ".pem";
  const auto trust = [&](const TlsStandIn& whom) {
    std::filesystem::copy_file(whom.certificate(), trusted,
                               std::filesystem::copy_options::overwrite_existing);
  };
  trust(GetParam().trusted ? server : stranger);
  std::vector<std::unique_ptr<Sink>> sinks;
  sinks.push_back(MakeSink("{name: bot, kind: webhook, url: '" + server.url() + "/', ca_file: '" +
                           trusted + "'}"));
  sinks.push_back(
      MakeSink("{name: oncall, kind: pagerduty, routing_key_env: TOCSIN_TEST_KEY, url: '" +
               pagerduty.url() + "'}"));
  const std::vector<RouteConfig> routes;
  WatchedJournal journal;
  const TimeSource time;
  Deliverer deliverer(routes, sinks, &journal, &time);
  ASSERT_TRUE(deliverer.Start().ok());
  const Incident incident = MakeIncident("incident");
  deliverer.Submit({Notify(NotificationAction::kTrigger, 2, incident)});
  const auto id = [&](const std::string& sink) {
    return DeliveryId(sink, incident.id, 2, NotificationAction::kTrigger);
  };
  EXPECT_TRUE(journal.AwaitState(id("oncall"), DeliveryState::kDelivered));
  while (server.connections() == 0) absl::SleepFor(absl::Milliseconds(10));
  EXPECT_EQ(server.requests(), 0);
  server.Become({});
  trust(server);
  EXPECT_TRUE(journal.AwaitState(id("bot"), DeliveryState::kDelivered));
  EXPECT_EQ(server.requests(), 1);
  deliverer.Stop(absl::ZeroDuration());
  std::filesystem::remove(trusted);
}

INSTANTIATE_TEST_SUITE_P(Certificates, HostileCertificate,
                         testing::Values(BadCertificate{"expired", {.days = -1}},
                                         BadCertificate{"of_another_host",
                                                        {.host = "pager.example"}},
                                         BadCertificate{"of_nobody_we_trust", {}, false}),
                         [](const auto& test) { return std::string(test.param.name); });

INSTANTIATE_TEST_SUITE_P(Modes, HostileSink, testing::ValuesIn(HostileServer::kModes),
                         [](const auto& test) {
                           std::string name = test.param.second;
                           for (char& c : name) {
                             if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
                           }
                           return name;
                         });

}  // namespace
}  // namespace tocsin
