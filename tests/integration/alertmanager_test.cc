// The alertmanager sink against a real Alertmanager.

#include <curl/curl.h>
#include <simdjson.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/deliverer.h"
#include "tests/integration/http_get.h"
#include "tests/integration/kafka_cluster.h"
#include "tests/service/watched_journal.h"
#include "tests/sinks/sink_fixtures.h"

namespace tocsin {
namespace {

constexpr int kPatience = 60;

struct Alert {
  std::string incident, severity, scope, summary, starts_at, updated_at;
};

class AlertmanagerTest : public testing::Test {
 protected:
  void SetUp() override {
    const char* binary = std::getenv("TOCSIN_ALERTMANAGER");
    ASSERT_NE(binary, nullptr) << "TOCSIN_ALERTMANAGER is not set: ./dev test sets it";
    std::string pattern = testing::TempDir() + "tocsin-alertmanager-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    std::ofstream(directory_ + "/alertmanager.yml")
        << "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n";
    port_ = FreePort();
    setenv("no_proxy", "127.0.0.1", 1);
    ASSERT_TRUE(server_.Start(
        {binary, "--config.file=" + directory_ + "/alertmanager.yml",
         "--storage.path=" + directory_ + "/data",
         "--web.listen-address=127.0.0.1:" + std::to_string(port_), "--cluster.listen-address="},
        directory_ + "/log"));
    ASSERT_TRUE(WaitFor(kPatience, [&] { return HttpGet(port_, "/-/ready") == "OK"; }));
    sinks_.push_back(MakeSink("{name: alerts, kind: alertmanager, resend_every: 1s, url: 'http://" +
                              std::string("127.0.0.1:") + std::to_string(port_) + "'}"));
    ASSERT_NE(sinks_[0], nullptr);
    deliverer_ = std::make_unique<Deliverer>(routes_, sinks_, &journal_, &time_);
    ASSERT_TRUE(deliverer_->Start().ok());
  }
  void TearDown() override {
    if (deliverer_) deliverer_->Stop(absl::Seconds(10));
    if (!directory_.empty()) std::filesystem::remove_all(directory_);
  }

  // Those that fire, as Alertmanager itself sees it.
  std::vector<Alert> Firing() const {
    const simdjson::padded_string body(HttpGet(port_, "/api/v2/alerts?active=true"));
    simdjson::dom::parser parser;
    simdjson::dom::array list;
    std::vector<Alert> alerts;
    if (parser.parse(body).get(list) != simdjson::SUCCESS) return alerts;
    for (const simdjson::dom::element alert : list) {
      const auto text = [&](const char* pointer) {
        std::string_view found;
        return alert.at_pointer(pointer).get(found) == simdjson::SUCCESS ? std::string(found) : "";
      };
      alerts.push_back({.incident = text("/labels/incident"),
                        .severity = text("/labels/severity"),
                        .scope = text("/labels/scope"),
                        .summary = text("/annotations/summary"),
                        .starts_at = text("/startsAt"),
                        .updated_at = text("/updatedAt")});
    }
    return alerts;
  }
  bool Await(std::size_t firing) const {
    return WaitFor(kPatience, [&] { return Firing().size() == firing; });
  }

  std::string directory_;
  int port_ = 0;
  Process server_;
  std::vector<RouteConfig> routes_;
  std::vector<std::unique_ptr<Sink>> sinks_;
  WatchedJournal journal_;
  const TimeSource time_;
  std::unique_ptr<Deliverer> deliverer_;
};

TEST_F(AlertmanagerTest, FiresIsRaisedAndEnds) {
  Incident incident = MakeIncident("42 % of requests \"fail\"\n{{ .Labels }}");
  deliverer_->Submit({Notify(NotificationAction::kTrigger, 2, incident)});
  ASSERT_TRUE(Await(1));
  const Alert first = Firing()[0];
  EXPECT_EQ(first.incident, incident.id.Hex());
  EXPECT_EQ(first.severity, "error");
  EXPECT_EQ(first.scope, "prod");
  EXPECT_EQ(first.summary, "42 % of requests \"fail\" {{ .Labels }}");
  EXPECT_EQ(first.starts_at, "2026-03-01T21:05:00.000Z");
  // It is told again and again, or would forget.
  EXPECT_TRUE(WaitFor(kPatience, [&] {
    const std::vector<Alert> now = Firing();
    return now.size() == 1 && now[0].updated_at > first.updated_at;
  }));
  // A raise: the alert of the lower level ends, whatever else the incident has become.
  incident.title = "all requests fail";
  incident.component = "db";
  Notification lower = Notify(NotificationAction::kResolve, 2, incident);
  lower.after_trigger_of_level = 1;
  deliverer_->Submit({Notify(NotificationAction::kTrigger, 1, incident), lower});
  EXPECT_TRUE(WaitFor(kPatience, [&] {
    const std::vector<Alert> now = Firing();
    return now.size() == 1 && now[0].severity == "critical";
  }));
  deliverer_->Submit({Notify(NotificationAction::kResolve, 1, incident)});
  EXPECT_TRUE(Await(0));
  EXPECT_EQ(deliverer_->counters().parked, 0);
}

}  // namespace
}  // namespace tocsin
