// README.md, docs/worked-example.md and docs/sinks-rendered.md say what the program says: the card,
// the messages, the post-mortem and what each sink is sent of the story that `tocsin demo` tells.

#include <simdjson.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "cli/card.h"
#include "cli/commands.h"
#include "cli/postmortem.h"
#include "core/string_hash.h"
#include "demo/demo.h"
#include "sinks/incident_line.h"
#include "sinks/message_templates.h"
#include "tests/sinks/sink_fixtures.h"

namespace tocsin {
namespace {

constexpr const char* kPage = "docs/worked-example.md";

constexpr const char* kHead =
    R"(# The worked example, as it is told

A release of `api` at 21:00 leaks database connections. At 21:05 the pool is full and requests fail; the release is rolled back. This page is what
tocsin says about it, word for word: a test compares it with the program. To see the same:
```sh
tocsin demo --write story.jsonl
tocsin replay -c @rupaya story.jsonl --incidents incidents.jsonl
tocsin incidents show INC-2026-001 --incidents incidents.jsonl
tocsin incidents message INC-2026-001 --incidents incidents.jsonl --to public --stage resolved
tocsin postmortem INC-2026-001 --incidents incidents.jsonl --output postmortem/
```
The words are templates that a configuration may replace: [messages.md](messages.md).
)";

constexpr const char* kSinksPage = "docs/sinks-rendered.md";

constexpr const char* kSinksHead = R"(# What each sink is sent

The page that opens the incident of the [worked example](worked-example.md), and its end, as they leave the program: a test compares this page with it.
`(secret)` stands for a secret, `(incident line)` for the incident as in `--incidents`. What each of them does with it: [sinks.md](sinks.md).
)";

// A stanza, and what its receiver would call the incident.
struct ShownSink {
  const char* title;
  const char* stanza;
  const char* receipt;
};

constexpr ShownSink kShown[] = {
    {"PagerDuty",
     "{name: s, kind: pagerduty, routing_key_env: TOCSIN_TEST_SECRET, links: [{text: 'Logs of "
     "{{component}}', href: 'https://logs.example/?q={{component}}&from={{onset_ms}}'}]}",
     ""},
    {"Alertmanager", "{name: s, kind: alertmanager, url: 'http://alertmanager:9093'}", ""},
    {"Slack, with a token",
     "{name: s, kind: slack, token_env: TOCSIN_TEST_SECRET, channel: C0123456789}",
     "C0123456789/1503435956.000247"},
    {"GitHub",
     "{name: s, kind: github, repository: acme/ops, token_env: TOCSIN_TEST_SECRET, labels: "
     "[incident]}",
     "17"},
    {"GitLab", "{name: s, kind: gitlab, project: acme/ops, token_env: TOCSIN_TEST_SECRET}", "17"},
    {"Jira",
     "{name: s, kind: jira, url: 'https://acme.atlassian.net', project: OPS, token_env: "
     "TOCSIN_TEST_SECRET, done: '31'}",
     "OPS-17"},
    {"Statuspage",
     "{name: s, kind: statuspage, page: abc123def456, token_env: TOCSIN_TEST_SECRET, components: "
     "{rupaya-db: 8kbf7d35c070}}",
     "p31zjtct2jer"},
    {"E-mail",
     "{name: s, kind: email, server: 'smtp://mail.example:587', from: tocsin@example.com, to: "
     "[oncall@example.com]}",
     ""},
    {"Webhook",
     "{name: s, kind: webhook, url: 'https://bot.example/tocsin', secret_env: TOCSIN_TEST_SECRET}",
     ""},
    {"Kafka", "{name: s, kind: kafka, brokers: 'kafka:9092', topic: incidents}", ""},
    {"File", "{name: s, kind: file, path: /var/log/tocsin/deliveries.jsonl}", ""},
    {"Standard output, as text", "{name: s, kind: stdout, format: text}", ""},
};

std::string FileText(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string Fenced(const std::string& text) { return "```\n" + text + "```\n"; }

// The incident's lines, in order; `printed` gets what the replay says beside them.
std::vector<Incident> Story(std::string* printed = nullptr) {
  const std::string base = testing::TempDir() + "worked_example_" + std::to_string(getpid());
  DemoOptions demo;
  demo.write_path = base + ".story.jsonl";
  EXPECT_EQ(RunDemo(demo), 0);
  ReplayCommand replay;
  replay.config = "@rupaya";
  replay.inputs = {demo.write_path};
  replay.incidents = base + ".incidents.jsonl";
  testing::internal::CaptureStdout();
  EXPECT_EQ(ReplayRecorded(replay), 0);
  const std::string said = testing::internal::GetCapturedStdout();
  if (printed != nullptr) *printed = said;
  std::vector<Incident> lines;
  std::ifstream file(replay.incidents);
  for (std::string line; std::getline(file, line);) {
    absl::StatusOr<Incident> incident = ReadIncident(line);
    EXPECT_TRUE(incident.ok()) << line;
    if (incident.ok()) lines.push_back(*std::move(incident));
  }
  std::remove(demo.write_path.c_str());
  std::remove(replay.incidents.c_str());
  return lines;
}

// The incident when a message of this stage is due for the first time; an update, when it had
// become as severe as it got.
const Incident& AsOf(MessageStage stage, const std::vector<Incident>& lines) {
  for (const Incident& line : lines) {
    const bool due = stage == MessageStage::kUpdate
                         ? line.severity_level == lines.back().severity_level
                         : StageOf(line) == stage;
    if (due) return line;
  }
  ADD_FAILURE() << "never " << MessageStageName(stage);
  return lines.front();
}

std::string Page(const std::vector<Incident>& lines) {
  std::string page = absl::StrCat(kHead, "\n## The card\n", "When the first page goes out:\n",
                                  Fenced(RenderCard(lines.front(), {})), "\nWhen it is over:\n",
                                  Fenced(RenderCard(lines.back(), {})));
  const MessageTemplates templates;
  const std::pair<MessageAudience, const char*> kHeads[] = {
      {MessageAudience::kInternal, "For those who work on it"},
      {MessageAudience::kPublic, "For a status page"},
      {MessageAudience::kEmail, "As an e-mail"}};
  for (const auto& [audience, head] : kHeads) {
    absl::StrAppend(&page, "\n## ", head, "\n");
    for (const MessageStage stage : kMessageStages) {
      absl::StrAppend(&page, "\n**", ToAbsl(MessageStageName(stage)), "**\n",
                      Fenced(templates.Render(audience, stage, AsOf(stage, lines))));
    }
  }
  absl::StrAppend(&page,
                  "\n## The draft of the post-mortem\nIts plots are SVG files beside it.\n\n");
  // Its headings two levels down, so that they stand below this page's.
  std::istringstream draft(DraftPostmortem(lines.back()).markdown);
  for (std::string line; std::getline(draft, line);) {
    absl::StrAppend(&page, line.empty() ? ">" : "> ", line.substr(0, 1) == "#" ? "##" : "", line,
                    "\n");
  }
  return page;
}

// JSON over several lines, with the incident line left out.
std::string Pretty(const simdjson::dom::element& value, const std::string& indent) {
  simdjson::dom::object object;
  simdjson::dom::array array;
  std::string text;
  if (value.get(object) == simdjson::SUCCESS) {
    for (const simdjson::dom::key_value_pair member : object) {
      absl::StrAppend(&text, text.empty() ? "{\n" : ",\n", indent, "  \"", ToAbsl(member.key),
                      "\": ",
                      member.key == "incident" && member.value.is_object()
                          ? "(incident line)"
                          : Pretty(member.value, indent + "  "));
    }
    return absl::StrCat(text, "\n", indent, "}");
  }
  if (value.get(array) == simdjson::SUCCESS) {
    if (array.size() == 0) return "[]";
    for (const simdjson::dom::element item : array) {
      absl::StrAppend(&text, text.empty() ? "[\n" : ",\n", indent, "  ",
                      Pretty(item, indent + "  "));
    }
    return absl::StrCat(text, "\n", indent, "]");
  }
  return simdjson::minify(value);
}

std::string PrettyBody(const SinkRequest& request) {
  if (request.kind == SinkRequest::Kind::kMail) {
    // Its text in clear.
    const std::size_t end = request.body.find("\r\n\r\n");
    const std::string base64 = absl::StrReplaceAll(request.body.substr(end + 4), {{"\r\n", ""}});
    std::string text;
    EXPECT_TRUE(absl::Base64Unescape(base64, &text));
    return absl::StrCat(absl::StrReplaceAll(request.body.substr(0, end), {{"\r\n", "\n"}}), "\n\n",
                        text, "(as base64)");
  }
  simdjson::dom::parser parser;
  simdjson::dom::element body;
  return parser.parse(request.body).get(body) == simdjson::SUCCESS ? Pretty(body, "")
                                                                   : request.body;
}

std::string RequestText(const SinkRequest& request) {
  std::string text;
  switch (request.kind) {
    case SinkRequest::Kind::kHttp:
      text = absl::StrCat(request.method, " ", request.url, "\n");
      break;
    case SinkRequest::Kind::kMail:
      text = absl::StrCat("to ", request.url, ":\n");
      break;
    case SinkRequest::Kind::kKafka:
      text = absl::StrCat("to ", request.url, ", topic ", request.kafka.topic, ", key ",
                          request.kafka.key, ":\n");
      break;
    case SinkRequest::Kind::kFile:
      text = absl::StrCat("to ", request.url, ":\n");
      break;
    case SinkRequest::Kind::kStdout:
      break;
    case SinkRequest::Kind::kNone:
      ADD_FAILURE() << "nothing is sent";
  }
  for (const auto& [name, value] : request.headers) {
    absl::StrAppend(&text, name, ": ", name == "X-Tocsin-Signature" ? "v1=(of the body)" : value,
                    "\n");
  }
  return absl::StrReplaceAll(absl::StrCat(text, PrettyBody(request), "\n"),
                             {{"not-a-secret", "(secret)"}});
}

std::string SinksPage(const std::vector<Incident>& lines) {
  setenv("TOCSIN_TEST_SECRET", "not-a-secret", 1);
  std::string page = kSinksHead;
  for (const ShownSink& shown : kShown) {
    const std::unique_ptr<Sink> sink = MakeSink(shown.stanza);
    if (sink == nullptr) {
      ADD_FAILURE() << shown.stanza;
      continue;
    }
    absl::StrAppend(&page, "\n## ", shown.title, "\n");
    for (const auto action : {NotificationAction::kTrigger, NotificationAction::kResolve,
                              NotificationAction::kRefresh, NotificationAction::kChange}) {
      if (!sink->Wants(action)) continue;
      const bool first = action == NotificationAction::kTrigger;
      Incident incident = first ? lines.front() : lines.back();
      if (action == NotificationAction::kChange) {
        incident.title = "release of api, v1.2.0";
        incident.component = "api";
        incident.onset = lines.front().onset - 270 * kSecondUs;
      }
      Delivery delivery = MakeDelivery(action, incident.severity_level, incident);
      delivery.tick = first ? incident.detected_at : incident.resolved_at;
      if (!first) delivery.receipt = shown.receipt;
      absl::StrAppend(&page, "\n**", ToAbsl(NotificationActionName(action)), "**\n",
                      Fenced(RequestText(sink->Render(delivery))));
    }
  }
  return page;
}

// What stands in the text from `begin` to the end of the block.
std::string BlockFrom(const std::string& text, const std::string& begin) {
  const std::size_t at = text.find("\n" + begin);
  if (at == std::string::npos) return "";
  return text.substr(at + 1, text.find("\n```", at) - at);
}

TEST(WorkedExample, TheReadmeShowsWhatTheProgramSays) {
  std::string printed;
  const std::vector<Incident> lines = Story(&printed);
  const std::string readme = FileText("README.md");
  const std::string card = BlockFrom(readme, "┏━");
  EXPECT_THAT(card, testing::HasSubstr("SEVERITY 1 ━━ INC-2026-001 ━━ open"));
  const bool shown = std::any_of(lines.begin(), lines.end(), [&](const Incident& line) {
    return RenderCard(line, {}) == card;
  });
  EXPECT_TRUE(shown) << AsOf(MessageStage::kUpdate, lines).title << "\n"
                     << RenderCard(AsOf(MessageStage::kUpdate, lines), {});
  const std::string table = BlockFrom(readme, "NUMBER ");
  EXPECT_THAT(table, testing::HasSubstr("INC-2026-001"));
  EXPECT_THAT(printed, testing::StartsWith(table));
}

TEST(WorkedExample, ThePageOfSinksSaysWhatTheyAreSent) {
  const std::vector<Incident> lines = Story();
  ASSERT_FALSE(lines.empty());
  const std::string page = SinksPage(lines);
  if (std::getenv("TOCSIN_RENEW_DOCS") != nullptr) std::ofstream(kSinksPage) << page;
  EXPECT_EQ(FileText(kSinksPage), page)
      << "to renew it: TOCSIN_RENEW_DOCS=1 ./dev test -R app_worked_example_test";
  // Every kind is there.
  std::set<std::string> kinds;
  for (const ShownSink& shown : kShown) kinds.insert(MakeSink(shown.stanza)->kind());
  for (const std::string& kind : SinkKinds()) EXPECT_TRUE(kinds.contains(kind)) << kind;
}

TEST(WorkedExample, ThePageSaysWhatTheProgramSays) {
  const std::vector<Incident> lines = Story();
  ASSERT_FALSE(lines.empty());
  EXPECT_EQ(lines.back().state, IncidentState::kResolved);
  for (const Incident& line : lines) EXPECT_EQ(line.number, "INC-2026-001") << "one incident";
  const std::string page = Page(lines);
  if (std::getenv("TOCSIN_RENEW_DOCS") != nullptr) std::ofstream(kPage) << page;
  EXPECT_EQ(FileText(kPage), page)
      << "to renew it: TOCSIN_RENEW_DOCS=1 ./dev test -R app_worked_example_test";
}

}  // namespace
}  // namespace tocsin
