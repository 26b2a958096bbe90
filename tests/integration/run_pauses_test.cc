// `tocsin run` on a real Kafka while the process is stopped or the broker is away: what is decided
// afterwards is what would have been decided without it.

#include <chrono>
#include <thread>

#include "tests/integration/live_traffic.h"
#include "tests/integration/run_fixture.h"

namespace tocsin {
namespace {

using testing::HasSubstr;
using testing::Not;
using RunPausesTest = ProgramOnKafka;

// Longer than what excludes a source that stands still, and than the session of a group.
constexpr std::chrono::seconds kPause(50);

TEST_F(RunPausesTest, AProcessThatWasStoppedDecidesWhatItWouldHave) {
  ASSERT_TRUE(Kafka()->CreateTopic("stopped", 6, kAppendTime));
  WriteConfig("stopped");
  StartProgram();
  KafkaProducer producer(Kafka()->brokers());
  LiveTraffic traffic(&producer, {.topics = {"stopped"}, .partitions = 6});
  traffic.Run({{6, 0.0}, {2, 0.3}});
  program_.Signal(SIGSTOP);
  // The worst comes and goes meanwhile.
  traffic.Run({{6, 0.97}, {kPause.count() - 6.0, 0.0}});
  program_.Signal(SIGCONT);
  traffic.Run({{20, 0.0}});
  ASSERT_TRUE(WaitFor(60, [&] { return AllResolved(); })) << Log();
  program_.Signal(SIGTERM);
  ASSERT_EQ(program_.Wait(10), 0) << Log();
  EXPECT_THAT(Log(), Not(HasSubstr("holds up the others")));
  ExpectBothLevelsOnce();
  ExpectLiveEqualsReplay({"stopped"});
}

TEST_F(RunPausesTest, ABrokerThatWasAwayCostsNothing) {
  ASSERT_TRUE(Kafka()->CreateTopic("away", 6, kAppendTime));
  // Long enough to join the group on a busy machine: that is a wait, not a blindness.
  WriteConfig("away", "blind: {after: 15s}\n");
  StartProgram();
  KafkaProducer producer(Kafka()->brokers());
  LiveTraffic traffic(&producer, {.topics = {"away"}, .partitions = 6});
  traffic.Run({{6, 0.0}, {3, 0.3}});
  Kafka()->Kill();
  const auto blind = [&] {
    std::vector<PagerDutyStandIn::Page> pages;
    for (const PagerDutyStandIn::Page& page : pagerduty_.Pages()) {
      if (page.dedup_key == "tocsin:blind") pages.push_back(page);
    }
    return pages;
  };
  ASSERT_TRUE(WaitFor(90, [&] { return blind().size() == 1; })) << Log();
  EXPECT_THAT(blind()[0].summary, HasSubstr("input app cannot be read"));
  EXPECT_THAT(HttpGet(port_, "/readyz"), HasSubstr("blind"));
  std::this_thread::sleep_for(kPause);
  ASSERT_TRUE(Kafka()->Restart());
  traffic.Run({{6, 0.97}, {25, 0.0}});
  const auto incidents_resolved = [&] {
    std::size_t resolved = 0;
    for (const PagerDutyStandIn::Page& page : pagerduty_.Pages()) resolved += page.resolved ? 1 : 0;
    return resolved == pagerduty_.Pages().size() && resolved == 3;
  };
  EXPECT_TRUE(WaitFor(60, incidents_resolved)) << Log();
  program_.Signal(SIGTERM);
  ASSERT_EQ(program_.Wait(10), 0) << Log();
  EXPECT_THAT(Log(), Not(HasSubstr("holds up the others")));
  EXPECT_EQ(blind().size(), 1u) << "one blindness, one page";
  ExpectLiveEqualsReplay({"away"});
}

}  // namespace
}  // namespace tocsin
