#include "engine/page_grouper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/limits.h"

namespace tocsin {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr TimeUs kStart = 1'772'409'600 * kSecondUs;
constexpr DurationUs kTick = 10 * kSecondUs;

class PageFolderTest : public ::testing::Test {
 protected:
  static Incident NewIncident(std::uint64_t number, const std::string& service = "api",
                              const std::string& scope = "prod") {
    Incident incident;
    incident.id = {.high = 1, .low = number};
    incident.number = "INC-2026-" + std::to_string(number);
    incident.title = "fault " + std::to_string(number);
    incident.severity = "SEV2";
    incident.severity_level = 2;
    incident.component = service;
    incident.onset = kStart - static_cast<TimeUs>(number);
    AppendKeyPart(scope, &incident.scope);
    return incident;
  }

  Notification Of(NotificationAction action, const Incident& incident, int level = 2) const {
    return {.action = action, .level = level, .tick = tick_, .incident = incident};
  }

  // Every step is also done by a copy that was encoded and decoded before it.
  const std::vector<Notification>& Fold(std::vector<Notification> notifications) {
    ByteWriter out;
    folder_.Encode(&out);
    PageGrouper copy(&routes_);
    ByteReader in(out.view());
    copy.Decode(&in);
    EXPECT_TRUE(in.Done());
    std::vector<Notification> copied = notifications;
    copy.Fold(tick_, &copied);
    folder_.Fold(tick_, &notifications);
    EXPECT_EQ(Text(copied), Text(notifications));
    ByteWriter ours, theirs;
    folder_.Encode(&ours);
    copy.Encode(&theirs);
    EXPECT_EQ(ours.view(), theirs.view());
    said_ = std::move(notifications);
    tick_ += kTick;
    return said_;
  }

  const std::vector<Notification>& Trigger(std::vector<std::uint64_t> numbers, int level = 2) {
    std::vector<Notification> notifications;
    for (const std::uint64_t number : numbers) {
      notifications.push_back(Of(NotificationAction::kTrigger, NewIncident(number), level));
    }
    return Fold(std::move(notifications));
  }

  static std::vector<std::string> Text(const std::vector<Notification>& notifications) {
    std::vector<std::string> text;
    for (const Notification& notification : notifications) {
      const char* const audience = notification.audience == Audience::kAll      ? ""
                                   : notification.audience == Audience::kPaging ? " paging"
                                                                                : " others";
      text.push_back(std::string(NotificationActionName(notification.action)) + " " +
                     notification.incident.number + ":" + std::to_string(notification.level) +
                     audience);
    }
    return text;
  }

  std::vector<RouteConfig> routes_;
  PageGrouper folder_{&routes_};
  TimeUs tick_ = kStart;
  std::vector<Notification> said_;
};

TEST_F(PageFolderTest, TheSixthPageAndThoseAfterItAreOne) {
  for (std::uint64_t i = 1; i <= 5; ++i) {
    EXPECT_THAT(Text(Trigger({i})), ElementsAre("trigger INC-2026-" + std::to_string(i) + ":2"));
  }
  EXPECT_THAT(Text(Trigger({6, 7})),
              ElementsAre("trigger INC-2026-6:2 others", "trigger INC-2026-7:2 others",
                          "trigger INC-2026-6+:2 paging"));
  const Incident& page = said_.back().incident;
  EXPECT_THAT(page.title, HasSubstr("More pages than 5 in 10m"));
  EXPECT_THAT(page.title, HasSubstr("INC-2026-6 fault 6; INC-2026-7 fault 7"));
  EXPECT_EQ(page.severity, "SEV2");
  EXPECT_EQ(page.onset, kStart - 7);
  EXPECT_NE(page.id, NewIncident(6).id);
  // Who joins later wakes nobody.
  EXPECT_THAT(Text(Trigger({8})), ElementsAre("trigger INC-2026-8:2 others"));
}

TEST_F(PageFolderTest, Level1IsCountedButNeverFolded) {
  for (std::uint64_t i = 1; i <= 8; ++i) {
    EXPECT_THAT(Text(Trigger({i}, 1)), ElementsAre("trigger INC-2026-" + std::to_string(i) + ":1"));
  }
  EXPECT_THAT(Trigger({9}), SizeIs(2));
}

TEST_F(PageFolderTest, ItIsOverWhenAllOfItsMembersAre) {
  Trigger({1, 2, 3, 4, 5, 6, 7});
  const Hash128 page = said_.back().incident.id;
  // One that is no member ends by itself.
  EXPECT_THAT(Fold({Of(NotificationAction::kResolve, NewIncident(1)),
                    Of(NotificationAction::kResolve, NewIncident(6))}),
              SizeIs(2));
  // So does another level of a member.
  EXPECT_THAT(Fold({Of(NotificationAction::kResolve, NewIncident(7), 1)}), SizeIs(1));
  EXPECT_THAT(Text(Fold({Of(NotificationAction::kResolve, NewIncident(7))})),
              ElementsAre("resolve INC-2026-7:2", "resolve INC-2026-6+:2 paging"));
  EXPECT_EQ(said_.back().incident.id, page);
  EXPECT_EQ(said_.back().incident.state, IncidentState::kResolved);
  // The storm goes on: what comes now needs a page of its own to stand for it.
  EXPECT_THAT(Text(Trigger({8})),
              ElementsAre("trigger INC-2026-8:2 others", "trigger INC-2026-8+:2 paging"));
  EXPECT_NE(said_.back().incident.id, page);
}

TEST_F(PageFolderTest, ItIsAcknowledgedOnceAllOfItsMembersAre) {
  Trigger({1, 2, 3, 4, 5, 6, 7});
  EXPECT_THAT(Fold({Of(NotificationAction::kAcknowledge, NewIncident(6))}), SizeIs(1));
  EXPECT_THAT(Text(Fold({Of(NotificationAction::kAcknowledge, NewIncident(7))})),
              ElementsAre("acknowledge INC-2026-7:2", "acknowledge INC-2026-6+:2 paging"));
  EXPECT_THAT(Fold({Of(NotificationAction::kAcknowledge, NewIncident(7))}), SizeIs(1));
}

TEST_F(PageFolderTest, AfterTheStormAPageIsAPage) {
  Trigger({1, 2, 3, 4, 5, 6});
  tick_ = kStart + PageGrouper::kWindow;
  // The fold of before is still open, but its receipt is old news to who sleeps again.
  EXPECT_THAT(Text(Trigger({7})), ElementsAre("trigger INC-2026-7:2"));
  Trigger({8, 9, 10, 11});
  EXPECT_THAT(Text(Trigger({12})),
              ElementsAre("trigger INC-2026-12:2 others", "trigger INC-2026-12+:2 paging"));
}

TEST_F(PageFolderTest, ScopesRoutesAndLevelsAreApart) {
  routes_.resize(2);
  routes_[0].services = {"web"};
  Trigger({1, 2, 3, 4, 5});
  std::vector<Notification> others;
  for (std::uint64_t i = 10; i < 15; ++i) {
    others.push_back(Of(NotificationAction::kTrigger, NewIncident(i, "web")));
    others.push_back(Of(NotificationAction::kTrigger, NewIncident(100 + i, "api", "stage")));
  }
  for (const Notification& notification : Fold(others)) {
    EXPECT_EQ(notification.audience, Audience::kAll);
  }
  // Two levels have two pages, for one key has one severity.
  EXPECT_THAT(Text(Fold({Of(NotificationAction::kTrigger, NewIncident(6)),
                         Of(NotificationAction::kTrigger, NewIncident(7), 3)})),
              ElementsAre("trigger INC-2026-6:2 others", "trigger INC-2026-7:3 others",
                          "trigger INC-2026-6+:2 paging", "trigger INC-2026-7+:3 paging"));
}

TEST_F(PageFolderTest, WhatDoesNotPageIsNotCounted) {
  std::vector<Notification> tickets;
  for (std::uint64_t i = 1; i <= 9; ++i) {
    tickets.push_back(Of(NotificationAction::kTrigger, NewIncident(i), 3));
    tickets.back().pages = false;
  }
  EXPECT_THAT(Fold(tickets), SizeIs(9));
  EXPECT_THAT(Text(Trigger({10})), ElementsAre("trigger INC-2026-10:2"));
  // But what a route names does page.
  routes_.resize(1);
  routes_[0].levels = {3};
  EXPECT_THAT(Fold(tickets), SizeIs(10));
}

TEST_F(PageFolderTest, TenThousandInAMinuteAreSixPages) {
  std::size_t pages = 0;
  for (int tick = 0; tick < 6; ++tick) {
    std::vector<Notification> notifications;
    for (std::uint64_t i = 0; i < 1'700; ++i) {
      const std::uint64_t number = static_cast<std::uint64_t>(tick) * 1'700 + i;
      notifications.push_back(Of(NotificationAction::kTrigger, NewIncident(number)));
    }
    folder_.Fold(tick_, &notifications);
    for (const Notification& notification : notifications) {
      if (notification.audience == Audience::kNotPaging) continue;
      ++pages;
      EXPECT_LT(notification.incident.title.size(), 200u);
    }
    tick_ += kTick;
  }
  EXPECT_EQ(pages, 6u);
}

TEST_F(PageFolderTest, AMalformedStateIsNone) {
  Trigger({1, 2, 3, 4, 5, 6});
  ByteWriter out;
  folder_.Encode(&out);
  for (std::size_t size = 0; size < out.view().size(); ++size) {
    ByteReader in(out.view().substr(0, size));
    PageGrouper folder(&routes_);
    folder.Decode(&in);
    EXPECT_FALSE(in.ok());
    ByteWriter empty, expected;
    folder.Encode(&empty);
    PageGrouper(&routes_).Encode(&expected);
    EXPECT_EQ(empty.view(), expected.view());
  }
}

TEST_F(PageFolderTest, AnEscalationOfAFoldedPageIsOneOfTheFoldAndOnlyOnce) {
  Trigger({1, 2, 3, 4});
  EXPECT_THAT(Text(Fold({Of(NotificationAction::kEscalate, NewIncident(1)),
                         Of(NotificationAction::kEscalate, NewIncident(2))})),
              ElementsAre("escalate INC-2026-1:2", "escalate INC-2026-2:2"));
  Trigger({5, 6, 7});
  const auto escalate = [&](std::uint64_t number, const std::vector<std::string>& to) {
    Notification notification = Of(NotificationAction::kEscalate, NewIncident(number));
    notification.incident.escalate_to = to;
    return notification;
  };
  EXPECT_THAT(Text(Fold({escalate(5, {"cto"}), escalate(6, {"cto"}), escalate(7, {"cto"})})),
              ElementsAre("escalate INC-2026-5:2", "escalate INC-2026-6:2 others",
                          "escalate INC-2026-7:2 others", "escalate INC-2026-6+:2 paging"));
  EXPECT_THAT(said_.back().incident.escalate_to, ElementsAre("cto"));
  EXPECT_THAT(Fold({escalate(6, {"cto", "ceo"})}), SizeIs(2));
  EXPECT_THAT(said_.back().incident.escalate_to, ElementsAre("cto", "ceo"));
}

// A team must not miss its page because of another team's storm.
TEST_F(PageFolderTest, RoutesThatContinueArePartOfTheWay) {
  routes_.resize(3);
  routes_[0].to = {"chat"};
  routes_[0].proceed = true;
  routes_[1].services = {"api"};
  routes_[1].to = {"api-oncall"};
  routes_[2].services = {"web"};
  routes_[2].to = {"web-oncall"};
  Trigger({1, 2, 3, 4, 5, 6, 7});
  EXPECT_THAT(Text(Fold({Of(NotificationAction::kTrigger, NewIncident(8, "web"))})),
              ElementsAre("trigger INC-2026-8:2"));
}

}  // namespace
}  // namespace tocsin
