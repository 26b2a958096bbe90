#include "cli/config_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin {
namespace {

using testing::HasSubstr;

std::string TextOf(const std::string& yaml) {
  ErrorList errors;
  const std::optional<Config> config = LoadConfigText(yaml, "my.yaml", &errors);
  EXPECT_TRUE(config.has_value());
  return config ? ConfigText(*config) : "";
}

TEST(ConfigText, SaysWhenItPagesWhom) {
  EXPECT_EQ(TextOf(R"(
severity:
  names: [P0, P1, P2, P3]
  respond_within: [5m, 15m, 1h, none]
  update_every: [15m, none, none, none]
  pages: [1, 2]
  escalate_to: {1: [cto, sre], 3: team}
  users_share: [{above: 5%, level: 1}]
  users_count: [{above: 1000, service: down, level: P1}]
  level_1_after_rollback: 5m
detectors:
  - name: errors
    kind: error_rate
    title: Requests fail
    where: {type: request}
    by: [service, endpoint]
    warn: {above: 1.5%, clear: 0.5%, window: 5m, for: 5m, level: 2}
    critical: {above: 50%, window: 1m, for: 0s, level: 1}
    escalate_to: [dba]
  - name: logins
    kind: burst
    where: {type: auth, outcome: failure}
    per: client_ip
    critical: {count: 10, window: 1m}
  - {name: limited, kind: error_rate, failure: {status: 429}, warn: {above: 5%}}
)"),
            R"(my.yaml: ok
  P0: pages cto, sre; answer within 5m; update every 15m
  P1: pages; answer within 15m
  P2: does not page (a ticket), for team; answer within 1h
  P3: does not page (a ticket); answer on the next business day
  more than 5 % of users with a failure: at least P0
  more than 1000 users with a failure while a service is down: at least P1
  still failing 5m after a rollback: P0
  detector errors (error_rate): Requests fail
    type in [request]; by service, endpoint
    P1: above 1.5%, within 5m, for 5m, clears at 0.5%
    P0: above 50%, within 1m, at once
    also tells dba
  detector logins (burst)
    outcome in ["failure"] and type in [auth]; each client_ip by itself
    P1: 10 or more, within 1m, at once
  detector limited (error_rate)
    counting status 429
    P2: above 5%, at once
  an incident resolves once all was clear for 3m; a deploy of the last 30m is a suspect
  no sinks: nobody would be told
)");
}

TEST(ConfigText, SaysWhoHearsAndWhichWordsAreOwn) {
  const std::string text = TextOf(R"(
sinks: [{name: board, kind: stdout}]
templates: {public: {resolved: "over"}}
)");
  EXPECT_THAT(text, HasSubstr("  no routes: every sink hears of every incident\n"));
  EXPECT_THAT(text, HasSubstr("  own templates of messages: public.resolved\n"));
}

TEST(ConfigText, SaysWhoGetsWhat) {
  const std::string text = TextOf(R"(
mode: shadow
hours: {office: {from: "09:00", to: "17:00", time_zone: Europe/Berlin}}
teams: {payments: [checkout, ledger]}
sinks:
  - {name: oncall, kind: pagerduty, routing_key_env: KEY}
  - {name: board, kind: stdout}
routes:
  - match: {level: [1, SEV2], team: payments, env: [prod], label: {cluster: [eu, us]}, outside: office}
    to: [oncall, board]
    continue: true
  - {match: {service: [web, api], category: security, during: office}, to: []}
  - {to: board}
)");
  EXPECT_THAT(
      text,
      HasSubstr(
          "  routes, from the top; the first that matches ends the search:\n"
          "    1. SEV1, SEV2; team payments; env prod; label cluster eu, us; outside office (mon, "
          "tue, wed, thu, fri 09:00-17:00 Europe/Berlin): oncall (pagerduty), board (stdout), and "
          "the search goes on\n"
          "    2. service web, api; category security; during office (mon, tue, wed, thu, fri "
          "09:00-17:00 Europe/Berlin): nobody\n"
          "    3. everything: board (stdout)\n"
          "  mode shadow: what would go to sinks other than stdout and file is only recorded\n"));
}

TEST(ConfigText, EveryLevelOfEveryProfileSaysWhen) {
  for (const std::string& name : ProfileNames()) {
    ErrorList errors;
    const std::optional<Config> config = LoadConfig("@" + name, &errors);
    ASSERT_TRUE(config.has_value());
    const std::string text = ConfigText(*config);
    for (const DetectorConfig& detector : config->detectors) {
      EXPECT_THAT(text, HasSubstr("  detector " + detector.name + " (" + detector.kind + "): "));
    }
    EXPECT_THAT(text, HasSubstr("pages"));
  }
}

}  // namespace
}  // namespace tocsin
