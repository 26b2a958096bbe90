// Stage 1 after a crash sends what it would have sent without one, wherever it was.
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/source_partition.h"
#include "tests/engine/text_decoder.h"

namespace tocsin {
namespace {

using testing::At;
using testing::kBase;
using testing::TextDecoder;

Plan MakePlan() {
  PlanOptions options;
  options.scope = {*FieldRef::Parse("env")};
  options.inputs = {{"app", 10 * kSecondUs}, {"cloud", 60 * kSecondUs}};
  SeriesSpec requests, gauges, everything;
  requests.inputs = {"app"};
  requests.where.Require(*FieldRef::Parse("type"), {"request"});
  requests.by = {*FieldRef::Parse("service")};
  requests.measures = {Measure::Count(), Measure::TopK(Field::kUser, 4)};
  gauges.where.Require(*FieldRef::Parse("type"), {"metric"});
  gauges.measures = {Measure::Gauge(), Measure::Counters()};
  everything.measures = {Measure::Count(), Measure::Distinct(Field::kUser)};
  return Plan::Compile(options, {requests, gauges, everything});
}

const Plan& ThePlan() {
  static const Plan plan = MakePlan();
  return plan;
}

enum class Stamp { kAppend, kProducer, kFile };

struct LogRecord {
  std::int64_t offset = 0;
  TimeUs timestamp = kNoTime;
  std::string text;
};

struct Log {
  std::string name;
  Stamp stamp = Stamp::kAppend;
  std::vector<LogRecord> records;

  SourceRecord At(std::size_t i) const {
    const LogRecord& record = records[i];
    return {.offset = record.offset,
            .next_offset = record.offset + 1,
            .timestamp = record.timestamp,
            .append_time = stamp == Stamp::kAppend,
            .bytes = record.text};
  }
};

// Events out of order, late, ahead and far ahead; facts, on time and late; for producers also
// records with wrong times, alone or in threes.
Log RandomLog(Stamp stamp, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto one_in = [&](std::uint64_t n) { return random() % n == 0; };
  Log log{"seed " + std::to_string(seed), stamp, {}};
  std::int64_t now = 1'000'000, offset = static_cast<std::int64_t>(random() % 5);
  for (int i = 0; i < 90; ++i) {
    now += one_in(15) ? static_cast<std::int64_t>(random() % 90'000)
                      : static_cast<std::int64_t>(random() % 3'000);
    std::int64_t wrong = one_in(12) ? 70'000 + static_cast<std::int64_t>(random() % 100'000) : 0;
    if (stamp == Stamp::kAppend) wrong = 0;
    std::string text;
    for (std::uint64_t n = random() % 3 + (stamp == Stamp::kFile ? 1 : 0); n > 0; --n) {
      std::int64_t time = now + wrong - static_cast<std::int64_t>(random() % 12'000);
      if (one_in(10)) time -= static_cast<std::int64_t>(random() % 100'000);
      if (one_in(10)) time += static_cast<std::int64_t>(random() % 90'000);
      const bool deploy = one_in(6);
      text += "t=" + std::to_string(time) + " service=s" + std::to_string(random() % 3) +
              " user=u" + std::to_string(random() % 9) + " value=" + std::to_string(random() % 50) +
              (deploy      ? " type=deploy id=d" + std::to_string(random() % 40)
               : one_in(2) ? " type=request"
                           : " type=metric") +
              '\n';
    }
    LogRecord record{offset, kNoTime, text};
    if (stamp != Stamp::kFile) record.timestamp = kBase + (now + wrong) * kMillisecondUs;
    offset += one_in(8) ? 3 : 1;  // compacted logs have holes
    log.records.push_back(record);
  }
  return log;
}

std::unique_ptr<SourcePartition> NewPartition() {
  SourcePartition::Options options;
  options.plan = &ThePlan();
  options.input = "app";
  options.source = "app/0";
  options.decoder = std::make_unique<TextDecoder>();
  return std::make_unique<SourcePartition>(std::move(options));
}

using Sent = std::vector<std::string>;

void Take(SourcePartition* partition, Sent* sent) {
  for (const PaneBatch& batch : partition->TakeBatches()) {
    for (std::string& chunk : EncodeBatch(batch, ThePlan())) sent->push_back(std::move(chunk));
  }
}

struct Undisturbed {
  std::vector<Sent> sent;             // before record i was fed; [n + 1]: after the end
  std::vector<SourceCommit> commits;  // as of then
  SourceCounters counters;
};

Undisturbed RunWhole(const Log& log) {
  Undisturbed run;
  const std::unique_ptr<SourcePartition> partition = NewPartition();
  Sent sent;
  for (std::size_t i = 0; i < log.records.size(); ++i) {
    run.sent.push_back(sent);
    run.commits.push_back(partition->Commit());
    partition->Feed(log.At(i));
    Take(partition.get(), &sent);
  }
  run.sent.push_back(sent);
  run.commits.push_back(partition->Commit());
  partition->End();
  Take(partition.get(), &sent);
  run.sent.push_back(sent);
  run.counters = partition->counters();
  return run;
}

// What is sent after a restart from this commit, and further ones every so many records.
Sent RunFrom(const Log& log, SourceCommit commit, std::size_t every = SIZE_MAX) {
  std::unique_ptr<SourcePartition> partition = NewPartition();
  EXPECT_TRUE(partition->Restore(commit).ok()) << commit.metadata;
  Sent sent;
  std::size_t fed = 0;
  for (std::size_t i = 0; i < log.records.size(); ++i) {
    const std::int64_t offset = log.records[i].offset;
    if (offset < commit.offset) continue;
    partition->Feed(log.At(i));
    Take(partition.get(), &sent);
    if (offset + 1 < partition->next_offset() || ++fed % every != 0) continue;
    commit = partition->Commit();
    partition = NewPartition();
    EXPECT_TRUE(partition->Restore(commit).ok()) << commit.metadata;
    for (std::size_t again = 0; again <= i; ++again) {
      const std::int64_t old = log.records[again].offset;
      if (old >= commit.offset && old < partition->next_offset()) partition->Feed(log.At(again));
    }
    if (partition->next_offset() <= offset) {  // what was held is read again
      while (log.records[i].offset >= partition->next_offset()) --i;
    }
  }
  partition->End();
  Take(partition.get(), &sent);
  return sent;
}

TEST(SourceRestart, SendsTheSameBytesFromEveryRecordOn) {
  std::int64_t late = 0, quarantined = 0;
  std::set<std::int64_t> distances;  // how many records a restart reads again
  for (const Stamp stamp : {Stamp::kAppend, Stamp::kProducer, Stamp::kFile}) {
    for (std::uint64_t seed = 1; seed <= 25; ++seed) {
      const Log log = RandomLog(stamp, seed);
      const Undisturbed run = RunWhole(log);
      late += run.counters.late;
      quarantined += run.counters.quarantined;
      const Sent& all = run.sent.back();
      for (std::size_t i = 0; i < run.commits.size(); ++i) {
        const auto already = static_cast<std::ptrdiff_t>(run.sent[i].size());
        ASSERT_EQ(RunFrom(log, run.commits[i]), Sent(all.begin() + already, all.end()))
            << log.name << ", stamp " << static_cast<int>(stamp) << ", restarted at record " << i;
        if (i % 10 == 0) {
          ASSERT_EQ(RunFrom(log, run.commits[i], /*every=*/5 + i / 10),
                    Sent(all.begin() + already, all.end()))
              << log.name << ", stamp " << static_cast<int>(stamp) << ", restarted from " << i;
        }
        if (i < log.records.size()) {
          distances.insert(log.records[i].offset - run.commits[i].offset);
        }
      }
    }
  }
  // The logs were not tame.
  EXPECT_GT(late, 500);
  EXPECT_GT(quarantined, 200);
  EXPECT_GT(distances.size(), 20u);
}

TEST(SourceRestart, ACommitOutlivesARestart) {
  for (const Stamp stamp : {Stamp::kAppend, Stamp::kProducer, Stamp::kFile}) {
    const Log log = RandomLog(stamp, 99);
    const Undisturbed run = RunWhole(log);
    for (const SourceCommit& commit : run.commits) {
      const std::unique_ptr<SourcePartition> partition = NewPartition();
      ASSERT_TRUE(partition->Restore(commit).ok());
      // Read again what it stands for, and nothing new.
      for (std::size_t i = 0; i < log.records.size(); ++i) {
        const std::int64_t offset = log.records[i].offset;
        if (offset >= commit.offset && offset < partition->next_offset()) {
          partition->Feed(log.At(i));
        }
      }
      EXPECT_EQ(partition->Commit().offset, commit.offset);
      EXPECT_EQ(partition->Commit().metadata, commit.metadata);
      EXPECT_TRUE(partition->TakeBatches().empty());
      EXPECT_EQ(partition->counters().events, 0) << "counted before the restart";
      EXPECT_LT(commit.metadata.size(), 2'000u) << "brokers allow 4,096";
    }
  }
}

// Content by tick, ticks that a batch stands for as empty included.
using Ticks = std::map<TimeUs, std::string>;

void AddTicks(std::vector<PaneBatch> batches, Ticks* ticks) {
  for (PaneBatch& batch : batches) {
    const TimeUs first = batch.first_tick == kNoTime ? batch.tick : batch.first_tick;
    for (TimeUs tick = first; tick <= batch.tick; tick += ThePlan().pane()) {
      PaneBatch empty;
      empty.tick = tick;
      PaneBatch& content = tick == batch.tick ? batch : empty;
      content.first_tick = kNoTime;
      content.last = false;
      // The first to say something about a tick is believed, as in stage 2; the same must follow.
      content.source = "app/0";
      const std::string bytes = EncodeBatch(content, ThePlan())[0];
      const auto known = ticks->emplace(tick, bytes).first;
      if (tick == batch.tick) {
        EXPECT_EQ(known->second, bytes) << tick;
      }
    }
  }
}

TEST(SourceRestart, IdleClosesDoNotChangeWhatATickHolds) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    const Log log = RandomLog(Stamp::kAppend, seed);
    Ticks expected, ticks;
    const std::unique_ptr<SourcePartition> undisturbed = NewPartition();
    for (std::size_t i = 0; i < log.records.size(); ++i) undisturbed->Feed(log.At(i));
    undisturbed->End();
    AddTicks(undisturbed->TakeBatches(), &expected);

    std::mt19937_64 random(seed);
    std::unique_ptr<SourcePartition> partition = NewPartition();
    SourceCommit commit = partition->Commit();
    std::size_t next = 0;
    bool started = false;
    while (next < log.records.size()) {
      const std::uint64_t action = random() % 12;
      if (action == 0 && started) {  // crash; what was not committed happens again
        partition = NewPartition();
        ASSERT_TRUE(partition->Restore(commit).ok());
        next = 0;
        while (log.records[next].offset < commit.offset) ++next;
      } else if (action < 3) {  // also while it still reads again what it had read
        AddTicks(partition->TakeBatches(), &ticks);
        commit = partition->Commit();
        started = true;
      } else if (action < 7) {
        // Any tick that the log implies: no record before it can follow. Not while an instance that
        // was restarted still reads what was read before.
        if (log.records[next].offset < partition->next_offset()) continue;
        if (partition->last_tick() == kNoTime) continue;
        const DurationUs ahead = log.records[next].timestamp - partition->last_tick();
        if (ahead <= 0) continue;
        partition->CloseIdle(
            partition->last_tick() +
            static_cast<DurationUs>(random() % static_cast<std::uint64_t>(ahead + 1)));
      } else {
        partition->Feed(log.At(next++));
        if (random() % 2 == 0) AddTicks(partition->TakeBatches(), &ticks);
      }
    }
    partition->End();
    AddTicks(partition->TakeBatches(), &ticks);
    for (const auto& [tick, bytes] : expected) {
      ASSERT_EQ(ticks.contains(tick), true) << "seed " << seed;
      ASSERT_EQ(ticks.at(tick), bytes)
          << "seed " << seed << ", tick " << (tick - kBase) / kSecondUs;
    }
  }
}

TEST(SourceRestart, RepeatsAnIdleCloseThatTheLogDoesNotImply) {
  int compared = 0, holding = 0;
  for (std::uint64_t seed = 1; seed <= 120; ++seed) {
    const Log log = RandomLog(Stamp::kProducer, seed);
    const std::size_t at = seed % log.records.size() + 1;
    // Closed after this many records, although the next one may be older.
    const std::unique_ptr<SourcePartition> undisturbed = NewPartition();
    for (std::size_t i = 0; i < at; ++i) undisturbed->Feed(log.At(i));
    const bool holds = undisturbed->next_offset() <= log.records[at - 1].offset;
    undisturbed->TakeBatches();
    const TimeUs tick = undisturbed->last_tick() + (seed % 2 == 0 ? 50 : 900) * kSecondUs;
    const SourceCommit commit = undisturbed->CommitBefore(tick);
    undisturbed->CloseIdle(tick);
    Sent expected;
    for (std::size_t i = at; i < log.records.size(); ++i) undisturbed->Feed(log.At(i));
    undisturbed->End();
    Take(undisturbed.get(), &expected);
    ASSERT_EQ(RunFrom(log, commit), expected) << seed;
    ++(holds ? holding : compared);
    if (holds) continue;

    // An instance that finds nothing new repeats it before it closes further, and keeps it in mind.
    const std::unique_ptr<SourcePartition> restored = NewPartition();
    ASSERT_TRUE(restored->Restore(commit).ok());
    for (std::size_t i = 0; i < at; ++i) {
      const std::int64_t offset = log.records[i].offset;
      if (offset >= commit.offset && offset < restored->next_offset()) restored->Feed(log.At(i));
    }
    EXPECT_EQ(restored->Commit().metadata, commit.metadata);
    restored->CloseIdle(tick + 100 * kSecondUs);
    const std::vector<PaneBatch> batches = restored->TakeBatches();
    ASSERT_FALSE(batches.empty());
    const bool repeated = std::any_of(batches.begin(), batches.end(),
                                      [&](const PaneBatch& batch) { return batch.tick == tick; });
    EXPECT_TRUE(repeated) << seed;
  }
  EXPECT_GT(compared, 75);
  EXPECT_GT(holding, 10);
}

TEST(SourceRestart, DoesNotTakeWhatTheGuardDropped) {
  // Alternately good and wrong: far more than can be remembered by offset. Those beyond the clock
  // are recognised by that; only those that the clock has passed since need remembering.
  Log log{"dropped", Stamp::kProducer, {}};
  const auto add = [&](std::int64_t second) {
    const auto offset = static_cast<std::int64_t>(log.records.size());
    log.records.push_back(
        {offset, At(second), "t=" + std::to_string(second * 1'000) + " type=metric value=7"});
  };
  add(0);
  for (std::int64_t i = 0; i < 300; ++i) {
    add(i / 10);
    add(100'000 + i * 100);
  }
  // These will be passed.
  for (std::int64_t i = 0; i < 40; ++i) {
    add(30);
    add(91 + i);
  }
  for (std::int64_t second = 31; second < 140; ++second) add(second);
  const Undisturbed run = RunWhole(log);
  EXPECT_EQ(run.counters.quarantined, 340);
  for (std::size_t i = 0; i < run.commits.size(); ++i) {
    const auto already = static_cast<std::ptrdiff_t>(run.sent[i].size());
    const Sent& all = run.sent.back();
    ASSERT_EQ(RunFrom(log, run.commits[i]), Sent(all.begin() + already, all.end())) << i;
    EXPECT_LT(run.commits[i].metadata.size(), 2'000u);
  }
}

}  // namespace
}  // namespace tocsin
