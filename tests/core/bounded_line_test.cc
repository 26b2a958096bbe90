#include "core/bounded_line.h"

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include "core/limits.h"

namespace tocsin {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr TimeUs kAt = 1'772'400'000 * kSecondUs;

// As an adversary would have it: few members or as many as there may be, each small or as large as
// it may be, of plain text, of what JSON escapes, and of what is no UTF-8.
class Adversary {
 public:
  explicit Adversary(std::uint64_t seed) : random_(seed) {}

  std::size_t Below(std::size_t end) { return random_() % end; }
  std::size_t Size(std::size_t max) {
    switch (Below(4)) {
      case 0:
        return 0;
      case 1:
        return max;
      default:
        return Below(max + 1);
    }
  }

  std::string Text(std::size_t bytes_max) {
    static const std::vector<std::string> kPieces = {"a", "\x01", "\"\\", "é", "\xff", "\n"};
    const std::string& piece = kPieces[Below(kPieces.size())];
    std::string text;
    for (std::size_t size = Size(bytes_max); text.size() + piece.size() <= size;) text += piece;
    return text;
  }

  Signal MakeSignal() {
    Signal signal;
    signal.id = {.high = random_(), .low = random_()};
    signal.detector = Text(64);
    signal.kind = "error_rate";
    for (std::size_t i = Size(limits::kLabelsMax); i > 0; --i) {
      signal.series.emplace_back("l" + std::to_string(i), Text(limits::kLabelValueBytesMax));
    }
    signal.level = 1 + static_cast<int>(Below(4));
    signal.onset = kAt + static_cast<TimeUs>(Below(5)) * kMinuteUs;
    signal.fired_at = signal.onset + kMinuteUs;
    for (std::size_t i = Size(20); i > 0; --i) {
      signal.evidence.push_back(
          {.kind = "top", .name = Text(20), .json = "\"" + std::string(Size(20'000), 'x') + "\""});
    }
    return signal;
  }

  Incident MakeIncident() {
    Incident incident;
    incident.id = {.high = random_(), .low = random_()};
    incident.number = "INC-2026-001";
    incident.severity = Text(64);
    incident.severity_level = 1 + static_cast<int>(Below(4));
    incident.severity_rule = Text(200);
    incident.title = Text(70'000);
    for (std::size_t i = 1 + Below(3); i > 0; --i) AppendKeyPart(Text(1024), &incident.scope);
    incident.component = Text(1024);
    incident.runbook = Text(100'000);
    incident.muted_by = Text(10'000);
    incident.onset = kAt;
    incident.detected_at = kAt + kMinuteUs;
    incident.NoteLevel(kAt + kMinuteUs);
    for (std::size_t i = Size(limits::kIncidentSignalsMax); i > 0; --i) {
      incident.signals.push_back(MakeSignal());
    }
    for (std::size_t i = Size(limits::kIncidentSuspectsMax); i > 0; --i) {
      incident.suspects.push_back(
          {.kind = "deploy", .name = Text(1024), .at = kAt, .reason = Text(4096)});
    }
    for (std::size_t i = Size(50); i > 0; --i) incident.advice.push_back(Text(10'000));
    for (std::size_t i = Size(50); i > 0; --i) incident.escalate_to.push_back(Text(1024));
    for (std::size_t i = Size(limits::kIncidentTimelineMax); i > 0; --i) {
      incident.timeline.push_back({.at = kAt,
                                   .id = "a" + std::to_string(i),
                                   .author = Text(100),
                                   .what = "noted",
                                   .text = Text(limits::kActionTextBytesMax)});
    }
    return incident;
  }

 private:
  std::mt19937_64 random_;
};

using Element = simdjson::dom::element;

std::int64_t Omitted(const Element& line, const char* what) {
  std::int64_t count = 0;
  return line["omitted"][what].get(count) == simdjson::SUCCESS ? count : 0;
}

std::size_t SizeOf(const Element& line, const char* list) {
  simdjson::dom::array array;
  return line[list].get(array) == simdjson::SUCCESS ? array.size() : 0;
}

// What matters most first.
std::vector<const Signal*> Ranked(const Incident& incident) {
  std::vector<const Signal*> ranked;
  for (const Signal& signal : incident.signals) ranked.push_back(&signal);
  std::stable_sort(ranked.begin(), ranked.end(), [](const Signal* a, const Signal* b) {
    return std::tie(a->level, a->onset) < std::tie(b->level, b->onset);
  });
  return ranked;
}

// The signals that are listed are those that matter most, and so are those of which the evidence
// is.
void CheckSignals(const Incident& incident, const Element& line) {
  std::map<std::string, bool> listed;  // whether with evidence
  simdjson::dom::array signals;
  ASSERT_EQ(line["signals"].get(signals), simdjson::SUCCESS);
  for (const Element signal : signals) {
    std::string_view id;
    ASSERT_EQ(signal["signal"].get(id), simdjson::SUCCESS);
    listed[std::string(id)] = SizeOf(signal, "evidence") > 0;
  }
  EXPECT_EQ(static_cast<std::size_t>(Omitted(line, "signals")) + listed.size(),
            incident.signals.size());
  bool left_out = false, without = false;
  std::int64_t lost = 0;
  for (const Signal* signal : Ranked(incident)) {
    const auto found = listed.find(signal->id.Hex());
    left_out = left_out || found == listed.end();
    if (found == listed.end()) continue;
    EXPECT_FALSE(left_out) << "one that matters less is listed";
    if (signal->evidence.empty()) continue;
    without = without || !found->second;
    lost += found->second ? 0 : 1;
    EXPECT_FALSE(without && found->second) << "one that matters less has its evidence";
  }
  EXPECT_EQ(Omitted(line, "evidence"), lost);
  EXPECT_EQ(listed.empty(), incident.signals.empty()) << "the most severe stays";
}

TEST(BoundedLine, IsBoundedWhateverTheIncident) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Incident incident = Adversary(seed).MakeIncident();
    const std::string line = BoundedLine(incident);
    ASSERT_LE(line.size(), limits::kIncidentLineBytesMax);
    const std::string whole = incident.ToJson();
    EXPECT_EQ(IsBounded(line), whole.size() > limits::kIncidentLineBytesMax);
    EXPECT_EQ(IsBounded(line), line != whole);

    simdjson::dom::parser parser;
    Element parsed;
    ASSERT_EQ(parser.parse(line).get(parsed), simdjson::SUCCESS);
    std::string_view id;
    ASSERT_EQ(parsed["incident"].get(id), simdjson::SUCCESS);
    EXPECT_EQ(id, incident.id.Hex());
    CheckSignals(incident, parsed);
    for (const auto& [list, size] :
         std::map<const char*, std::size_t>{{"suspects", incident.suspects.size()},
                                            {"advice", incident.advice.size()},
                                            {"escalate_to", incident.escalate_to.size()},
                                            {"timeline", incident.timeline.size()}}) {
      EXPECT_EQ(SizeOf(parsed, list) + static_cast<std::size_t>(Omitted(parsed, list)), size)
          << list;
    }
    if (HasFailure()) return;
  }
}

Incident Usual(std::size_t signals, std::size_t evidence_bytes) {
  Incident incident;
  incident.number = "INC-2026-001";
  incident.title = "Requests fail";
  for (std::size_t i = 0; i < signals; ++i) {
    Signal signal;
    signal.id = {.high = 1, .low = i};
    signal.detector = "errors";
    signal.series = {{"service", "s" + std::to_string(i)}};
    signal.level = i == signals / 2 ? 1 : 3;
    signal.onset = kAt + static_cast<TimeUs>(i) * kSecondUs;
    if (evidence_bytes > 0) {
      signal.evidence = {{.kind = "panes",
                          .name = "rate",
                          .json = "\"" + std::string(evidence_bytes, 'x') + "\""}};
    }
    incident.signals.push_back(std::move(signal));
  }
  incident.advice = {"Roll back"};
  return incident;
}

TEST(BoundedLine, EvidenceGoesBeforeSignals) {
  const std::string line = BoundedLine(Usual(40, 4'000));
  EXPECT_THAT(line, Not(HasSubstr("\"omitted\":{\"signals\"")));
  EXPECT_THAT(line, HasSubstr(R"("omitted":{"evidence":27},"partial")"));
  EXPECT_THAT(line, HasSubstr(R"("advice":["Roll back"])"));
}

TEST(BoundedLine, SignalsGoBeforeTheEvidenceOfTheMostSevere) {
  const std::string line = BoundedLine(Usual(256, 4'000));
  simdjson::dom::parser parser;
  Element parsed;
  ASSERT_EQ(parser.parse(line).get(parsed), simdjson::SUCCESS);
  EXPECT_GT(Omitted(parsed, "signals"), 0);
  EXPECT_EQ(static_cast<std::size_t>(Omitted(parsed, "evidence")) + 5, SizeOf(parsed, "signals"));
  EXPECT_THAT(line, HasSubstr(R"("series":{"service":"s128"})")) << "the one of level 1";
}

TEST(BoundedLine, WhatFitsIsTheWhole) {
  const Incident incident = Usual(100, 100);
  EXPECT_EQ(BoundedLine(incident), incident.ToJson());
  EXPECT_FALSE(IsBounded(incident.ToJson()));
}

TEST(BoundedLine, ATitleThatSaysOmittedIsNone) {
  Incident incident = Usual(1, 0);
  incident.title = R"(x,"omitted":{"signals":1})";
  EXPECT_FALSE(IsBounded(BoundedLine(incident)));
}

}  // namespace
}  // namespace tocsin
