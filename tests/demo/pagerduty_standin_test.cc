#include "demo/pagerduty_standin.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tests/transport/socket.h"

namespace tocsin {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string Trigger(const std::string& key, const std::string& summary = "api is down") {
  return absl::StrCat(R"({"routing_key":"R","event_action":"trigger","dedup_key":")", key,
                      R"(","payload":{"summary":")", summary,
                      R"(","source":"prod","severity":"critical"}})");
}

std::string Other(const std::string& action, const std::string& key) {
  return absl::StrCat(R"({"routing_key":"R","event_action":")", action, R"(","dedup_key":")", key,
                      R"("})");
}

std::string Exchange(const PagerDutyStandIn& pagerduty, const std::string& method,
                     const std::string& path, const std::string& body) {
  const std::string url = pagerduty.url();  // http://127.0.0.1:PORT/v2/enqueue
  const int port = std::stoi(url.substr(std::string("http://127.0.0.1:").size()));
  TestSocket socket(static_cast<std::uint16_t>(port));
  socket.Send(absl::StrCat(method, " ", path, " HTTP/1.1\r\nContent-Length: ", body.size(),
                           "\r\n\r\n", body));
  return socket.ReadReply();
}

std::string Post(const PagerDutyStandIn& pagerduty, const std::string& body) {
  return Exchange(pagerduty, "POST", "/v2/enqueue", body);
}

TEST(PagerDutyStandIn, CountsOneOpenPageAKey) {
  PagerDutyStandIn pagerduty({});
  ASSERT_TRUE(pagerduty.Start().ok());
  const std::string reply = Post(pagerduty, Trigger("a", "first"));
  EXPECT_EQ(StatusOf(reply), 202);
  EXPECT_EQ(BodyOf(reply), R"({"status":"success","message":"Event processed","dedup_key":"a"})");
  Post(pagerduty, Other("resolve", "unknown"));
  Post(pagerduty, Trigger("a", "second"));
  Post(pagerduty, Trigger("b"));
  Post(pagerduty, Other("acknowledge", "a"));
  Post(pagerduty, Other("resolve", "a"));
  Post(pagerduty, Other("resolve", "a"));
  Post(pagerduty, Trigger("a", "third"));

  const std::vector<PagerDutyStandIn::Page> pages = pagerduty.Pages();
  ASSERT_THAT(pages, SizeIs(3));
  EXPECT_EQ(pages[0].dedup_key, "a");
  EXPECT_EQ(pages[0].summary, "first");  // the title stays that of the first trigger
  EXPECT_EQ(pages[0].severity, "critical");
  EXPECT_TRUE(pages[0].resolved);
  EXPECT_EQ(pages[0].triggers, 2);
  EXPECT_EQ(pages[0].resolves, 2);
  EXPECT_LT(pages[0].opened_order, pages[1].opened_order);
  EXPECT_LT(pages[1].opened_order, pages[0].resolved_order);
  EXPECT_EQ(pages[1].dedup_key, "b");
  EXPECT_FALSE(pages[1].resolved);
  EXPECT_EQ(pages[2].summary, "third");
  EXPECT_FALSE(pages[2].resolved);
  EXPECT_THAT(pagerduty.Requests(), SizeIs(8));
  EXPECT_THAT(pagerduty.Rejected(), IsEmpty());
}

TEST(PagerDutyStandIn, KeysAreScopedByRoutingKeyAndCaseSensitive) {
  PagerDutyStandIn pagerduty({});
  ASSERT_TRUE(pagerduty.Start().ok());
  Post(pagerduty, Trigger("a"));
  Post(pagerduty, Trigger("A"));
  Post(pagerduty, absl::StrReplaceAll(Trigger("a"), {{R"("R")", R"("R2")"}}));
  EXPECT_THAT(pagerduty.Pages(), SizeIs(3));
}

TEST(PagerDutyStandIn, GivesATriggerWithoutKeyOne) {
  PagerDutyStandIn pagerduty({});
  ASSERT_TRUE(pagerduty.Start().ok());
  const std::string body = absl::StrReplaceAll(Trigger("a"), {{R"("dedup_key":"a",)", ""}});
  Post(pagerduty, body);
  Post(pagerduty, body);
  const std::vector<PagerDutyStandIn::Page> pages = pagerduty.Pages();
  ASSERT_THAT(pages, SizeIs(2));
  EXPECT_NE(pages[0].dedup_key, "");
  EXPECT_NE(pages[0].dedup_key, pages[1].dedup_key);
}

struct Wrong {
  const char* name;
  std::string body;
  std::string reason;
};

class PagerDutyStandInSchema : public testing::TestWithParam<Wrong> {};

TEST_P(PagerDutyStandInSchema, IsRefusedWithTheReason) {
  PagerDutyStandIn pagerduty({});
  ASSERT_TRUE(pagerduty.Start().ok());
  const std::string reply = Post(pagerduty, GetParam().body);
  EXPECT_EQ(StatusOf(reply), 400);
  EXPECT_THAT(BodyOf(reply), HasSubstr(R"({"status":"invalid event","message":")"));
  EXPECT_THAT(BodyOf(reply), HasSubstr(GetParam().reason));
  EXPECT_THAT(pagerduty.Rejected(), ElementsAre(HasSubstr(GetParam().reason)));
  EXPECT_THAT(pagerduty.Requests(), IsEmpty());
  EXPECT_THAT(pagerduty.Pages(), IsEmpty());
}

std::string Edited(const std::string& from, const std::string& to) {
  std::string body = Trigger("a");
  EXPECT_TRUE(absl::StrContains(body, from));
  return absl::StrReplaceAll(body, {{from, to}});
}

INSTANTIATE_TEST_SUITE_P(
    All, PagerDutyStandInSchema,
    testing::Values(
        Wrong{"Empty", "", "not a JSON object"}, Wrong{"Array", "[]", "not a JSON object"},
        Wrong{"Text", "{\"routing_key\":", "not a JSON object"},
        Wrong{"NoRoutingKey", Edited(R"("routing_key":"R",)", ""), "'routing_key' is missing"},
        Wrong{"BlankRoutingKey", Edited(R"("R")", R"("")"), "'routing_key' is blank"},
        Wrong{"NullRoutingKey", Edited(R"("R")", "null"), "'routing_key' is missing"},
        Wrong{"NoAction", R"({"routing_key":"R","dedup_key":"a"})", "'event_action' is missing"},
        Wrong{"OtherAction", Other("close", "a"), "'event_action' is not an allowed value"},
        Wrong{"NumberKey", Edited(R"("a")", "7"), "'dedup_key' is not a string"},
        Wrong{"LongKey", Trigger(std::string(256, 'k')), "'dedup_key' exceeds 255"},
        Wrong{"ResolveWithoutKey", R"({"routing_key":"R","event_action":"resolve"})",
              "'dedup_key' is missing"},
        Wrong{"NoPayload", Other("trigger", "a"), "'payload' is missing"},
        Wrong{"PayloadText", R"({"routing_key":"R","event_action":"trigger","payload":"x"})",
              "'payload' is not an object"},
        Wrong{"BlankSummary", Edited("api is down", ""), "'payload.summary' is blank"},
        Wrong{"LongSummary", Trigger("a", std::string(1025, 's')), "exceeds 1024"},
        Wrong{"NoSource", Edited(R"("source":"prod",)", ""), "'payload.source' is missing"},
        Wrong{"NoSeverity", Edited(R"(,"severity":"critical")", ""),
              "'payload.severity' is missing"},
        Wrong{"OtherSeverity", Edited("critical", "fatal"),
              "'payload.severity' is not an allowed value"},
        Wrong{"Timestamp", Edited(R"("source")", R"("timestamp":"yesterday","source")"),
              "'payload.timestamp'"},
        Wrong{"Links", Edited(R"("payload")", R"("links":[{"text":"x"}],"payload")"), "'links'"},
        Wrong{"Images", Edited(R"("payload")", R"("images":[{"src":"http://x"}],"payload")"),
              "'images'"},
        Wrong{"Size",
              Edited(R"("payload")",
                     absl::StrCat(R"("x":")", std::string(512'000, 'x'), R"(","payload")")),
              "exceeds 512000 bytes"}),
    [](const testing::TestParamInfo<Wrong>& param_info) { return param_info.param.name; });

TEST(PagerDutyStandIn, LimitsAreInCharactersAndInclusive) {
  PagerDutyStandIn pagerduty({});
  ASSERT_TRUE(pagerduty.Start().ok());
  std::string summary;
  for (int i = 0; i < 1024; ++i) summary += "é";
  EXPECT_EQ(StatusOf(Post(pagerduty, Trigger(std::string(255, 'k'), summary))), 202);
}

TEST(PagerDutyStandIn, ActsUpAsToldAndCallsBackInOrder) {
  std::vector<std::string> seen;
  int calls = 0;
  PagerDutyStandIn* self = nullptr;
  PagerDutyStandIn pagerduty({.on_request =
                                  [&](const PagerDutyStandIn::Request& request) {
                                    seen.push_back(
                                        absl::StrCat(request.action, " ", self->Pages().size()));
                                  },
                              .act_up =
                                  [&](const PagerDutyStandIn::Request&) {
                                    constexpr int kAnswers[] = {500, 429, -1, 0};
                                    return kAnswers[calls++];
                                  }});
  self = &pagerduty;
  ASSERT_TRUE(pagerduty.Start().ok());
  EXPECT_EQ(StatusOf(Post(pagerduty, Trigger("a"))), 500);
  const std::string limited = Post(pagerduty, Trigger("a"));
  EXPECT_EQ(StatusOf(limited), 429);
  EXPECT_THAT(limited, HasSubstr("Retry-After: 1\r\n"));
  EXPECT_EQ(Post(pagerduty, Trigger("a")), "");
  EXPECT_EQ(StatusOf(Post(pagerduty, Trigger("a"))), 202);
  pagerduty.Stop();
  EXPECT_THAT(seen, ElementsAre("trigger 0", "trigger 0", "trigger 1", "trigger 1"));
  ASSERT_THAT(pagerduty.Pages(), SizeIs(1));
  EXPECT_EQ(pagerduty.Pages()[0].triggers, 2);
}

TEST(PagerDutyStandIn, ListsItsPagesForShells) {
  PagerDutyStandIn pagerduty({});
  ASSERT_TRUE(pagerduty.Start().ok());
  EXPECT_EQ(BodyOf(Exchange(pagerduty, "GET", "/pages", "")), "[]");
  Post(pagerduty, Trigger("a", "say \\\"hello\\\""));
  EXPECT_EQ(BodyOf(Exchange(pagerduty, "GET", "/pages", "")),
            R"([{"dedup_key":"a","summary":"say \"hello\"","severity":"critical","resolved":false,)"
            R"("triggers":1,"resolves":0,"opened_order":1,"resolved_order":0}])");
  EXPECT_EQ(StatusOf(Exchange(pagerduty, "GET", "/v2/enqueue", "")), 405);
  EXPECT_EQ(StatusOf(Exchange(pagerduty, "POST", "/pages", "")), 405);
  EXPECT_EQ(StatusOf(Exchange(pagerduty, "GET", "/", "")), 404);
}

}  // namespace
}  // namespace tocsin
