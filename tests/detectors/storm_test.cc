#include <cmath>
#include <cstdint>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "detectors/statistics/baseline.h"
#include "detectors/statistics/cusum.h"
#include "detectors/statistics/window.h"
#include "tests/detectors/harness.h"

namespace tocsin {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// 1,000 in 5 min against a baseline of 200.
const std::string kStorm = R"(name: storm
kind: storm
by: [service]
critical: {above: 1000, ratio: 3, window: 5m, for: 5m, level: 2}
surge_level: 3
)";

// Connections of one pane; the strings live as long as the traffic.
class Traffic {
 public:
  explicit Traffic(unsigned seed) : random_(seed) {}

  const std::string& Keep(std::string text) { return *kept_.insert(std::move(text)).first; }
  // From `addresses` addresses of the network `net`, agents as on any day.
  void Add(int count, int addresses, int net) { Add(count, addresses, net, ""); }
  void Add(int count, int addresses, int net, const std::string& agent) {
    for (int i = 0; i < count; ++i) {
      const auto host = static_cast<int>(random_() % static_cast<unsigned>(addresses));
      const std::string& address =
          Keep("10." + std::to_string(net) + "." + std::to_string(host / 256) + "." +
               std::to_string(host % 256));
      events_.push_back(Connection(address, agent.empty() ? UsualAgent() : Keep(agent)));
    }
  }
  std::vector<Event> Take() { return std::exchange(events_, {}); }

 private:
  std::string_view UsualAgent() {
    const auto roll = random_() % 10;
    return roll < 4 ? "Chrome/121" : roll < 7 ? "MobileApp/2.0.0" : "MobileApp/1.0.0";
  }

  std::mt19937_64 random_;
  std::set<std::string> kept_;
  std::vector<Event> events_;
};

constexpr int kUsual = 7;      // connections a pane: 210 in 5 min
constexpr int kSources = 300;  // from so many addresses

// An hour and a half of a usual day.
void WarmUp(Harness* harness, Traffic* traffic, int panes = 90 * kMinute) {
  harness->check_copy = false;
  for (int i = 0; i < panes; ++i) {
    traffic->Add(kUsual, kSources, 1);
    harness->Pane(traffic->Take());
  }
  harness->check_copy = true;
}

struct StormRow {
  std::string name;
  int extra;  // connections a pane beyond the usual
  int addresses;
  int net;  // 1: the usual addresses
  std::string agent;
  int panes;
  std::string label;  // empty: stays silent
};

void PrintTo(const StormRow& row, std::ostream* out) { *out << row.name; }

class StormTable : public testing::TestWithParam<StormRow> {};

TEST_P(StormTable, IsLabelled) {
  const StormRow& row = GetParam();
  for (const unsigned seed : {1u, 2u, 3u}) {
    Harness harness(kStorm);
    Traffic traffic(seed);
    WarmUp(&harness, &traffic);
    const int start = harness.now();
    for (int i = 0; i < row.panes; ++i) {
      traffic.Add(kUsual, kSources, 1);
      traffic.Add(row.extra, row.addresses, row.net, row.agent);
      harness.Pane(traffic.Take());
    }
    WarmUp(&harness, &traffic, 15 * kMinute);
    if (row.label.empty()) {
      EXPECT_THAT(harness.changes(), IsEmpty());
      continue;
    }
    ASSERT_EQ(harness.changes().size(), 2u);  // fired and cleared
    EXPECT_EQ(harness.changes()[0].classification, row.label);
    EXPECT_LE(harness.changes()[0].pane - start, 31);
    EXPECT_GE(harness.changes()[0].pane - start, 20);
    EXPECT_LE(harness.changes()[1].pane - start, row.panes + 2 * kMinute + 1);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table, StormTable,
    testing::Values(StormRow{"few addresses", 60, 5, 9, "curl/8", 48, "attack"},
                    StormRow{"few addresses, usual agents", 60, 8, 9, "", 48, "attack"},
                    StormRow{"campaign: many new users", 60, 4000, 2, "", 48, "surge"},
                    StormRow{"a release: all users come", 60, 3000, 1, "", 48, "surge"},
                    StormRow{"one client in a loop", 70, 120, 1, "MobileApp/1.0.0", 48, "client"},
                    StormRow{"many new sources, one odd agent", 60, 60000, 3, "Go-http", 48,
                             "botnet"},
                    StormRow{"new sources that come often", 300, 2000, 3, "Go-http", 48, "botnet"},
                    StormRow{"just under 1,000", 24, 5, 9, "curl/8", 90, ""},
                    StormRow{"too short: 3 min", 60, 5, 9, "curl/8", 18, ""}),
    [](const testing::TestParamInfo<StormRow>& param) { return std::to_string(param.index); });

// From 20 a pane at midnight to 280 at noon, on the first days: nothing is known of noons yet.
TEST(Storm, AMorningIsNoStorm) {
  Harness harness(kStorm);
  harness.check_copy = false;
  for (int i = 0; i < 3 * 24 * kHour; ++i) {
    const int of_day = i % (24 * kHour), to_noon = 12 * kHour - of_day;
    Event event = Connection("10.1.0.1", "Chrome/121");
    event.weight = 280 - 260 * (to_noon < 0 ? -to_noon : to_noon) / (12 * kHour);
    harness.Pane({event});
  }
  EXPECT_THAT(harness.changes(), IsEmpty());
}

// Crowds of minutes and an outage on the way up must not hold what is usual at what it was at
// night.
TEST(Storm, AMorningWithCrowdsAndAGapIsNoStorm) {
  constexpr double kPi = 3.141592653589793;
  for (unsigned seed = 1; seed <= 20; ++seed) {
    Harness harness(kStorm);
    harness.check_copy = false;
    std::mt19937_64 random(seed);
    const auto between = [&random](double low, double high) {
      return low + (high - low) * static_cast<double>(random() >> 11) * 0x1p-53;
    };
    const double mean = between(20, 300), swing = between(0.6, 0.75),
                 peak = between(12, 18) * kHour;
    const int gap_from = static_cast<int>(between(6, 12) * kHour);
    const int gap_to = gap_from + static_cast<int>(between(10, 40) * kMinute);
    int crowd_panes = 0;
    double crowd = 1;
    for (int i = 0; i < 24 * kHour; ++i) {
      if (crowd_panes-- <= 0) crowd = 1;
      if (between(0, 1) < 12.0 / (24 * kHour)) {
        crowd_panes = static_cast<int>(between(1, 5) * kMinute);
        crowd = between(1.5, 2.2);
      }
      if (i >= gap_from && i < gap_to) {
        harness.Pane({});
        continue;
      }
      Event event = Connection("10.1.0.1", "Chrome/121");
      const double load = 1 + swing * std::cos(2 * kPi * (i - peak) / (24 * kHour));
      event.weight = std::poisson_distribution<std::int64_t>(mean * load * crowd)(random);
      harness.Pane({event});
    }
    EXPECT_THAT(harness.changes(), IsEmpty()) << "seed " << seed;
  }
}

TEST(Storm, TheRatioMattersWhereMuchIsUsual) {
  Harness harness(kStorm);
  Traffic traffic(1);
  for (int i = 0; i < 2 * kHour; ++i) {
    traffic.Add(20, kSources, 1);  // 600 in 5 min
    harness.check_copy = false;
    harness.Pane(traffic.Take());
  }
  for (int i = 0; i < kHour; ++i) {
    traffic.Add(40, kSources, 1);  // 1,200: above 1,000, but only twice the usual
    harness.Pane(traffic.Take());
  }
  EXPECT_THAT(harness.changes(), IsEmpty());
}

// A new service with many connections: three times the usual cannot be said of it yet.
TEST(Storm, ARatioIsSilentUntilTheUsualIsKnown) {
  Harness harness(kStorm);
  Event event = Connection("10.1.0.1", "Chrome/121");
  event.weight = 100;
  for (int i = 0; i < 3 * kHour; ++i) harness.Pane({event});
  EXPECT_THAT(harness.changes(), IsEmpty());
  Harness gauge(
      "name: g\nkind: storm\ngauge: true\nwhere: {type: metric}\n"
      "critical: {above: 1000, ratio: 3}\n");
  for (int i = 0; i < 3 * kHour; ++i) gauge.Pane({GaugeSample(1500)});
  EXPECT_THAT(gauge.changes(), IsEmpty());
}

TEST(Storm, WithoutARatioAboveDecidesAloneUntilTheUsualIsKnown) {
  Harness harness(
      "name: storm\nkind: storm\nby: [service]\ncritical: {above: 1000, window: 5m, for: 5m}\n");
  Traffic traffic(1);
  for (int i = 0; i < 12 * kMinute; ++i) {
    traffic.Add(60, 5, 9, "curl/8");
    harness.Pane(traffic.Take());
  }
  ASSERT_EQ(harness.changes().size(), 1u);
  EXPECT_EQ(harness.changes()[0].classification, "attack");
}

TEST(Storm, ASurgeIsCappedAndAnAttackIsASecurityMatter) {
  Harness harness(kStorm);
  const Detector& detector = harness.detector();
  EXPECT_EQ(detector.CapLevel(2, "surge"), 3);
  EXPECT_EQ(detector.CapLevel(4, "surge"), 4);
  EXPECT_EQ(detector.CapLevel(2, "attack"), 2);
  EXPECT_EQ(detector.CategoryOf("attack"), Category::kSecurity);
  EXPECT_EQ(detector.CategoryOf("surge"), Category::kCapacity);
}

TEST(Storm, ListsWhoItWas) {
  Harness harness(kStorm);
  Traffic traffic(1);
  WarmUp(&harness, &traffic);
  for (int i = 0; i < 40; ++i) {
    traffic.Add(60, 2, 9, "curl/8");
    harness.Pane(traffic.Take());
  }
  std::vector<std::string> kinds;
  for (const Evidence& evidence : harness.state().Explain()) kinds.push_back(evidence.kind);
  EXPECT_THAT(kinds,
              ElementsAre("window", "samples", "samples", "baseline", "baseline", "threshold",
                          "threshold", "label", "top", "top", "top", "top", "panes"));
  EXPECT_THAT(harness.EvidenceOf("label", "reason"), HasSubstr("2 addresses, never seen before"));
  EXPECT_THAT(harness.EvidenceOf("top", "client_ip"), HasSubstr(R"([{"key":"10.9.0.)"));
  EXPECT_THAT(harness.EvidenceOf("top", "user_agent"), HasSubstr(R"([{"key":"curl/8")"));
  EXPECT_EQ(harness.EvidenceOf("samples", "events"), "1800");
}

TEST(Storm, OfRequestsNamesTheEndpoint) {
  Harness harness(
      "name: ddos\nkind: storm\nwhere: {type: request}\nwarn: {above: 600, window: 1m}\n");
  for (int i = 0; i < kMinute; ++i) {
    std::vector<Event> events(200, Request(false));
    harness.Pane(std::move(events));
  }
  EXPECT_FALSE(harness.changes().empty());
  EXPECT_THAT(harness.EvidenceOf("top", "endpoint"), HasSubstr("/orders"));
}

// One host that changes its address within its /64 with every connection.
TEST(Storm, AnIpv6NetworkIsOneSource) {
  Harness harness(kStorm);
  Traffic traffic(1);
  WarmUp(&harness, &traffic);
  for (int i = 0; i < 40; ++i) {
    traffic.Add(kUsual, kSources, 1);
    std::vector<Event> events = traffic.Take();
    for (int k = 0; k < 60; ++k) {
      const std::string& address = traffic.Keep("2001:db8:1:2::" + std::to_string(i * 60 + k));
      events.push_back(Connection(address, "Chrome/121"));
    }
    harness.Pane(std::move(events));
  }
  ASSERT_EQ(harness.changes().size(), 1u);
  EXPECT_EQ(harness.changes()[0].classification, "attack");
  EXPECT_THAT(harness.EvidenceOf("top", "client_ip"), HasSubstr(R"([{"key":"2001:db8:1:2::/64")"));
}

// What grows over half an hour must not become usual meanwhile.
TEST(Storm, ASlowRiseIsNotLearned) {
  Harness harness(kStorm);
  Traffic traffic(1);
  WarmUp(&harness, &traffic);
  harness.check_copy = false;
  for (int i = 0; i < 45 * kMinute && harness.changes().empty(); ++i) {
    traffic.Add(kUsual, kSources, 1);
    traffic.Add(i * 50 / (30 * kMinute), 3000, 9, "Go-http");
    harness.Pane(traffic.Take());
  }
  ASSERT_EQ(harness.changes().size(), 1u);
  EXPECT_EQ(harness.changes()[0].classification, "botnet");
}

// Everybody comes through the same two proxies.
TEST(Storm, BehindAProxyAddressesSayNothing) {
  Harness harness(kStorm);
  Traffic traffic(1);
  for (int i = 0; i < 90 * kMinute; ++i) {
    traffic.Add(kUsual, 2, 1);
    harness.check_copy = false;
    harness.Pane(traffic.Take());
  }
  for (int i = 0; i < 40; ++i) {
    traffic.Add(60, 2, 1);
    harness.Pane(traffic.Take());
  }
  ASSERT_EQ(harness.changes().size(), 1u);
  EXPECT_EQ(harness.changes()[0].classification, "surge");
}

TEST(Storm, UnknownSaysWhatIsMissing) {
  Harness harness(kStorm);
  Event event;
  event.type = EventType::kConnection;
  event.action = ConnectionAction::kOpen;
  event.Normalize();
  harness.check_copy = false;
  for (int i = 0; i < 90 * kMinute; ++i) harness.Pane(std::vector<Event>(7, event));
  for (int i = 0; i < 40; ++i) harness.Pane(std::vector<Event>(70, event));
  ASSERT_EQ(harness.changes().size(), 1u);
  EXPECT_EQ(harness.changes()[0].classification, "unknown");
  EXPECT_EQ(harness.EvidenceOf("missing", "client_ip"), R"("no client addresses in the events")");
  EXPECT_EQ(harness.EvidenceOf("missing", "user_agent"), R"("no user agents in the events")");
}

constexpr const char* kSockets = R"(name: sockets
kind: storm
gauge: true
where: {type: metric}
critical: {above: 1000, ratio: 3, for: 5m}
)";

// Two connections a second are no storm by themselves: 600 in five minutes.
TEST(Storm, AGaugeIsExplainedByWhoOpensConnections) {
  for (const std::string label : {"attack", "surge", "client"}) {
    Harness harness(kSockets);
    Traffic traffic(1);
    double open = 200;
    harness.check_copy = false;
    for (int i = 0; i < 90 * kMinute; ++i) {
      traffic.Add(kUsual, kSources, 1);
      std::vector<Event> events = traffic.Take();
      events.push_back(GaugeSample(open));
      harness.Pane(std::move(events));
    }
    harness.check_copy = true;
    for (int i = 0; i < 20 * kMinute && harness.changes().empty(); ++i) {
      traffic.Add(kUsual, kSources, 1);
      if (label == "attack") traffic.Add(20, 5, 9, "curl/8");
      if (label == "surge") traffic.Add(20, 4000, 2);
      if (label == "client") traffic.Add(20, 100, 1, "MobileApp/1.0.0");
      open += 20;
      std::vector<Event> events = traffic.Take();
      events.push_back(GaugeSample(open));
      harness.Pane(std::move(events));
    }
    ASSERT_EQ(harness.changes().size(), 1u) << label;
    EXPECT_EQ(harness.changes()[0].classification, label);
    EXPECT_THAT(harness.EvidenceOf("top", "client_ip"), HasSubstr("key"));
  }
}

TEST(Storm, AGaugeAloneSaysThatNothingExplainsIt) {
  Harness harness(kSockets);
  for (int i = 0; i < kHour; ++i) harness.Pane({GaugeSample(200)});
  for (int i = 0; i < 40; ++i) harness.Pane({GaugeSample(1500)});
  ASSERT_EQ(harness.changes().size(), 1u);
  EXPECT_EQ(harness.changes()[0].classification, "unknown");
  EXPECT_EQ(harness.EvidenceOf("missing", "events"), R"("no connection events of its service")");
}

// Connections that are opened as ever, and no longer closed.
TEST(Storm, AGaugeThatRisesByItselfSaysSo) {
  Harness harness(kSockets);
  Traffic traffic(1);
  harness.check_copy = false;
  for (int i = 0; i < 120 * kMinute; ++i) {
    traffic.Add(kUsual, kSources, 1);
    std::vector<Event> events = traffic.Take();
    events.push_back(GaugeSample(i < 90 * kMinute ? 200 : 200 + 7 * (i - 90 * kMinute)));
    harness.Pane(std::move(events));
  }
  ASSERT_EQ(harness.changes().size(), 1u);
  EXPECT_EQ(harness.changes()[0].classification, "unknown");
  EXPECT_THAT(harness.EvidenceOf("missing", "events"), HasSubstr("hardly more events than usual"));
}

// As format 5 had it: without the time since it learns anew.
void EncodeFormat5(const RateBaseline& baseline, ByteWriter* out) {
  ByteWriter now;
  baseline.Encode(&now);
  ByteReader in(now.view());
  for (int i = 0; i < 3; ++i) out->Signed(in.Signed());
  in.Signed();
  out->Raw(now.view().substr(now.size() - in.remaining()));
}

// What a build of format 5 wrote of a storm: its sources are learned anew, its rate is not.
TEST(Storm, ReadsFormat5) {
  const auto top_window = [](ByteWriter* out) {
    for (int i = 0; i < 7; ++i) out->Varint(static_cast<std::uint64_t>(i % 2));
    out->Bytes("whatever");
  };
  Harness harness(kStorm);
  ByteWriter out;
  CountRing(kPlotPanes + 1).Encode(&out);
  for (int i = 0; i < 2 * 5; ++i) out.Double(0);  // evidence, rates and their logarithms
  RateBaseline baseline;
  const BaselinePace pace(kPane);
  for (int i = 0; i < kHour; ++i) baseline.Update({}, kStart + i * kPane, kUsual, pace);
  EncodeFormat5(baseline, &out);
  top_window(&out);
  top_window(&out);
  SketchWindow<HyperLogLog>(30, HyperLogLog()).Encode(&out);
  out.Signed(60);
  for (int i = 0; i < 3; ++i) out.Double(1);
  out.Varint(1);
  out.Fixed64(7);
  out.Double(0.5);
  for (int i = 0; i < 2; ++i) HyperLogLog().Encode(&out);
  out.Signed(kStart);
  SpaceSaving(8).Encode(&out);
  out.Double(kUsual);
  out.Bytes("surge");
  out.Varint(1);
  out.Bool(false);
  ByteReader in(out.view(), 5);
  harness.state().Decode(&in);
  EXPECT_TRUE(in.Done());
  EXPECT_EQ(harness.state().Classification(), "surge");
  Traffic traffic(1);
  harness.Skip(kHour);
  for (int i = 0; i < 48; ++i) {
    traffic.Add(60, 4000, 2);
    harness.Pane(traffic.Take());
  }
  ASSERT_EQ(harness.changes().size(), 1u);
  EXPECT_EQ(harness.changes()[0].classification, "unknown");
  EXPECT_THAT(harness.EvidenceOf("missing", "baseline"), HasSubstr("no baseline yet"));
}

TEST(Storm, OfAGauge) {
  Harness harness(kSockets);
  for (int i = 0; i < kHour; ++i) harness.Pane({GaugeSample(200)});
  for (int i = 0; i < 24; ++i) harness.Pane({GaugeSample(1500)});  // too short
  for (int i = 0; i < kHour; ++i) harness.Pane({GaugeSample(200)});
  for (int i = 0; i < 10 * kMinute; ++i) harness.Pane({GaugeSample(990)});  // just under
  EXPECT_THAT(harness.changes(), IsEmpty());
  const int start = harness.now();
  for (int i = 0; i < 40; ++i) harness.Pane({GaugeSample(1500)});
  EXPECT_THAT(harness.fired(), ElementsAre(start + 29));
  EXPECT_EQ(harness.changes()[0].classification, "unknown");
}

}  // namespace
}  // namespace tocsin
