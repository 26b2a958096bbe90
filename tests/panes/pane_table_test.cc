#include "panes/pane_table.h"

#include <algorithm>
#include <cstdint>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/hash.h"
#include "core/labels.h"
#include "core/limits.h"
#include "tests/core/colliding_keys.h"

namespace tocsin {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

std::string Key(std::vector<std::string> parts) {
  std::string key;
  for (const std::string& part : parts) AppendKeyPart(part, &key);
  return key;
}

std::string Encoded(const PaneTable& table) {
  ByteWriter out;
  table.Encode(&out);
  return out.Take();
}

// Every kind and filter there is.
std::vector<Measure> EveryMeasure() {
  return {Measure::Count(),
          Measure::CountFailed(),
          {.filter = MeasureFilter::kSucceeded},
          {.filter = MeasureFilter::kFailedTransaction},
          Measure::CountAbove(100 * kMillisecondUs),
          Measure::CountWithDuration(),
          {.kind = MeasureKind::kSum},
          Measure::FailedAmount(),
          Measure::Gauge(),
          Measure::Counters(),
          Measure::Histogram(),
          Measure::Distinct(Field::kUser),
          Measure::Distinct(Field::kClientIp, MeasureFilter::kFailed),
          Measure::TopK(Field::kClientIp, 8),
          Measure::TopK(Field::kUser, 4, MeasureFilter::kFailed)};
}

// Without what depends on the order: counters, and a top-k that is full.
std::vector<Measure> UnorderedMeasures() {
  std::vector<Measure> measures = EveryMeasure();
  std::erase_if(measures, [](const Measure& measure) {
    return measure.kind == MeasureKind::kCounter || measure.k == 4;
  });
  return measures;
}

struct KeyedEvent {
  std::string key;
  std::string user, address;
  Event event;
};

std::vector<KeyedEvent> RandomEvents(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<KeyedEvent> events(count);
  for (KeyedEvent& one : events) {
    one.key = Key({"prod", "service-" + std::to_string(random() % 5)});
    one.user = random() % 4 == 0 ? "" : "user-" + std::to_string(random() % 30);
    one.address = "10.0.0." + std::to_string(random() % 8);
    Event& event = one.event;
    event.type = random() % 2 == 0 ? EventType::kTransaction : EventType::kRequest;
    event.time = static_cast<TimeUs>(random() % 10'000'000);
    event.duration = random() % 3 == 0 ? -1 : static_cast<DurationUs>(random() % 300'000);
    event.status = random() % 4 == 0 ? 503 : 200;
    event.weight = 1 + static_cast<std::int64_t>(random() % 3);
    if (random() % 2 == 0) event.value = static_cast<double>(random() % 1000) / 8;
    if (random() % 4 == 0) event.limit = 100 + static_cast<double>(random() % 3);
    if (random() % 4 == 0) event.amount = static_cast<double>(random() % 10'000) / 100;
    event.Set(Field::kUser, one.user);
    event.Set(Field::kClientIp, one.address);
    event.Normalize();
  }
  // Views of the strings where they now are.
  for (KeyedEvent& one : events) {
    one.event.Set(Field::kUser, one.user);
    one.event.Set(Field::kClientIp, one.address);
  }
  return events;
}

void AddTo(PaneTable* table, const KeyedEvent& one) {
  table->Accumulate(table->Row(one.key), one.event);
}

TEST(PaneTable, CountsWhatPassesTheFilter) {
  struct Case {
    std::string name;
    Measure measure;
    std::int64_t expected;  // of the events below
  };
  const std::vector<Case> cases = {
      {"all, by weight", Measure::Count(), 1 + 2 + 4 + 8},
      {"failed", Measure::CountFailed(), 2 + 4},
      {"succeeded", {.filter = MeasureFilter::kSucceeded}, 1 + 8},
      {"failed transactions", {.filter = MeasureFilter::kFailedTransaction}, 4},
      {"strictly above", Measure::CountAbove(100), 4},
      {"with a duration, 0 included", Measure::CountWithDuration(), 2 + 4 + 8},
      {"with a user", Measure::CountWith(Field::kUser), 1 + 8},
  };
  std::vector<Event> events(4);
  events[0].status = 200;
  events[1].status = 500;
  events[1].duration = 100;
  events[2].type = EventType::kTransaction;
  events[2].outcome = Outcome::kFailure;
  events[2].duration = 101;
  events[3].outcome = Outcome::kSuccess;
  events[3].status = 503;
  events[3].duration = 0;
  events[0].Set(Field::kUser, "ann");
  events[3].Set(Field::kUser, "bob");
  for (int i = 0; i < 4; ++i) events[static_cast<std::size_t>(i)].weight = 1 << i;
  for (Event& event : events) event.Normalize();
  for (const Case& c : cases) {
    const TableLayout layout = TableLayout::Of({c.measure});
    PaneTable table(&layout);
    for (const Event& event : events) table.Accumulate(table.Row("a"), event);
    EXPECT_EQ(table.Cell(0).Count(layout.SlotOf(c.measure)), c.expected) << c.name;
  }
}

TEST(PaneTable, KeepsEachKindOfMeasure) {
  const TableLayout layout = TableLayout::Of(EveryMeasure());
  PaneTable table(&layout);
  const auto add = [&](TimeUs time, double value, std::string_view user, std::int32_t status) {
    Event event;
    event.time = time;
    event.value = value;
    event.amount = value / 4;
    event.duration = time;
    event.status = status;
    event.weight = 2;
    event.Set(Field::kUser, user);
    event.Set(Field::kClientIp, "10.0.0.1");
    event.Normalize();
    table.Accumulate(table.Row("a"), event);
  };
  add(2'000, 10, "ann", 200);
  add(1'000, 30, "bob", 500);
  add(3'000, 20.5, "ann", 200);
  add(3'000, 20.25, "", 200);
  ASSERT_EQ(table.rows(), 1u);
  const CellView cell = table.Cell(0);
  const auto slot = [&](const Measure& measure) { return layout.SlotOf(measure); };
  EXPECT_EQ(cell.Sum(slot({.kind = MeasureKind::kSum})), 2 * (10 + 30 + 20.5 + 20.25));
  EXPECT_EQ(cell.Sum(slot(Measure::FailedAmount())), 15);
  const GaugeValue& gauge = cell.Gauge(slot(Measure::Gauge()));
  EXPECT_EQ(gauge.samples, 4);
  EXPECT_EQ(gauge.last, 20.5) << "of equal times the larger value, whichever came first";
  EXPECT_EQ(gauge.last_time, 3'000);
  EXPECT_EQ(gauge.min, 10);
  EXPECT_EQ(gauge.max, 30);
  EXPECT_FALSE(gauge.limit);
  EXPECT_EQ(cell.Histogram(slot(Measure::Histogram())).count(), 8);
  EXPECT_NEAR(cell.Distinct(slot(Measure::Distinct(Field::kUser))).Estimate(), 2, 0.1)
      << "no user is none, not one";
  const SpaceSaving& top = cell.Top(slot(Measure::TopK(Field::kClientIp, 8)));
  EXPECT_THAT(top.Top(1), ElementsAre(SpaceSaving::Entry{"10.0.0.1", 8, 0}));
}

TEST(PaneTable, AnIpv6AddressCountsAsItsNetworkWhereASpecSaysSo) {
  const Measure networks = Measure::DistinctNetworks(), top = Measure::TopNetworks(8),
                addresses = Measure::Distinct(Field::kClientIp);
  EXPECT_NE(networks.ToString(), addresses.ToString());
  const TableLayout layout = TableLayout::Of({networks, top, addresses});
  PaneTable table(&layout);
  for (const char* address :
       {"2001:db8::1", "2001:db8::2", "2001:db8:0:0:3::", "203.0.113.7", ""}) {
    Event event;
    event.Set(Field::kClientIp, address);
    event.Normalize();
    table.Accumulate(table.Row("a"), event);
  }
  const CellView cell = table.Cell(0);
  EXPECT_NEAR(cell.Distinct(layout.SlotOf(networks)).Estimate(), 2, 0.1);
  EXPECT_NEAR(cell.Distinct(layout.SlotOf(addresses)).Estimate(), 4, 0.1);
  EXPECT_THAT(cell.Top(layout.SlotOf(top)).Top(2),
              ElementsAre(SpaceSaving::Entry{"2001:db8:0:0::/64", 3, 0},
                          SpaceSaving::Entry{"203.0.113.7", 1, 0}));
}

TEST(PaneTable, AnAbsentRowReadsAsNothing) {
  const TableLayout layout = TableLayout::Of(EveryMeasure());
  const CellView cell;
  EXPECT_FALSE(cell.present());
  EXPECT_EQ(cell.Count(layout.SlotOf(Measure::Count())), 0);
  EXPECT_EQ(cell.Sum(layout.SlotOf({.kind = MeasureKind::kSum})), 0);
  EXPECT_EQ(cell.Gauge(layout.SlotOf(Measure::Gauge())), GaugeValue());
  EXPECT_TRUE(cell.Counters(layout.SlotOf(Measure::Counters())).empty());
  EXPECT_EQ(cell.Histogram(layout.SlotOf(Measure::Histogram())).count(), 0);
  EXPECT_TRUE(cell.Distinct(layout.SlotOf(Measure::Distinct(Field::kUser))).empty());
  EXPECT_TRUE(cell.Top(layout.SlotOf(Measure::TopK(Field::kClientIp, 8))).empty());
  const PaneTable table(&layout);
  EXPECT_EQ(table.FindRow("a"), std::nullopt);
}

TEST(PaneTable, DoesNotDependOnTheOrderOfEvents) {
  const TableLayout layout = TableLayout::Of(UnorderedMeasures());
  std::vector<KeyedEvent> events = RandomEvents(500, 1);
  PaneTable first(&layout);
  for (const KeyedEvent& one : events) AddTo(&first, one);
  std::mt19937_64 random(2);
  for (int round = 0; round < 5; ++round) {
    std::vector<std::size_t> order(events.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::shuffle(order.begin(), order.end(), random);
    PaneTable shuffled(&layout);
    for (const std::size_t i : order) AddTo(&shuffled, events[i]);
    EXPECT_EQ(Encoded(shuffled), Encoded(first));
  }
}

// Which differs from process to process.
TEST(PaneTable, DoesNotDependOnTheSeedOfTableHashes) {
  const TableLayout layout = TableLayout::Of(EveryMeasure());
  const std::vector<KeyedEvent> events = RandomEvents(500, 6);
  std::set<std::string> encoded;
  for (const std::uint64_t seed : {1ull, 2ull, 0x123456789abcdefull}) {
    SeedTableHash(seed);
    PaneTable table(&layout);
    for (const KeyedEvent& one : events) AddTo(&table, one);
    for (const std::string& key : CollidingKeys(1'000)) table.Row(key);
    encoded.insert(Encoded(table));
  }
  EXPECT_THAT(encoded, SizeIs(1));
}

TEST(PaneTable, MergesToWhatOneTableWouldHold) {
  const TableLayout layout = TableLayout::Of(UnorderedMeasures());
  const std::vector<KeyedEvent> events = RandomEvents(600, 3);
  PaneTable whole(&layout);
  for (const KeyedEvent& one : events) AddTo(&whole, one);
  const auto part = [&](std::size_t which) {
    PaneTable table(&layout);
    for (std::size_t i = which; i < events.size(); i += 3) AddTo(&table, events[i]);
    return table;
  };
  std::vector<std::size_t> order = {0, 1, 2};
  do {
    PaneTable left(&layout);  // ((· + a) + b) + c
    for (const std::size_t which : order) left.Merge(part(which));
    EXPECT_EQ(Encoded(left), Encoded(whole));
    PaneTable tail = part(order[1]);  // a + (b + c)
    tail.Merge(part(order[2]));
    PaneTable right = part(order[0]);
    right.Merge(tail);
    EXPECT_EQ(Encoded(right), Encoded(whole));
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(PaneTable, ReadsBackWhatItWrote) {
  const TableLayout layout = TableLayout::Of(EveryMeasure());
  PaneTable table(&layout);
  for (const KeyedEvent& one : RandomEvents(300, 4)) AddTo(&table, one);
  const std::string bytes = Encoded(table);
  ByteReader in(bytes);
  PaneTable decoded = PaneTable::Decode(&layout, &in);
  EXPECT_TRUE(in.Done());
  EXPECT_EQ(Encoded(decoded), bytes);
  // It merges as the original does.
  PaneTable more(&layout);
  for (const KeyedEvent& one : RandomEvents(100, 5)) AddTo(&more, one);
  table.Merge(more);
  decoded.Merge(more);
  EXPECT_EQ(Encoded(decoded), Encoded(table));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    ByteReader cut(std::string_view(bytes).substr(0, size));
    PaneTable::Decode(&layout, &cut);
    ASSERT_FALSE(cut.ok()) << "cut to " << size;
  }
}

TEST(PaneTable, RefusesWhatDoesNotFit) {
  const TableLayout counts = TableLayout::Of({Measure::Count()});
  const TableLayout gauges = TableLayout::Of({Measure::Gauge()});
  const TableLayout counters = TableLayout::Of({Measure::Counters()});
  const TableLayout tops = TableLayout::Of({Measure::TopK(Field::kUser, 8)});
  struct Case {
    std::string name;
    const TableLayout* layout;
    bool good;
    void (*write)(ByteWriter*);
  };
  const std::vector<Case> cases = {
      {"two rows", &counts, true,
       [](ByteWriter* out) {
         out->Varint(2);
         for (const char* key : {"a", "b"}) out->Bytes(key), out->Signed(1);
       }},
      {"a key twice", &counts, false,
       [](ByteWriter* out) {
         out->Varint(2);
         for (const char* key : {"a", "a"}) out->Bytes(key), out->Signed(1);
       }},
      {"more rows than bytes", &counts, false, [](ByteWriter* out) { out->Varint(1ull << 40); }},
      {"more rows than allowed", &counts, false,
       [](ByteWriter* out) {
         out->Varint(2 * limits::kPaneKeysMax + 1);
         out->Raw(std::string(3 * limits::kPaneKeysMax, '\0'));
       }},
      {"a gauge without samples", &gauges, true,
       [](ByteWriter* out) { out->Varint(1), out->Bytes("a"), out->Signed(0); }},
      {"a gauge with fewer than none", &gauges, false,
       [](ByteWriter* out) {
         out->Varint(1), out->Bytes("a"), out->Signed(-1), out->Raw(std::string(60, '\0'));
       }},
      {"a counter with fewer than none", &counters, false,
       [](ByteWriter* out) {
         out->Varint(1), out->Bytes("a"), out->Signed(0), out->Varint(1), out->Fixed64(7);
         out->Signed(-1), out->Raw(std::string(60, '\0'));
       }},
      {"a source twice", &counters, false,
       [](ByteWriter* out) {
         out->Varint(1), out->Bytes("a"), out->Signed(0), out->Varint(2);
         for (int i = 0; i < 2; ++i) out->Fixed64(7), out->Signed(0);
       }},
      {"the top-k of this layout", &tops, true,
       [](ByteWriter* out) { out->Varint(1), out->Bytes("a"), SpaceSaving(8).Encode(out); }},
      {"another k", &tops, false,
       [](ByteWriter* out) { out->Varint(1), out->Bytes("a"), SpaceSaving(9).Encode(out); }},
  };
  for (const Case& c : cases) {
    ByteWriter out;
    out.Signed(0);
    c.write(&out);
    ByteReader in(out.view());
    PaneTable::Decode(c.layout, &in);
    EXPECT_EQ(in.ok(), c.good) << c.name;
  }
}

void Fill(PaneTable* table, const std::string& scope, std::uint32_t keys) {
  for (std::uint32_t i = 0; i < keys; ++i) {
    table->Accumulate(table->Row(Key({scope, std::to_string(i)})), Event());
  }
}

TEST(PaneTable, CountsKeysPastTheCapInOtherOfTheirScope) {
  const TableLayout layout = TableLayout::Of({Measure::Count()}, 1, 2);
  const MeasureSlot count = layout.SlotOf(Measure::Count());
  PaneTable table(&layout);
  Fill(&table, "prod", limits::kPaneKeysMax - 1);
  Fill(&table, "test", 3);
  EXPECT_EQ(table.capped(), 2);
  Fill(&table, "prod", limits::kPaneKeysMax + 4);
  EXPECT_EQ(table.capped(), 2 + 5);
  EXPECT_EQ(table.rows(), limits::kPaneKeysMax + 2);
  const auto count_of = [&](const std::string& scope, const std::string& key) {
    const std::optional<std::uint32_t> row = table.FindRow(Key({scope, key}));
    return row ? table.Cell(*row).Count(count) : -1;
  };
  EXPECT_EQ(count_of("prod", "0"), 2) << "known keys go on";
  EXPECT_EQ(count_of("test", "0"), 1);
  EXPECT_EQ(count_of("test", "1"), -1);
  EXPECT_EQ(count_of("test", "(other)"), 2);
  EXPECT_EQ(count_of("prod", "(other)"), 5);

  const std::string bytes = Encoded(table);
  ByteReader in(bytes);
  EXPECT_EQ(Encoded(PaneTable::Decode(&layout, &in)), bytes);
  EXPECT_TRUE(in.Done());
}

TEST(PaneTable, TooManyScopesShareOneOther) {
  struct Case {
    std::string name;
    TableLayout layout;
    std::vector<std::string> other;  // the key of the shared row
  };
  const std::vector<Case> cases = {
      {"scope and label", TableLayout::Of({Measure::Count()}, 1, 2), {"(other)", "(other)"}},
      {"nothing but the scope", TableLayout::Of({Measure::Count()}, 1, 1), {"(other)"}},
      {"no scope", TableLayout::Of({Measure::Count()}, 0, 1), {"(other)"}},
  };
  constexpr std::uint32_t kKeys = 3 * limits::kPaneKeysMax;
  for (const Case& c : cases) {
    PaneTable table(&c.layout);
    const bool label = c.other.size() == 2;
    for (std::uint32_t i = 0; i < kKeys; ++i) {
      const std::string scope = std::to_string(i);
      table.Accumulate(table.Row(label ? Key({scope, "x"}) : Key({scope})), Event());
    }
    EXPECT_LE(table.rows(), 2 * limits::kPaneKeysMax) << c.name;
    EXPECT_EQ(table.capped(), kKeys - limits::kPaneKeysMax) << c.name;
    ASSERT_TRUE(table.FindRow(Key(c.other))) << c.name;
    std::int64_t events = 0;
    for (std::uint32_t row = 0; row < table.rows(); ++row) {
      events += table.Cell(row).Count(c.layout.SlotOf(Measure::Count()));
    }
    EXPECT_EQ(events, kKeys) << c.name << ": none is lost";
    ByteWriter out;
    table.Encode(&out);
    ByteReader in(out.view());
    PaneTable::Decode(&c.layout, &in);
    EXPECT_TRUE(in.Done()) << c.name;
  }
}

TEST(TableLayout, KnowsTheKeysOfOther) {
  struct Case {
    std::string name;
    std::size_t scope_parts, parts;
    std::vector<std::string> key;
    bool other;
  };
  const std::vector<Case> cases = {
      {"a series", 1, 2, {"prod", "api"}, false},
      {"other of a scope", 1, 2, {"prod", "(other)"}, true},
      {"other of all scopes", 1, 2, {"(other)", "(other)"}, true},
      {"a scope is its own series", 1, 1, {"prod"}, false},
      {"other scopes", 1, 1, {"(other)"}, true},
      {"no labels at all", 0, 0, {}, false},
      {"no scope", 0, 2, {"(other)", "(other)"}, true},
      {"only one of two", 0, 2, {"(other)", "x"}, false},
  };
  for (const Case& c : cases) {
    const TableLayout layout = TableLayout::Of({Measure::Count()}, c.scope_parts, c.parts);
    EXPECT_EQ(layout.IsOther(Key(c.key)), c.other) << c.name;
  }
}

TEST(PaneTable, MergingIsNotCapped) {
  // Stage 2 has a limit of its own; each of many partitions may bring as many keys as it is
  // allowed.
  const TableLayout layout = TableLayout::Of({Measure::Count()}, 1, 2);
  PaneTable merged(&layout), other(&layout);
  Fill(&merged, "prod", limits::kPaneKeysMax);
  Fill(&other, "test", limits::kPaneKeysMax + 1);
  merged.Merge(other);
  EXPECT_EQ(merged.rows(), 2 * limits::kPaneKeysMax + 1);
  EXPECT_EQ(merged.capped(), 1);
}

TEST(PaneTable, KeepsItsKeysWhenItMoves) {
  const TableLayout layout = TableLayout::Of({Measure::Count()});
  std::vector<PaneTable> tables;
  for (int i = 0; i < 20; ++i) {
    PaneTable& table = tables.emplace_back(&layout);
    // Short enough to be kept inside the string object.
    for (const char* key : {"a", "b", "c"}) table.Accumulate(table.Row(key), Event());
  }
  for (PaneTable& table : tables) {
    EXPECT_EQ(table.FindRow("b"), 1u);
    EXPECT_EQ(table.Row("d"), 3u);
    EXPECT_EQ(table.key(2), "c");
  }
}

}  // namespace
}  // namespace tocsin
