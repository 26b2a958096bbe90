#include "engine/decider.h"

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/source_partition.h"
#include "tests/engine/setup.h"
#include "tests/engine/text_decoder.h"
#include "tests/engine/threads.h"

namespace tocsin {
namespace {

using testing::At;
using ::testing::Contains;
using testing::EngineSetup;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using testing::TextDecoder;

constexpr const char* kYaml = R"(
inputs:
  - {name: app, file: app.log}
topology:
  api: [orders-db]
detectors:
  - name: pool
    kind: saturation
    by: [dependency]
    max: 100
    keep_firing_for: 10s
    warn: {above: 80%, for: 0s, level: 3}
    critical: {above: 95%, for: 0s, level: 2}
  - name: errors
    kind: error_rate
    by: [service]
    keep_firing_for: 10s
    warn: {above: 5%, window: 30s, for: 0s, level: 2}
    critical: {above: 50%, window: 30s, for: 0s, level: 1}
)";

// Ten minutes, five events a second, in order of time: the database fills up after a deploy, `api`
// begins to fail, later `web` does by itself.
std::vector<std::string> Traffic(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::string> events;
  for (std::int64_t ms = 0; ms < 600'000; ms += 200) {
    const std::int64_t second = ms / 1'000;
    std::string text = "t=" + std::to_string(ms) + " user=u" + std::to_string(random() % 40);
    const bool full = second >= 200 && second < 320;
    if (ms == 90'000) {
      text += " type=query service=web dependency=sessions-db";
    } else if (ms == 180'000) {
      text += " type=deploy id=d1 service=api version=v2";
    } else if (ms % 5'000 == 0) {
      text += " type=metric dependency=orders-db value=" + std::to_string(full ? 97 : 40);
    } else {
      const bool api = random() % 2 == 0;
      const bool fails = (api && second >= 220 && second < 300) || (!api && second >= 450);
      text += std::string(" type=request service=") + (api ? "api" : "web") +
              " status=" + (fails && random() % 5 != 0 ? "500" : "200");
    }
    events.push_back(text);
  }
  return events;
}

// What stage 1 sends for these events spread over files, in an order drawn from the seed.
std::vector<std::string> Journal(const EngineSetup& setup, const std::vector<std::string>& events,
                                 std::size_t files, std::uint64_t seed) {
  std::vector<std::unique_ptr<SourcePartition>> partitions;
  std::vector<std::vector<std::string>> records(files);
  ControlRecord expect;
  for (std::size_t i = 0; i < files; ++i) {
    SourcePartition::Options options;
    options.plan = &setup.plan;
    options.input = "app";
    options.source = "app/" + std::to_string(i);
    expect.sources.push_back(options.source);
    options.decoder = std::make_unique<TextDecoder>();
    partitions.push_back(std::make_unique<SourcePartition>(std::move(options)));
  }
  std::mt19937_64 random(seed);
  for (const std::string& event : events) records[random() % files].push_back(event);
  std::vector<std::string> journal = {EncodeControl(expect)};
  std::vector<std::size_t> next(files);
  std::set<std::size_t> open;
  for (std::size_t i = 0; i < files; ++i) open.insert(i);
  while (!open.empty()) {
    const std::size_t i =
        *std::next(open.begin(), static_cast<std::ptrdiff_t>(random() % open.size()));
    SourcePartition& partition = *partitions[i];
    if (next[i] == records[i].size()) {
      partition.End();
      open.erase(i);
    } else {
      const auto offset = static_cast<std::int64_t>(next[i]);
      partition.Feed({.offset = offset, .next_offset = offset + 1, .bytes = records[i][next[i]]});
      ++next[i];
    }
    for (const PaneBatch& batch : partition.TakeBatches()) {
      for (std::string& chunk : EncodeBatch(batch, setup.plan)) journal.push_back(std::move(chunk));
    }
  }
  for (const auto& partition : partitions) {
    EXPECT_EQ(partition->counters().late, 0);
    EXPECT_EQ(partition->counters().undecodable, 0);
  }
  return journal;
}

struct Output {
  std::vector<std::string> lines;  // with their ticks
  std::vector<std::string> notifications;
  bool operator==(const Output&) const = default;
};

void Append(const Decision& decision, Output* output) {
  for (const OutputLine& line : decision.lines) {
    output->lines.push_back(FormatTime(line.tick) + ' ' + line.text);
  }
  for (const Notification& notification : decision.notifications) {
    output->notifications.push_back(
        FormatTime(notification.tick) + ' ' +
        std::string(NotificationActionName(notification.action)) + ' ' +
        Incident::DedupKey(notification.incident.id, notification.level) + ' ' +
        notification.incident.ToJson());
  }
}

void Feed(Decider* decider, const std::string& record, Output* output) {
  const absl::Status status = decider->Append(record);
  ASSERT_TRUE(status.ok()) << status;
  Decision decision;
  while (decider->Step(&decision)) Append(decision, output);
}

Output Decide(const EngineSetup& setup, const std::vector<std::string>& journal,
              Executor executor) {
  Decider decider(&setup.config, &setup.plan, &setup.detectors, std::move(executor));
  Output output;
  for (const std::string& record : journal) Feed(&decider, record, &output);
  EXPECT_TRUE(decider.assembler().Finished());
  return output;
}

TEST(Decider, TurnsTrafficIntoIncidents) {
  const std::unique_ptr<EngineSetup> setup = EngineSetup::From(kYaml);
  ASSERT_NE(setup, nullptr);
  const std::vector<std::string> journal = Journal(*setup, Traffic(1), 1, 1);
  Decider decider(&setup->config, &setup->plan, &setup->detectors, SequentialExecutor());
  Output output;
  for (const std::string& record : journal) Feed(&decider, record, &output);
  std::map<std::string, int> seen;
  for (const std::string& line : output.lines) {
    for (const char* word :
         {R"("detector":"pool")", R"("detector":"errors")", R"("state":"firing")",
          R"("state":"cleared")", R"("state":"open")", R"("state":"resolved")"}) {
      if (line.find(word) != std::string::npos) ++seen[word];
    }
  }
  EXPECT_EQ(seen.size(), 6u) << ::testing::PrintToString(seen);
  const Decider::Counters& counters = decider.counters();
  EXPECT_EQ(counters.ticks, 61);
  EXPECT_EQ(counters.partial_ticks, 0);
  EXPECT_GE(counters.signals_fired, 3);
  EXPECT_GE(counters.incidents_opened, 2);
  EXPECT_GE(counters.pages, 1);
  EXPECT_EQ(decider.series(), 3u);
  EXPECT_EQ(decider.series_over_limit(), 0);
  EXPECT_EQ(decider.last_tick(), At(610));
  EXPECT_THAT(output.notifications, Not(IsEmpty()));
  // The deploy just before it and the dependency are suspected, and users were counted.
  const auto resolved =
      std::find_if(output.lines.begin(), output.lines.end(), [](const std::string& line) {
        return line.find(R"("state":"resolved")") != std::string::npos;
      });
  ASSERT_NE(resolved, output.lines.end());
  EXPECT_THAT(*resolved, HasSubstr("deploy"));
  EXPECT_THAT(*resolved, HasSubstr("orders-db"));
  EXPECT_THAT(*resolved, HasSubstr("users_affected"));
}

// A full pool and the service that suffers from it, without a configured topology.
TEST(Decider, LearnsFromQueriesWhoNeedsWhom) {
  std::string yaml = kYaml;
  const std::size_t topology = yaml.find("topology:");
  yaml.replace(topology, yaml.find("detectors:") - topology, "correlate: {coincidence: 0s}\n");
  const std::unique_ptr<EngineSetup> setup = EngineSetup::From(yaml);
  ASSERT_NE(setup, nullptr);
  for (const bool queries : {false, true}) {
    std::vector<std::string> events;
    for (std::int64_t second = 0; second < 200; ++second) {
      const std::string time = "t=" + std::to_string(second * 1'000);
      const bool broken = second >= 120;
      events.push_back(time + " type=request service=api status=" + (broken ? "500" : "200"));
      events.push_back(time + " type=metric dependency=orders-db value=" + (broken ? "99" : "40"));
      // A query that names no dependency teaches nothing.
      events.push_back(time + " type=query service=api" +
                       (queries && second == 5 ? " dependency=orders-db" : ""));
    }
    const Output output = Decide(*setup, Journal(*setup, events, 1, 1), SequentialExecutor());
    std::set<std::string> opened;
    for (const std::string& line : output.lines) {
      const std::size_t at = line.find(R"("number":"INC)");
      if (at != std::string::npos) opened.insert(line.substr(at + 10, 12));
    }
    EXPECT_THAT(opened, SizeIs(queries ? 1 : 2));
  }
}

TEST(Decider, FoldsTooManyPagesIntoOne) {
  const std::unique_ptr<EngineSetup> setup = EngineSetup::From(R"(
inputs: [{name: app, file: app.log}]
correlate: {coincidence: 0s}
detectors:
  - {name: errors, kind: error_rate, by: [service],
     critical: {above: 50%, window: 30s, for: 0s, level: 2}}
)");
  ASSERT_NE(setup, nullptr);
  std::vector<std::string> events;
  for (std::int64_t second = 0; second < 600; ++second) {
    const bool broken = second >= 100 && second < 200;
    for (int service = 0; service < 8; ++service) {
      events.push_back("t=" + std::to_string(second * 1'000) + " type=request service=s" +
                       std::to_string(service) + " status=" + (broken ? "500" : "200"));
    }
  }
  Decider decider(&setup->config, &setup->plan, &setup->detectors, SequentialExecutor());
  Output output;
  for (const std::string& record : Journal(*setup, events, 1, 1)) Feed(&decider, record, &output);
  EXPECT_EQ(decider.counters().incidents_opened, 8);
  EXPECT_EQ(decider.counters().pages, 6);
  const auto said = [&](const char* action) {
    return std::count_if(output.notifications.begin(), output.notifications.end(),
                         [&](const std::string& text) { return text.find(action) < 30; });
  };
  EXPECT_EQ(said(" trigger "), 9) << "each incident, and what stands for three of them";
  EXPECT_EQ(said(" resolve "), 9);
}

// A label of the scope that explodes: who is told is told once, and memory is bounded.
TEST(Decider, ScopesPastTheLimitAreOneScope) {
  const std::unique_ptr<EngineSetup> setup = EngineSetup::From(kYaml);
  ASSERT_NE(setup, nullptr);
  std::vector<std::string> events;
  for (int i = 0; i < 3'000; ++i) {
    events.push_back("t=" + std::to_string(i * 10) + " type=request service=api status=200 env=e" +
                     std::to_string(i));
  }
  Decider decider(&setup->config, &setup->plan, &setup->detectors, SequentialExecutor());
  Output output;
  for (const std::string& record : Journal(*setup, events, 1, 1)) Feed(&decider, record, &output);
  EXPECT_EQ(decider.series(), ScopeLimit::kScopesMax + 1);
  EXPECT_EQ(decider.counters().signals_fired, 1);
  EXPECT_EQ(decider.counters().incidents_opened, 1);
  EXPECT_THAT(output.lines, Contains(HasSubstr("past 1000 values of env")));
}

TEST(Decider, DoesNotDependOnThreadsOrPartitionsOrTheirInterleaving) {
  const std::unique_ptr<EngineSetup> setup = EngineSetup::From(kYaml);
  ASSERT_NE(setup, nullptr);
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    const std::vector<std::string> events = Traffic(seed);
    const Output alone = Decide(*setup, Journal(*setup, events, 1, 1), SequentialExecutor());
    EXPECT_THAT(alone.lines, SizeIs(::testing::Gt(10)));
    for (const std::size_t files : {std::size_t{2}, std::size_t{4}}) {
      for (std::uint64_t order = 1; order <= 3; ++order) {
        const std::vector<std::string> journal = Journal(*setup, events, files, order);
        EXPECT_EQ(Decide(*setup, journal, SequentialExecutor()), alone) << files << " files";
        EXPECT_EQ(Decide(*setup, journal, testing::ThreadExecutor(3)), alone) << "on threads";
      }
    }
  }
}

TEST(Decider, GoesOnFromASnapshotTakenAnywhere) {
  const std::unique_ptr<EngineSetup> setup = EngineSetup::From(kYaml);
  ASSERT_NE(setup, nullptr);
  std::vector<std::string> journal = Journal(*setup, Traffic(2), 3, 2);
  // Amid the outage somebody silences it, and ends that.
  OperatorAction act;
  act.kind = OperatorActionKind::kSilence;
  act.silence = {.name = "s",
                 .matchers = {"env=prod"},
                 .starts = At(0),
                 .ends = At(10'000),
                 .every = 0,
                 .author = "ana",
                 .comment = ""};
  const auto silence = EncodeControl({.kind = ControlRecord::Kind::kAct, .act = act});
  act.kind = OperatorActionKind::kExpire;
  act.text = "s";
  const auto expire = EncodeControl({.kind = ControlRecord::Kind::kAct, .act = act});
  const auto size = static_cast<std::ptrdiff_t>(journal.size());
  journal.insert(journal.begin() + size * 3 / 4, expire);
  journal.insert(journal.begin() + size / 4, silence);
  Decider undisturbed(&setup->config, &setup->plan, &setup->detectors, SequentialExecutor());
  Output expected, output;
  auto decider = std::make_unique<Decider>(&setup->config, &setup->plan, &setup->detectors,
                                           SequentialExecutor());
  for (const std::string& record : journal) {
    Feed(&undisturbed, record, &expected);
    Feed(decider.get(), record, &output);
    const std::string snapshot = decider->Encode();
    ASSERT_EQ(snapshot, undisturbed.Encode());
    decider = std::make_unique<Decider>(&setup->config, &setup->plan, &setup->detectors,
                                        SequentialExecutor());
    const absl::Status status = decider->Restore(snapshot);
    ASSERT_TRUE(status.ok()) << status;
    ASSERT_EQ(decider->Encode(), snapshot);
    EXPECT_EQ(decider->last_tick(), undisturbed.last_tick());
    EXPECT_EQ(decider->counters().pages, undisturbed.counters().pages);
    EXPECT_EQ(decider->series(), undisturbed.series());
  }
  EXPECT_EQ(output, expected);
  EXPECT_THAT(output.lines, SizeIs(::testing::Gt(10)));
  EXPECT_THAT(output.lines, Contains(HasSubstr(R"("muted_by":"s")")));
}

TEST(Decider, RefusesADamagedSnapshot) {
  const std::unique_ptr<EngineSetup> setup = EngineSetup::From(kYaml);
  ASSERT_NE(setup, nullptr);
  std::vector<std::string> journal = Journal(*setup, Traffic(3), 2, 3);
  journal.resize(journal.size() / 2);
  Decider decider(&setup->config, &setup->plan, &setup->detectors, SequentialExecutor());
  Output output;
  for (const std::string& record : journal) Feed(&decider, record, &output);
  const std::string good = decider.Encode();
  for (std::size_t size = 0; size < good.size(); size += 1 + size / 50) {
    Decider other(&setup->config, &setup->plan, &setup->detectors, SequentialExecutor());
    EXPECT_FALSE(other.Restore(good.substr(0, size)).ok()) << size;
  }
  Decider other(&setup->config, &setup->plan, &setup->detectors, SequentialExecutor());
  EXPECT_EQ(other.Restore(good + "x").code(), absl::StatusCode::kDataLoss);
  // "decider", and the format behind it.
  std::string newer = good;
  newer[8] = kStateFormat + 1;
  const absl::Status refused = other.Restore(newer);
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("run the version of tocsin that wrote it"));
  std::string older = good;
  older[7] = 'x';
  EXPECT_EQ(other.Restore(older).code(), absl::StatusCode::kUnimplemented);
}

// What changes between the snapshot and the restart, and which of the firing detectors' signals
// clear by it: those whose series are not the same any more. Others fire on (relearn_test.cc).
struct ChangeCase {
  std::string name;
  std::string from, to;
  bool errors_clear;
  bool pool_clears;
};

TEST(Decider, ClearsWhatDetectorsThatAreNotTheSameHadFiring) {
  const std::vector<ChangeCase> cases = {
      {"nothing", "warn", "warn", false, false},
      {"another detector's threshold", "above: 5%", "above: 6%", false, false},
      {"its filter", "kind: error_rate\n",
       "kind: error_rate\n    where: {type: request, env: prod}\n", true, false},
      {"by", "by: [service]", "by: [service, endpoint]", true, false},
      {"gone", "name: errors", "name: faults", true, false},
      {"delay", "file: app.log", "file: app.log, delay: 20s", true, true},
      {"scope", "topology:", "scope: [env, region]\ntopology:", true, true},
      {"shorter panes", "topology:", "pane: 5s\ntopology:", true, true},
      {"longer panes", "inputs:\n  - {name: app, file: app.log}",
       "pane: 45s\ninputs:\n  - {name: app, file: app.log, delay: 45s}", true, true},
  };
  for (const ChangeCase& c : cases) {
    const std::unique_ptr<EngineSetup> before = EngineSetup::From(kYaml);
    std::string yaml = kYaml;
    yaml.replace(yaml.find(c.from), c.from.size(), c.to);
    const std::unique_ptr<EngineSetup> after = EngineSetup::From(yaml);
    ASSERT_TRUE(before != nullptr && after != nullptr) << c.name;
    std::vector<std::string> events = Traffic(1);
    events.resize(5 * 270);  // both fire
    Decider old(&before->config, &before->plan, &before->detectors, SequentialExecutor());
    Output output;
    std::vector<std::string> journal = Journal(*before, events, 1, 1);
    journal.pop_back();  // the source goes on
    for (const std::string& record : journal) Feed(&old, record, &output);

    Decider fresh(&after->config, &after->plan, &after->detectors, SequentialExecutor());
    ASSERT_TRUE(fresh.Restore(old.Encode()).ok()) << c.name;
    // And once more before the next tick: what is to be cleared is not forgotten.
    Decider again(&after->config, &after->plan, &after->detectors, SequentialExecutor());
    ASSERT_TRUE(again.Restore(fresh.Encode()).ok()) << c.name;
    PaneBatch batch;
    batch.source = "app/0";
    batch.tick = again.assembler().next_tick();
    batch.first_tick = batch.tick;
    EXPECT_EQ(batch.tick % after->plan.pane(), 0) << c.name;
    EXPECT_GT(batch.tick, old.last_tick()) << c.name;
    ASSERT_TRUE(again.Append(EncodeBatch(batch, after->plan)[0]).ok()) << c.name;
    Decision decision;
    ASSERT_TRUE(again.Step(&decision)) << c.name;
    std::vector<std::string> cleared;
    for (const SignalChange& change : decision.signals) {
      EXPECT_EQ(change.kind, SignalChangeKind::kCleared) << c.name;
      EXPECT_EQ(change.signal.cleared_at, decision.tick);
      cleared.push_back(change.signal.detector);
    }
    const auto count = std::count(cleared.begin(), cleared.end(), "errors");
    EXPECT_EQ(count, c.errors_clear ? 1 : 0) << c.name;
    EXPECT_EQ(std::count(cleared.begin(), cleared.end(), "pool"), c.pool_clears ? 1 : 0) << c.name;
  }
}

TEST(Decider, SaysWhenATickIsPartial) {
  const std::unique_ptr<EngineSetup> setup = EngineSetup::From(kYaml);
  ASSERT_NE(setup, nullptr);
  std::vector<std::string> events = Traffic(1);
  events.resize(5 * 270);
  std::vector<std::string> journal = Journal(*setup, events, 1, 1);
  journal.pop_back();
  // A second source that never says anything is left out from the first tick on.
  journal.insert(journal.begin() + 1, EncodeControl({.tick = kNoTime, .sources = {"app/dead"}}));
  journal.insert(journal.begin() + 2, EncodeControl({.kind = ControlRecord::Kind::kExclude,
                                                     .tick = At(0),
                                                     .sources = {"app/dead"}}));
  Decider decider(&setup->config, &setup->plan, &setup->detectors, SequentialExecutor());
  Output output;
  for (const std::string& record : journal) Feed(&decider, record, &output);
  EXPECT_GT(decider.counters().ticks, 20);
  EXPECT_EQ(decider.counters().partial_ticks, decider.counters().ticks);
  EXPECT_THAT(output.lines, Contains(HasSubstr(R"("partial":true)")));
}

// Killed, configured anew and started: what was measured and not yet decided is not lost.
TEST(Decider, DecidesWhatAnEarlierConfigurationMeasured) {
  const std::unique_ptr<EngineSetup> before = EngineSetup::From(kYaml);
  const std::unique_ptr<EngineSetup> after = EngineSetup::From(std::string(kYaml) + R"(
  - name: endpoints
    kind: error_rate
    by: [service, endpoint]
    critical: {above: 50%, window: 30s, for: 0s, level: 1}
)");
  ASSERT_TRUE(before != nullptr && after != nullptr);
  ASSERT_NE(before->plan.hash(), after->plan.hash());
  const std::vector<std::string> journal = Journal(*before, Traffic(1), 2, 1);
  const Output expected = Decide(*before, journal, SequentialExecutor());
  for (const std::size_t at : {journal.size() / 3, journal.size() / 2}) {
    Decider old(&before->config, &before->plan, &before->detectors, SequentialExecutor());
    Output output;
    for (std::size_t i = 0; i < at; ++i) Feed(&old, journal[i], &output);
    Decider fresh(&after->config, &after->plan, &after->detectors, SequentialExecutor());
    ASSERT_TRUE(fresh.Restore(old.Encode()).ok());
    // And its snapshot still knows the plan of what is pending.
    Decider again(&after->config, &after->plan, &after->detectors, SequentialExecutor());
    ASSERT_TRUE(again.Restore(fresh.Encode()).ok());
    for (std::size_t i = at; i < journal.size(); ++i) Feed(&again, journal[i], &output);
    EXPECT_EQ(output, expected);
  }
}

TEST(Decider, RefusesBatchesOfAnotherPlan) {
  const std::unique_ptr<EngineSetup> setup = EngineSetup::From(kYaml);
  std::string yaml = kYaml;
  yaml.replace(yaml.find("by: [service]"), 13, "by: [endpoint]");
  const std::unique_ptr<EngineSetup> other = EngineSetup::From(yaml);
  ASSERT_TRUE(setup != nullptr && other != nullptr);
  Decider decider(&setup->config, &setup->plan, &setup->detectors, SequentialExecutor());
  const std::vector<std::string> journal = Journal(*other, Traffic(1), 1, 1);
  ASSERT_TRUE(decider.Append(journal[0]).ok());
  EXPECT_EQ(decider.Append(journal[1]).code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace tocsin
