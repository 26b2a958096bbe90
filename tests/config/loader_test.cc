#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "config/config.h"
#include "tests/config/errors.h"

namespace tocsin {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::StartsWith;

Config Loaded(const std::string& text) {
  ErrorList errors;
  std::optional<Config> config = LoadConfigText(text, "t.yaml", &errors);
  EXPECT_THAT(Lines(errors), IsEmpty());
  return config ? *std::move(config) : Config();
}

// Whether a secret is there is another matter.
std::vector<std::string> ErrorsOf(const std::string& text) {
  ErrorList errors(ErrorList::Secrets::kNotNeeded);
  const bool loaded = LoadConfigText(text, "t.yaml", &errors).has_value();
  EXPECT_EQ(loaded, errors.empty());
  return Lines(errors);
}

// A folder of files that this test wrote.
class FilesTest : public ::testing::Test {
 protected:
  FilesTest()
      : directory_(testing::TempDir() + "tocsin_config_" +
                   testing::UnitTest::GetInstance()->current_test_info()->name()) {
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
  }
  ~FilesTest() override { std::filesystem::remove_all(directory_); }

  std::string Path(const std::string& name) const { return directory_ + "/" + name; }
  std::string Write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(Path(name)).parent_path());
    std::ofstream(Path(name)) << text;
    return Path(name);
  }

 private:
  const std::string directory_;
};

TEST(LoaderTest, EmptyIsAllDefaults) {
  const Config config = Loaded("");
  EXPECT_EQ(config.source, "t.yaml");
  EXPECT_EQ(config.pane, 10 * kSecondUs);
  EXPECT_THAT(config.ScopeNames(), ElementsAre("env"));
  EXPECT_THAT(config.inputs, IsEmpty());
  EXPECT_EQ(config.severity.names[0], "SEV1");
}

TEST(LoaderTest, SaysWhichKeysHaveChanged) {
  const std::string text = R"(
hosts: [Tocsin.Example]
limits: {series_max: 7}
sinks: [{name: out, kind: stdout}]
)";
  const Config before = Loaded(text);
  EXPECT_THAT(before.hosts, ElementsAre("tocsin.example"));
  EXPECT_THAT(ChangedKeys(before, Loaded("# a comment\n" + text)), IsEmpty());
  EXPECT_THAT(ChangedKeys(before, Loaded(R"(
sinks: [{name: out, kind: stdout, format: text}]
limits:
  series_max: 7
pane: 20s
)")),
              ElementsAre("hosts", "pane", "sinks"));
  EXPECT_THAT(ChangedKeys(Loaded("extends: \"@generic\""), Loaded("extends: \"@rupaya\"")),
              testing::Contains("detectors"));
}

TEST(LoaderTest, SecretsOfKafkaInputsComeFromFilesAndTheEnvironment) {
  const std::string file = testing::TempDir() + "loader-sasl-password";
  std::ofstream(file) << "sesame\n";
  setenv("TOCSIN_TEST_KEY_PASSWORD", "open", 1);
  const auto with = [](const std::string& more) {
    return "inputs: [{name: a, kafka: {brokers: h, topics: t, properties: {sasl.username: u}, " +
           more + "}}]";
  };
  const Config config = Loaded(
      with("sasl_password_file: " + file + ", ssl_key_password_env: TOCSIN_TEST_KEY_PASSWORD"));
  const auto all = config.inputs.at(0).kafka->AllProperties();
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_THAT(*all, ElementsAre(Pair("sasl.password", "sesame"), Pair("sasl.username", "u"),
                                Pair("ssl.key.password", "open")));
  // Read whenever the input starts, so that one that is not there yet may come.
  std::filesystem::remove(file);
  EXPECT_THAT(std::string(config.inputs.at(0).kafka->AllProperties().status().message()),
              AllOf(HasSubstr("sasl.password"), HasSubstr(file)));
  EXPECT_THAT(ErrorsOf("inputs: [{name: a, kafka: {brokers: h, topics: t, properties: "
                       "{sasl.password: p}, sasl_password_file: /x}}]"),
              ElementsAre(HasSubstr("expected one of them")));
}

TEST(LoaderTest, ReadsInputs) {
  const Config config = Loaded(R"(
pane: 30s
inputs:
  - name: a
    kafka: {brokers: [h1:9092, h2:9092], topics: t, start: earliest, properties: {sasl.username: u}}
    format: pino
    delay: 1m
    map: {time: ts, type: {value: request}, status: http.status, labels.team: team}
  - {name: b, file: /var/log/b.json, time_zone: "-03:30", year: 2026}
  - {name: c, file: {path: "-", follow: false}, format: cloudwatch-logs}
)");
  ASSERT_EQ(config.inputs.size(), 3u);
  const InputConfig& a = config.inputs[0];
  EXPECT_EQ(a.kafka->brokers, "h1:9092,h2:9092");
  EXPECT_THAT(a.kafka->topics, ElementsAre("t"));
  EXPECT_EQ(a.kafka->start, StartAt::kEarliest);
  EXPECT_EQ(a.kafka->properties.at("sasl.username"), "u");
  EXPECT_EQ(a.format, "pino");
  EXPECT_EQ(a.delay, kMinuteUs);
  EXPECT_EQ(a.at.ToString(), "t.yaml:4:5");
  ASSERT_EQ(a.map.size(), 4u);
  EXPECT_EQ(a.map[1].target, "type");
  EXPECT_EQ(a.map[1].constant, "request");
  EXPECT_EQ(a.map[2].path, "http.status");
  EXPECT_EQ(a.map[3].target, "labels.team");
  EXPECT_EQ(config.inputs[1].file->path, "/var/log/b.json");
  EXPECT_TRUE(config.inputs[1].file->follow);
  EXPECT_EQ(config.inputs[1].time_zone, -210 * kMinuteUs);
  EXPECT_EQ(config.inputs[1].year, 2026);
  EXPECT_EQ(a.time_zone, std::nullopt);
  EXPECT_EQ(a.year, 0);
  EXPECT_EQ(config.inputs[1].delay, std::nullopt);
  EXPECT_FALSE(config.inputs[2].file->follow);
}

TEST(LoaderTest, ReadsTheRest) {
  const Config config = Loaded(R"(
scope: [env, labels.tenant]
topology: {api: [db, cache], web: api, "*": ["*"]}
severity:
  names: [P0, P1, P2, P3]
  pages: [P0, 2]
  users_share: [{above: 1%, level: P1}, {above: 10%, level: 1}]
  users_count: [{above: 0, service: degraded, level: 3}, {above: 100000, service: down, level: P0}]
  users_total: 100000
  escalate_to: {P0: cto}
  level_1_after_rollback: 5m
correlate: {join_window: 2m, coincidence: 20s, watch: 30m, external: stripe, runbook: "https://wiki/runbook"}
detectors:
  - {name: d, kind: storm, advice: Block it, title: A storm, runbook: "https://wiki/d",
     escalate_to: dba, extra: {x: 1}, advice_if: {surge: [Scale out]}}
sinks: [{name: pager, kind: pagerduty, key: k}]
routes:
  - {match: {level: P0, service: [api, web], env: prod, category: security}, to: pager,
     continue: true}
  - {to: [pager]}
limits: {false_pages_per_series_week: 0.01, series_expected: 500, series_max: 1000}
state_dir: /tmp/x
listen: "[::1]:0"
ready_lag_max: 5m
)");
  EXPECT_THAT(config.ScopeNames(), ElementsAre("env", "labels.tenant"));
  EXPECT_THAT(config.correlate.topology.at("api"), ElementsAre("db", "cache"));
  EXPECT_THAT(config.correlate.topology.at("web"), ElementsAre("api"));
  EXPECT_EQ(config.correlate.join_window, 2 * kMinuteUs);
  EXPECT_EQ(config.correlate.coincidence, 20 * kSecondUs);
  EXPECT_EQ(config.correlate.watch, 30 * kMinuteUs);
  EXPECT_EQ(config.correlate.deploy_window, 30 * kMinuteUs);
  EXPECT_THAT(config.severity.pages, ElementsAre(true, true, false, false));
  const std::vector<SeverityScheme::UsersRule> shares = {{.above = 0.1, .level = 1},
                                                         {.above = 0.01, .level = 2}};
  EXPECT_EQ(config.severity.users_share, shares);
  const std::vector<SeverityScheme::UsersRule> counts = {
      {.above = 100'000, .level = 1, .down = true}, {.above = 0, .level = 3}};
  EXPECT_EQ(config.severity.users_count, counts);
  EXPECT_THAT(config.correlate.external, ElementsAre("stripe"));
  EXPECT_EQ(config.severity.users_total, 100'000);
  EXPECT_EQ(config.severity.level_1_after_rollback, 5 * kMinuteUs);
  EXPECT_THAT(config.severity.escalate_to[0], ElementsAre("cto"));
  ASSERT_EQ(config.detectors.size(), 1u);
  EXPECT_EQ(config.detectors[0].kind, "storm");
  EXPECT_EQ(config.detectors[0].node.Find("extra")->Find("x")->scalar, "1");
  EXPECT_THAT(config.advice.at("d").advice, ElementsAre("Block it"));
  EXPECT_THAT(config.advice.at("d").advice_if.at("surge"), ElementsAre("Scale out"));
  EXPECT_EQ(config.advice.at("d").title, "A storm");
  EXPECT_THAT(config.advice.at("d").escalate_to, ElementsAre("dba"));
  ASSERT_EQ(config.routes.size(), 2u);
  EXPECT_THAT(config.routes[0].levels, ElementsAre(1));
  EXPECT_THAT(config.routes[0].services, ElementsAre("api", "web"));
  EXPECT_THAT(config.routes[0].categories, ElementsAre("security"));
  EXPECT_TRUE(config.routes[0].proceed);
  EXPECT_FALSE(config.routes[1].proceed);
  EXPECT_THAT(config.routes[1].levels, IsEmpty());
  EXPECT_EQ(config.limits.series_expected, 500);
  EXPECT_EQ(config.limits.series_max, 1000u);
  EXPECT_EQ(config.ready_lag_max, 5 * kMinuteUs);
}

TEST(LoaderTest, SingleErrors) {
  struct Case {
    const char* text;
    const char* error;
  };
  const Case cases[] = {
      {"detector: []", "t.yaml:1:1: unknown key 'detector': did you mean 'detectors'?"},
      {"detectors: {name: a}",
       "t.yaml:1:12: detectors is a map: expected a list, each detector with a name"},
      {"detectors: [{kind: storm}]", "t.yaml:1:13: a detector needs 'name'"},
      {"detectors: [{name: a}]", "t.yaml:1:13: detector a needs 'kind'"},
      {"detectors: [{name: a b, kind: storm}]",
       "t.yaml:1:20: name is 'a b': expected at most 64 letters, digits, '-', '_' and '.'"},
      {"detectors:\n  - {name: a, kind: k}\n  - {name: a, kind: k}",
       "t.yaml:3:12: duplicate detector name 'a': the other is at line 2"},
      {"detectors: [{name: tocsin-series-limit, kind: k}]",
       "t.yaml:1:20: the detector name 'tocsin-series-limit' is tocsin's own: expected another"},
      {"detectors: [{name: a, disabled: true}]",
       "t.yaml:1:20: there is no detector 'a' to disable"},
      {"silences: [{name: s, match: [service], starts: 2026-03-01T02:00:00Z, for: 2h}]",
       "t.yaml:1:30: 'service' is no matcher: expected name=value, name!=value, name=~expression "
       "or "
       "name!~expression"},
      {"silences: [{name: s, match: a=b, starts: now, for: 2h}]",
       "t.yaml:1:42: starts is now: expected a time such as 2026-03-01T02:00:00Z"},
      {"silences: [{name: s, match: a=b, starts: 2026-03-01T02:00:00Z, for: 2h, every: 1h}]",
       "t.yaml:1:80: 'every' is shorter than 'for': the silence would never end"},
      {"silences: [{name: s, match: a=b, starts: 2026-03-01T02:00:00Z}]",
       "t.yaml:1:12: 'for' is missing: how long it lasts, such as 2h"},
      {"inhibit: [{name: r, when: a=b, mute: 'c=~('}]",
       "t.yaml:1:38: 'c=~(': the expression is wrong: missing ): ("},
      {"severity: {escalation: {SEV1: [{after: 5m}]}}",
       "t.yaml:1:32: an escalation step needs 'after' and 'to'"},
      {"severity: {category_level: {data: 5}}",
       "t.yaml:1:35: data is '5': expected a severity level: 1 (highest) to 4, or one of SEV1, "
       "SEV2, "
       "SEV3, SEV4"},
      {"sinks: [{name: a, kind: k}, {name: a, kind: k}]",
       "t.yaml:1:36: duplicate sink name 'a': the other is at line 1"},
      {"inputs: [{name: a, file: x}, {name: a, file: y}]",
       "t.yaml:1:37: duplicate input name 'a': the other is at line 1"},
      {"inputs: [{name: a}]",
       "t.yaml:1:10: input a has neither kafka, file nor http: expected one of them"},
      {"inputs: [{name: a, file: x, http: {}}]",
       "t.yaml:1:10: input a has both http and file: expected one of them"},
      {"inputs: [{name: a, http: {}, kafka: {brokers: b, topics: [t, u]}}]",
       "t.yaml:1:26: input a has http and several topics: expected the one that is appended to"},
      {"inputs: [{name: a, http: {signature: githug, secret_file: s}}]",
       "t.yaml:1:38: signature is 'githug': expected one of github, gitlab, pagerduty, sentry, "
       "sns; "
       "did you mean 'github'?"},
      {"inputs: [{name: a, http: {signature: github}}]",
       "t.yaml:1:38: signature of http of input a needs a secret_file"},
      {"inputs: [{name: a, http: {secret_file: s}}]",
       "t.yaml:1:40: secret_file of http of input a signs nothing: expected a signature of github, "
       "gitlab, pagerduty or sentry"},
      {"inputs: [{name: a, http: {signature: sns}}]",
       "t.yaml:1:26: http of input a needs topics: the ARNs whose messages it takes"},
      {"inputs: [{name: a, http: {topics: [t]}}]",
       "t.yaml:1:35: topics of http of input a is for signature sns"},
      {"inputs: [{name: a, http: {proxy: 'http://p:3128'}}]",
       "t.yaml:1:34: proxy of http of input a is for signature sns, which fetches"},
      {"http: {listen: ':9465'}",
       "t.yaml:1:16: listen is ':9465': expected an address and port such as 127.0.0.1:9464, or "
       "off"},
      {"http: {listen: '0.0.0.0:9465'}\ninputs: [{name: a, http: {}}]",
       "t.yaml:2:26: http of input a lets other machines post unasked: expected a token_file, a "
       "signature, or open: true"},
      {"http: {key_file: k}",
       "t.yaml:1:7: http has a key_file and no certificate_file: expected both or neither"},
      {"inputs: [{name: a, file: x, format: otlp-proto, signal: log}]",
       "t.yaml:1:57: signal is 'log': expected one of logs, metrics; did you mean 'logs'?"},
      {"inputs: [{name: a, file: x, kafka: {brokers: b, topics: t}}]",
       "t.yaml:1:10: input a has both kafka and file: expected one of them"},
      {"inputs: [{name: a, kafka: {brokers: b}}]", "t.yaml:1:27: kafka of input a needs 'topics'"},
      {"inputs: [{name: a, file: x, delay: 10}]",
       "t.yaml:1:36: delay is 10 without a unit: write 10s, 5m, …"},
      {"inputs: [{name: a, file: x, delay: 15s}]",
       "t.yaml:1:36: delay is 15s: expected a multiple of the pane (10s)"},
      {"inputs: [{name: a, file: x, delay: 20m}]",
       "t.yaml:1:36: delay is 20m: expected at most 15m"},
      {"inputs: [{name: a, file: x, time_zone: IST}]",
       "t.yaml:1:40: time_zone is 'IST': expected an offset from UTC such as \"+05:30\""},
      {"inputs: [{name: a, file: x, year: 26}]",
       "t.yaml:1:35: year is 26: expected a whole number from 1970 to 2199"},
      {"inputs: [{name: a, file: x, fromat: json}]",
       "t.yaml:1:29: unknown key 'fromat' in input a: did you mean 'format'?"},
      {"inputs: [{name: a, file: x, map: {stauts: s}}]",
       "t.yaml:1:35: unknown field 'stauts' in map: did you mean 'status'?"},
      {"inputs: [{name: a, file: x, map: {status: [s]}}]",
       "t.yaml:1:43: status is a list: expected a path such as http.status, or {value: constant}"},
      {"routes: [{to: [oncal]}]\nsinks: [{name: oncall, kind: k}]",
       "t.yaml:1:16: a route to the unknown sink 'oncal': did you mean 'oncall'?"},
      {"routes: [{to: pager}]",
       "t.yaml:1:15: a route to the unknown sink 'pager' (there are no sinks)"},
      {"routes: [{match: {level: 1}}]", "t.yaml:1:10: a route needs 'to': the names of its sinks"},
      {"sinks: [{name: s, kind: k}]\nroutes: [{match: {level: 5}, to: s}]",
       "t.yaml:2:26: level is '5': expected a severity level: 1 (highest) to 4, or one of SEV1, "
       "SEV2, SEV3, SEV4"},
      {"sinks: [{name: s, kind: k}]\nroutes: [{match: {category: all}, to: s}]",
       "t.yaml:2:29: category is 'all': expected one of availability, performance, security, "
       "data, capacity"},
      {"sinks: [{name: s, kind: k}]\nroutes: [{match: {during: office}, to: s}]",
       "t.yaml:2:27: during names 'office': expected one of the section 'hours', which is missing"},
      {"sinks: [{name: s, kind: k}]\nhours: {night: {}, day: {}}\nroutes: [{match: {outside: "
       "dya}, to: s}]",
       "t.yaml:3:28: outside names 'dya': expected one of the section 'hours' (day, night)"},
      {"sinks: [{name: s, kind: k}]\nroutes: [{match: {label: gold}, to: s}]",
       "t.yaml:2:26: label of a route is 'gold': expected a map of keys"},
      {"sinks: [{name: s, kind: k}]\nroutes: [{match: {lable: {}}, to: s}]",
       "t.yaml:2:19: unknown key 'lable' in match of a route: did you mean 'label'?"},
      {"teams: [a]", "t.yaml:1:8: teams is a list: expected a map of keys"},
      {"mode: dry-run", "t.yaml:1:7: mode is 'dry-run': expected one of live, shadow"},
      {"severity: {names: [a, b]}",
       "t.yaml:1:19: names is a list of 2: expected a list of 4, one for each level from 1 to 4"},
      {"severity: {names: [a, b, a, c]}",
       "t.yaml:1:26: names of severity levels must differ and not be empty"},
      {"severity: {respond_within: [5m, 15, 1h, none]}",
       "t.yaml:1:33: respond_within is 15 without a unit: write 10s, 5m, …"},
      {"severity: {users_share: [{above: 5, level: 1}]}",
       "t.yaml:1:34: above is 5: expected a share such as 5% or 0.05, from 0 to 1"},
      {"severity: {users_share: [{above: 5%}]}",
       "t.yaml:1:26: an element of users_share needs 'above' and 'level'"},
      {"severity: {users_share: [{above: 5%, level: 2}, {above: 1%, level: 1}]}",
       "t.yaml:1:25: users_share gives a larger share a lower severity"},
      {"severity: {users_count: [{above: 5%, level: 1}]}",
       "t.yaml:1:34: above is 5%: expected a whole number from 0 to 10000000000"},
      {"severity: {users_count: [{above: 5, service: up, level: 1}]}",
       "t.yaml:1:46: service is 'up': expected down, or degraded for anything that fires"},
      {"severity: {users_count: [{above: 9, level: 2}, {above: 5, level: 1}]}",
       "t.yaml:1:25: users_count gives more users a lower severity"},
      {"correlate: {wacth: 3m}",
       "t.yaml:1:13: unknown key 'wacth' in correlate: did you mean 'watch'?"},
      {"topology: [a]",
       "t.yaml:1:11: topology is a list: expected a map from service to what it needs"},
      {"topology: {a: [b, a]}", "t.yaml:1:19: 'a' needs itself"},
      {"scope: [user]",
       "t.yaml:1:9: scope has 'user': expected env, region, app, service or labels.NAME"},
      {"scope: []", "t.yaml:1:8: scope is empty: expected fields such as [env]"},
      {"pane: 100ms", "t.yaml:1:7: pane is 100ms: expected at least 1s"},
      {"hosts: [tocsin.example, 'http://x']",
       "t.yaml:1:25: hosts has 'http://x': expected a host name such as tocsin.example, without "
       "scheme, port or wildcard"},
      {"listen: 9464",
       "t.yaml:1:9: listen is '9464': expected an address and port such as 127.0.0.1:9464, or off"},
      {"limits: {false_pages_per_series_week: 0}",
       "t.yaml:1:39: false_pages_per_series_week is 0: expected a number from 1e-09 to 1000"},
      {"[a]", "t.yaml:1:1: the configuration is a list: expected a map of keys"},
      {"extends: '@rupya'",
       "t.yaml:1:10: there is no profile '@rupya': the built-in ones are "
       "@chat-backend, @generic, @railway, @rodistaa, @rupaya; did you mean '@rupaya'?"},
      {"extends: [a]", "t.yaml:1:10: extends is a list: expected a string"},
      {"extends: nope.yaml", "t.yaml:1:10: cannot read 'nope.yaml': No such file or directory"},
      {"pane: 10s\npane: 20s", "t.yaml:2:1: duplicate key 'pane': it was given before, at line 1"},
  };
  for (const Case& c : cases) EXPECT_THAT(ErrorsOf(c.text), ElementsAre(c.error)) << c.text;
}

TEST(LoaderTest, SeveralErrorsInOneGoInFileOrder) {
  EXPECT_THAT(
      ErrorsOf(R"(
limits: {series_max: many}
inputs:
  - {name: a, file: x, delay: 10}
detectors:
  - {name: d, kind: k}
  - {name: d, kind: k}
wahtever: 1
pane: 0s
)"),
      ElementsAre(
          "t.yaml:2:22: series_max is many: expected a whole number from 1 to 200000",
          "t.yaml:4:31: delay is 10 without a unit: write 10s, 5m, …",
          "t.yaml:7:12: duplicate detector name 'd': the other is at line 6",
          StartsWith("t.yaml:8:1: unknown key 'wahtever' (known are api_token_file, blind, "),
          "t.yaml:9:7: pane is 0s: expected at least 1s"));
}

TEST(LoaderTest, WhatASyntaxErrorLeavesUnreadIsNotMissed) {
  EXPECT_THAT(ErrorsOf("detectors:\n  - {name: a, kind: k\nsinks: []\n"),
              ElementsAre(HasSubstr("not valid YAML")));
  // The sinks stand behind it.
  EXPECT_THAT(ErrorsOf("routes: [{to: [oncall]}]\ninputs: [{name: a]\nsinks: []\n"),
              ElementsAre(HasSubstr("not valid YAML")));
}

TEST(LoaderTest, ASyntaxErrorDoesNotHideWhatIsWrongBeforeIt) {
  EXPECT_THAT(ErrorsOf("pane: 5\nlimits: {series_max: many}\ninputs:\n"
                       "  - {name: a, file: x, delay: 10}\n  - {name: b, file: y, delay: 20\n"
                       "sinks: []\n"),
              ElementsAre("t.yaml:1:7: pane is 5 without a unit: write 10s, 5m, …",
                          HasSubstr("t.yaml:2:22: series_max is many"),
                          "t.yaml:4:31: delay is 10 without a unit: write 10s, 5m, …",
                          HasSubstr("not valid YAML")));
}

TEST(LoaderTest, AProfileThatIsNotThereHidesNothingAndIsNotMissed) {
  // The detector's kind, the levels' names and the sink may stand in the profile.
  EXPECT_THAT(ErrorsOf("extends: '@nope'\npane: 5\ndetectors: [{name: a, warn: {}}]\n"
                       "routes: [{match: {level: P0}, to: oncall, contniue: true}]\n"),
              ElementsAre(HasSubstr("t.yaml:1:10: there is no profile '@nope'"),
                          HasSubstr("t.yaml:2:7: pane is 5"),
                          HasSubstr("t.yaml:4:43: unknown key 'contniue'")));
}

TEST(LoaderTest, OneMistakeDoesNotLookLikeSeveral) {
  EXPECT_THAT(ErrorsOf("severity: {names: [a, b], pages: [P0], escalate_to: {P1: cto}}"),
              ElementsAre(HasSubstr("names is a list of 2")));
  EXPECT_THAT(ErrorsOf("pane: often\ninputs: [{name: a, file: x, delay: 15s}]"),
              ElementsAre(HasSubstr("pane is often")));
  EXPECT_THAT(ErrorsOf("hours: 9\nsinks: [{name: s, kind: k}]\n"
                       "routes: [{match: {during: office}, to: s}]"),
              ElementsAre(HasSubstr("hours is '9'")));
  EXPECT_THAT(ErrorsOf("sinks: [{kind: k}]\nroutes: [{to: s}]"),
              ElementsAre("t.yaml:1:9: a sink needs 'name'"));
  EXPECT_THAT(ErrorsOf("sinks: [{nmae: s, kind: k}]\nroutes: [{to: s}]"),
              ElementsAre("t.yaml:1:10: unknown key 'nmae' in a sink: did you mean 'name'?"));
  EXPECT_THAT(ErrorsOf("silences: [{name: s, match: a=b, starts: 2026-03-01T02:00:00Z, for: 2, "
                       "every: 1h}]"),
              ElementsAre("t.yaml:1:69: for is 2 without a unit: write 10s, 5m, …"));
  EXPECT_THAT(ErrorsOf("inputs: [{name: a, http: {signature: snss, topics: [t]}}]"),
              ElementsAre(HasSubstr("signature is 'snss'")));
}

TEST(LoaderTest, AMistakeHidesNothingInItsStanza) {
  EXPECT_THAT(
      ErrorsOf(R"(
inputs:
  - {name: a b, file: x, delay: 10, map: {sevice: [x]}}
  - {file: x, delay: 10}
silences:
  - {match: [service, "c=~("], starts: now, for: 0}
severity:
  escalate_to: {SEV9: [[x]]}
  escalation: {SEV9: [{after: 5, to: [cto]}]}
)"),
      ElementsAre(
          HasSubstr("t.yaml:3:12: name is 'a b'"), HasSubstr("t.yaml:3:33: delay is 10"),
          HasSubstr("t.yaml:3:43: unknown field 'sevice'"),
          HasSubstr("t.yaml:3:51: sevice is a list"), "t.yaml:4:5: an input needs 'name'",
          HasSubstr("t.yaml:4:22: delay"), "t.yaml:6:5: a silence needs 'name'",
          HasSubstr("t.yaml:6:14: 'service' is no matcher"), HasSubstr("t.yaml:6:23: 'c=~('"),
          HasSubstr("t.yaml:6:40: starts is now"), HasSubstr("t.yaml:8:17: escalate_to is 'SEV9'"),
          HasSubstr("t.yaml:8:24: escalate_to has a list"),
          HasSubstr("t.yaml:9:16: escalation is 'SEV9'"), HasSubstr("t.yaml:9:31: after is 5")));
}

TEST(LoaderTest, SecretFilesMustBeThereForWhoNeedsThem) {
  const std::string text =
      "http: {certificate_file: /nowhere/tls.pem, key_file: /nowhere/tls.key}\n"
      "inputs:\n"
      "  - {name: a, http: {token_file: /nowhere/token}}\n"
      "  - {name: b, http: {signature: github, secret_file: /nowhere/secret}}\n"
      "  - {name: c, http: {signature: sns, topics: [t], ca_file: /nowhere/ca.pem}}\n"
      "api_token_file: /dev/null\n"
      "pagerduty_webhook_secret_file: /nowhere/pagerduty\n";
  ErrorList needed;
  EXPECT_FALSE(LoadConfigText(text, "t.yaml", &needed).has_value());
  EXPECT_THAT(Lines(needed),
              ElementsAre("t.yaml:1:26: certificate_file: cannot read '/nowhere/tls.pem': No such "
                          "file or directory",
                          HasSubstr("t.yaml:1:54: key_file: cannot read '/nowhere/tls.key'"),
                          HasSubstr("t.yaml:3:34: token_file: cannot read '/nowhere/token'"),
                          HasSubstr("t.yaml:4:54: secret_file: cannot read '/nowhere/secret'"),
                          HasSubstr("t.yaml:5:60: ca_file: cannot read '/nowhere/ca.pem'"),
                          "t.yaml:6:17: api_token_file: the first line of '/dev/null' is empty",
                          HasSubstr("t.yaml:7:32: pagerduty_webhook_secret_file: cannot read")));
  ErrorList not_needed(ErrorList::Secrets::kNotNeeded);
  EXPECT_TRUE(LoadConfigText(text, "t.yaml", &not_needed).has_value());
  EXPECT_EQ(not_needed.Warnings().size(), 7U);
  // No file at all is a mistake of the configuration, and would let anybody post.
  ErrorList none(ErrorList::Secrets::kNotNeeded);
  EXPECT_FALSE(LoadConfigText("http: {listen: '0.0.0.0:9465'}\ninputs: [{name: a, http: "
                              "{token_file: ''}}]",
                              "t.yaml", &none)
                   .has_value());
  EXPECT_THAT(Lines(none), ElementsAre(HasSubstr("token_file is empty")));
}

TEST(LoaderTest, ErrorsOfAnotherConfigurationDoNotCount) {
  ErrorList errors;
  errors.Add({"other", 1, 1}, "x");
  EXPECT_TRUE(LoadConfigText("", "t.yaml", &errors).has_value());
}

TEST(LoaderTest, ExtendsAProfile) {
  const Config config = Loaded(R"(
extends: "@rupaya"
severity: {pages: [1]}
detectors:
  - {name: db-pool, warn: {above: 70%}}
  - {name: connection-storm, disabled: true}
  - {name: mine, kind: storm}
)");
  EXPECT_EQ(config.severity.names[0], "SEVERITY 1");
  EXPECT_THAT(config.severity.pages, ElementsAre(true, false, false, false));
  EXPECT_EQ(config.detectors.front().name, "db-pool");
  EXPECT_EQ(config.detectors.front().node.Find("warn")->Find("above")->scalar, "70%");
  EXPECT_EQ(config.detectors.front().node.Find("warn")->Find("for")->scalar, "5m");
  EXPECT_EQ(config.detectors.back().name, "mine");
  EXPECT_FALSE(config.advice.contains("connection-storm"));
}

TEST_F(FilesTest, ExtendsIsRelativeToItsFile) {
  Write("base/one.yaml", "extends: ../two.yaml\npane: 20s\nlisten: off\n");
  Write("two.yaml", "pane: 30s\nlisten: 0.0.0.0:1\nstate_dir: /two\n");
  ErrorList errors;
  const auto config = LoadConfig(Write("top.yaml", "extends: base/one.yaml\npane: 1m\n"), &errors);
  EXPECT_THAT(Lines(errors), IsEmpty());
  ASSERT_TRUE(config.has_value());
  EXPECT_EQ(config->pane, kMinuteUs);
  EXPECT_EQ(config->listen, "off");
  EXPECT_EQ(config->state_dir, "/two");
}

TEST_F(FilesTest, AnErrorInABaseNamesTheBase) {
  const std::string base = Write("base.yaml", "\npane: 5\n");
  ErrorList errors;
  EXPECT_FALSE(LoadConfig(Write("top.yaml", "extends: base.yaml\n"), &errors).has_value());
  EXPECT_THAT(Lines(errors),
              ElementsAre(base + ":2:7: pane is 5 without a unit: write 10s, 5m, …"));
}

TEST_F(FilesTest, ExtendsInACircle) {
  const std::string a = Write("a.yaml", "extends: b.yaml\n");
  const std::string b = Write("b.yaml", "extends: ./a.yaml\n");
  ErrorList errors;
  EXPECT_FALSE(LoadConfig(a, &errors).has_value());
  EXPECT_THAT(Lines(errors), ElementsAre(absl::StrCat(b, ":1:10: extends goes round in a circle: ",
                                                      a, " → ", b, " → ", a)));
  ErrorList own;
  const std::string self = Write("self.yaml", "extends: self.yaml\n");
  EXPECT_FALSE(LoadConfig(self, &own).has_value());
  EXPECT_THAT(Lines(own), ElementsAre(HasSubstr("extends goes round in a circle")));
}

TEST_F(FilesTest, ExtendsIsNotForever) {
  for (int i = 0; i < 12; ++i) {
    Write(absl::StrCat(i, ".yaml"), absl::StrCat("extends: ", i + 1, ".yaml\n"));
  }
  ErrorList errors;
  EXPECT_FALSE(LoadConfig(Path("0.yaml"), &errors).has_value());
  EXPECT_THAT(Lines(errors), ElementsAre(Path("8.yaml") + ":1:10: extends goes more than 8 files "
                                                          "deep"));
}

TEST_F(FilesTest, WhatCannotBeRead) {
  ErrorList errors;
  EXPECT_FALSE(LoadConfig(Path("none.yaml"), &errors).has_value());
  EXPECT_FALSE(LoadConfig(Path(""), &errors).has_value());
  EXPECT_FALSE(LoadConfig("@nope", &errors).has_value());
  EXPECT_FALSE(LoadConfig(Write("large.yaml", std::string(5 << 20, 'a')), &errors).has_value());
  EXPECT_FALSE(LoadConfig("/dev/zero", &errors).has_value());
  EXPECT_THAT(
      Lines(errors),
      ::testing::UnorderedElementsAre(
          absl::StrCat(Path("none.yaml"), ": cannot read '", Path("none.yaml"),
                       "': No such file or directory"),
          absl::StrCat(Path(""), ": cannot read '", Path(""), "': it is a directory, not a file"),
          "@nope: there is no profile '@nope': the built-in ones are "
          "@chat-backend, @generic, @railway, @rodistaa, @rupaya",
          Path("large.yaml") + ": has more than 4 MiB", "/dev/zero: has more than 4 MiB"));
}

}  // namespace
}  // namespace tocsin
