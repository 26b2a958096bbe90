#include <ostream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/detectors/harness.h"

namespace tocsin {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kLines = R"(name: lines
kind: burst
pattern: "(?i)no connection available"
critical: {count: 3, window: 1m, level: 2}
)";

const std::string kLogins = R"(name: logins
kind: burst
where: {type: auth, outcome: failure}
by: [service]
per: client_ip
category: security
critical: {count: 10, window: 1m, level: 2}
)";

struct LineRow {
  std::string name;
  std::vector<int> panes;  // a matching line in each of these
  bool fires;
};

void PrintTo(const LineRow& row, std::ostream* out) { *out << row.name; }

class BurstOfLines : public testing::TestWithParam<LineRow> {};

TEST_P(BurstOfLines, FiresWhenItShould) {
  Harness harness(kLines);
  for (int pane = 0; pane < 40; ++pane) {
    std::vector<Event> events = {LogLine("all is well")};
    for (const int at : GetParam().panes) {
      if (at == pane) events.push_back(LogLine("ERROR: No connection available in pool"));
    }
    harness.Pane(std::move(events));
  }
  EXPECT_EQ(!harness.fired().empty(), GetParam().fires);
  EXPECT_EQ(harness.ClearedAt().has_value(), GetParam().fires);
}

INSTANTIATE_TEST_SUITE_P(Table, BurstOfLines,
                         testing::Values(LineRow{"three in a pane", {5, 5, 5}, true},
                                         LineRow{"three in a minute", {5, 7, 10}, true},
                                         LineRow{"a window and a pane", {5, 8, 11}, true},
                                         LineRow{"two", {5, 6}, false},
                                         LineRow{"three, too far apart", {5, 8, 12}, false}),
                         [](const testing::TestParamInfo<LineRow>& param) {
                           return std::to_string(param.index);
                         });

TEST(BurstPattern, OneIsEnoughWhereItSaysSo) {
  Harness harness("name: oom\nkind: burst\npattern: OOM\ncritical: {above: 1, window: 1m}\n");
  harness.Pane({LogLine("all is well")});
  harness.Pane({LogLine("OOM kill")});
  EXPECT_THAT(harness.fired(), ElementsAre(1));
  EXPECT_EQ(harness.EvidenceOf("pattern", "message"), "\"OOM\"");
}

TEST(BurstPattern, JoinsTheWhere) {
  const std::string rule = std::string(kLines) + "where: {service: api}\n";
  Harness harness(rule);
  Event other = LogLine("no connection available");
  other.Set(Field::kService, "web");
  harness.Pane({other, other, other});
  EXPECT_THAT(harness.changes(), IsEmpty());
  Event ours = LogLine("no connection available");
  ours.Set(Field::kService, "api");
  harness.Pane({ours, ours, ours});
  EXPECT_FALSE(harness.changes().empty());
  EXPECT_THAT(ErrorsOf(kLines + "where: {message: {prefix: x}}\n"),
              ElementsAre(HasSubstr("use only one")));
}

std::vector<Event> FailedLogins(const std::string& address, int count) {
  return std::vector<Event>(static_cast<std::size_t>(count), Login(address, /*failed=*/true));
}

TEST(BurstPer, TenOfOneAddressWithinAMinute) {
  Harness harness(kLogins);
  for (int i = 0; i < 5; ++i) harness.Pane(FailedLogins("203.0.113.7", 2));
  EXPECT_THAT(harness.fired(), ElementsAre(4));
  EXPECT_THAT(harness.EvidenceOf("top", "client_ip"), HasSubstr("203.0.113.7"));
  Signal signal;
  signal.series = {{"service", "api"}};
  signal.value = signal.threshold = 10;
  EXPECT_EQ(harness.detector().Title(signal),
            "10 events of service=api from one client_ip within 60s (10 or more)");
}

TEST(BurstPer, NearMisses) {
  Harness nine(kLogins);
  nine.Pane(FailedLogins("203.0.113.7", 9));
  Harness many(kLogins);  // 400 a minute, of addresses that fail now and then
  Harness slow(kLogins);  // 9 a minute, for an hour
  Harness good(kLogins);
  for (int i = 0; i < kHour; ++i) {
    std::vector<Event> pane;
    for (int k = 0; k < 66; ++k) {
      pane.push_back(Login(std::to_string((66 * i + k) % 997), /*failed=*/true));
    }
    many.Pane(std::move(pane));
    slow.Pane(i % 2 == 0 ? FailedLogins("203.0.113.7", 2) : FailedLogins("203.0.113.7", 0));
    good.Pane(std::vector<Event>(20, Login("203.0.113.7", /*failed=*/false)));
    nine.Pane({});
  }
  for (const Harness* harness : {&nine, &many, &slow, &good}) {
    EXPECT_THAT(harness->changes(), IsEmpty());
  }
}

// 20 random failing addresses a second, and one that fails 12 times within a minute.
TEST(BurstPer, FindsTheOneAmongManyOthers) {
  Harness harness(kLogins);
  int other = 0;
  for (int i = 0; i < 12; ++i) {
    std::vector<Event> pane;
    for (int k = 0; k < 200; ++k) pane.push_back(Login("10." + std::to_string(other++), true));
    if (i >= 6) {
      for (Event& event : FailedLogins("203.0.113.7", 2)) pane.push_back(event);
    }
    harness.Pane(std::move(pane));
  }
  EXPECT_EQ(harness.fired().size(), 1u);
  EXPECT_THAT(harness.EvidenceOf("top", "client_ip"),
              testing::StartsWith(R"([{"key":"203.0.113.7","count":12,)"));
}

TEST(BurstPer, ClearsWhileOthersFailNowAndThen) {
  Harness harness(kLogins);
  harness.Pane(FailedLogins("203.0.113.7", 12));
  while (!harness.ClearedAt()) {
    ASSERT_LT(harness.now(), 20);
    harness.Pane(FailedLogins("198.51.100.9", harness.now() % 3 == 0 ? 1 : 0));
    // Whoever did it is named to the end, and nobody else.
    EXPECT_EQ(harness.EvidenceOf("top", "client_ip"),
              R"([{"key":"203.0.113.7","count":12,"share":1}])");
  }
  EXPECT_EQ(harness.fired().size(), 1u);
  harness.Pane(FailedLogins("198.51.100.9", 1));
  EXPECT_THAT(harness.EvidenceOf("top", "client_ip"), testing::Not(HasSubstr("203.0.113.7")));
}

TEST(BurstPer, NeedsATextFieldAndAShortWindow) {
  EXPECT_THAT(
      ErrorsOf("name: x\nkind: burst\nwhere: {type: auth}\nper: stauts\nwarn: {count: 3}\n"),
      ElementsAre(HasSubstr("not a string field")));
  EXPECT_THAT(ErrorsOf("name: x\nkind: burst\nwhere: {type: auth}\nper: user\n"
                       "warn: {count: 3, window: 1h}\n"),
              ElementsAre(HasSubstr("at most 10m")));
  EXPECT_THAT(ErrorsOf("name: x\nkind: burst\nwarn: {count: 3}\n"),
              ElementsAre(HasSubstr("needs 'where' or 'pattern'")));
}

}  // namespace
}  // namespace tocsin
