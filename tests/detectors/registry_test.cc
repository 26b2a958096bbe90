#include "detectors/registry.h"

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/detectors/examples.h"
#include "tests/detectors/harness.h"

namespace tocsin {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// A pane of anything, in bursts and silences.
std::vector<Event> RandomPane(std::mt19937_64* random, int pane) {
  static const std::vector<std::string> kAddresses = {"10.0.0.1", "10.0.0.2", "10.0.0.3",
                                                      "10.9.9.9"};
  std::vector<Event> events;
  const auto roll = [&](unsigned n) { return static_cast<int>((*random)() % n); };
  const int count = roll(4) == 0 ? 0 : roll(60);
  const unsigned failing = roll(3) == 0 ? 90 : 1;
  for (int i = 0; i < count; ++i) {
    switch (roll(9)) {
      case 0:
        // Rises for two hours, so that trends have something to see.
        events.push_back(GaugeSample(pane % 700 / 7 + roll(30), 100));
        events.back().Set(Field::kUnit, roll(2) == 0 ? "a" : "b");
        break;
      case 1:
        events.push_back(LogLine(roll(8) == 0 ? "connection refused" : "fine"));
        break;
      case 2:
        events.push_back(Connection(kAddresses[static_cast<std::size_t>(roll(4))],
                                    roll(2) == 0 ? "a/1" : "b/2"));
        break;
      case 3:
        events.push_back(Login(kAddresses[static_cast<std::size_t>(roll(4))],
                               roll(100) < static_cast<int>(failing)));
        break;
      case 4:
        events.push_back(
            Session(roll(100) < static_cast<int>(failing), roll(2) == 0 ? "1.0" : "1.1", "Oops"));
        break;
      case 5: {
        Event told;
        told.type = roll(2) == 0 ? EventType::kAlarm : EventType::kCheck;
        told.state = static_cast<AlarmState>(roll(4));
        told.outcome = static_cast<Outcome>(roll(3));
        if (roll(2) == 0) told.cvss = roll(101) / 10.0;
        told.Normalize();
        events.push_back(told);
        break;
      }
      case 6:
        events.push_back(Payment(roll(100) < static_cast<int>(failing)));
        break;
      default:
        events.push_back(Request((*random)() % 100 < failing, roll(failing * 10'000)));
    }
    events.back().weight = 1 + roll(3);
  }
  return events;
}

class Contract : public testing::TestWithParam<std::string> {};

// The harness compares a decoded copy in every pane.
TEST_P(Contract, SurvivesRandomEventsAndIsDeterministic) {
  for (const unsigned seed : {1u, 2u}) {
    std::vector<std::string> encoded;
    std::vector<std::vector<Change>> changes;
    for (int run = 0; run < 2; ++run) {
      Harness harness(GetParam());
      std::mt19937_64 random(seed);
      for (int i = 0; i < 3 * kHour; ++i) {
        harness.partial = random() % 50 == 0;
        harness.recent_deploy = random() % 20 == 0;
        if (random() % 200 == 0) harness.deployed_at = kStart + harness.now() * kPane;
        harness.Pane(RandomPane(&random, harness.now()));
      }
      encoded.push_back(harness.Encoded());
      changes.push_back(harness.changes());
    }
    EXPECT_EQ(encoded[0], encoded[1]) << "seed " << seed;
    EXPECT_EQ(changes[0], changes[1]) << "seed " << seed;
    EXPECT_FALSE(changes[0].empty()) << "seed " << seed;
  }
}

TEST_P(Contract, RefusesTruncatedState) {
  Harness harness(GetParam());
  std::mt19937_64 random(5);
  for (int i = 0; i < 200; ++i) harness.Pane(RandomPane(&random, harness.now()));
  const std::string bytes = harness.Encoded();
  for (std::size_t size = 0; size < bytes.size(); size += 1 + size / 16) {
    ByteReader in(std::string_view(bytes).substr(0, size));
    harness.detector().NewSeries()->Decode(&in);
    EXPECT_FALSE(in.ok()) << size;
  }
}

TEST_P(Contract, EvidenceIsOrderedJson) {
  static const std::vector<std::string> kOrder = {
      "window",  "samples", "baseline", "threshold", "evidence_floor", "label",
      "missing", "value",   "pattern",  "top",       "panes"};
  Harness harness(GetParam());
  std::mt19937_64 random(6);
  for (int i = 0; i < 100; ++i) harness.Pane(RandomPane(&random, harness.now()));
  std::size_t last = 0;
  for (const Evidence& evidence : harness.state().Explain()) {
    const auto at = std::find(kOrder.begin(), kOrder.end(), evidence.kind);
    ASSERT_NE(at, kOrder.end()) << evidence.kind;
    const auto place = static_cast<std::size_t>(at - kOrder.begin());
    EXPECT_GE(place, last) << evidence.kind;
    last = place;
    EXPECT_FALSE(evidence.json.empty());
  }
  EXPECT_EQ(last, kOrder.size() - 1);
  EXPECT_FALSE(harness.detector().Title(Signal()).empty());
}

TEST_P(Contract, ALevelIsRequiredAndKeysAreKnown) {
  const std::string name = "name: x\nkind: " + KindOf(GetParam()) + "\n";
  EXPECT_THAT(ErrorsOf(name), testing::Contains(HasSubstr("needs 'warn' or 'critical'")));
  EXPECT_THAT(ErrorsOf(GetParam() + "keep_fireing_for: 1m\n"),
              ElementsAre(HasSubstr("did you mean 'keep_firing_for'?")));
  EXPECT_THAT(ErrorsOf(GetParam() + "keep_firing_for: 60\n"),
              ElementsAre(HasSubstr("keep_firing_for")));
  EXPECT_THAT(ErrorsOf(GetParam() + "category: speed\n"), ElementsAre(HasSubstr("capacity")));
}

INSTANTIATE_TEST_SUITE_P(Examples, Contract, testing::ValuesIn(ExampleStanzas()),
                         [](const testing::TestParamInfo<std::string>& param) {
                           return KindOf(param.param) + std::to_string(param.index);
                         });

TEST(Registry, EveryKindHasAnExample) {
  std::map<std::string, int> examples;
  for (const std::string& example : ExampleStanzas()) ++examples[KindOf(example)];
  std::vector<std::string> kinds = DetectorKinds();
  for (const std::string& kind : kinds) EXPECT_GE(examples[kind], 1) << kind;
  EXPECT_EQ(examples.size(), kinds.size());
}

struct WrongStanza {
  std::string yaml;
  std::string at;       // line:column
  std::string message;  // part of it
};

TEST(Registry, NamesWhatIsWrongAndWhere) {
  const std::vector<WrongStanza> rows = {
      {"name: x\nkind: error_rat\nwarn: {above: 5%}\n", "2:7", "did you mean 'error_rate'?"},
      {"name: x\nkind: error_rate\nwarn: {above: 5%, windw: 5m}\n", "3:19",
       "did you mean 'window'"},
      {"name: x\nkind: error_rate\nwarn: {above: 5%, for: 5}\n", "3:24", "for"},
      {"name: x\nkind: error_rate\nwarn: {window: 5m}\n", "3:7", "needs 'above'"},
      {"name: x\nkind: error_rate\nwarn: {above: 100%}\n", "3:15", "between 0 and 100 %"},
      {"name: x\nkind: error_rate\nwarn: {above: 5%, clear: 6%}\n", "3:26", "larger than above"},
      {"name: x\nkind: error_rate\nwarn: {above: 5%, level: 5}\n", "3:26", "level"},
      {"name: x\nkind: error_rate\nwarn: 5%\n", "3:7", "expected a map"},
      {"name: x\nkind: error_rate\nby: [client_ip]\nwarn: {above: 5%}\n", "3:6",
       "a series per address"},
      {"name: x\nkind: error_rate\nby: [servce]\nwarn: {above: 5%}\n", "3:6", "unknown field"},
      {"name: x\nkind: error_rate\nwhere: {tpe: request}\nwarn: {above: 5%}\n", "3:9", "tpe"},
      {"name: x\nkind: latency\nwarn: {p95_above: 2}\n", "3:19", "p95_above"},
      {"name: x\nkind: latency\nwarn: {window: 1m}\n", "3:7", "needs 'p95_above'"},
      {"name: x\nkind: latency\nwarn: {p95_above: 2s, at_least: 1s}\n", "3:33", "requires"},
      {"name: x\nkind: saturation\nunit: per_cent\nwarn: {}\n", "3:7", "did you mean 'percent'"},
      {"name: x\nkind: saturation\nunit: absolute\nwarn: {level: 3}\n", "4:7", "needs 'above'"},
      {"name: x\nkind: saturation\npattern: \"(\"\nwarn: {count: 3}\n", "3:10",
       "regular expression"},
      {"name: x\nkind: saturation\npattern: y\nwarn: {count: 0}\n", "4:15", "count"},
      {"name: x\nkind: storm\nwarn: {ratio: 3}\n", "3:7", "needs 'above'"},
      {"name: x\nkind: storm\nsurge_level: 9\nwarn: {above: 3}\n", "3:14", "surge_level"},
      {"name: x\nkind: storm\nexplained_by: {type: request}\nwarn: {above: 3}\n", "3:1",
       "explained_by"},
      {"name: x\nkind: storm\ngauge: true\nexplained_by: {tipe: request}\nwarn: {above: 3}\n",
       "4:16", "tipe"},
      // What a level and another key mean together is only judged where both are sound.
      {"name: x\nkind: error_rate\nwarn: {above: 500%, clear: 50%}\n", "3:15", "share"},
      {"name: x\nkind: burst\nwhere: {type: log}\nwarn: {count: many, clear: 5}\n", "4:15",
       "count"},
      {"name: x\nkind: saturation\nunit: absolut\nwarn: {above: 90}\n", "3:7", "unit"},
      {"name: x\nkind: burn_rate\nobjective: most\nwarn: {}\n", "3:12", "objective"},
      {"name: x\nkind: error_rate\nfailure: {stauts: 429}\nwarn: {above: 5%}\n", "3:11",
       "unknown field 'stauts'"},
  };
  for (const WrongStanza& row : rows) {
    const std::vector<std::string> errors = ErrorsOf(row.yaml);
    ASSERT_THAT(errors, SizeIs(1)) << row.yaml;
    EXPECT_THAT(errors[0], HasSubstr("test.yaml:" + row.at + ": ")) << row.yaml;
    EXPECT_THAT(errors[0], HasSubstr(row.message)) << row.yaml;
  }
}

TEST(Registry, AConfigurationsDetectors) {
  ErrorList errors;
  Config config;
  for (const char* kind : {"error_rate", "nonsense", "storm"}) {
    DetectorConfig stanza = {.name = kind, .kind = kind, .node = {}};
    stanza.node = ParseYaml("warn: {above: 0.5}", "c.yaml", &errors);
    config.detectors.push_back(stanza);
  }
  EXPECT_THAT(NewDetectors(config, &errors), SizeIs(1));
  EXPECT_THAT(errors.Sorted(), SizeIs(2));
}

TEST(Registry, AnUnknownKindHidesNothingThatAllKindsHave) {
  EXPECT_THAT(ErrorsOf("name: x\nkind: nonsense\nby: [servce]\nwhere: {tpe: log}\nlimit: 5\n"
                       "warn: {for: 5, rate: 3}\n"),
              ElementsAre(HasSubstr("test.yaml:2:7: kind is 'nonsense'"),
                          HasSubstr("test.yaml:3:6: by: unknown field 'servce'"),
                          HasSubstr("test.yaml:4:9: unknown field 'tpe'"),
                          HasSubstr("test.yaml:6:13: for is 5 without a unit")));
}

TEST(Registry, ADetectorReadsInputsThatThereAre) {
  const auto errors_of = [](const std::string& inputs, const std::string& reads) {
    ErrorList errors;
    const std::optional<Config> config =
        LoadConfigText(inputs + "detectors:\n  - {name: d, kind: error_rate, inputs: " + reads +
                           ", warn: {above: 5%}}\n",
                       "c.yaml", &errors);
    if (config) NewDetectors(*config, &errors);
    std::vector<std::string> texts;
    for (const ConfigError& error : errors.Sorted()) texts.push_back(error.ToString());
    return texts;
  };
  const std::string two = "inputs: [{name: web, file: w}, {name: app-logs, file: a}]\n";
  EXPECT_THAT(errors_of(two, "[app-logs]"), SizeIs(0));
  EXPECT_THAT(errors_of(two, "[web, app-log]"),
              ElementsAre("c.yaml:3:47: detector d reads the unknown input 'app-log': did you mean "
                          "'app-logs'?"));
  EXPECT_THAT(errors_of(two, "kafka"), ElementsAre(HasSubstr("(inputs are web, app-logs)")));
  // Those of a profile come from whoever extends it.
  EXPECT_THAT(errors_of("", "[app-logs]"), SizeIs(0));
}

TEST(Registry, AcceptsEveryProfile) {
  for (const std::string& name : ProfileNames()) {
    ErrorList errors;
    const std::optional<Config> config = LoadConfig("@" + name, &errors);
    ASSERT_TRUE(config.has_value()) << name;
    EXPECT_THAT(NewDetectors(*config, &errors), SizeIs(config->detectors.size())) << name;
    for (const ConfigError& error : errors.Sorted()) ADD_FAILURE() << error.ToString();
  }
}

// A count-only series fits into 1 KiB, and 2 KiB more where it knows its season.
TEST(Registry, ACountSeriesIsSmall) {
  for (const std::string& example : ExampleStanzas()) {
    if (KindOf(example) != "error_rate" && KindOf(example) != "absence") continue;
    Harness harness(example);
    harness.Requests(kHour, 0, 10);
    EXPECT_LE(harness.Encoded().size(), KindOf(example) == "absence" ? 3072u : 1024u) << example;
  }
}

}  // namespace
}  // namespace tocsin
