// Injection attempts in event text, through every kind of sink and every action, checked against
// the receivers' schemas (tests/sinks/vendors.h) and their markup.
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "tests/sinks/sink_fixtures.h"
#include "tests/sinks/vendors.h"

namespace tocsin {
namespace {

std::string Megabyte(const std::string& of) {
  std::string text;
  while (text.size() < (1 << 20)) text += of;
  return text;
}

const std::vector<std::string>& HostileTexts() {
  static const auto* const texts = new std::vector<std::string>{
      "line\r\nbreak\n\n\x0b\x0c",
      "\r\nBcc: all@example.com\r\n\r\n<h1>",
      "\",\"event_action\":\"resolve\",\"x\":\"",
      "{{title}} {{{severity}}} {{#suspects}} {{>partial}} {{=<% %>=}}",
      "<!channel> <@U123> <https://evil.example|click> &lt;!here&gt;",
      "@everyone @acme/ops #1 <script>alert(1)</script> --> <!-- tocsin-00 -->",
      "```\n# heading\n- [ ] [x](https://evil.example) ![i](https://evil.example/i.png) | a |",
      "{panel}{color:red} [~admin] !https://evil.example/i.png! {code}",
      "/close\n/assign me",
      "\x1b[2J\x1b]0;owned\x07 \xc2\x9b 31m",
      "\xe2\x80\xae reversed \xe2\x81\xa6 isolated \xe2\x80\xa8 separated",
      "\xff\xfe invalid \xc3 \xed\xa0\x80",
      std::string("nul\0byte", 8),
      "=?UTF-8?B?SGk=?= =?utf-8?q?x?=",
      Megabyte("x"),
      Megabyte("\""),
      Megabyte("\x01"),
      Megabyte("\xf0\x9f\x94\x94"),
      Megabyte("<!channel>"),
      Megabyte("\xff"),
  };
  return *texts;
}

// Every text of an incident is hostile; an event may have a megabyte, of which a title keeps as
// much as it likes.
Incident Hostile(const std::string& title) {
  const std::string text = title.substr(0, 4096);
  Incident incident = MakeIncident(title);
  incident.number = incident.severity = incident.severity_rule = incident.component = text;
  incident.classification = incident.runbook = incident.acknowledged_by = incident.muted_by = text;
  incident.scope.clear();
  AppendKeyPart(text, &incident.scope);
  incident.scope_labels = {{"env", text}};
  incident.advice.assign(20, text);
  incident.escalate_to.assign(20, text);
  Suspect suspect;
  suspect.kind = suspect.name = suspect.reason = text;
  incident.suspects.assign(16, suspect);
  Signal signal;
  signal.detector = text;
  signal.series = {{text, text}};
  incident.signals.assign(20, signal);
  TimelineEntry entry;
  entry.at = incident.onset;
  entry.author = entry.text = text;
  entry.what = "note";
  incident.timeline.assign(20, entry);
  return incident;
}

// Whether `text` has `mark` without what makes it harmless before it.
bool HasBare(const std::string& text, std::string_view mark, std::string_view guard) {
  for (std::size_t at = 0; (at = text.find(mark, at)) != std::string::npos; ++at) {
    if (at < guard.size() || text.compare(at - guard.size(), guard.size(), guard) != 0) return true;
  }
  return false;
}

// What a reader of that kind would take for markup.
std::string Markup(const std::string& kind, std::string text) {
  if (absl::StartsWith(kind, "slack")) {
    return text.find_first_of("<>") != std::string::npos ? "a mention or a link" : "";
  }
  if (kind == "github" || kind == "gitlab") {
    const std::size_t mark = text.rfind("\n<!-- tocsin-");
    if (mark != std::string::npos) text.resize(mark);
    for (const char* each : {"<", "[", "`", "#", "|"}) {
      if (HasBare(text, each, "\\")) return each;
    }
    for (std::size_t at = 0; (at = text.find('@', at)) != std::string::npos; ++at) {
      if (text.compare(at + 1, 3, "\xe2\x80\x8b") != 0) return "a mention";
    }
    if (kind == "gitlab" && (absl::StartsWith(text, "/") || absl::StrContains(text, "\n/"))) {
      return "a command";
    }
  }
  if (kind == "jira") {
    for (const char* each : {"{", "[", "!", "|"}) {
      if (HasBare(text, each, "\\")) return each;
    }
  }
  return "";
}

class Injection : public testing::TestWithParam<std::size_t> {};

TEST_P(Injection, NothingBreaksOut) {
  setenv("TOCSIN_TEST_KEY", "R0123456789", 1);
  setenv("TOCSIN_TEST_URL", "https://hooks.slack.example/T0", 1);
  const VendorKind& kind = VendorKinds()[GetParam()];
  const std::unique_ptr<Sink> sink = MakeSink(kind.Stanza("s", "http://h"));
  ASSERT_NE(sink, nullptr);
  for (const std::string& text : HostileTexts()) {
    SCOPED_TRACE(absl::CHexEscape(text.substr(0, 40)));
    const std::unique_ptr<Vendor> vendor = kind.make();
    Incident incident = Hostile(text);
    std::string receipt;
    for (const NotificationAction action :
         {NotificationAction::kTrigger, NotificationAction::kAcknowledge,
          NotificationAction::kUpdate, NotificationAction::kChange, NotificationAction::kResolve,
          NotificationAction::kRefresh}) {
      if (!sink->Wants(action)) continue;
      if (action == NotificationAction::kAcknowledge) incident.revision = 2;
      if (action == NotificationAction::kResolve) {
        incident.state = IncidentState::kResolved;
        incident.resolved_at = incident.onset + kHourUs;
      }
      Delivery delivery = MakeDelivery(action, 2, incident);
      delivery.receipt = receipt;
      delivery.may_repeat = true;
      const SinkRequest request = sink->RequestFor(delivery);
      EXPECT_TRUE(simdjson::validate_utf8(request.body.data(), request.body.size()));
      EXPECT_EQ(request.body.find_first_of(std::string("\x1b\x07\0", 3)), std::string::npos);
      for (const auto& [name, value] : request.headers) {
        EXPECT_EQ(value.find_first_of("\r\n"), std::string::npos) << name;
      }
      EXPECT_EQ(request.url.find_first_of(" \r\n<>\""), std::string::npos);
      const SinkReply reply = vendor->Receive(request);
      EXPECT_EQ(sink->Judge(reply), SendOutcome::kDelivered) << reply.body.substr(0, 200);
      if (receipt.empty()) receipt = sink->ReceiptOf(reply);
    }
    EXPECT_THAT(vendor->Faults(), testing::IsEmpty());
    for (const std::string& shown : vendor->Texts()) {
      EXPECT_EQ(Markup(kind.name, shown), "") << absl::CHexEscape(shown.substr(0, 300));
      // Sinks for programs keep the text unchanged.
      const bool data = kind.name == "webhook" || kind.name == "kafka" || kind.name == "file";
      EXPECT_TRUE(data || shown.find("\xe2\x80\xae") == std::string::npos);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, Injection, testing::Range<std::size_t>(0, VendorKinds().size()),
                         [](const auto& test) {
                           std::string name = VendorKinds()[test.param].name;
                           for (char& c : name) {
                             if (c == ' ') c = '_';
                           }
                           return name;
                         });

}  // namespace
}  // namespace tocsin
