// Configuring sinks: what is refused, where, and with which advice; and no secret in any message.
#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/sinks/sink_fixtures.h"

namespace tocsin {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

TEST(SinkStanza, AMissingSecretFileIsNamedWithItsPlace) {
  EXPECT_EQ(StanzaErrors("name: oncall\nkind: pagerduty\nrouting_key_file: /nonexistent/key\n"),
            "tocsin.yaml:3:19: routing_key_file: cannot read '/nonexistent/key': No such file or "
            "directory; it must hold the integration key of a PagerDuty service (Events API v2), "
            "or use routing_key_env\n");
}

TEST(SinkStanza, AMissingVariableIsNamedWithItsPlace) {
  unsetenv("TOCSIN_TEST_ABSENT");
  EXPECT_THAT(
      StanzaErrors("name: o\nkind: pagerduty\nrouting_key_env: TOCSIN_TEST_ABSENT\n"),
      AllOf(HasSubstr("tocsin.yaml:3:18: routing_key_env: "),
            HasSubstr("'TOCSIN_TEST_ABSENT' is not set"), HasSubstr("or use routing_key_file")));
}

TEST(SinkStanza, AnInlineSecretIsRefusedAndNotRepeated) {
  EXPECT_THAT(
      StanzaErrors("name: o\nkind: pagerduty\nrouting_key: R0123456789\n"),
      AllOf(HasSubstr("tocsin.yaml:3:14: routing_key must not be written in the configuration"),
            HasSubstr("routing_key_file"), HasSubstr("routing_key_env"),
            Not(HasSubstr("R0123456789"))));
  EXPECT_THAT(StanzaErrors("name: o\nkind: webhook\nurl: http://h/\nsecret: R0123456789\n"),
              AllOf(HasSubstr("secret must not be written"), Not(HasSubstr("R0123456789"))));
}

TEST(SinkStanza, AnAuthorityIsAFileOfCertificatesAndAProxyHasNoPassword) {
  const std::string hook = "{name: o, kind: webhook, url: 'http://h/', ";
  EXPECT_THAT(StanzaErrors(hook + "ca_file: /nonexistent/ca.pem}"),
              HasSubstr("tocsin.yaml:1:53: ca_file: cannot read '/nonexistent/ca.pem': No such"));
  const SecretFile key("-----BEGIN PRIVATE KEY-----");
  EXPECT_THAT(StanzaErrors(hook + "ca_file: " + key.path() + "}"),
              HasSubstr("holds no certificate in PEM"));
  for (const std::string proxy : {"proxy:3128", "http://user:sesame@proxy:3128", "http://"}) {
    EXPECT_THAT(StanzaErrors(hook + "proxy: '" + proxy + "'}"),
                AllOf(HasSubstr("proxy: expected http://HOST:PORT"), Not(HasSubstr("sesame"))));
  }
  EXPECT_EQ(StanzaErrors(hook + "proxy: 'http://proxy:3128'}"), "");
  EXPECT_THAT(StanzaErrors("{name: o, kind: stdout, proxy: 'http://proxy:3128'}"),
              HasSubstr("unknown key 'proxy'"));
}

TEST(SinkStanza, SecretsMustBeThereOnce) {
  const SecretFile file("key");
  EXPECT_THAT(StanzaErrors("name: o\nkind: pagerduty\n"),
              HasSubstr("tocsin.yaml:1:1: expected routing_key_file or routing_key_env"));
  EXPECT_THAT(StanzaErrors("{name: o, kind: pagerduty, routing_key_env: HOME, routing_key_file: " +
                           file.path() + "}"),
              HasSubstr("expected only one of routing_key_file or routing_key_env"));
}

TEST(SinkStanza, SecretsAreOneWord) {
  for (const std::string content :
       {"", "  \n", "two words", "R123\nR456", "caf\xc3\xa9", "R123\x01"}) {
    const SecretFile file(content);
    EXPECT_THAT(
        StanzaErrors("{name: o, kind: pagerduty, routing_key_file: " + file.path() + "}"),
        AllOf(HasSubstr("is empty, too long, or holds more than one word"), Not(HasSubstr("R123"))))
        << content;
  }
  const SecretFile large(std::string(100'000, 'x'));
  EXPECT_THAT(StanzaErrors("{name: o, kind: pagerduty, routing_key_file: " + large.path() + "}"),
              HasSubstr("too long"));
  EXPECT_THAT(StanzaErrors("{name: o, kind: pagerduty, routing_key_file: /}"),
              HasSubstr("cannot read '/'"));
  const SecretFile good(" R123\r\n");
  EXPECT_EQ(StanzaErrors("{name: o, kind: pagerduty, routing_key_file: " + good.path() + "}"), "");
  setenv("TOCSIN_TEST_KEY", "R123", 1);
  EXPECT_EQ(StanzaErrors("{name: o, kind: pagerduty, routing_key_env: TOCSIN_TEST_KEY}"), "");
}

TEST(SinkStanza, UrlsAreHttp) {
  for (const std::string url : {"ftp://h/", "//h/", "h", "http://", "https:///path", "http:// h/",
                                "file:///etc/passwd", "https://?token=R123"}) {
    EXPECT_THAT(StanzaErrors("{name: w, kind: webhook, url: '" + url + "'}"),
                AllOf(HasSubstr("tocsin.yaml:1:"), HasSubstr("http:// or https://"),
                      Not(HasSubstr("R123"))))
        << url;
  }
  for (const std::string url : {"http://localhost:8080", "HTTPS://h/x?y=z", "http://[::1]:80/"}) {
    EXPECT_EQ(StanzaErrors("{name: w, kind: webhook, url: '" + url + "'}"), "") << url;
  }
  EXPECT_THAT(StanzaErrors("{name: w, kind: webhook}"), HasSubstr("sink w needs 'url'"));
}

TEST(SinkStanza, HeadersCannotInject) {
  const std::string start = "{name: w, kind: webhook, url: 'http://h/', headers: ";
  EXPECT_EQ(StanzaErrors(start + "{X-Team: payments, Authorization: Bearer R123}}"), "");
  EXPECT_THAT(StanzaErrors(start + "{X-Team: \"a\\r\\nHost: evil R123\"}}"),
              AllOf(HasSubstr("the value of the header X-Team"), Not(HasSubstr("R123"))));
  EXPECT_THAT(StanzaErrors(start + "{\"X\\r\\nHost\": a}}"), HasSubstr("is not a header name"));
  EXPECT_THAT(StanzaErrors(start + "{content-length: 5}}"), HasSubstr("is set by tocsin"));
  EXPECT_THAT(StanzaErrors(start + "{X: [a]}}"), HasSubstr("must be printable"));
  EXPECT_THAT(StanzaErrors(start + "[a]}"), HasSubstr("expected a map"));
}

TEST(SinkStanza, UnknownKindsAndKeysGetASuggestion) {
  EXPECT_THAT(
      StanzaErrors("name: o\nkind: pagerdutty\n"),
      AllOf(
          HasSubstr("tocsin.yaml:2:7"),
          HasSubstr("kinds are alertmanager, email, file, github, gitlab, jira, kafka, pagerduty, "
                    "slack, statuspage, stdout, webhook"),
          HasSubstr("did you mean 'pagerduty'?")));
  EXPECT_THAT(StanzaErrors("{name: o, kind: stdout, formt: text}"), HasSubstr("format"));
  EXPECT_THAT(StanzaErrors("{name: o, kind: stdout, format: txt}"), HasSubstr("text"));
  EXPECT_THAT(StanzaErrors("{name: w, kind: webhook, url: 'http://h/', timeout: 5m}"),
              HasSubstr("timeout"));
}

TEST(SinkStanza, EveryKindIsInTheTable) {
  EXPECT_THAT(SinkKinds(),
              ElementsAre("alertmanager", "email", "file", "github", "gitlab", "jira", "kafka",
                          "pagerduty", "slack", "statuspage", "stdout", "webhook"));
}

TEST(NewSinks, AMistakeHidesNoOther) {
  Config config;
  config.sinks = {Stanza("{name: a, kind: stdout, format: txt, fallback: nobody}"),
                  Stanza("{name: b, kind: nonsense, fallback: [a], requests_per_minute: many}"),
                  Stanza("{name: c, kind: slack, url_file: /x, token_file: /x, timeout: 5}"),
                  Stanza("{name: d, kind: pagerduty, routing_key_env: HOME, links: [{text: a, "
                         "href: ftp}, {tex: b, href: 'http://h/'}]}")};
  ErrorList errors(ErrorList::Secrets::kNotNeeded);
  EXPECT_THAT(NewSinks(config, &errors), SizeIs(0));
  std::string text;
  for (const ConfigError& error : errors.Sorted()) text += error.ToString() + "\n";
  for (const char* part :
       {":33: format is 'txt'", ":48: fallback 'nobody' is not another sink",
        ":17: unknown kind of sink 'nonsense'", ":37: fallback is a list",
        ":63: requests_per_minute is many", ":17: a slack sink needs either", ":63: timeout is 5",
        ":75: href: expected a URL", ":82: unknown key 'tex' in links"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  EXPECT_THAT(text, Not(HasSubstr("unknown key 'url_file'")));
}

TEST(NewSinks, ASecretThatIsNotThereIsNoMistakeWhereNobodyNeedsIt) {
  Config config;
  config.sinks = {
      Stanza("{name: a, kind: pagerduty, routing_key_file: /nowhere, ca_file: /nowhere}"),
      Stanza("{name: b, kind: email, server: 'smtp://h:25', from: a@b.example, to: a@b.example, "
             "user: u, password_env: TOCSIN_TEST_ABSENT}"),
      Stanza("{name: c, kind: slack, url_file: /nowhere}")};
  ErrorList errors(ErrorList::Secrets::kNotNeeded);
  EXPECT_THAT(NewSinks(config, &errors), SizeIs(3));
  EXPECT_TRUE(errors.empty());
  EXPECT_THAT(errors.Warnings(), SizeIs(4));
  ErrorList needed;
  EXPECT_THAT(NewSinks(config, &needed), SizeIs(0));
  EXPECT_EQ(needed.Sorted().size(), 4U);
}

TEST(NewSinks, ChecksFallbacks) {
  Config config;
  config.sinks = {Stanza("{name: a, kind: stdout, fallback: b}"), Stanza("{name: b, kind: stdout}"),
                  Stanza("{name: c, kind: stdout, fallback: c}"),
                  Stanza("name: d\nkind: stdout\nfallback: x\n"), Stanza("{name: e, kind: x}")};
  ErrorList errors;
  const std::vector<std::unique_ptr<Sink>> sinks = NewSinks(config, &errors);
  ASSERT_THAT(sinks, SizeIs(2));
  EXPECT_EQ(sinks[0]->name(), "a");
  EXPECT_EQ(sinks[0]->fallback(), "b");
  EXPECT_EQ(sinks[1]->fallback(), "");
  std::string text;
  for (const ConfigError& error : errors.Sorted()) text += error.ToString() + "\n";
  EXPECT_THAT(text, AllOf(HasSubstr("fallback 'c' is not another sink"),
                          HasSubstr("tocsin.yaml:3:11: fallback 'x' is not another sink"),
                          HasSubstr("unknown kind of sink 'x'")));
}

}  // namespace
}  // namespace tocsin
