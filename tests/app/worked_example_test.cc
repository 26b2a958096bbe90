// docs/worked-example.md says what the program says: the card, the messages and the post-mortem of
// the story that `tocsin demo` tells.

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "app/card.h"
#include "app/commands.h"
#include "app/demo.h"
#include "app/postmortem.h"
#include "core/string_hash.h"
#include "sinks/incident_line.h"
#include "sinks/message_templates.h"

namespace tocsin {
namespace {

constexpr const char* kPage = "docs/worked-example.md";

constexpr const char* kHead =
    R"(# The worked example, as it is told

A release of `api` at 21:00 leaks database connections. At 21:05 the pool is full and requests fail; the release is rolled back. This page is what
tocsin says about it, word for word: a test compares it with the program. To see the same:
```
tocsin demo --write story.jsonl
tocsin replay -c @rupaya story.jsonl --incidents incidents.jsonl
tocsin incidents show INC-2026-001 --incidents incidents.jsonl
tocsin incidents message INC-2026-001 --incidents incidents.jsonl --to public --stage resolved
tocsin postmortem INC-2026-001 --incidents incidents.jsonl --output postmortem/
```
The words are templates that a configuration may replace: [messages.md](messages.md).
)";

std::string FileText(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string Fenced(const std::string& text) { return "```\n" + text + "```\n"; }

// The incident's lines, in order.
std::vector<Incident> Story() {
  const std::string base = testing::TempDir() + "worked_example_" + std::to_string(getpid());
  DemoOptions demo;
  demo.write_path = base + ".story.jsonl";
  EXPECT_EQ(RunDemo(demo), 0);
  ReplayCommand replay;
  replay.config = "@rupaya";
  replay.inputs = {demo.write_path};
  replay.incidents = base + ".incidents.jsonl";
  EXPECT_EQ(ReplayRecorded(replay), 0);
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
