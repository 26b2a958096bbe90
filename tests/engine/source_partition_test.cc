#include "engine/source_partition.h"

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/labels.h"
#include "core/limits.h"
#include "tests/engine/text_decoder.h"

namespace tocsin {
namespace {

using testing::At;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using testing::kBase;
using testing::TextDecoder;

// Requests by service over "app" (delay 10 s), and over "app" and "cloud" (delay 30 s).
Plan MakePlan() {
  PlanOptions options;
  options.scope = {*FieldRef::Parse("env")};
  options.inputs = {{"app", 10 * kSecondUs}, {"cloud", 30 * kSecondUs}};
  SeriesSpec fast, slow;
  for (SeriesSpec* spec : {&fast, &slow}) {
    spec->where.Require(*FieldRef::Parse("type"), {"request"});
    spec->by = {*FieldRef::Parse("service")};
    spec->measures = {Measure::Count()};
  }
  fast.inputs = {"app"};
  slow.inputs = {"app", "cloud"};
  return Plan::Compile(options, {fast, slow});
}

const Plan& ThePlan() {
  static const Plan plan = MakePlan();
  return plan;
}

class Letters final : public DeadLetterObserver {
 public:
  void OnDeadLetter(const std::string& source, std::int64_t offset, std::string_view reason,
                    std::string_view bytes) override {
    EXPECT_EQ(source, "app/0");
    EXPECT_FALSE(bytes.empty());
    letters.push_back(std::to_string(offset) + ": " + std::string(reason));
  }
  std::vector<std::string> letters;
};

enum class Stamp { kAppend, kProducer, kFile, kRead, kAssumed };

// A partition, and what it sent as text: "20 api=2 |30 slow:api=2 |40 !deploy-1 |50 end".
class Source {
 public:
  explicit Source(Stamp stamp, std::string input = "app") : stamp_(stamp) {
    SourcePartition::Options options;
    options.plan = &ThePlan();
    options.input = std::move(input);
    options.source = "app/0";
    options.decoder = std::make_unique<TextDecoder>();
    options.dead_letters = &letters_;
    partition_.emplace(std::move(options));
  }

  // `time` in ms after kBase, of the record; ignored for a file.
  Source& Feed(std::int64_t time, const std::string& text) {
    SourceRecord record;
    record.offset = next_;
    record.next_offset = ++next_;
    const TimeUs at = kBase + time * kMillisecondUs;
    if (stamp_ == Stamp::kAppend || stamp_ == Stamp::kProducer) record.timestamp = at;
    if (stamp_ == Stamp::kRead) record.read_time = at;
    if (stamp_ == Stamp::kAssumed) record.assumed_time = at;
    record.append_time = stamp_ == Stamp::kAppend;
    record.bytes = text;
    partition_->Feed(record);
    Take();
    return *this;
  }
  // A request of `api` at this time in a record of the same time.
  Source& Request(std::int64_t time) {
    return Feed(time, "t=" + std::to_string(time) + " type=request service=api");
  }
  Source& Deploy(std::int64_t record_time, std::int64_t time, const std::string& id) {
    return Feed(record_time, "t=" + std::to_string(time) + " type=deploy id=" + id);
  }
  Source& Idle(std::int64_t seconds) {
    partition_->CloseIdle(At(seconds));
    Take();
    return *this;
  }
  Source& End() {
    partition_->End();
    Take();
    return *this;
  }

  const std::string& sent() const { return sent_; }
  SourcePartition& partition() { return *partition_; }
  const SourceCounters& counters() const { return partition_->counters(); }
  const std::vector<std::string>& letters() const { return letters_.letters; }

 private:
  static std::string Seconds(TimeUs time) { return std::to_string((time - kBase) / kSecondUs); }

  void Take() {
    for (const PaneBatch& batch : partition_->TakeBatches()) {
      // Batches stand for all ticks without a gap.
      if (covered_ == kNoTime) {
        EXPECT_EQ(batch.first_tick, kNoTime);
      } else {
        EXPECT_EQ(batch.first_tick, covered_ + ThePlan().pane());
      }
      EXPECT_GT(batch.tick, covered_);
      covered_ = batch.tick;
      if (!sent_.empty()) sent_ += " |";
      sent_ += batch.tick == 0 ? "0" : Seconds(batch.tick);
      for (const auto& [aggregation, table] : batch.tables) Append(aggregation, table);
      for (const Fact& fact : batch.facts) sent_ += " !" + fact.id;
      if (batch.last) sent_ += " end";
    }
  }

  void Append(std::uint32_t aggregation, const PaneTable& table) {
    if (aggregation == ThePlan().users_aggregation()) return;
    for (const std::uint32_t row : table.SortedRows()) {
      if (aggregation == ThePlan().AggregationOf(1)) sent_ += " slow:";
      if (aggregation == ThePlan().AggregationOf(0)) sent_ += ' ';
      sent_ += std::string(KeyParts(table.key(row))[1]) + '=';
      sent_ += std::to_string(table.Cell(row).Count(ThePlan().SlotsOf(0)[0]));
    }
  }

  Stamp stamp_;
  Letters letters_;
  std::optional<SourcePartition> partition_;
  std::int64_t next_ = 0;
  std::string sent_;
  TimeUs covered_ = kNoTime;
};

TEST(SourcePartition, ClosesAPaneAfterItsDelay) {
  for (const Stamp stamp : {Stamp::kAppend, Stamp::kProducer, Stamp::kFile}) {
    Source source(stamp);
    source.Request(5'000).Request(9'999).Request(10'000);
    EXPECT_EQ(source.sent(), "10") << "what was before the first record is empty";
    source.Request(19'999);
    EXPECT_EQ(source.sent(), "10");
    source.Request(20'000);
    EXPECT_EQ(source.sent(), "10 |20 api=2");
    source.Request(43'000);
    EXPECT_EQ(source.sent(), "10 |20 api=2 |30 api=2 |40 slow:api=2 api=1");
    EXPECT_EQ(source.partition().last_tick(), At(40));
    EXPECT_EQ(source.partition().clock(), At(43));
    EXPECT_EQ(source.counters().late, 0);
    EXPECT_EQ(source.counters().events, 6);
    EXPECT_EQ(source.counters().records, 6);
  }
}

TEST(SourcePartition, EventTimeDoesNotMoveAnAppendTimeClock) {
  Source source(Stamp::kAppend);
  source.Feed(0, "t=59000 type=request service=api").Feed(1'000, "t=1000 type=request service=api");
  EXPECT_EQ(source.partition().last_tick(), At(0));
  source.Feed(80'000, "");
  EXPECT_EQ(source.sent(), "20 api=1 |40 slow:api=1 |70 api=1 |80");
}

TEST(SourcePartition, CountsWhatIsLateByTheDelayOfItsInput) {
  struct Case {
    std::string name;
    std::string input;
    std::int64_t event;  // ms
    std::int64_t late;
    std::string sent;
  };
  // Read when the clock is at 40 s: for `app` the panes before 30 s are closed, and for what it
  // shares with `cloud` those before 10 s.
  const std::vector<Case> cases = {
      {"in the open pane", "app", 40'000, 0, "60 api=1 |80 slow:api=1 end"},
      {"just in time", "app", 30'000, 0, "50 api=1 |70 slow:api=1 end"},
      {"just late", "app", 29'999, 1, "60 slow:api=1 end"},
      {"late, but not for everybody", "app", 10'000, 1, "50 slow:api=1 end"},
      {"late for everybody", "app", 9'999, 1, "50 end"},
      {"a slower input", "cloud", 10'000, 0, "50 slow:api=1 end"},
      {"late there too", "cloud", 9'999, 1, "50 end"},
  };
  for (const Case& c : cases) {
    Source source(Stamp::kAppend, c.input);
    source.Feed(40'000, "t=" + std::to_string(c.event) + " type=request service=api").End();
    EXPECT_EQ(source.counters().late, c.late) << c.name;
    EXPECT_EQ(source.letters().size(), static_cast<std::size_t>(c.late)) << c.name;
    for (const std::string& letter : source.letters()) EXPECT_EQ(letter, "0: late");
    EXPECT_EQ(source.sent(), c.sent) << c.name;
  }
}

TEST(SourcePartition, QuarantinesWhatIsAheadOfItsRecord) {
  struct Case {
    std::int64_t ahead;
    std::int64_t quarantined;
  };
  for (const Case& c : {Case{60'000, 0}, Case{60'001, 1}, Case{1'000'000'000, 1}}) {
    for (const Stamp stamp : {Stamp::kAppend, Stamp::kProducer}) {
      Source source(stamp);
      source.Feed(5'000, "t=" + std::to_string(5'000 + c.ahead) + " type=request service=api")
          .End();
      EXPECT_EQ(source.counters().quarantined, c.quarantined) << c.ahead;
      EXPECT_EQ(source.counters().events, 1);
      EXPECT_EQ(source.sent().find("api") == std::string::npos, c.quarantined > 0) << source.sent();
      for (const std::string& letter : source.letters()) {
        EXPECT_EQ(letter, "0: time too far ahead");
      }
    }
  }
}

TEST(SourcePartition, CarriesFactsInTheirPaneAndLateOnesInTheEarliestOpenOne) {
  Source source(Stamp::kAppend);
  source.Deploy(5'000, 4'000, "b").Deploy(6'000, 3'000, "a").Deploy(7'000, 4'000, "b");
  source.Deploy(41'000, 40'500, "next")
      .Deploy(42'000, 2'000, "late")
      .Deploy(43'000, -9'000, "later");
  source.Feed(52'000, "").Deploy(53'000, 1'000, "latest").Feed(70'000, "");
  EXPECT_EQ(source.sent(), "20 !a !b |40 |50 !later !late |60 !latest !next |70");
  EXPECT_EQ(source.counters().late, 3) << "they count as late all the same";
  EXPECT_EQ(source.counters().capped, 0);
}

TEST(SourcePartition, BoundsTheFactsOfAPane) {
  Source source(Stamp::kAppend);
  const auto max = static_cast<int>(limits::kPaneFactsMax);
  for (int i = 0; i < max + 3; ++i) source.Deploy(5'000, 4'000, std::to_string(i));
  source.Deploy(5'000, 4'000, "0");
  EXPECT_EQ(source.counters().capped, 4);
  source.End();
  const std::string& sent = source.sent();
  EXPECT_EQ(std::count(sent.begin(), sent.end(), '!'), max);
}

TEST(SourcePartition, HoldsBackAJumpUntilItIsConfirmed) {
  struct Case {
    std::string name;
    std::vector<std::int64_t> times;  // s, of records with one request each
    std::string sent;
    std::int64_t quarantined;
  };
  const std::vector<Case> cases = {
      {"confirmed", {5, 500, 501, 502}, "20 api=1 |40 slow:api=1 |500", 0},
      {"not yet", {5, 500, 501}, "", 0},
      {"dropped", {5, 500, 501, 6, 30}, "20 api=2 |30", 2},
      {"end releases them",
       {5, 500, -1},
       "20 api=1 |40 slow:api=1 |500 |520 api=1 |540 slow:api=1 end",
       0},
      {"dropped, then confirmed",
       {5, 500, 6, 700, 701, 702, -1},
       "20 api=2 |40 slow:api=2 |700 |720 api=3 |740 slow:api=3 end",
       1},
  };
  for (const Stamp stamp : {Stamp::kProducer, Stamp::kFile}) {
    for (const Case& c : cases) {
      Source source(stamp);
      for (const std::int64_t time : c.times) {
        time < 0 ? source.End() : source.Request(time * 1'000);
      }
      EXPECT_EQ(source.sent(), c.sent) << c.name;
      EXPECT_EQ(source.counters().quarantined, c.quarantined) << c.name;
      EXPECT_EQ(source.counters().events + (c.name == "not yet" ? 2 : 0),
                std::count_if(c.times.begin(), c.times.end(), [](auto t) { return t >= 0; }))
          << c.name;
    }
  }
}

// What was read at a known time was not written later: nothing has to be confirmed.
TEST(SourcePartition, TheTimeOfReadingBoundsTheClock) {
  Source source(Stamp::kRead);
  source.Feed(900'000, "t=5000 type=request service=api");
  EXPECT_EQ(source.partition().clock(), At(5)) << "the backlog is in its own time";
  source.Feed(900'000, "t=500000 type=request service=api");
  EXPECT_EQ(source.sent(), "20 api=1 |40 slow:api=1 |500");
  // One that says it was long after it was read does not take the clock along.
  source.Feed(901'000, "t=5000000 type=request service=api");
  EXPECT_EQ(source.partition().clock(), At(901));
  EXPECT_EQ(source.counters().quarantined, 1);
  // One that does not say when it was, was then.
  source.Feed(1'000'000, "t=record type=request service=web");
  EXPECT_EQ(source.partition().clock(), At(1'000));
  source.Feed(1'020'000, "t=record type=request service=web");
  EXPECT_THAT(source.sent(), HasSubstr("|1020 web=1"));
  EXPECT_EQ(source.counters().late, 0);
}

// Stamps without a year mean the same wherever reading begins: the clock says which it is.
TEST(SourcePartition, AnAssumedTimeCountsUntilThereIsAClock) {
  Source source(Stamp::kAssumed);
  source.Feed(70'000, "t=record type=request service=api");
  EXPECT_EQ(source.partition().clock(), At(70));
  source.Feed(9'000'000, "t=record type=request service=api");
  EXPECT_EQ(source.partition().clock(), At(70));
  Source restarted(Stamp::kAssumed);
  ASSERT_TRUE(restarted.partition().Restore(source.partition().Commit()).ok());
  restarted.Feed(9'000'000, "t=record type=request service=api");
  restarted.Feed(9'000'000, "t=record type=request service=api");
  EXPECT_EQ(restarted.partition().clock(), At(70));
}

TEST(SourcePartition, CommitsBeforeWhatItHolds) {
  Source source(Stamp::kProducer);
  source.Request(5'000).Request(31'000).Request(500'000);
  EXPECT_EQ(source.partition().next_offset(), 2);
  EXPECT_EQ(source.partition().Commit().offset, 0) << "the pane of the slower aggregation is open";
  source.Request(501'000);
  EXPECT_EQ(source.partition().next_offset(), 2);
  source.Request(502'000);
  EXPECT_EQ(source.partition().next_offset(), 5);
  EXPECT_EQ(source.partition().Commit().offset, 2);
}

TEST(SourcePartition, ReadsRecordsOfManyEvents) {
  Source file(Stamp::kFile);
  // The first event says when a record of a file was; the others may be older or newer.
  file.Feed(0, "no time\nt=5000 type=request service=a\nt=25000 type=request service=b\nno");
  EXPECT_EQ(file.partition().clock(), At(5));
  file.Feed(0, "nothing").Feed(0, "").Feed(0, "t=4000 type=request service=a").End();
  EXPECT_EQ(file.sent(), "20 a=2 |40 slow:a=2 b=1 |60 slow:b=1 end");
  EXPECT_EQ(file.counters().undecodable, 3);
  EXPECT_EQ(file.counters().events, 3);
  EXPECT_THAT(file.letters(), ElementsAre("0: no time", "0: no time", "1: no time"));
}

TEST(SourcePartition, CountsOnceWhatItDecodesTwice) {
  for (const Stamp stamp : {Stamp::kProducer, Stamp::kFile}) {
    for (const bool released : {true, false}) {
      Source source(stamp);
      const std::string bad = "bad\nt=500000 type=request\nbad\nt=500001 type=request";
      source.Request(5'000).Feed(500'000, bad);
      EXPECT_EQ(source.counters().undecodable, 0);
      if (released) source.Feed(500'000, bad);
      source.Feed(released ? 500'000 : 6'000, released ? bad : "t=6000 type=request");
      const std::int64_t times = released ? 3 : 1;
      EXPECT_EQ(source.counters().undecodable, 2 * times);
      EXPECT_EQ(source.counters().events, released ? 1 + 6 : 1 + 2 + 1);
      EXPECT_EQ(source.counters().quarantined, released ? 0 : 2);
    }
  }
}

TEST(SourcePartition, ClosesIdlePanes) {
  Source source(Stamp::kAppend);
  source.Idle(40);
  EXPECT_EQ(source.sent(), "40") << "a partition without records is idle as well";
  source.Request(41'000).Idle(35).Idle(40).Idle(49);
  EXPECT_EQ(source.sent(), "40") << "never back, never within a tick";
  source.Idle(65);
  EXPECT_EQ(source.sent(), "40 |60 api=1");
  source.Feed(66'000, "t=49000 type=request service=api");
  EXPECT_EQ(source.counters().late, 1);
  source.Idle(90);
  EXPECT_EQ(source.sent(), "40 |60 api=1 |80 slow:api=2 |90");
  EXPECT_EQ(source.partition().Commit().offset, 2);
}

// One from the future holds up nothing; one that came while nobody looked is no jump once the time
// that it names has come.
TEST(SourcePartition, ClosesIdlePanesUpToWhatItHolds) {
  Source source(Stamp::kProducer);
  source.Request(5'000).Request(500'000).Idle(300);
  EXPECT_EQ(source.sent(), "20 api=1 |40 slow:api=1 |300");
  EXPECT_EQ(source.partition().next_offset(), 1) << "still held";
  source.Request(310'000);
  EXPECT_EQ(source.counters().quarantined, 1) << "an earlier one followed";
  source.Request(505'000).Idle(505).Idle(700);
  EXPECT_EQ(source.sent(),
            "20 api=1 |40 slow:api=1 |300 |310 |330 api=1 |350 slow:api=1 |500 |520 api=1 "
            "|540 slow:api=1 |700");
  EXPECT_EQ(source.counters().quarantined, 1);
  // The second that is held is offered after the first, and is a jump from there.
  source.Request(5'000'000).Request(20'000'000);
  EXPECT_EQ(source.partition().next_offset(), 4);
  source.Idle(30'000);
  EXPECT_EQ(source.partition().next_offset(), 5);
  source.Idle(30'000);
  EXPECT_EQ(source.partition().next_offset(), 6);
}

TEST(SourcePartition, JoinsOthersBehindWhatTheyHaveSent) {
  Source old(Stamp::kFile);
  old.partition().Join(At(100));
  old.Request(5'000);
  EXPECT_EQ(old.sent(), "100") << "so that nobody waits for it";
  EXPECT_EQ(old.counters().late, 1);
  Source source(Stamp::kFile);
  source.partition().Join(At(100));
  source.Request(95'000).Request(110'000).Request(121'000);
  EXPECT_EQ(source.counters().late, 0);
  EXPECT_EQ(source.sent(), "100 |110 api=1 |120");
  source.End();
  source.partition().Join(At(10'000));
  source.Request(10'005'000);
  EXPECT_EQ(source.partition().clock(), At(10'005)) << "its first record is not held";
  EXPECT_EQ(source.partition().last_tick(), At(10'000));
}

TEST(SourcePartition, EndsEvenWithoutARecord) {
  Source empty(Stamp::kFile);
  EXPECT_EQ(empty.End().sent(), "0 end");
  Source blank(Stamp::kAppend);
  blank.Feed(5'000, "").End();
  EXPECT_EQ(blank.sent(), "10 end");
}

TEST(SourcePartition, AGapOfHoursIsOneBatch) {
  Source source(Stamp::kAppend);
  source.Request(5'000).Request(5 * 3'600'000);
  EXPECT_EQ(source.sent(), "20 api=1 |40 slow:api=1 |18000");
}

TEST(SourcePartition, RefusesCommitsOfOthers) {
  Source source(Stamp::kProducer);
  source.Request(5'000).Request(31'000);
  const SourceCommit good = source.partition().Commit();
  ASSERT_TRUE(Source(Stamp::kProducer).partition().Restore(good).ok());
  std::vector<std::string> bad = {"7", "t0" + good.metadata.substr(2), good.metadata + " 1",
                                  good.metadata + "x"};
  for (std::size_t space = good.metadata.find(' '); space != std::string::npos;
       space = good.metadata.find(' ', space + 1)) {
    bad.push_back(good.metadata.substr(0, space));
    bad.push_back(good.metadata.substr(0, space + 1) + "x" + good.metadata.substr(space + 1));
  }
  for (const std::string& metadata : bad) {
    Source other(Stamp::kProducer);
    const absl::Status status = other.partition().Restore({.offset = 0, .metadata = metadata});
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << metadata;
    EXPECT_THAT(std::string(status.message()), HasSubstr("app/0"));
  }
}

// What groups hold. Where this fails the format has changed: raise its version, read this one on,
// and add a line below.
TEST(SourcePartition, ReadsCommitsOfThisFormatAndTheOneBefore) {
  const std::string common =
      " 2 1772323230000000 1 1 "
      "p:1772323231000000:1772323231000000:1:26000000,0,0,0,0,0,0,0,0, - -9223372036854775808";
  Source source(Stamp::kProducer);
  source.partition().set_live(true);
  source.Request(5'000).Request(31'000);
  EXPECT_EQ(source.partition().Commit().metadata, "t2" + common + " 1 1:1772323231000000:32");
  for (const std::string& metadata : {"t2" + common + " 1 1:1772323231000000:32", "t1" + common}) {
    Source restarted(Stamp::kProducer);
    ASSERT_TRUE(restarted.partition().Restore({.offset = 2, .metadata = metadata}).ok());
    EXPECT_EQ(restarted.partition().next_offset(), 2);
    EXPECT_EQ(restarted.partition().last_tick(), source.partition().last_tick());
    EXPECT_EQ(restarted.partition().clock(), source.partition().clock());
    EXPECT_EQ(restarted.partition().live(), metadata.starts_with("t2"));
  }
}

TEST(SourcePartition, BeginsAtACommitWithoutMetadata) {
  Source source(Stamp::kAppend);
  ASSERT_TRUE(source.partition().Restore({.offset = 7, .metadata = ""}).ok());
  EXPECT_EQ(source.partition().next_offset(), 7);
  EXPECT_EQ(source.partition().Commit().offset, 7);
  EXPECT_EQ(source.partition().last_tick(), kNoTime);
}

TEST(SourcePartition, RemembersWhetherTimesWereTheBrokers) {
  for (const Stamp stamp : {Stamp::kAppend, Stamp::kProducer}) {
    Source source(stamp);
    source.Request(5'000);
    Source restarted(Stamp::kProducer);
    ASSERT_TRUE(restarted.partition().Restore(source.partition().Commit()).ok());
    EXPECT_EQ(restarted.partition().trust(), source.partition().trust());
    EXPECT_EQ(restarted.partition().trust() == SourceClock::Trust::kAppendTime,
              stamp == Stamp::kAppend);
  }
}

// An alarm whose pane is closed counts in the earliest one that is open; anything else is late.
TEST(SourcePartitionTest, ALateAlarmIsCountedAllTheSame) {
  PlanOptions options;
  options.scope = {*FieldRef::Parse("env")};
  options.inputs = {{"app", 10 * kSecondUs}, {"cloud", 30 * kSecondUs}};
  SeriesSpec alarms, slow, checks;
  alarms.where.Require(*FieldRef::Parse("type"), {"alarm"});
  alarms.measures = {Measure::Count()};
  slow = alarms;
  alarms.inputs = {"app"};
  slow.inputs = {"app", "cloud"};
  checks = alarms;
  checks.where = Predicate();
  checks.where.Require(*FieldRef::Parse("type"), {"check"});
  const Plan plan = Plan::Compile(options, {alarms, slow, checks});
  SourcePartition::Options partition_options;
  partition_options.plan = &plan;
  partition_options.input = "app";
  partition_options.source = "app/0";
  partition_options.decoder = std::make_unique<TextDecoder>();
  SourcePartition partition(std::move(partition_options));
  const auto feed = [&](std::int64_t offset, std::int64_t seconds, const std::string& text) {
    partition.Feed({.offset = offset,
                    .next_offset = offset + 1,
                    .timestamp = At(seconds),
                    .append_time = true,
                    .bytes = text});
  };
  feed(0, 5, "t=5000 type=request");
  feed(1, 62, "t=4000 type=alarm state=alarm\nt=4000 type=check");
  feed(2, 120, "t=120000 type=request");
  std::map<std::size_t, std::vector<std::int64_t>> ticks;  // of the aggregations' rows
  for (const PaneBatch& batch : partition.TakeBatches()) {
    for (const auto& [aggregation, table] : batch.tables) {
      if (table.rows() > 0) ticks[aggregation].push_back((batch.tick - kBase) / kSecondUs);
    }
  }
  // The panes that the record found open closed at the next tick, whatever their delay.
  EXPECT_THAT(ticks[plan.AggregationOf(0)], ElementsAre(70));
  EXPECT_THAT(ticks[plan.AggregationOf(1)], ElementsAre(70));
  EXPECT_THAT(ticks[plan.AggregationOf(2)], ::testing::IsEmpty());
}

class TablesOneByOne final : public EventSink {
 public:
  explicit TablesOneByOne(const std::vector<Aggregation>* aggregations)
      : aggregations_(*aggregations) {
    for (const Aggregation& aggregation : aggregations_) tables.emplace_back(&aggregation.layout);
  }
  void OnEvent(const Event& event) override {
    for (std::size_t i = 0; i < tables.size(); ++i) {
      if (!aggregations_[i].where.Matches(event)) continue;
      std::string key;
      std::array<char, 12> scratch;
      for (const FieldRef& field : aggregations_[i].by) {
        AppendKeyPart(field.Get(event, scratch), &key);
      }
      tables[i].Accumulate(tables[i].Row(key), event);
    }
  }
  void OnUndecodable(std::string_view, std::string_view) override { ADD_FAILURE(); }

  std::vector<PaneTable> tables;

 private:
  const std::vector<Aggregation>& aggregations_;
};

// However the partition finds its rows, its tables are those that each event would make by itself:
// aggregations whose fields begin alike and others, selective ones, and more keys than are
// remembered or fit a table.
TEST(SourcePartitionTest, TablesAreThoseOfTheEventsOneByOne) {
  PlanOptions options;
  options.scope = {*FieldRef::Parse("env")};
  options.inputs = {{"app", 10 * kSecondUs}};
  std::vector<SeriesSpec> specs;
  const auto add = [&](const std::vector<const char*>& by, const char* type, const char* service) {
    SeriesSpec& spec = specs.emplace_back();
    for (const char* name : by) spec.by.push_back(*FieldRef::Parse(name));
    if (type != nullptr) spec.where.Require(*FieldRef::Parse("type"), {type});
    if (service != nullptr) spec.where.Require(*FieldRef::Parse("service"), {service});
    // All that a coarser table is given by a finer one when the pane closes, and one that it is
    // not.
    spec.measures = {Measure::Count(),
                     Measure::CountFailed(),
                     Measure::CountAbove(500),
                     Measure::FailedAmount(),
                     Measure::Histogram(),
                     Measure::Distinct(Field::kUser),
                     Measure::TopK(Field::kUser, 8, MeasureFilter::kFailed)};
  };
  add({"service"}, "request", nullptr);
  add({"service", "endpoint"}, "request", nullptr);
  add({"service", "endpoint"}, "request", "api");
  add({"service", "user"}, "request", "shop");
  add({"user"}, nullptr, nullptr);
  add({"service"}, nullptr, "api");
  const Plan plan = Plan::Compile(options, specs);
  const std::vector<Aggregation>& all = plan.aggregations();

  SourcePartition::Options partition_options;
  partition_options.plan = &plan;
  partition_options.input = "app";
  partition_options.source = "app/0";
  partition_options.decoder = std::make_unique<TextDecoder>();
  SourcePartition partition(std::move(partition_options));
  TablesOneByOne expected(&all);
  std::mt19937 random(7);
  std::int64_t offset = 0;
  for (std::uint32_t i = 0; i < 240'000; ++i) {
    std::string service = std::array{"api", "shop", ""}[random() % 3];
    // Many endpoints first, so that those that come often later are not among the remembered.
    std::string endpoint = "/" + std::to_string(i < 160'000 ? i : random() % 100);
    // What events may say, too.
    if (random() % 1'000 == 0) service = endpoint = kOtherValue;
    const std::string user = "u" + std::to_string(random() % 6'000);
    const std::uint32_t draw = random() % 16;
    const std::string type = draw == 0 ? "query dependency=db" : draw % 2 == 0 ? "log" : "request";
    std::string text =
        "t=1 type=" + type + " service=" + service + " endpoint=" + endpoint + " user=" + user;
    if (random() % 8 != 0) text += " duration=" + std::to_string(random() % 1'000);
    if (random() % 500 == 0) text += " status=503";
    partition.Feed(
        {.offset = offset, .next_offset = offset + 1, .timestamp = kBase, .bytes = text});
    ++offset;
    TextDecoder().Decode(text, kNoTime, &expected);
  }
  partition.End();
  std::size_t tables = 0;
  for (const PaneBatch& batch : partition.TakeBatches()) {
    for (const auto& [a, table] : batch.tables) {
      ++tables;
      ByteWriter got, wanted;
      table.Encode(&got);
      expected.tables[a].Encode(&wanted);
      EXPECT_TRUE(got.view() == wanted.view()) << a;
      EXPECT_GT(table.rows(), 0u);
    }
  }
  EXPECT_EQ(tables, all.size());
  EXPECT_GT(partition.counters().capped, 0);
}

// The services' top endpoints are those that the endpoints' own counts say.
TEST(SourcePartitionTest, TheTopOfAFinerTableIsExact) {
  PlanOptions options;
  options.inputs = {{"app", 10 * kSecondUs}};
  SeriesSpec services, endpoints;
  for (SeriesSpec* spec : {&services, &endpoints}) {
    spec->where.Require(*FieldRef::Parse("type"), {"request"});
    spec->measures = {Measure::Count(), Measure::CountFailed()};
  }
  services.by = {*FieldRef::Parse("service")};
  services.measures.push_back(Measure::TopK(Field::kEndpoint, 3));
  services.measures.push_back(Measure::TopK(Field::kEndpoint, 3, MeasureFilter::kFailed));
  endpoints.by = {*FieldRef::Parse("service"), *FieldRef::Parse("endpoint")};
  const Plan plan = Plan::Compile(options, {services, endpoints});
  SourcePartition::Options partition_options;
  partition_options.plan = &plan;
  partition_options.input = "app";
  partition_options.source = "app/0";
  partition_options.decoder = std::make_unique<TextDecoder>();
  SourcePartition partition(std::move(partition_options));
  std::int64_t offset = 0;
  const auto feed = [&](int times, const std::string& text) {
    for (; times > 0; --times) {
      const std::string record = "t=1 type=request " + text;
      partition.Feed(
          {.offset = offset, .next_offset = offset + 1, .timestamp = kBase, .bytes = record});
      ++offset;
    }
  };
  feed(1, "service=api endpoint=/rare");
  feed(3, "service=api endpoint=/c status=503");
  feed(9, "service=api endpoint=/z");
  feed(1, "service=api endpoint=/z status=503");
  feed(6, "service=api endpoint=/b");
  feed(2, "service=api endpoint=/d");
  feed(5, "service=api");
  feed(4, "service=shop endpoint=/c");
  partition.End();
  using Entries = std::vector<SpaceSaving::Entry>;
  std::map<std::string, std::vector<Entries>> tops;
  std::int64_t total = 0;
  for (const PaneBatch& batch : partition.TakeBatches()) {
    for (const auto& [a, table] : batch.tables) {
      if (a != plan.AggregationOf(0)) continue;
      for (std::uint32_t row = 0; row < table.rows(); ++row) {
        const std::vector<MeasureSlot>& slots = plan.SlotsOf(0);
        ByteReader key(table.key(row));
        const std::string service(key.Bytes());
        for (const std::size_t slot : {std::size_t{2}, std::size_t{3}}) {
          tops[service].push_back(table.Cell(row).Top(slots[slot]).Top(5));
        }
        total += table.Cell(row).Top(slots[2]).total();
        EXPECT_EQ(table.Cell(row).Count(slots[0]), service == "api" ? 27 : 4);
        EXPECT_EQ(table.Cell(row).Count(slots[1]), service == "api" ? 4 : 0);
      }
    }
  }
  EXPECT_THAT(tops["api"], ElementsAre(Entries{{"/z", 10, 0}, {"/b", 6, 0}, {"/c", 3, 0}},
                                       Entries{{"/c", 3, 0}, {"/z", 1, 0}}));
  EXPECT_THAT(tops["shop"], ElementsAre(Entries{{"/c", 4, 0}}, Entries{}));
  EXPECT_EQ(total, 26) << "with those that have no room, without those that name none";
}

}  // namespace
}  // namespace tocsin
