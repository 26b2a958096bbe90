#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sinks/routing.h"
#include "tests/sinks/sink_fixtures.h"

namespace tocsin {
namespace {

class NamedSink final : public Sink {
 public:
  NamedSink(std::string name, bool pages) : Sink(std::move(name), "test"), pages_(pages) {}
  bool pages() const override { return pages_; }
  SinkRequest Render(const Delivery&) const override { return {}; }

 private:
  bool pages_;
};

RouteConfig To(std::vector<std::string> sinks) {
  RouteConfig route;
  route.to = std::move(sinks);
  return route;
}

class RouteTest : public testing::Test {
 protected:
  RouteTest() {
    sinks_.push_back(std::make_unique<NamedSink>("oncall", true));
    sinks_.push_back(std::make_unique<NamedSink>("chat", false));
    sinks_.push_back(std::make_unique<NamedSink>("ticket", false));
    Signal signal;
    signal.series = {{"env", "prod"}, {"service", "checkout"}};
    notification_.incident.signals = {signal};
  }
  std::string Reached(const std::vector<RouteConfig>& routes) const {
    std::string names;
    for (const Sink* sink : Route(routes, sinks_, notification_)) names += sink->name() + " ";
    return names;
  }

  std::vector<std::unique_ptr<Sink>> sinks_;
  Notification notification_ = Notify(NotificationAction::kTrigger, 2, MakeIncident("x"));
};

TEST_F(RouteTest, TheFirstMatchWins) {
  EXPECT_EQ(Reached({To({"chat"}), To({"ticket"})}), "chat ");
  RouteConfig levels = To({"oncall"});
  levels.levels = {1};
  EXPECT_EQ(Reached({levels, To({"ticket"})}), "ticket ");
  levels.levels = {1, 2};
  EXPECT_EQ(Reached({levels, To({"ticket"})}), "oncall ");
  EXPECT_EQ(Reached({To({"unknown"})}), "");
}

TEST_F(RouteTest, AFoldedPageReachesOthersAndWhatStandsForItOnlyWhomItPages) {
  const std::vector<RouteConfig> routes = {To({"oncall", "chat"}), To({"ticket"})};
  notification_.audience = Audience::kNotPaging;
  EXPECT_EQ(Reached(routes), "chat ");
  EXPECT_EQ(Reached({}), "chat ticket ");
  // Its route pages and does nothing else: the next one is not meant.
  EXPECT_EQ(Reached({To({"oncall"}), To({"ticket"})}), "");
  notification_.audience = Audience::kPaging;
  EXPECT_EQ(Reached(routes), "oncall ");
  EXPECT_EQ(Reached({To({"chat"}), To({"oncall"})}), "");
}

TEST_F(RouteTest, ContinueGoesOnAndNobodyHearsTwice) {
  RouteConfig first = To({"chat", "oncall"});
  first.proceed = true;
  EXPECT_EQ(Reached({first, To({"oncall", "ticket"}), To({"chat"})}), "chat oncall ticket ");
}

TEST_F(RouteTest, AMissingFieldIsNotEqual) {
  RouteConfig route = To({"chat"});
  route.services = {"api"};
  EXPECT_EQ(Reached({route}), "chat ");
  route.services = {"checkout"};
  EXPECT_EQ(Reached({route}), "chat ");
  route.services = {"", "search"};
  EXPECT_EQ(Reached({route}), "");
  notification_.incident.component.clear();
  EXPECT_EQ(Reached({route}), "");

  route = To({"chat"});
  route.environments = {"prod"};
  EXPECT_EQ(Reached({route}), "chat ");
  route.environments = {"staging", ""};
  EXPECT_EQ(Reached({route}), "");
  notification_.incident.scope_labels.clear();
  EXPECT_EQ(Reached({route}), "");

  route = To({"chat"});
  route.categories = {"availability"};
  EXPECT_EQ(Reached({route}), "chat ");
  route.categories = {"security"};
  EXPECT_EQ(Reached({route}), "");
}

TEST_F(RouteTest, ATeamIsWhomItCallsOrALabelNamesOrWhoOwnsTheService) {
  RouteConfig route = To({"chat"});
  route.teams = {"payments"};
  EXPECT_EQ(Reached({route}), "");
  notification_.incident.escalate_to = {"cto", "payments"};
  EXPECT_EQ(Reached({route}), "chat ");
  notification_.incident.escalate_to.clear();
  notification_.incident.signals[0].series.push_back({"team", "payments"});
  EXPECT_EQ(Reached({route}), "chat ");
  notification_.incident.signals[0].series.pop_back();
  EXPECT_EQ(Reached({route}), "");
  route.team_services = {"ledger", "checkout"};
  EXPECT_EQ(Reached({route}), "chat ");
  route.team_services = {"ledger"};
  EXPECT_EQ(Reached({route}), "");
  notification_.incident.component = "ledger";
  EXPECT_EQ(Reached({route}), "chat ");
}

TEST_F(RouteTest, EveryLabelMustBeThereOnTheScopeOrASignal) {
  RouteConfig route = To({"chat"});
  route.labels = {{"cluster", {"eu-1", "eu-2"}}, {"env", {"prod"}}};
  EXPECT_EQ(Reached({route}), "");
  notification_.incident.signals[0].series.push_back({"cluster", "eu-2"});
  EXPECT_EQ(Reached({route}), "chat ");
  route.labels["env"] = {"staging"};
  EXPECT_EQ(Reached({route}), "");
}

TEST_F(RouteTest, HoursDecideByTheTick) {
  RouteConfig office = To({"chat"});
  office.during =
      WeekHours{.name = "office", .from = 9 * kHourUs, .to = 17 * kHourUs, .except = {}};
  RouteConfig otherwise = To({"oncall"});
  otherwise.outside = office.during;
  const std::vector<RouteConfig> routes = {office, otherwise};
  notification_.tick = *ParseRfc3339("2026-11-23T12:00:00Z");
  EXPECT_EQ(Reached(routes), "chat ");
  notification_.tick = *ParseRfc3339("2026-11-23T17:00:00Z");
  EXPECT_EQ(Reached(routes), "oncall ");
  notification_.tick = *ParseRfc3339("2026-11-28T12:00:00Z");
  EXPECT_EQ(Reached(routes), "oncall ");
}

TEST_F(RouteTest, WhoIsPagedHearsOfOtherLevelsOnlyWhenNamed) {
  notification_.level = 4;
  notification_.pages = false;
  EXPECT_EQ(Reached({To({"oncall", "chat"})}), "chat ");
  // A route that reached nobody does not swallow the incident.
  EXPECT_EQ(Reached({To({"oncall"}), To({"ticket"})}), "ticket ");
  RouteConfig named = To({"oncall"});
  named.levels = {4};
  EXPECT_EQ(Reached({named, To({"ticket"})}), "oncall ");
}

TEST_F(RouteTest, ARouteToNobodySilences) { EXPECT_EQ(Reached({To({}), To({"chat"})}), ""); }

TEST_F(RouteTest, WithoutRoutesEverySinkHears) {
  EXPECT_EQ(Reached({}), "oncall chat ticket ");
  notification_.pages = false;
  EXPECT_EQ(Reached({}), "chat ticket ");
}

}  // namespace
}  // namespace tocsin
