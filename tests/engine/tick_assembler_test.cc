#include "engine/tick_assembler.h"

#include <optional>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/engine/text_decoder.h"

namespace tocsin {
namespace {

using testing::At;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::kBase;
using Kind = ControlRecord::Kind;

Plan MakePlan() {
  PlanOptions options;
  options.scope = {*FieldRef::Parse("env")};
  options.inputs = {{"app", 10 * kSecondUs}};
  SeriesSpec spec;
  spec.measures = {Measure::Count()};
  return Plan::Compile(options, {spec});
}

const Plan& ThePlan() {
  static const Plan plan = MakePlan();
  return plan;
}

struct BatchText {
  std::string source;
  std::int64_t first = 0;  // second; 0: the same as `tick`, −1: the source's first
  std::int64_t tick = 0;
  std::int64_t count = 0;  // of one series
  std::string fact = {};
  bool last = false;
};

PaneBatch Batch(const BatchText& text) {
  PaneBatch batch;
  batch.source = text.source;
  batch.tick = At(text.tick);
  batch.first_tick = text.first == -1 ? kNoTime : At(text.first == 0 ? text.tick : text.first);
  batch.last = text.last;
  if (text.count > 0) {
    PaneTable table(&ThePlan().aggregations()[0].layout);
    Event event;
    event.weight = text.count;
    table.Accumulate(table.Row("series"), event);
    batch.tables.emplace_back(0, std::move(table));
  }
  if (!text.fact.empty()) {
    Fact fact;
    fact.time = At(text.tick);
    fact.id = text.fact;
    batch.facts.push_back(fact);
  }
  return batch;
}

std::string Record(const BatchText& text) { return EncodeBatch(Batch(text), ThePlan())[0]; }

std::string Control(Kind kind, std::int64_t second, std::vector<std::string> sources) {
  return EncodeControl(
      {.kind = kind, .tick = second == -1 ? kNoTime : At(second), .sources = std::move(sources)});
}

std::string Expect(std::vector<std::string> sources) {
  return Control(Kind::kExpect, -1, std::move(sources));
}

// "20=7 !fact" a tick; "~" where it is partial.
std::string TickText(const AssembledTick& tick) {
  std::string text = std::to_string((tick.tick - kBase) / kSecondUs);
  if (tick.partial) text += '~';
  const std::optional<PaneTable>& table = tick.tables[0];
  if (table) text += '=' + std::to_string(table->Cell(0).Count(ThePlan().SlotsOf(0)[0]));
  for (const Fact& fact : tick.facts) text += " !" + fact.id;
  return text;
}

void Drain(TickAssembler* assembler, std::vector<std::string>* ticks) {
  AssembledTick tick;
  while (assembler->Next(&tick)) ticks->push_back(TickText(tick));
}

std::vector<std::string> Ticks(const std::vector<std::string>& records, TickAssembler* assembler) {
  std::vector<std::string> ticks;
  for (const std::string& record : records) {
    const absl::Status status = assembler->Append(record);
    EXPECT_TRUE(status.ok()) << status;
    Drain(assembler, &ticks);
  }
  return ticks;
}

struct Case {
  std::string name;
  std::vector<std::string> records;
  std::vector<std::string> ticks;
};

std::vector<Case> Cases() {
  const std::string ab = Expect({"a", "b"});
  return {
      {"one source",
       {Expect({"a"}), Record({"a", -1, 20, 3}), Record({"a", 0, 30}), Record({"a", 0, 40, 5})},
       {"20=3", "30", "40=5"}},
      {"waits for all", {ab, Record({"a", -1, 20, 3}), Record({"a", 0, 30, 4})}, {}},
      {"partials add up",
       {ab, Record({"a", -1, 20, 3}), Record({"b", -1, 20, 4}), Record({"b", 0, 30, 1}),
        Record({"a", 0, 30, 2})},
       {"20=7", "30=3"}},
      {"begins with the earliest first tick",
       {ab, Record({"a", -1, 40, 3}), Record({"b", -1, 20, 4}), Record({"b", 30, 50, 6})},
       {"20=4", "30", "40=3"}},
      {"a batch stands for the empty ticks before it",
       {ab, Record({"a", -1, 20, 1}), Record({"b", -1, 20, 1}), Record({"a", 30, 60, 2}),
        Record({"b", 30, 70, 3})},
       {"20=2", "30", "40", "50", "60=2"}},
      {"the first content wins",
       {ab, Record({"a", -1, 20, 3}), Record({"a", -1, 20, 9}), Record({"b", -1, 20, 4}),
        Record({"a", -1, 20, 5}), Record({"b", -1, 20, 4}), Record({"a", 0, 30, 1}),
        Record({"a", 20, 30, 8}), Record({"b", 0, 30, 1})},
       {"20=7", "30=2"}},
      {"a restarted source repeats ranges",
       {Expect({"a"}), Record({"a", -1, 20, 3}), Record({"a", 30, 50, 4}), Record({"a", 30, 50, 4}),
        Record({"a", 40, 60, 5})},
       {"20=3", "30", "40", "50=4", "60=5"}},
      {"an ended source is not waited for",
       {ab, Record({"a", -1, 20, 3}), Record({"b", -1, 30, 4, "", true}), Record({"a", 0, 30}),
        Record({"a", 40, 60, 1, "", true})},
       {"20=3", "30=4", "40", "50", "60=1"}},
      {"a source without records ends at once",
       {ab,
        EncodeBatch({.source = "b", .tick = 0, .last = true, .tables = {}, .facts = {}},
                    ThePlan())[0],
        Record({"a", -1, 20, 3, "", true})},
       {"20=3"}},
      {"facts come in order of time",
       {ab, Record({"b", -1, 20, 0, "y"}), Record({"a", -1, 20, 0, "z"}),
        Record({"a", 0, 30, 0, "x"}), Record({"b", 0, 30})},
       {"20 !y !z", "30 !x"}},
      {"an expected source joins later",
       {Expect({"a"}), Control(Kind::kExpect, 40, {"b"}), Record({"a", -1, 20, 1}),
        Record({"a", 30, 50, 1}), Record({"b", -1, 40, 7}), Record({"b", 0, 50, 7})},
       {"20=1", "30", "40=7", "50=8"}},
      {"one that had ended joins again, and is waited for from then on",
       {ab, Record({"a", -1, 20, 1}), Record({"b", -1, 20, 1, "", true}), Record({"a", 0, 30, 1}),
        Control(Kind::kExpect, 50, {"b"}), Record({"a", 0, 40, 1}), Record({"a", 0, 50, 1})},
       {"20=2", "30=1", "40=1"}},
      {"a retired source is not waited for",
       {ab, Record({"a", -1, 20, 1}), Record({"b", -1, 20, 1}), Record({"a", 0, 30, 1}),
        Control(Kind::kRetire, 0, {"b"})},
       {"20=2", "30=1"}},
      {"excluded: partial ticks; back: whole ones",
       {ab, Record({"a", -1, 20, 1}), Record({"b", -1, 20, 1}), Record({"a", 30, 50, 1}),
        Control(Kind::kExclude, 30, {"b"}), Control(Kind::kRejoin, 60, {"b"}),
        Record({"a", 0, 60, 2}), Record({"b", 30, 60, 5})},
       {"20=2", "30~", "40~", "50~=1", "60=7"}},
      {"excluded from a later tick on",
       {ab, Record({"a", -1, 20, 1}), Record({"b", -1, 20, 1}), Control(Kind::kExclude, 40, {"b"}),
        Record({"a", 30, 50, 1}), Record({"b", 0, 30, 4})},
       {"20=2", "30=4", "40~", "50~=1"}},
      {"what an excluded source has sent in time counts",
       {ab, Record({"a", -1, 20, 1}), Record({"b", -1, 20, 1}), Control(Kind::kExclude, 30, {"b"}),
        Record({"b", 0, 30, 4}), Record({"a", 30, 40, 1})},
       {"20=2", "30=4", "40~=1"}},
      {"a source that was never there does not hold up the start",
       {ab, Record({"a", -1, 20, 1}), Control(Kind::kExclude, 20, {"b"}), Record({"a", 0, 30, 1})},
       {"20~=1", "30~=1"}},
      {"nobody is left to say how far time has come",
       {ab, Record({"a", -1, 20, 1, "", true}), Record({"b", -1, 20, 1}),
        Control(Kind::kExclude, 30, {"b"}), Record({"b", 30, 40, 5})},
       {"20=2", "30", "40=5"}},
      {"too late for its tick: the counts are gone, facts ride on",
       {ab, Record({"a", -1, 20, 1}), Record({"b", -1, 20, 1}), Control(Kind::kExclude, 30, {"b"}),
        Record({"a", 30, 40, 1}), Record({"b", 0, 30, 4, "alarm"}),
        Record({"b", 0, 40, 4, "other"}), Record({"a", 0, 50, 1, "own"}), Record({"a", 0, 60, 1})},
       {"20=2", "30~", "40~=1", "50~=1 !alarm !other !own", "60~=1"}},
  };
}

TEST(TickAssembler, PutsTicksTogether) {
  for (const Case& c : Cases()) {
    TickAssembler assembler(&ThePlan());
    EXPECT_EQ(Ticks(c.records, &assembler), c.ticks) << c.name;
    EXPECT_EQ(assembler.gaps(), 0) << c.name;
  }
}

TEST(TickAssembler, ASnapshotMayBeTakenAnywhere) {
  for (const Case& c : Cases()) {
    for (std::size_t cut = 0; cut <= c.records.size(); ++cut) {
      TickAssembler before(&ThePlan());
      const auto middle = c.records.begin() + static_cast<std::ptrdiff_t>(cut);
      std::vector<std::string> ticks = Ticks({c.records.begin(), middle}, &before);
      ByteWriter out;
      before.Encode(&out);
      TickAssembler after(&ThePlan());
      ByteReader in(out.view());
      after.Decode(&in);
      ASSERT_TRUE(in.Done()) << c.name;
      EXPECT_EQ(after.next_tick(), before.next_tick());
      EXPECT_EQ(after.Missing(), before.Missing()) << c.name;
      EXPECT_EQ(after.Sources(), before.Sources()) << c.name;
      EXPECT_EQ(after.Finished(), before.Finished()) << c.name;
      const std::vector<std::string> rest = Ticks({middle, c.records.end()}, &after);
      ticks.insert(ticks.end(), rest.begin(), rest.end());
      EXPECT_EQ(ticks, c.ticks) << c.name << ", snapshot after record " << cut;
    }
  }
}

TEST(TickAssembler, DoesNotDependOnTheInterleavingOfSources) {
  std::vector<std::vector<std::string>> by_source(3);
  std::mt19937_64 random(1);
  for (std::size_t s = 0; s < by_source.size(); ++s) {
    const std::string name(1, static_cast<char>('a' + s));
    std::int64_t tick = 20;
    by_source[s].push_back(Record({name, -1, tick, 1}));
    while (tick < 300) {
      const std::int64_t first = tick + 10;
      tick += 10 * static_cast<std::int64_t>(1 + random() % 4);
      const std::string fact = random() % 5 == 0 ? name + std::to_string(tick) : "";
      by_source[s].push_back(
          Record({name, first, tick, static_cast<std::int64_t>(random() % 9), fact, tick >= 300}));
    }
  }
  std::vector<std::string> expected;
  for (int round = 0; round < 50; ++round) {
    std::vector<std::string> records = {Expect({"a", "b", "c"})};
    std::vector<std::size_t> next(by_source.size());
    for (;;) {
      std::vector<std::size_t> left;
      for (std::size_t s = 0; s < by_source.size(); ++s) {
        if (next[s] < by_source[s].size()) left.push_back(s);
      }
      if (left.empty()) break;
      const std::size_t s = left[random() % left.size()];
      // Now and then something old once more.
      if (next[s] > 0 && random() % 3 == 0) records.push_back(by_source[s][random() % next[s]]);
      records.push_back(by_source[s][next[s]++]);
    }
    TickAssembler assembler(&ThePlan());
    const std::vector<std::string> ticks = Ticks(records, &assembler);
    EXPECT_TRUE(assembler.Finished());
    if (round == 0) expected = ticks;
    EXPECT_EQ(ticks, expected);
  }
  EXPECT_GE(expected.size(), 29u);
}

TEST(TickAssembler, SaysWhatItWaitsFor) {
  TickAssembler assembler(&ThePlan());
  EXPECT_FALSE(assembler.Finished());
  EXPECT_EQ(assembler.next_tick(), kNoTime);
  std::vector<std::string> ticks =
      Ticks({Expect({"a", "b", "c"}), Record({"b", -1, 20})}, &assembler);
  EXPECT_THAT(assembler.Missing(), ElementsAre("a", "c"));
  Ticks({Record({"a", -1, 20}), Record({"c", -1, 30}), Record({"a", 0, 30})}, &assembler);
  EXPECT_EQ(assembler.next_tick(), At(30));
  EXPECT_THAT(assembler.Missing(), ElementsAre("b"));
  EXPECT_THAT(assembler.Sources(), ElementsAre("a", "b", "c"));
  Ticks({Control(Kind::kExclude, 30, {"b"})}, &assembler);
  EXPECT_THAT(assembler.Missing(), ElementsAre("a", "c"));
  Ticks({Record({"a", 0, 40, 0, "", true}), Record({"b", 30, 40, 0, "", true})}, &assembler);
  EXPECT_THAT(assembler.Missing(), ElementsAre("c"));
  EXPECT_THAT(assembler.Sources(), ElementsAre("c"));
  EXPECT_FALSE(assembler.Finished());
  Ticks({Record({"c", 0, 40, 0, "", true})}, &assembler);
  EXPECT_THAT(assembler.Missing(), IsEmpty());
  EXPECT_TRUE(assembler.Finished());
  EXPECT_EQ(assembler.next_tick(), At(50));
}

TEST(TickAssembler, CountsDuplicatesAndGaps) {
  TickAssembler assembler(&ThePlan());
  Ticks({Expect({"a"}), Record({"a", -1, 20}), Record({"a", -1, 20}), Record({"a", 0, 30}),
         Record({"a", 20, 30})},
        &assembler);
  EXPECT_EQ(assembler.duplicates(), 2);
  EXPECT_EQ(assembler.gaps(), 0);
  EXPECT_THAT(Ticks({Record({"a", 60, 70, 1})}, &assembler), ElementsAre("40", "50", "60", "70=1"));
  EXPECT_EQ(assembler.gaps(), 1) << "40 and 50 were never reported";
}

// One batch of several chunks; the content differs by seed.
std::vector<std::string> LargeBatch(const std::string& source, std::int64_t tick,
                                    std::uint64_t seed) {
  PaneBatch batch = Batch({source, tick == 20 ? -1 : 0, tick});
  PaneTable table(&ThePlan().aggregations()[0].layout);
  std::mt19937_64 random(seed);
  Event event;
  event.weight = static_cast<std::int64_t>(seed);
  table.Accumulate(table.Row("series"), event);
  for (int i = 0; i < 3'000; ++i) {
    table.Accumulate(table.Row(std::string(900, 'x') + std::to_string(random())), event);
  }
  batch.tables.emplace_back(0, std::move(table));
  std::vector<std::string> chunks = EncodeBatch(batch, ThePlan());
  EXPECT_GE(chunks.size(), 3u);
  return chunks;
}

TEST(TickAssembler, TheFirstCompleteContentWins) {
  const std::vector<std::string> good = LargeBatch("a", 20, 3), zombie = LargeBatch("a", 20, 5);
  const std::vector<std::string> next = LargeBatch("a", 30, 7);
  const auto rest = [](const std::vector<std::string>& chunks, std::size_t from) {
    return std::vector<std::string>(chunks.begin() + static_cast<std::ptrdiff_t>(from),
                                    chunks.end());
  };
  const auto join = [](std::vector<std::vector<std::string>> parts) {
    std::vector<std::string> all = {Expect({"a"})};
    for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
    return all;
  };
  struct ChunkCase {
    std::string name;
    std::vector<std::string> records;
    std::vector<std::string> ticks;
  };
  const std::vector<ChunkCase> cases = {
      {"in order", join({good}), {"20=3"}},
      {"the last is missing", join({{good[0], good[1]}}), {}},
      {"any order, repeated", join({{good[1], good[1], good[0]}, good}), {"20=3"}},
      {"a zombie that dies in the middle", join({{zombie[0]}, good, next}), {"20=3", "30=7"}},
      {"a zombie that is complete later",
       join({{zombie[0]}, good, rest(zombie, 1), next}),
       {"20=3", "30=7"}},
      {"and one that is complete first",
       join({{good[0]}, zombie, rest(good, 1), next}),
       {"20=5", "30=7"}},
  };
  for (const ChunkCase& c : cases) {
    for (std::size_t cut = 0; cut <= c.records.size(); ++cut) {
      TickAssembler before(&ThePlan());
      const auto middle = c.records.begin() + static_cast<std::ptrdiff_t>(cut);
      std::vector<std::string> ticks = Ticks({c.records.begin(), middle}, &before);
      ByteWriter out;
      before.Encode(&out);
      TickAssembler after(&ThePlan());
      ByteReader in(out.view());
      after.Decode(&in);
      ASSERT_TRUE(in.Done()) << c.name;
      for (const std::string& tick : Ticks({middle, c.records.end()}, &after))
        ticks.push_back(tick);
      // The row of "series" is not the first; count it by its content.
      ASSERT_EQ(ticks.size(), c.ticks.size()) << c.name;
      EXPECT_EQ(ticks, c.ticks) << c.name;
    }
  }
}

TEST(TickAssembler, ForgetsWhatDeadSendersBegan) {
  TickAssembler clean(&ThePlan()), littered(&ThePlan());
  const std::vector<std::string> good = LargeBatch("a", 20, 3);
  Ticks({Expect({"a"})}, &clean);
  Ticks({Expect({"a"}), LargeBatch("a", 20, 5)[0], LargeBatch("a", 20, 6)[1]}, &littered);
  Ticks(good, &clean);
  Ticks(good, &littered);
  ByteWriter one, other;
  clean.Encode(&one);
  littered.Encode(&other);
  EXPECT_EQ(one.view(), other.view());
}

// Files come and go: what ended is not kept for ever, and what it sends again is late.
TEST(TickAssembler, ForgetsSourcesAWeekAfterTheyEnded) {
  constexpr std::int64_t kWeek = kWeekUs / kSecondUs;
  TickAssembler assembler(&ThePlan());
  Ticks({Expect({"a", "b", "c"}), Record({"a", -1, 20}), Record({"b", -1, 20, 3, "", true}),
         Control(Kind::kRetire, -1, {"c"})},
        &assembler);
  EXPECT_EQ(assembler.forgotten(), 0);
  Ticks({Record({"a", 30, kWeek})}, &assembler);
  EXPECT_EQ(assembler.forgotten(), 1) << "the one that never said anything";
  Ticks({Record({"a", kWeek + 10, kWeek + 7'200})}, &assembler);
  EXPECT_EQ(assembler.forgotten(), 2);
  EXPECT_THAT(assembler.Sources(), ElementsAre("a"));
  EXPECT_THAT(Ticks({Expect({"b"}), Record({"b", -1, 20, 3, "late", true}),
                     Record({"a", 0, kWeek + 7'210, 1})},
                    &assembler),
              ElementsAre(std::to_string(kWeek + 7'210) + "=1 !late"));
}

TEST(TickAssembler, RefusesWhatItCannotRead) {
  PlanOptions options;
  options.inputs = {{"app", 20 * kSecondUs}};
  const Plan other = Plan::Compile(options, {});
  const std::string good = Record({"a", -1, 20, 3});
  std::string flipped = good;
  flipped[40] = static_cast<char>(flipped[40] ^ 1);
  struct ErrorCase {
    std::string name;
    std::string record;
    absl::StatusCode code;
  };
  const std::vector<ErrorCase> cases = {
      {"empty", "", absl::StatusCode::kDataLoss},
      {"damaged", flipped, absl::StatusCode::kDataLoss},
      {"another plan", EncodeBatch(Batch({"a", -1, 20}), other)[0],
       absl::StatusCode::kFailedPrecondition},
  };
  for (const ErrorCase& c : cases) {
    TickAssembler assembler(&ThePlan());
    ASSERT_TRUE(assembler.Append(Expect({"a"})).ok());
    EXPECT_EQ(assembler.Append(c.record).code(), c.code) << c.name;
    // It goes on with the next one.
    EXPECT_THAT(Ticks({good}, &assembler), ElementsAre("20=3")) << c.name;
  }
}

TEST(TickAssembler, RefusesADamagedSnapshot) {
  TickAssembler assembler(&ThePlan());
  Ticks({Expect({"a", "b"}), Record({"a", -1, 20, 3, "fact"}), LargeBatch("b", 20, 3)[0]},
        &assembler);
  ByteWriter out;
  assembler.Encode(&out);
  for (std::size_t size = 0; size < 300; ++size) {
    TickAssembler cut(&ThePlan());
    ByteReader in(out.view().substr(0, size));
    cut.Decode(&in);
    ASSERT_FALSE(in.ok()) << size;
  }
}

}  // namespace
}  // namespace tocsin
