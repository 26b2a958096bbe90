#include "engine/series_set.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "core/labels.h"
#include "tests/engine/text_decoder.h"
#include "tests/engine/threads.h"

namespace tocsin {
namespace {

using testing::At;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr DurationUs kPane = 10 * kSecondUs;

// Breaches in a pane with ten events or more; clears in one with fewer, says nothing without any.
// Its evidence is the number of events so far, the panes, and what it knows of deploys.
class BusyDetector final : public Detector {
 public:
  explicit BusyDetector(DurationUs hold = 0) : Detector(Common(hold)) {}

  SeriesSpec Spec() const override {
    SeriesSpec spec;
    spec.by = common_.by;
    spec.measures = {Measure::Count()};
    for (const Measure& measure : ImpactMeasures()) spec.measures.push_back(measure);
    return spec;
  }
  std::unique_ptr<SeriesState> NewSeries() const override { return std::make_unique<Series>(); }
  std::string Title(const Signal& signal) const override {
    return "busy " + LabelsText(signal.series);
  }
  Category CategoryOf(const std::string& classification) const override {
    return classification == "attack" ? Category::kSecurity : common_.category;
  }
  bool MeansDown(const Signal& signal) const override { return signal.value >= 60; }

 private:
  class Series final : public SeriesState {
   public:
    Reading Update(const PaneContext& pane, const SpecCells& cells) override {
      const std::int64_t count = cells.Count(0);
      total_ += count;
      panes_ += pane.end - pane.start;
      deployed_at_ = pane.deployed_at;
      recent_ = pane.recent_deploy;
      Reading reading;
      reading.level[0] = {.verdict = count >= 10  ? Verdict::kBreach
                                     : count == 0 ? Verdict::kUnknown
                                                  : Verdict::kClear,
                          .value = static_cast<double>(count),
                          .threshold = 10};
      return reading;
    }
    std::vector<Evidence> Explain() const override {
      return {{"samples", "total", std::to_string(total_)},
              {"samples", "panes", std::to_string(panes_ / kPane)},
              {"samples", "deployed_at", std::to_string(deployed_at_)},
              {"samples", "recent_deploy", recent_ ? "true" : "false"}};
    }
    std::string Classification() const override { return total_ >= 100 ? "attack" : ""; }
    void Encode(ByteWriter* out) const override { out->Signed(total_), out->Signed(panes_); }
    void Decode(ByteReader* in) override { total_ = in->Signed(), panes_ = in->Signed(); }

   private:
    std::int64_t total_ = 0;
    DurationUs panes_ = 0;
    TimeUs deployed_at_ = kNoTime;  // of the last Update, hence not encoded
    bool recent_ = false;
  };

  static DetectorCommon Common(DurationUs hold) {
    DetectorCommon common;
    common.name = "busy";
    common.kind = "count";
    common.by = {*FieldRef::Parse("service")};
    common.level[0] = {.set = true, .above = 10, .hold = hold, .level = 2};
    common.keep_firing_for = 0;
    return common;
  }
};

struct Count {
  std::string service;
  std::int64_t events = 1;
  std::string env = "prod";
};

struct Outcome {
  std::vector<std::string> changes;  // "fired a 12 (10)"
  std::vector<std::string> impacts;  // "a 30", "(other) 7 capped"
  int breaching = 0;                 // of them
};

class Engine {
 public:
  struct Options {
    std::size_t series_max = 100;  // of a scope
    std::size_t all_max = 1'000;
    DurationUs hold = 0;
    Executor executor = SequentialExecutor();
  };

  explicit Engine(Options options) : options_(std::move(options)), detector_(options_.hold) {
    PlanOptions plan;
    plan.scope = {*FieldRef::Parse("env")};
    plan.inputs = {{"app", 10 * kSecondUs}};
    plan_ = Plan::Compile(plan, {detector_.Spec()});
    set_.emplace(&detector_, SeriesSet::Specs{}, &plan_,
                 SeriesSet::Limits{options_.series_max, options_.all_max});
  }
  Engine(const Engine&) = delete;

  // One pane; the events of each service fail and have a user each.
  Outcome Step(const std::vector<Count>& counts, bool partial = false) {
    tick_ += kPane;
    PaneTable table(&plan_.aggregations()[plan_.AggregationOf(0)].layout);
    for (const Count& count : counts) {
      std::string key;
      AppendKeyPart(count.env, &key);
      AppendKeyPart(count.service, &key);
      const std::uint32_t row = table.Row(key);
      for (std::int64_t i = 0; i < count.events; ++i) {
        const std::string user = count.service + std::to_string(i);
        Event event;
        event.failed = true;
        event.Set(Field::kUser, user);
        table.Accumulate(row, event);
      }
    }
    std::vector<TitledChange> changes;
    std::vector<SignalImpact> impacts;
    set_->Step({.tick = tick_,
                .partial = partial,
                .deploy_window = 30 * kMinuteUs,
                .deploys = [this](std::string_view) { return std::span<const Deploy>(deploys); }},
               counts.empty() ? nullptr : &table, options_.executor, &changes, &impacts);
    return Text(changes, impacts);
  }
  void Skip(DurationUs time) { tick_ += time; }

  std::string Encode() const {
    ByteWriter out;
    set_->Encode(&out);
    return out.Take();
  }
  bool Decode(const std::string& bytes, TimeUs tick) {
    tick_ = tick;
    ByteReader in(bytes);
    set_->Decode(&in);
    return in.Done();
  }
  const SeriesSet& set() const { return *set_; }
  TimeUs tick() const { return tick_; }
  const std::vector<Signal>& signals() const { return signals_; }

  std::vector<Deploy> deploys;  // of every scope

 private:
  Outcome Text(const std::vector<TitledChange>& changes, const std::vector<SignalImpact>& impacts) {
    Outcome outcome;
    for (const TitledChange& change : changes) {
      static constexpr const char* kNames[] = {"fired", "raised", "cleared", "continued"};
      const Signal& signal = change.change.signal;
      signals_.push_back(signal);
      names_.emplace_back(signal.id, LabelValue(signal.series, "service"));
      outcome.changes.push_back(std::string(kNames[static_cast<int>(change.change.kind)]) + ' ' +
                                std::string(LabelValue(signal.series, "service")) + ' ' +
                                FormatNumber(signal.value) + " (" + signal.evidence[0].json + ')');
    }
    for (const SignalImpact& impact : impacts) {
      const auto name = std::find_if(names_.begin(), names_.end(),
                                     [&](const auto& one) { return one.first == impact.signal; });
      // An engine that was restored does not know the names of older signals.
      outcome.breaching += impact.breaching ? 1 : 0;
      outcome.impacts.push_back((name == names_.end() ? "?" : name->second) + ' ' +
                                std::to_string(impact.failed) + (impact.capped ? " capped" : ""));
    }
    return outcome;
  }

  Options options_;
  BusyDetector detector_;
  Plan plan_;
  std::optional<SeriesSet> set_;
  TimeUs tick_ = At(0);
  std::vector<Signal> signals_;
  std::vector<std::pair<Hash128, std::string>> names_;
};

TEST(SeriesSet, FiresAndClears) {
  Engine engine({});
  EXPECT_THAT(engine.Step({{"b", 9}, {"a", 12}}).changes, ElementsAre("fired a 12 (12)"));
  EXPECT_THAT(engine.Step({}).changes, IsEmpty()) << "no events say nothing";
  EXPECT_THAT(engine.Step({{"b", 10}, {"a", 11}}).changes, ElementsAre("fired b 10 (19)"));
  EXPECT_THAT(engine.Step({{"b", 1}, {"a", 2}}).changes,
              ElementsAre("cleared a 2 (25)", "cleared b 1 (20)"));
  EXPECT_EQ(engine.set().size(), 2u);
  EXPECT_TRUE(engine.set().Firing().empty());

  ASSERT_EQ(engine.signals().size(), 4u);
  const Signal& fired = engine.signals()[0];
  EXPECT_EQ(fired.detector, "busy");
  EXPECT_EQ(fired.kind, "count");
  EXPECT_EQ(fired.level, 2);
  EXPECT_EQ(fired.onset, At(-10)) << "the pane that ended a delay before the tick";
  EXPECT_EQ(fired.fired_at, At(10));
  EXPECT_EQ(fired.threshold, 10);
  EXPECT_EQ(LabelsText(fired.series), "env=prod service=a");
  const Signal& cleared = engine.signals()[2];
  EXPECT_EQ(cleared.id, fired.id);
  EXPECT_EQ(cleared.onset, fired.onset);
  EXPECT_EQ(cleared.cleared_at, At(40));
  EXPECT_EQ(cleared.evidence[1].json, "4") << "updated in every pane";
}

TEST(SeriesSet, SaysForHowLongItHasBeenFiring) {
  Engine engine({});
  std::vector<std::string> told;
  const auto run = [&](DurationUs time, std::int64_t events) {
    for (DurationUs passed = 0; passed < time; passed += kPane) {
      for (std::string& change : engine.Step({{"a", events}}).changes) {
        told.push_back(FormatDuration(engine.tick() - At(0)) + ": " + std::move(change));
      }
    }
  };
  run(50 * kHourUs, 12);
  EXPECT_THAT(told, ElementsAre("10s: fired a 12 (12)", "1h10s: continued a 12 (\"1h\")",
                                "6h10s: continued a 12 (\"6h\")", "1d10s: continued a 12 (\"1d\")",
                                "2d10s: continued a 12 (\"2d\")"));
  told.clear();
  run(kMinuteUs, 1);
  EXPECT_THAT(told, ElementsAre("2d2h10s: cleared a 1 (\"2d2h\")"));
  EXPECT_EQ(engine.signals().back().fired_at, At(10));
  told.clear();
  run(kMinuteUs, 12);
  run(kMinuteUs, 1);
  EXPECT_EQ(told.size(), 2u) << "a minute is no news";
}

TEST(SeriesSet, SaysWhoWasHurtSinceTheOnset) {
  Engine engine({.hold = 30 * kSecondUs});
  EXPECT_THAT(engine.Step({{"a", 5}}).impacts, IsEmpty());
  EXPECT_THAT(engine.Step({{"a", 10}}).impacts, IsEmpty());
  EXPECT_THAT(engine.Step({{"a", 11}}).impacts, IsEmpty());
  const Outcome fired = engine.Step({{"a", 12}});
  EXPECT_THAT(fired.changes, ElementsAre("fired a 12 (38)"));
  EXPECT_THAT(fired.impacts, ElementsAre("a 33")) << "not the five before the onset";
  EXPECT_THAT(engine.Step({{"a", 13}}).impacts, ElementsAre("a 13"));
  EXPECT_THAT(engine.Step({}).impacts, ElementsAre("a 0"));
  EXPECT_THAT(engine.Step({{"a", 1}}).impacts, IsEmpty()) << "it has cleared";
  // A breach that came to nothing is forgotten.
  engine.Step({{"a", 10}});
  engine.Step({{"a", 1}});
  engine.Step({{"a", 20}});
  engine.Step({{"a", 20}});
  EXPECT_THAT(engine.Step({{"a", 20}}).impacts, ElementsAre("a 60"));
}

TEST(SeriesSet, SaysWhenASignalBeganAndWhetherItsConditionStillHolds) {
  Engine engine({});
  EXPECT_EQ(engine.Step({{"a", 12}}).breaching, 1);
  EXPECT_EQ(engine.signals()[0].began, (OnsetInterval{At(-10), At(0)}));
  EXPECT_FALSE(engine.signals()[0].drifts);
  EXPECT_EQ(engine.Step({{"a", 13}, {"b", 10}}).breaching, 2);
  EXPECT_EQ(engine.Step({}).breaching, 0) << "without events it fires on, and nothing holds";
}

TEST(SeriesSet, SaysThatAServiceIsDownForAsLongAsItFires) {
  Engine engine({});
  engine.Step({{"a", 60}, {"b", 59}});
  engine.Step({{"a", 1}, {"b", 1}});
  ASSERT_EQ(engine.signals().size(), 4u);
  EXPECT_TRUE(engine.signals()[0].down);
  EXPECT_FALSE(engine.signals()[1].down);
  EXPECT_TRUE(engine.signals()[2].down) << "also when it clears";
  EXPECT_FALSE(engine.signals()[3].down);
}

TEST(SeriesSet, TakesTheCategoryOfTheClassification) {
  Engine engine({});
  engine.Step({{"a", 60}, {"b", 100}});
  engine.Step({{"a", 1}, {"b", 1}});
  ASSERT_EQ(engine.signals().size(), 4u);
  EXPECT_EQ(engine.signals()[0].category, Category::kAvailability);
  EXPECT_EQ(engine.signals()[1].category, Category::kSecurity);
  EXPECT_EQ(engine.signals()[3].category, Category::kSecurity) << "also when it clears";
}

TEST(SeriesSet, CountsNewKeysPastTheLimitAsOther) {
  Engine engine({.series_max = 2});
  EXPECT_THAT(engine.Step({{"a", 1}, {"c", 1}}).changes, IsEmpty());
  const Outcome full = engine.Step({{"b", 6}, {"d", 5}, {"a", 20}});
  EXPECT_THAT(full.changes, ElementsAre("fired a 20 (21)", "fired (other) 11 (11)"));
  EXPECT_THAT(full.impacts, ElementsAre("a 20", "(other) 11 capped"));
  EXPECT_EQ(engine.set().refused(), 2);
  EXPECT_EQ(engine.set().evicted(), 0);
  EXPECT_EQ(engine.set().size(), 3u);
  // Together with what was past the cap of its pane, whether or not that comes first.
  const Outcome both = engine.Step({{"(other)", 4}, {"b", 3}, {"z", 2}});
  EXPECT_THAT(both.changes, ElementsAre("cleared (other) 9 (20)"));
  EXPECT_THAT(engine.Step({{"(other)", 4}}).changes, IsEmpty());
  EXPECT_EQ(engine.set().size(), 3u);
}

// A label of which every value is new, for hours: what is seen at least once a second stays what it
// was, to the byte, and all the rest is one (other).
TEST(SeriesSet, ALabelThatExplodesTouchesNoBusySeries) {
  Engine exploding({.series_max = 6}), calm({.series_max = 6});
  std::vector<std::string> changes, undisturbed;
  const auto take = [](const Outcome& outcome, std::vector<std::string>* to) {
    for (const std::string& change : outcome.changes) {
      if (change.find("busy") != std::string::npos) to->push_back(change);
    }
  };
  std::size_t largest = 0;
  for (int pane = 0; pane < 3 * 360; ++pane) {
    const std::int64_t events = pane % 50 == 0 ? 12 : 9;  // 10 is its threshold
    std::vector<Count> counts = {{"busy-1", events}, {"busy-2", 9}, {"busy-3", 9}};
    take(calm.Step(counts), &undisturbed);
    if (pane > 0) {
      for (int i = 0; i < 20; ++i) {
        counts.push_back({absl::StrCat(i % 2 == 0 ? "a" : "z", pane, "-", i), 1});
      }
    }
    take(exploding.Step(counts), &changes);
    largest = std::max(largest, exploding.set().size());
  }
  EXPECT_EQ(changes, undisturbed);
  EXPECT_THAT(changes, Not(IsEmpty()));
  EXPECT_EQ(largest, 7u) << "the limit and (other)";
}

TEST(SeriesSet, OtherStaysInItsScope) {
  Engine engine({.series_max = 1});
  engine.Step({{"a", 1}, {"a", 1, "test"}});
  const Outcome outcome =
      engine.Step({{"b", 12}, {"c", 13, "test"}, {"d", 14, "test"}, {"e", 2, "qa"}});
  EXPECT_THAT(outcome.changes, ElementsAre("fired (other) 12 (12)", "fired (other) 27 (27)"));
  EXPECT_EQ(engine.signals()[0].series[0].second, "prod");
  EXPECT_EQ(engine.signals()[1].series[0].second, "test");
  EXPECT_EQ(engine.set().size(), 5u) << "the third scope has its own limit";
  EXPECT_EQ(engine.set().scopes_with_others().size(), 2u);
  EXPECT_THAT(engine.set().crowded_scopes(), IsEmpty());
}

TEST(SeriesSet, AScopeMakesRoomByItsOwnSeries) {
  Engine engine({.series_max = 2});
  engine.Step({{"a", 1, "test"}, {"b", 1, "test"}});
  engine.Skip(kPane);
  engine.Step({{"a", 1}, {"b", 1}});
  engine.Skip(2 * kHourUs);
  // Those of `test` have been idle for longer.
  engine.Step({{"c", 1}});
  EXPECT_EQ(engine.set().evicted(), 1);
  engine.Step({{"a", 15, "test"}, {"b", 15}});
  EXPECT_THAT(engine.signals().front().evidence[0].json, "16") << "it was kept";
  EXPECT_EQ(engine.set().evicted(), 1);
}

TEST(SeriesSet, PastTheBoundOfTheProcessTheScopeIsCrowded) {
  Engine engine({.series_max = 3, .all_max = 4});
  engine.Step({{"a", 1}, {"b", 1}, {"c", 1}, {"a", 1, "test"}});
  EXPECT_THAT(engine.set().crowded_scopes(), IsEmpty());
  const Outcome outcome = engine.Step({{"b", 12, "test"}, {"d", 13}});
  EXPECT_THAT(outcome.changes, ElementsAre("fired (other) 13 (13)", "fired (other) 12 (12)"));
  std::string test;
  AppendKeyPart("test", &test);
  EXPECT_THAT(engine.set().crowded_scopes(), ElementsAre(test)) << "the other has its own limit";
  EXPECT_EQ(engine.set().scopes_with_others().size(), 2u);
  EXPECT_EQ(engine.set().refused(), 2);
  // The one that was seen longest ago makes room, whosever it is: with two for (other) the limit is
  // one more than its scope's.
  engine.Step({{"b", 1}, {"c", 1}, {"(other)", 1}, {"a", 1, "test"}, {"(other)", 1, "test"}});
  engine.Skip(kHourUs - 2 * kPane);
  engine.Step({{"b", 1, "test"}});
  EXPECT_EQ(engine.set().evicted(), 1);
  EXPECT_THAT(engine.set().crowded_scopes(), IsEmpty());
  engine.Step({{"a", 15}});
  EXPECT_EQ(engine.signals().back().evidence[0].json, "15") << "it began anew";
}

TEST(SeriesSet, EvictsTheIdleThatWasSeenLeastRecently) {
  Engine engine({.series_max = 3});
  engine.Step({{"b", 1}, {"c", 1}});
  engine.Step({{"a", 1}});
  engine.Skip(kHourUs - 3 * kPane);
  engine.Step({{"new", 5}});
  EXPECT_EQ(engine.set().evicted(), 0) << "nobody has been idle for an hour";
  EXPECT_EQ(engine.set().refused(), 1);
  // b and c have; of the two the first by key goes. But b is seen in this very pane.
  engine.Step({{"b", 1}, {"new", 12}});
  EXPECT_EQ(engine.set().evicted(), 1);
  EXPECT_EQ(engine.set().size(), 4u) << "with (other)";
  EXPECT_EQ(engine.set().refused(), 1);
  // Now a; the one after it finds nobody.
  engine.Step({{"y", 1}, {"z", 1}});
  EXPECT_EQ(engine.set().evicted(), 2);
  EXPECT_EQ(engine.set().refused(), 2);
  // What came back begins anew.
  engine.Skip(2 * kHourUs);
  EXPECT_THAT(engine.Step({{"c", 15}}).changes, ElementsAre("fired c 15 (15)"));
}

TEST(SeriesSet, NeverEvictsWhatFires) {
  Engine engine({.series_max = 1});
  engine.Step({{"a", 10}});
  engine.Skip(5 * kHourUs);
  engine.Step({{"b", 10}});
  EXPECT_EQ(engine.set().evicted(), 0);
  EXPECT_THAT(engine.Step({{"a", 1}}).changes, ElementsAre("cleared a 1 (\"5h\")"));
}

std::vector<std::vector<Count>> RandomPanes(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::vector<Count>> panes(60);
  for (std::vector<Count>& pane : panes) {
    for (std::uint64_t n = random() % 12; n > 0; --n) {
      pane.push_back({"s" + std::to_string(random() % 20),
                      static_cast<std::int64_t>(1 + random() % 14),
                      random() % 5 == 0 ? "test" : "prod"});
    }
  }
  return panes;
}

TEST(SeriesSet, KnowsTheNewestReleaseOfASeries) {
  Engine engine({});
  engine.Step({{"a", 1}, {"b", 1}});
  const TimeUs first = engine.tick() - 40 * kMinuteUs;
  const TimeUs second = engine.tick() - 20 * kMinuteUs;
  engine.deploys = {{.time = engine.tick() - 2 * kHourUs, .service = "b", .version = "v0"},
                    {.time = first, .service = "", .version = "v1"},
                    {.time = second, .service = "a", .version = "v2"},
                    {.time = second + 1, .service = "b", .version = "v1", .rollback = true}};
  engine.Step({{"a", 10}, {"b", 10}});
  ASSERT_EQ(engine.signals().size(), 2u);
  EXPECT_EQ(engine.signals()[0].evidence[2].json, std::to_string(second));
  EXPECT_EQ(engine.signals()[1].evidence[2].json, std::to_string(first)) << "of all services";
  EXPECT_EQ(engine.signals()[1].evidence[3].json, "true") << "the whole scope was touched";
  engine.deploys = {{.time = first, .service = "a", .version = "v1"},
                    {.time = second, .service = "a", .version = "v0", .rollback = true}};
  engine.Step({{"a", 1}, {"b", 1}});
  ASSERT_EQ(engine.signals().size(), 4u);
  EXPECT_EQ(engine.signals()[2].evidence[2].json, std::to_string(first));
  EXPECT_EQ(engine.signals()[2].evidence[3].json, "false") << "a rollback is no release";
  EXPECT_EQ(engine.signals()[3].evidence[2].json, std::to_string(kNoTime)) << "another service's";
}

std::vector<std::string> TextOf(const Engine::Options& options, std::uint64_t seed) {
  Engine engine(options);
  std::vector<std::string> lines;
  for (const std::vector<Count>& pane : RandomPanes(seed)) {
    const Outcome outcome = engine.Step(pane);
    lines.insert(lines.end(), outcome.changes.begin(), outcome.changes.end());
    lines.insert(lines.end(), outcome.impacts.begin(), outcome.impacts.end());
  }
  lines.push_back(engine.Encode());
  return lines;
}

TEST(SeriesSet, GivesTheSameOnManyThreads) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const Engine::Options alone{.series_max = 12, .hold = 20 * kSecondUs};
    Engine::Options many = alone;
    many.executor = testing::ThreadExecutor(4);
    const std::vector<std::string> lines = TextOf(alone, seed);
    EXPECT_EQ(TextOf(many, seed), lines);
    EXPECT_GT(lines.size(), 20u) << "something fired";
  }
}

TEST(SeriesSet, ReadsBackItsSnapshot) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const Engine::Options options{.series_max = 12};
    Engine undisturbed(options);
    std::unique_ptr<Engine> restored = std::make_unique<Engine>(options);
    for (const std::vector<Count>& pane : RandomPanes(seed)) {
      EXPECT_EQ(restored->Step(pane).changes, undisturbed.Step(pane).changes);
      const std::string bytes = undisturbed.Encode();
      EXPECT_EQ(restored->Encode(), bytes);
      restored = std::make_unique<Engine>(options);
      ASSERT_TRUE(restored->Decode(bytes, undisturbed.tick()));
      EXPECT_EQ(restored->Encode(), bytes);
      EXPECT_EQ(restored->set().Firing(), undisturbed.set().Firing());
      EXPECT_EQ(restored->set().refused(), undisturbed.set().refused());
      EXPECT_EQ(restored->set().size(), undisturbed.set().size());
    }
    const std::string bytes = undisturbed.Encode();
    for (std::size_t size = 0; size < bytes.size(); size += 7) {
      EXPECT_FALSE(Engine(options).Decode(bytes.substr(0, size), At(0))) << size;
    }
  }
}

}  // namespace
}  // namespace tocsin
