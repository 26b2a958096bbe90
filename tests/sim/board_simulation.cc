#include "tests/sim/board_simulation.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "core/check.h"
#include "core/hash.h"
#include "service/input.h"
#include "tests/engine/text_decoder.h"

namespace tocsin::testing {
namespace {

// Producers are at most a second behind, which is less than kIdleGrace.
constexpr LogShape kLiveShape = {.records_min = 15,
                                 .records_spread = 21,
                                 .step_ms = 14'000,
                                 .late_ms = 1'000,
                                 .wrong_times = false};
constexpr DurationUs kTurn = 200 * kMillisecondUs;
// As in service/kafka_input.
constexpr DurationUs kAwayAfter = 5 * kSecondUs;
constexpr DurationUs kSettleTime = 15 * kSecondUs;
constexpr DurationUs kBackWithin = 25 * kSecondUs;

}  // namespace

struct BoardSimulation::Partition {
  SimLog* log = nullptr;
  std::unique_ptr<SourcePartition> stage1;
  SourceBoard::Id id = 0;
  std::size_t next = 0;  // record
  TimeUs away_until = kNoTime;
  // Monotonic:
  TimeUs answered_at = kNoTime;
  TimeUs settled_at = kNoTime;
  DurationUs broker_offset = INT64_MIN;  // broker time − monotonic, the largest seen
  bool live = false;
  TimeUs data_tick = kNoTime;
};

BoardStats& BoardStats::operator+=(const BoardStats& other) {
  clock_steps += other.clock_steps;
  pauses += other.pauses;
  outages += other.outages;
  absences += other.absences;
  idle_closes += other.idle_closes;
  exclusions += other.exclusions;
  return *this;
}

BoardSimulation::BoardSimulation(const EngineSetup* setup, std::uint64_t seed,
                                 BoardBreakage breakage)
    : setup_(setup),
      breakage_(breakage),
      logs_(DrawLogs(seed, kLiveShape)),
      random_(~seed),
      now_(kBase),
      time_([this] { return HostClocks(); }),
      board_(setup->plan.pane()),
      journal_(OneIn(4) ? SimJournal::Kind::kSqlite : SimJournal::Kind::kMemory),
      process_(setup) {
  for (SimLog& log : logs_) {
    auto partition = std::make_unique<Partition>();
    partition->log = &log;
    partition->stage1 = NewPartition(setup_->plan, log);
    partition->id = board_.Add(log.source);
    // One that has never had a record may be left out.
    now_ = std::max(now_, log.records.front().written);
    partitions_.push_back(std::move(partition));
  }
}

BoardSimulation::~BoardSimulation() = default;

DurationUs BoardSimulation::DrawLength() { return (OneIn(2) ? 10 : 1) * kMinuteUs; }

TimeSource::Reading BoardSimulation::HostClocks() const {
  const DurationUs step = now_ < step_ends_ ? clock_step_ : 0;
  return {.monotonic = now_ - kBase + kHourUs, .wall = now_ + clock_off_ + step};
}

void BoardSimulation::Append(const std::vector<std::string>& records) {
  if (records.empty()) return;
  TOCSIN_CHECK(journal_->AppendBatches(records).ok());
  appended_.insert(appended_.end(), records.begin(), records.end());
}

void BoardSimulation::Pause() {
  if (pause_ == 0 || !OneIn(4)) return;
  now_ += std::exchange(pause_, 0);
}

void BoardSimulation::Trouble() {
  if (now_ < trouble_ends_) return;
  switch (random_() % 1'200) {
    case 0:
    case 1:
    case 2:
    case 3:
      ++stats_.clock_steps;
      clock_step_ = OneIn(2) ? kHourUs : -kHourUs;
      step_ends_ = now_ + 1'500 * kMillisecondUs;
      return;
    case 4:
      clock_off_ = static_cast<DurationUs>(random_() % 800) * kMillisecondUs - 400'000;
      return;
    case 5:
      ++stats_.pauses;
      pause_ = DrawLength();
      return;
    case 6: {
      ++stats_.outages;
      const TimeUs ends = now_ + DrawLength();
      trouble_ends_ = ends + 2 * kMinuteUs;
      for (const auto& partition : partitions_) {
        partition->away_until = ends + static_cast<DurationUs>(random_() % kBackWithin);
      }
      return;
    }
    case 7:
      ++stats_.absences;
      trouble_ends_ = now_ + 3 * kMinuteUs;
      partitions_[random_() % partitions_.size()]->away_until = now_ + kMinuteUs;
      return;
    default:
      return;
  }
}

void BoardSimulation::Read(Partition* partition) {
  const TimeSource::Reading asked_at = time_.Now();
  Pause();
  if (now_ < partition->away_until) {
    if (breakage_ == BoardBreakage::kCloseAway) CloseIdle(partition, asked_at);
    return;
  }
  const TimeUs newest = partition->stage1->last_tick();
  const std::vector<SimRecord>& records = partition->log->records;
  if (newest != kNoTime && newest > board_.Limit()) return;
  TimeUs newest_stamp = kNoTime;
  while (partition->next < records.size() && records[partition->next].written <= now_) {
    newest_stamp = records[partition->next].timestamp;
    partition->stage1->Feed(partition->log->At(partition->next++));
  }
  Pause();
  const TimeSource::Reading now = time_.Now();
  if (partition->answered_at != kNoTime && now.monotonic - partition->answered_at > kAwayAfter) {
    partition->settled_at = now.monotonic + kSettleTime;
  }
  partition->answered_at = now.monotonic;
  if (newest_stamp != kNoTime) {
    partition->broker_offset = std::max(partition->broker_offset, newest_stamp - now.monotonic);
    const bool settled = partition->settled_at == kNoTime || now.monotonic >= partition->settled_at;
    if (settled || !partition->live) {
      partition->live = std::abs(newest_stamp - now.wall) < kLiveDistanceMax;
    }
  }
  CloseIdle(partition, asked_at);
}

void BoardSimulation::CloseIdle(Partition* partition, const TimeSource::Reading& asked_at) {
  TimeUs time = kNoTime;
  if (partition->log->append_time) {
    if (partition->broker_offset != INT64_MIN) time = asked_at.monotonic + partition->broker_offset;
  } else if (partition->live && asked_at.monotonic >= partition->settled_at) {
    time = breakage_ == BoardBreakage::kHostClock ? HostClocks().wall : asked_at.wall;
  }
  if (time == kNoTime) return;
  const TimeUs tick = FloorTo(time - kIdleGrace, setup_->plan.pane());
  const TimeUs last = partition->stage1->last_tick();
  if (last != kNoTime && tick <= last) return;
  ++stats_.idle_closes;
  partition->stage1->CloseIdle(tick);
}

void BoardSimulation::Report(Partition* partition) {
  std::vector<std::string> records;
  const std::vector<PaneBatch> batches = partition->stage1->TakeBatches();
  for (const PaneBatch& batch : batches) {
    if (!batch.tables.empty() || !batch.facts.empty()) partition->data_tick = batch.tick;
  }
  EncodeTo(batches, setup_->plan, &records);
  Append(records);
  const bool answers =
      partition->answered_at != kNoTime && time_.Monotonic() - partition->answered_at <= kAwayAfter;
  const bool readable = answers || breakage_ == BoardBreakage::kBlameAway;
  board_.Report(partition->id,
                {.tick = partition->stage1->last_tick(),
                 .data_tick = partition->data_tick,
                 .reach = readable ? SourceBoard::Reach::kReadable : SourceBoard::Reach::kAway});
}

void BoardSimulation::Judge() {
  std::vector<std::string> records;
  for (const ControlRecord& record : board_.Judge(time_.Monotonic())) {
    records.push_back(EncodeControl(record));
    if (record.kind != ControlRecord::Kind::kExclude) continue;
    ++stats_.exclusions;
    if (actual_.contradiction.empty()) {
      actual_.contradiction = record.sources.front() + " was excluded at " + FormatTime(now_);
    }
  }
  Append(records);
}

void BoardSimulation::Decide() {
  if (OneIn(400)) {
    journal_.Kill();
    process_.Start(journal_.get());
  } else if (OneIn(100)) {
    TOCSIN_CHECK(process_.TakeSnapshot().ok());
  } else if (process_.through() < appended_.size() && OneIn(4)) {
    process_.Read(1 + random_() % 20);
  }
}

void BoardSimulation::Turn() {
  now_ += kTurn;
  Trouble();
  time_.Observe();
  for (const auto& partition : partitions_) {
    Pause();
    Read(partition.get());
    Pause();
    Report(partition.get());
  }
  Pause();
  Judge();
  Decide();
}

// Ends all logs at one time that no idle close has passed, so that the last ticks are the same.
void BoardSimulation::Finish() {
  const TimeUs end = FloorTo(now_, setup_->plan.pane()) + 2 * setup_->plan.pane();
  std::vector<std::string> records;
  for (const auto& partition : partitions_) {
    std::int64_t offset = partition->log->records.back().offset;
    for (int i = 0; i < 3; ++i) {  // so that a jump is believed
      partition->log->records.push_back({.offset = ++offset, .timestamp = end, .text = ""});
    }
    while (partition->next < partition->log->records.size()) {
      partition->stage1->Feed(partition->log->At(partition->next++));
    }
    partition->stage1->End();
    EncodeTo(partition->stage1->TakeBatches(), setup_->plan, &records);
  }
  Append(records);
  process_.Read(appended_.size());
  TOCSIN_CHECK(process_.TakeSnapshot().ok());
}

void BoardSimulation::Run() {
  Append({ExpectRecord(logs_)});
  process_.Start(journal_.get());
  SeedTableHash(2);
  const auto is_read = [](const std::unique_ptr<Partition>& partition) {
    return partition->next == partition->log->records.size();
  };
  while (!std::all_of(partitions_.begin(), partitions_.end(), is_read)) Turn();
  Finish();
  const std::string excluded = actual_.contradiction;
  actual_ = process_.Finish();
  if (!excluded.empty()) actual_.contradiction = excluded;
  actual_.facts = FactsOf(*setup_, appended_);
  SeedTableHash(1);
  expected_ = ReadUndisturbed(*setup_, JournalOf(setup_->plan, logs_));
}

}  // namespace tocsin::testing
