#include "api/pagerduty_webhook.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/api.h"
#include "core/incident.h"
#include "sinks/signature.h"

namespace tocsin {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

struct Webhook {
  std::string type = "incident.acknowledged";
  std::string agent = R"({"id": "PUSER1", "summary": "Ana Lee", "type": "user_reference"})";
  std::string key = "";
  std::string id = "01BYC1";
  std::string Text() const {
    return R"({"event": {"id": ")" + id + R"(", "event_type": ")" + type +
           R"(", "resource_type": "incident", "occurred_at": "2026-03-01T21:05:00.000Z", "agent": )" +
           agent + R"(, "client": null, "data": {"id": "PGR0VU2", "type": "incident",
           "html_url": "https://acme.pagerduty.com/incidents/PGR0VU2", "number": 2,
           "status": "acknowledged", "incident_key": ")" +
           key + R"("}}})";
  }
};

class PagerDutyApi : public ::testing::Test {
 protected:
  PagerDutyApi() {
    incident_.id = {.high = 7, .low = 1};
    incident_.number = "INC-2026-001";
    incident_.severity_level = 2;
    book_.Put(incident_.ToJson());
    context_.incidents = &book_;
    context_.submit = [this](const OperatorAction& act) {
      acts_.push_back(act);
      return absl::OkStatus();
    };
    context_.now = [] { return TimeUs{0}; };
    context_.token = "another matter";
    context_.loopback = false;
    context_.pagerduty_secrets = {"s3cret"};
  }

  HttpResponse Post(const std::string& body, const std::string& secret = "s3cret") {
    return AnswerApi({.method = "POST",
                      .target = "/api/v1/pagerduty",
                      .headers = {{"x-pagerduty-signature", BodySignature(secret, body)}},
                      .body = body},
                     context_);
  }
  std::string Key(int level) const { return Incident::DedupKey(incident_.id, level); }

  Incident incident_;
  IncidentBook book_;
  std::vector<OperatorAction> acts_;
  ApiContext context_;
};

TEST_F(PagerDutyApi, WhoAcknowledgesThereAcknowledgesHere) {
  const HttpResponse response = Post(Webhook{.key = Key(2)}.Text());
  EXPECT_EQ(response.status, 202) << response.body;
  ASSERT_THAT(acts_, SizeIs(1));
  EXPECT_EQ(acts_[0].kind, OperatorActionKind::kAcknowledge);
  EXPECT_EQ(acts_[0].incident, incident_.id);
  EXPECT_EQ(acts_[0].author, "Ana Lee");
  EXPECT_EQ(acts_[0].text, "on PagerDuty: https://acme.pagerduty.com/incidents/PGR0VU2");
  EXPECT_EQ(acts_[0].id, "pagerduty-01BYC1") << "a second delivery of it has to do nothing";
}

TEST_F(PagerDutyApi, WhoResolvesThereResolvesHere) {
  EXPECT_EQ(Post(Webhook{.type = "incident.resolved", .key = Key(2)}.Text()).status, 202);
  ASSERT_THAT(acts_, SizeIs(1));
  EXPECT_EQ(acts_[0].kind, OperatorActionKind::kResolve);
}

TEST_F(PagerDutyApi, IgnoresWhatNoUserDidAboutAPageOfOurs) {
  const auto ignored = [&](const Webhook& webhook) {
    const HttpResponse response = Post(webhook.Text());
    EXPECT_EQ(response.status, 202) << "else it is sent again and again";
    return response.body;
  };
  const std::string us = R"({"id": "P1", "type": "inbound_integration_reference"})";
  EXPECT_THAT(ignored({.type = "incident.resolved", .agent = us, .key = Key(2)}),
              HasSubstr("no user"));
  EXPECT_THAT(ignored({.agent = "null", .key = Key(2)}), HasSubstr("no user"));
  EXPECT_THAT(ignored({.type = "incident.triggered", .key = Key(2)}), HasSubstr("only"));
  EXPECT_THAT(ignored({.type = "pagey.ping"}), HasSubstr("only"));
  EXPECT_THAT(ignored({.key = ""}), HasSubstr("no page of ours"));
  EXPECT_THAT(ignored({.key = "somebody:else"}), HasSubstr("no page of ours"));
  EXPECT_THAT(ignored({.key = Key(2) + ":1"}), HasSubstr("no page of ours"));
  EXPECT_THAT(ignored({.key = Incident::DedupKey({.high = 7, .low = 2}, 2)}),
              HasSubstr("no such open incident"));
  EXPECT_THAT(acts_, IsEmpty());
}

TEST_F(PagerDutyApi, WhatIsOverThereAfterARaiseIsNotOverHere) {
  incident_.severity_level = 1;
  book_.Put(incident_.ToJson());
  EXPECT_THAT(Post(Webhook{.type = "incident.resolved", .key = Key(2)}.Text()).body,
              HasSubstr("raised"));
  EXPECT_THAT(acts_, IsEmpty());
  // A fall pages nobody: the page of the higher level is still the incident's.
  incident_.severity_level = 3;
  book_.Put(incident_.ToJson());
  Post(Webhook{.key = Key(2)}.Text());
  EXPECT_THAT(acts_, SizeIs(1));
}

TEST_F(PagerDutyApi, NothingIsDoneWithoutItsSignature) {
  const std::string body = Webhook{.key = Key(2)}.Text();
  EXPECT_EQ(Post(body, "guessed").status, 401);
  context_.pagerduty_secrets.clear();
  const HttpResponse response = Post(body);
  EXPECT_EQ(response.status, 403);
  EXPECT_THAT(response.body, HasSubstr("pagerduty_webhook_secret_file"));
  EXPECT_THAT(acts_, IsEmpty());
}

TEST_F(PagerDutyApi, SaysWhenASignedBodyIsNoWebhook) {
  EXPECT_EQ(Post("").status, 400);
  EXPECT_EQ(Post("{").status, 400);
  EXPECT_EQ(Post("[]").status, 400);
  EXPECT_EQ(Post(R"({"messages": [{"event": "incident.acknowledge"}]})").status, 400) << "v2";
  EXPECT_EQ(Post(R"({"event": {"id": 7, "event_type": "incident.resolved"}})").status, 400);
  EXPECT_EQ(Post(R"({"event": {"id": "x", "event_type": "incident.resolved", "data": 7}})").status,
            202);
  EXPECT_THAT(acts_, IsEmpty());
}

}  // namespace
}  // namespace tocsin
