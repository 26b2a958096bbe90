// Messages: which one is due, what ours say, and what a configuration may put in their place.
#include "sinks/message_templates.h"

#include <fstream>
#include <iterator>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

TimeUs At(const char* time) { return *ParseRfc3339(time); }

Incident PoolIncident() {
  Incident incident;
  incident.number = "INC-2026-001";
  incident.revision = 1;
  incident.severity = "SEVERITY 1";
  incident.severity_level = 1;
  incident.category = Category::kCapacity;
  incident.title = "Database connections at their limit";
  incident.scope_labels = {{"env", "prod"}};
  incident.component = "rupaya-db";
  incident.onset = At("2026-03-10T21:04:30Z");
  incident.detected_at = At("2026-03-10T21:04:50Z");
  incident.next_update_at = At("2026-03-10T21:20:00Z");
  incident.respond_within_s = 300;
  incident.escalate_to = {"on-call", "tech-lead"};
  Signal signal;
  signal.detector = "db-pool";
  signal.series = {{"env", "prod"}, {"service", "api"}, {"dependency", "rupaya-db"}};
  signal.value = 0.97;
  signal.threshold = 0.95;
  signal.onset = incident.onset;
  signal.fired_at = incident.detected_at;
  signal.evidence = {{"panes", "share", "[0.97]"}};
  incident.signals = {signal};
  incident.suspects = {{.kind = "deploy",
                        .name = "api v1.2.0",
                        .at = At("2026-03-10T21:00:00Z"),
                        .reason = "4 min before the onset"}};
  incident.impact = {.users_affected = 14'000,
                     .users_total = 15'000,
                     .failed = 2'310,
                     .failed_transactions = 9,
                     .revenue = std::nullopt};
  incident.advice = {"Roll back api to v1.1.9", "List the sessions of the database"};
  return incident;
}

std::string Ours(MessageAudience audience, MessageStage stage, const Incident& incident) {
  return MessageTemplates().Render(audience, stage, incident);
}

TEST(StageOf, FollowsTheIncident) {
  Incident incident = PoolIncident();
  EXPECT_EQ(StageOf(incident), MessageStage::kDeclared);
  incident.revision = 2;
  EXPECT_EQ(StageOf(incident), MessageStage::kIdentified);
  incident.suspects.clear();
  EXPECT_EQ(StageOf(incident), MessageStage::kUpdate);
  incident.state = IncidentState::kAcknowledged;
  EXPECT_EQ(StageOf(incident), MessageStage::kUpdate);
  incident.state = IncidentState::kMonitoring;
  EXPECT_EQ(StageOf(incident), MessageStage::kMonitoring);
  incident.state = IncidentState::kResolved;
  EXPECT_EQ(StageOf(incident), MessageStage::kResolved);
}

TEST(OurMessages, TheFirstOneSaysAllThatOneHasToKnow) {
  EXPECT_EQ(Ours(MessageAudience::kInternal, MessageStage::kDeclared, PoolIncident()),
            R"(SEVERITY 1 INC-2026-001: Database connections at their limit
Since 2026-03-10 21:04:30 UTC, detected 20 s later. Where: prod, rupaya-db.
Users: 14,000 of 15,000 affected (93.3 %). Failed: 2,301 requests, 9 transactions.
Suspect: deploy api v1.2.0 at 21:00:00: 4 min before the onset
Evidence: db-pool service=api dependency=rupaya-db: 97 % (threshold 95 %)
1. Roll back api to v1.1.9
2. List the sessions of the database
Respond within 5 min. Next update by 2026-03-10 21:20:00 UTC. Called: on-call, tech-lead.
)");
}

TEST(OurMessages, TheFirstOneSaysWhatJoinedItAndWhatItIsBeside) {
  Incident incident = PoolIncident();
  TimelineEntry joined;
  joined.what = kJoinedTogether;
  joined.text = "web began within 45s of api (…); nothing else connects them";
  incident.timeline = {joined};
  incident.beside = {"INC-2026-007", "INC-2026-009"};
  const std::string text = Ours(MessageAudience::kInternal, MessageStage::kDeclared, incident);
  EXPECT_THAT(text, HasSubstr("\nJoined: web began within 45s of api (…); nothing else"));
  EXPECT_THAT(text, HasSubstr("\nBeside INC-2026-007, INC-2026-009, open already: this began"));
}

TEST(OurMessages, WhatIsNotKnownLeavesNoTrace) {
  Incident bare;
  bare.number = "INC-2026-002";
  bare.severity = "SEV3";
  bare.title = "Slow";
  for (const MessageAudience audience : kMessageAudiences) {
    for (const MessageStage stage : kMessageStages) {
      const std::string text = Ours(audience, stage, bare);
      EXPECT_THAT(text, Not(HasSubstr("{{")));
      EXPECT_THAT(text, Not(HasSubstr("\n\n\n")));
      EXPECT_THAT(text, Not(HasSubstr("Suspect")));
    }
  }
}

TEST(OurMessages, AStatusPageNamesNothingOfOurs) {
  Incident incident = PoolIncident();
  incident.acknowledged_by = "ana";
  incident.resolved_at = At("2026-03-10T21:25:00Z");
  for (const MessageStage stage : kMessageStages) {
    const std::string text = Ours(MessageAudience::kPublic, stage, incident);
    for (const char* ours : {"rupaya-db", "api", "db-pool", "v1.2.0", "ana", "97 %", "14,000",
                             "INC-", "SEVERITY", "Database", "deploy"}) {
      EXPECT_THAT(text, Not(HasSubstr(ours))) << MessageStageName(stage);
    }
    EXPECT_THAT(text, HasSubstr("our service"));
  }
  EXPECT_THAT(Ours(MessageAudience::kPublic, MessageStage::kDeclared, incident),
              HasSubstr("Most users of our service may see slow or failing responses since "
                        "2026-03-10 21:04 UTC."));
  incident.impact.users_affected = 0;
  EXPECT_THAT(Ours(MessageAudience::kPublic, MessageStage::kDeclared, incident),
              HasSubstr("Some users of our service"));
  // An attacker can read public messages, too.
  incident.category = Category::kSecurity;
  EXPECT_THAT(Ours(MessageAudience::kPublic, MessageStage::kDeclared, incident),
              StartsWith("Investigating a problem in our service"));
}

TEST(OurMessages, AnEmailHasASubject) {
  EXPECT_THAT(Ours(MessageAudience::kEmail, MessageStage::kDeclared, PoolIncident()),
              StartsWith("Subject: SEVERITY 1 INC-2026-001: Database connections at their limit\n\n"
                         "Since 2026-03-10 21:04:30 UTC, detected 20 s later."));
}

TEST(OurMessages, PassTheirOwnCheck) {
  const MessageTemplates ours;
  for (const MessageAudience audience : kMessageAudiences) {
    for (const MessageStage stage : kMessageStages) {
      EXPECT_EQ(CheckTemplate(ours.Text(audience, stage)), absl::OkStatus())
          << MessageAudienceName(audience) << "." << MessageStageName(stage);
    }
  }
  EXPECT_THAT(ours.Replaced(), IsEmpty());
}

TEST(Messages, ValuesAreNoTemplatesAndStayOnTheirLine) {
  Incident incident = PoolIncident();
  incident.title = "a\n{{severity}} {{#x}} \x1b[31m <!channel> <b>&\xff\u202E";
  incident.suspects[0].name = std::string(1 << 20, 'x');
  const std::string text = Ours(MessageAudience::kEmail, MessageStage::kDeclared, incident);
  EXPECT_THAT(text, StartsWith("Subject: SEVERITY 1 INC-2026-001: a {{severity}} {{#x}} [31m "
                               "<!channel> <b>&\xEF\xBF\xBD\n\n"));
  EXPECT_LT(text.size(), 8'000u);
  const std::string escaped = MessageTemplates().Render(
      MessageAudience::kInternal, MessageStage::kDeclared, incident, [](const std::string& plain) {
        std::string slack;
        for (const char c : plain) slack += c == '<' ? "&lt;" : std::string(1, c);
        return slack;
      });
  EXPECT_THAT(escaped, HasSubstr("&lt;!channel>"));
  EXPECT_THAT(escaped, Not(HasSubstr("<!")));
}

TEST(MessageFields, AreAllInTheDocumentation) {
  std::ifstream file("docs/messages.md");
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  const MessageFields fields = MessageFieldsOf(PoolIncident(), {});
  for (const auto& [name, text] : fields.texts) EXPECT_THAT(page, HasSubstr("`" + name + "`"));
  for (const auto& [name, items] : fields.lists) {
    EXPECT_THAT(page, HasSubstr("| `" + name + "` | a list"));
    for (const MessageFields::Texts& item : items) {
      for (const auto& [key, text] : item) EXPECT_THAT(page, HasSubstr("`" + key + "`"));
    }
  }
}

TEST(CheckTemplate, SaysWhatWhereAndWhatThereIs) {
  const auto said = [](const std::string& text) {
    return std::string(CheckTemplate(text).message());
  };
  EXPECT_EQ(said("{{number}} {{#suspects}}{{name}} of {{title}}{{/suspects}}{{! why }}"), "");
  EXPECT_THAT(said("a\n  {{sevrity}}"),
              StartsWith("line 2, column 3: {{sevrity}} is an unknown field"));
  EXPECT_THAT(said("{{sevrity}}"), HasSubstr("did you mean 'severity'?"));
  EXPECT_THAT(said("{{reason}}"), HasSubstr("is an unknown field")) << "only inside of suspects";
  EXPECT_THAT(said("{{suspects}}"), HasSubstr("is an unknown field")) << "a list is a section";
  EXPECT_THAT(said("{{{title}}}"), HasSubstr("would not be escaped"));
  EXPECT_THAT(said("{{&title}}"), HasSubstr("would not be escaped"));
  EXPECT_THAT(said("{{> other}}"), HasSubstr("not supported"));
  EXPECT_THAT(said("{{=<% %>=}}"), HasSubstr("not supported"));
  EXPECT_THAT(said("{{title"), HasSubstr("{{ has no closing }}"));
  EXPECT_THAT(said("{{#title}}"), HasSubstr("{{#title}} is never closed"));
  EXPECT_THAT(said("{{/title}}"), HasSubstr("not open"));
  EXPECT_THAT(said("{{#title}}{{#number}}{{/title}}{{/number}}"),
              HasSubstr("{{#number}} is still open"));
  EXPECT_THAT(said(std::string(100'000, 'x')), HasSubstr("64 KiB"));
  EXPECT_THAT(said("{{}}"), HasSubstr("is an unknown field"));
  EXPECT_EQ(said(""), "");
  EXPECT_EQ(said("{{"), "line 1, column 1: {{ has no closing }}");
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "{{#title}}";
  EXPECT_THAT(said(deep), HasSubstr("nested too deeply"));
}

MessageTemplates Read(const std::string& yaml, std::string* said) {
  ErrorList errors;
  const ConfigNode root = ParseYaml(yaml, testing::TempDir() + "tocsin.yaml", &errors);
  const ConfigNode* node = root.Find("templates");
  const MessageTemplates templates =
      ReadMessageTemplates(node == nullptr ? ConfigNode() : *node, &errors);
  for (const ConfigError& error : errors.Sorted()) *said += error.ToString() + "\n";
  return templates;
}

TEST(ReadMessageTemplates, PutsOthersInThePlaceOfOurs) {
  std::ofstream(testing::TempDir() + "resolved.mustache") << "over: {{title}}\n";
  std::string said;
  const MessageTemplates templates = Read(R"(
templates:
  public_names: {rupaya-db: Transfers}
  internal: {declared: "{{severity}}: {{title}}", resolved: {file: resolved.mustache}}
)",
                                          &said);
  EXPECT_EQ(said, "");
  EXPECT_THAT(templates.Replaced(), ElementsAre("internal.declared", "internal.resolved"));
  const Incident incident = PoolIncident();
  EXPECT_EQ(templates.Render(MessageAudience::kInternal, MessageStage::kDeclared, incident),
            "SEVERITY 1: Database connections at their limit\n");
  EXPECT_EQ(templates.Render(MessageAudience::kInternal, MessageStage::kResolved, incident),
            "over: Database connections at their limit\n");
  EXPECT_THAT(templates.Render(MessageAudience::kPublic, MessageStage::kMonitoring, incident),
              StartsWith("Recovering: slow or failing responses in Transfers\n"));
}

TEST(ReadMessageTemplates, ALevelComesBeforeAllAndASinkBeforeTheConfiguration) {
  std::string said;
  const MessageTemplates base = Read(R"(
templates:
  internal: {declared: "all {{title}}", resolved: "over"}
  level: {1: {internal: {declared: "hands {{title}}", update: "hourly"}}}
)",
                                     &said);
  EXPECT_EQ(said, "");
  EXPECT_THAT(base.Replaced(), ElementsAre("internal.declared", "internal.resolved",
                                           "level 1 internal.declared", "level 1 internal.update"));
  Incident incident = PoolIncident();
  incident.title = "x";
  const auto declared = [&](const MessageTemplates& templates, int level) {
    incident.severity_level = level;
    return templates.Render(MessageAudience::kInternal, MessageStage::kDeclared, incident);
  };
  EXPECT_EQ(declared(base, 1), "hands x\n");
  EXPECT_EQ(declared(base, 2), "all x\n");

  ErrorList errors;
  const MessageTemplates own = ReadMessageTemplates(
      ParseYaml("{internal: {declared: ours}, level: {3: {internal: {declared: third}}}}", "t.yaml",
                &errors),
      &errors, base);
  EXPECT_TRUE(errors.empty());
  EXPECT_EQ(declared(own, 1), "ours\n");
  EXPECT_EQ(declared(own, 3), "third\n");
  EXPECT_EQ(own.Text(MessageAudience::kInternal, MessageStage::kUpdate, 1), "hourly");
  EXPECT_EQ(own.Text(MessageAudience::kInternal, MessageStage::kResolved, 1), "over");
}

TEST(ReadMessageTemplates, SaysEverythingThatIsWrong) {
  std::string said;
  const MessageTemplates templates = Read(R"(
templates:
  public_names: [a]
  intern: {}
  public: {declared: "{{titel}}", solved: x, update: {file: nowhere.mustache}}
  level: {5: {internal: {}}, 2: {internal: {declared: "{{"}}}
)",
                                          &said);
  EXPECT_THAT(said, HasSubstr("tocsin.yaml:3:17: public_names: expected a map"));
  EXPECT_THAT(said, HasSubstr("tocsin.yaml:4:3: unknown key 'intern'"));
  EXPECT_THAT(said, HasSubstr("tocsin.yaml:5:22: template public.declared, line 1, column 1: "
                              "{{titel}} is an unknown field"));
  EXPECT_THAT(said, HasSubstr("unknown key 'solved'"));
  EXPECT_THAT(said, HasSubstr("nowhere.mustache cannot be read"));
  EXPECT_THAT(said, HasSubstr("tocsin.yaml:6:11: unknown key '5' in level of templates"));
  EXPECT_THAT(said,
              HasSubstr("template internal.declared, line 1, column 1: {{ has no closing }}"));
  EXPECT_THAT(templates.Replaced(), IsEmpty());
}

}  // namespace
}  // namespace tocsin
