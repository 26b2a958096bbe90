// A gauge that is explained by the events of its service, from the events to the incident.
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/decider.h"
#include "engine/source_partition.h"
#include "tests/engine/setup.h"
#include "tests/engine/text_decoder.h"
#include "tests/engine/threads.h"

namespace tocsin {
namespace {

using ::testing::AllOf;
using testing::EngineSetup;
using ::testing::HasSubstr;
using testing::TextDecoder;

constexpr std::int64_t kQuietSeconds = 45 * 60, kStormSeconds = 10 * 60;

struct Case {
  std::string name;
  std::string by;      // of the gauge
  std::string gauge;   // its labels
  std::string events;  // those of the events
  std::string label;
  std::string evidence;
};

std::string Yaml(const Case& c) {
  return "inputs: [{name: app, file: app.log}]\n"
         "detectors:\n"
         "  - name: sockets\n"
         "    kind: storm\n"
         "    gauge: true\n"
         "    where: {type: metric, name: sockets}\n"
         "    explained_by: {type: connection}\n"
         "    by: " +
         c.by + "\n" + "    critical: {above: 1000, ratio: 3, for: 3m, level: 2}\n";
}

// Forty-five minutes of 200 open sockets, then four addresses open 1,500 more within three.
std::vector<std::string> Traffic(const Case& c) {
  std::mt19937_64 random(1);
  std::vector<std::string> events;
  double open = 200;
  const auto connection = [&](std::int64_t second, const std::string& address,
                              const std::string& agent) {
    events.push_back("t=" + std::to_string(second * 1000) + " type=connection " + c.events +
                     " client_ip=" + address + " user_agent=" + agent);
  };
  for (std::int64_t second = 0; second < kQuietSeconds + kStormSeconds; ++second) {
    const bool storm = second >= kQuietSeconds && second < kQuietSeconds + 180;
    connection(second,
               "10.1." + std::to_string(random() % 4) + "." + std::to_string(random() % 100),
               random() % 3 == 0 ? "Web/2" : "App/7");
    for (int i = 0; storm && i < 8; ++i) {
      connection(second, "203.0.113." + std::to_string(random() % 4), "flood/1");
      ++open;
    }
    if (second % 10 != 0) continue;
    events.push_back("t=" + std::to_string(second * 1000) + " type=metric name=sockets " + c.gauge +
                     " value=" + std::to_string(static_cast<int>(open)));
  }
  return events;
}

std::vector<std::string> Journal(const EngineSetup& setup, const std::vector<std::string>& events) {
  SourcePartition::Options options;
  options.plan = &setup.plan;
  options.input = "app";
  options.source = "app/0";
  options.decoder = std::make_unique<TextDecoder>();
  SourcePartition partition(std::move(options));
  ControlRecord expect;
  expect.sources = {"app/0"};
  std::vector<std::string> journal = {EncodeControl(expect)};
  for (std::size_t i = 0; i < events.size(); ++i) {
    const auto offset = static_cast<std::int64_t>(i);
    partition.Feed({.offset = offset, .next_offset = offset + 1, .bytes = events[i]});
  }
  partition.End();
  for (const PaneBatch& batch : partition.TakeBatches()) {
    for (std::string& chunk : EncodeBatch(batch, setup.plan)) journal.push_back(std::move(chunk));
  }
  return journal;
}

// Signal lines. With `restart_at` the decider is replaced by one that was restored from its
// snapshot after so many records.
std::vector<std::string> Signals(const EngineSetup& setup, const std::vector<std::string>& journal,
                                 Executor executor, std::size_t restart_at = 0) {
  auto decider = std::make_unique<Decider>(&setup.config, &setup.plan, &setup.detectors, executor);
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < journal.size(); ++i) {
    if (restart_at > 0 && i == restart_at) {
      const std::string snapshot = decider->Encode();
      decider = std::make_unique<Decider>(&setup.config, &setup.plan, &setup.detectors, executor);
      EXPECT_TRUE(decider->Restore(snapshot).ok());
      EXPECT_EQ(decider->Encode(), snapshot);
    }
    EXPECT_TRUE(decider->Append(journal[i]).ok());
    Decision decision;
    while (decider->Step(&decision)) {
      // The label stands in the incident's line; here it goes behind the signal's.
      auto change = decision.signals.begin();
      for (const OutputLine& line : decision.lines) {
        if (line.kind != LineKind::kSignal) continue;
        while (change->kind == SignalChangeKind::kContinued) ++change;
        lines.push_back(line.text + R"("classification":")" + change++->signal.classification +
                        '"');
      }
    }
  }
  return lines;
}

class ExplainedStorm : public ::testing::TestWithParam<Case> {};

TEST_P(ExplainedStorm, IsLabelledByTheEventsOfItsService) {
  const Case& c = GetParam();
  const std::unique_ptr<EngineSetup> setup = EngineSetup::From(Yaml(c));
  ASSERT_NE(setup, nullptr);
  const std::vector<std::string> journal = Journal(*setup, Traffic(c));
  const std::vector<std::string> lines = Signals(*setup, journal, SequentialExecutor());
  ASSERT_FALSE(lines.empty());
  EXPECT_THAT(lines[0],
              AllOf(HasSubstr(R"("state":"firing")"),
                    HasSubstr(R"("classification":")" + c.label + '"'), HasSubstr(c.evidence)));
  EXPECT_EQ(Signals(*setup, journal, testing::ThreadExecutor(3)), lines);
  for (const std::size_t at : {journal.size() / 3, journal.size() * 19 / 20}) {
    EXPECT_EQ(Signals(*setup, journal, SequentialExecutor(), at), lines);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Cases, ExplainedStorm,
    ::testing::Values(
        Case{"SameLabels", "[service]", "service=ws", "service=ws", "attack", "203.0.113."},
        Case{"GaugeOfAHost", "[service, host]", "service=ws host=a", "service=ws", "attack",
             "203.0.113."},
        Case{"GaugeWithoutAService", "[host]", "host=a", "service=ws", "attack", "203.0.113."},
        Case{"EventsWithoutAService", "[service]", "service=ws", "", "attack", "203.0.113."},
        Case{"EventsOfAnother", "[service]", "service=ws", "service=api", "unknown",
             "of its service"}),
    [](const ::testing::TestParamInfo<Case>& param) { return param.param.name; });

}  // namespace
}  // namespace tocsin
