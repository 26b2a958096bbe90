#include "tests/sim/poison_simulation.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/check.h"
#include "core/hash.h"
#include "tests/sim/poison.h"

namespace tocsin::testing {
namespace {

// Without wrong times and jumps: which of them the clock's guard believes depends on their
// neighbours.
constexpr LogShape kGoodShape = {.records_min = 12,
                                 .records_spread = 14,
                                 .step_ms = 14'000,
                                 .gap_ms = 40'000,
                                 .wrong_times = false};

}  // namespace

struct PoisonSimulation::Partition {
  SimLog log;
  std::string format;
  std::vector<bool> is_poison, is_lying;  // of each record
  std::optional<SourceCommit> committed;
  std::unique_ptr<SourcePartition> stage1;
  std::size_t next = 0;
  bool ended = false;

  std::unique_ptr<SourcePartition> NewStage1(const Plan& plan) const {
    SourcePartition::Options options;
    options.plan = &plan;
    options.input = log.input;
    options.source = log.source;
    options.decoder = NewDecoderOf(format);
    return std::make_unique<SourcePartition>(std::move(options));
  }
};

PoisonStats& PoisonStats::operator+=(const PoisonStats& other) {
  poisoned += other.poisoned;
  lying += other.lying;
  undecodable += other.undecodable;
  quarantined += other.quarantined;
  crashes += other.crashes;
  return *this;
}

PoisonSimulation::PoisonSimulation(const EngineSetup* setup, std::uint64_t seed,
                                   PoisonBreakage breakage)
    : setup_(setup),
      breakage_(breakage),
      random_(~seed),
      journal_(OneIn(4) ? SimJournal::Kind::kSqlite : SimJournal::Kind::kMemory),
      process_(setup) {
  for (SimLog& log : DrawLogs(seed, kGoodShape)) {
    auto partition = std::make_unique<Partition>();
    partition->format = PoisonFormats()[random_() % PoisonFormats().size()];
    partition->log = std::move(log);
    for (SimRecord& record : partition->log.records) {
      record.text = InFormat(partition->format, record.text);
      record.offset *= 4;  // room for poison
    }
    partitions_.push_back(std::move(partition));
  }
}

PoisonSimulation::~PoisonSimulation() = default;

void PoisonSimulation::AddPoison(Partition* partition) {
  Poison poison(random_());
  std::vector<SimRecord> records;
  for (const SimRecord& good : partition->log.records) {
    records.push_back(good);
    partition->is_poison.push_back(false);
    partition->is_lying.push_back(false);
    for (std::uint64_t n = OneIn(3) ? 1 + random_() % 3 : 0; n > 0; --n) {
      ++stats_.poisoned;
      SimRecord record = good;
      record.offset = records.back().offset + 1;
      record.text = poison.Draw(partition->format, good.timestamp, good.text);
      // Alone, and before a good one: three in a row are believed, and one that nothing follows.
      const bool is_last = &good == &partition->log.records.back();
      const bool lies = !partition->log.append_time && n == 1 && !is_last && OneIn(2);
      if (lies) record.timestamp += (OneIn(3) ? -400 : 2) * kHourUs;
      if (lies) ++stats_.lying;
      records.push_back(std::move(record));
      partition->is_poison.push_back(true);
      partition->is_lying.push_back(lies);
    }
  }
  partition->log.records = std::move(records);
}

void PoisonSimulation::Start(Partition* partition) const {
  partition->stage1 = partition->NewStage1(setup_->plan);
  partition->next = 0;
  if (!partition->committed) return;
  TOCSIN_CHECK(partition->stage1->Restore(*partition->committed).ok());
  const std::vector<SimRecord>& records = partition->log.records;
  while (partition->next < records.size() &&
         records[partition->next].offset < partition->committed->offset) {
    ++partition->next;
  }
}

void PoisonSimulation::Append(const std::vector<std::string>& records) {
  if (records.empty()) return;
  TOCSIN_CHECK(journal_->AppendBatches(records).ok());
  appended_.insert(appended_.end(), records.begin(), records.end());
}

void PoisonSimulation::Send(Partition* partition) {
  std::vector<std::string> records;
  EncodeTo(partition->stage1->TakeBatches(), setup_->plan, &records);
  Append(records);
}

void PoisonSimulation::Feed(Partition* partition) {
  const std::size_t at = partition->next++;
  SourceRecord record = partition->log.At(at);
  const bool trusts = breakage_ == PoisonBreakage::kTrustTimes && partition->is_lying[at];
  if (trusts) record.append_time = true;
  partition->stage1->Feed(record);
  if (breakage_ == PoisonBreakage::kDropNext && partition->is_poison[at]) ++partition->next;
}

void PoisonSimulation::Step(Partition* partition) {
  switch (random_() % 12) {
    case 0:
      if (!OneIn(4)) return;
      ++stats_.crashes;
      return Start(partition);
    case 1:
      return Send(partition);
    case 2:
      Send(partition);
      partition->committed = partition->stage1->Commit();
      return;
    default:
      break;
  }
  if (partition->next < partition->log.records.size()) return Feed(partition);
  partition->stage1->End();
  Send(partition);
  partition->ended = true;
  stats_.undecodable += partition->stage1->counters().undecodable;
  stats_.quarantined += partition->stage1->counters().quarantined;
}

void PoisonSimulation::Run() {
  SeedTableHash(1);
  std::vector<SimLog> logs;
  for (const auto& partition : partitions_) logs.push_back(partition->log);
  std::vector<std::string> records = {ExpectRecord(logs)};
  Append(records);
  for (const auto& partition : partitions_) {
    const std::unique_ptr<SourcePartition> stage1 = partition->NewStage1(setup_->plan);
    for (std::size_t i = 0; i < partition->log.records.size(); ++i) {
      stage1->Feed(partition->log.At(i));
    }
    stage1->End();
    EncodeTo(stage1->TakeBatches(), setup_->plan, &records);
  }
  expected_ = ReadUndisturbed(*setup_, records);
  SeedTableHash(2);
  for (const auto& partition : partitions_) {
    AddPoison(partition.get());
    Start(partition.get());
  }
  process_.Start(journal_.get());
  std::vector<Partition*> busy;
  for (const auto& partition : partitions_) busy.push_back(partition.get());
  while (!busy.empty()) {
    const std::size_t at = random_() % busy.size();
    Step(busy[at]);
    if (busy[at]->ended) busy.erase(busy.begin() + static_cast<std::ptrdiff_t>(at));
    if (OneIn(8)) process_.Read(1 + random_() % 6);
    if (OneIn(100)) {
      TOCSIN_CHECK(process_.TakeSnapshot().ok());
      journal_.Kill();
      process_.Start(journal_.get());
    }
  }
  process_.Read(appended_.size());
  TOCSIN_CHECK(process_.TakeSnapshot().ok());
  actual_ = process_.Finish();
  actual_.facts = FactsOf(*setup_, appended_);
}

}  // namespace tocsin::testing
