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
  // The worst comes and goes meanwhile: it is decided, and nobody is woken for it any more.
  traffic.Run({{6, 0.97}, {kPause.count() - 6.0, 0.0}});
  program_.Signal(SIGCONT);
  traffic.Run({{20, 0.0}});
  const auto is_over = [&] {
    const auto pages = pagerduty_.Pages();
    const std::string incidents = ReadFile(directory_ + "/live-incidents.jsonl");
    return incidents.find("\"state\":\"resolved\"") != std::string::npos &&
           std::all_of(pages.begin(), pages.end(), [](const auto& page) { return page.resolved; });
  };
  ASSERT_TRUE(WaitFor(60, is_over)) << Log();
  program_.Signal(SIGTERM);
  ASSERT_EQ(program_.Wait(10), 0) << Log();
  EXPECT_THAT(Log(), Not(HasSubstr("holds up the others")));
  EXPECT_THAT(pagerduty_.Rejected(), testing::IsEmpty());
  ExpectLiveEqualsReplay({"stopped"});
  EXPECT_THAT(ReadFile(directory_ + "/live-incidents.jsonl"), HasSubstr("\"severity\":\"SEV1\""));
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
  EXPECT_THAT(HttpGet(port_, "/readyz"), HasSubstr("not ready: input app: "));
  std::this_thread::sleep_for(kPause / 2);
  ASSERT_TRUE(Kafka()->Restart());
  for (int second = 0; !blind()[0].resolved && second < 120; ++second) traffic.Run({{1, 0.0}});
  ASSERT_TRUE(blind()[0].resolved) << Log();
  traffic.Run({{6, 0.97}, {15, 0.0}});
  const auto is_over = [&] {
    const auto pages = pagerduty_.Pages();
    return AllResolved() && std::any_of(pages.begin(), pages.end(), [](const auto& page) {
             return page.dedup_key.ends_with(":1");
           });
  };
  EXPECT_TRUE(WaitFor(60, is_over)) << Log();
  program_.Signal(SIGTERM);
  ASSERT_EQ(program_.Wait(10), 0) << Log();
  EXPECT_THAT(Log(), Not(HasSubstr("holds up the others")));
  EXPECT_EQ(blind().size(), 1u) << "one blindness, one page";
  ExpectLiveEqualsReplay({"away"});
}

}  // namespace
}  // namespace tocsin
