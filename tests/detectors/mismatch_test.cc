#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/detectors/harness.h"

namespace tocsin {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

const char* const kStored = R"(name: stored
kind: mismatch
where: {type: metric, name: messages_stored}
compare: {labels.source: [database, application]}
critical: {above: 5, above_share: 0.1%, for: 5m, level: 1}
)";

Event Stored(const char* source, double value) {
  // Labels are views: one list a source, for as long as the program runs.
  static const std::vector<LabelView> kDatabase = {{"source", "database"}};
  static const std::vector<LabelView> kApplication = {{"source", "application"}};
  Event event = GaugeSample(value);
  event.Set(Field::kName, "messages_stored");
  event.labels = std::string_view(source) == "database" ? kDatabase : kApplication;
  return event;
}

// A sample of each a minute, at different seconds; the second one comes with this delay.
void Minutes(Harness* harness, int minutes, double database, double application) {
  for (int i = 0; i < minutes; ++i) {
    harness->Pane({Stored("database", database + 10 * i)});
    harness->Pane({});
    harness->Pane({Stored("application", application + 10 * i)});
    for (int k = 3; k < kMinute; ++k) harness->Pane({});
  }
}

TEST(Mismatch, ADifferenceThatStays) {
  Harness harness(kStored);
  Minutes(&harness, 30, 1000, 1004);
  EXPECT_THAT(harness.changes(), IsEmpty());
  const int start = harness.now();
  Minutes(&harness, 10, 1300, 1350);
  ASSERT_EQ(harness.fired().size(), 1u);
  EXPECT_LE(harness.fired()[0] - start, 7 * kMinute);
  EXPECT_EQ(harness.detector().common().category, Category::kData);
  EXPECT_THAT(harness.EvidenceOf("samples", "database"), HasSubstr("13"));
  Signal signal;
  signal.series = {{"service", "chat"}};
  signal.value = 50;
  EXPECT_EQ(harness.detector().Title(signal),
            "database and application of service=chat differ by 50");
  Minutes(&harness, 5, 1400, 1400);
  EXPECT_TRUE(harness.ClearedAt().has_value());
}

TEST(Mismatch, NearMisses) {
  Harness brief(kStored), small(kStored), missing(kStored);
  for (int i = 0; i < 10; ++i) {
    Minutes(&brief, 4, 1000, 1100);
    Minutes(&brief, 2, 1000, 1000);
  }
  Minutes(&small, 60, 100'000, 100'090);  // below a thousandth
  for (int i = 0; i < kHour; ++i) missing.Pane({Stored("database", 1000 + i)});
  for (const Harness* harness : {&brief, &small, &missing}) {
    EXPECT_THAT(harness->changes(), IsEmpty());
  }
}

TEST(Mismatch, ComparesTwoValuesOfAField) {
  for (const char* compare : {"", "compare: labels.source\n", "compare: {labels.source: [a]}\n",
                              "compare: {labels.source: [a, a]}\n", "compare: {sorce: [a, b]}\n"}) {
    EXPECT_THAT(ErrorsOf(std::string("name: x\nkind: mismatch\nwarn: {}\n") + compare),
                testing::ElementsAre(HasSubstr("compare")))
        << compare;
  }
}

}  // namespace
}  // namespace tocsin
