#include "tests/sim/disk_simulation.h"

#include <sqlite3.h>

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/hash.h"

namespace tocsin::testing {

struct DiskSimulation::Reader {
  const SimLog* log = nullptr;
  std::optional<SourceCommit> committed;  // kept by the source
  std::unique_ptr<SourcePartition> stage1;
  std::size_t next = 0;  // record
  bool ended = false;
  std::optional<SourceCommit> waiting;  // for the disk …
  std::size_t waits_for = 0;            // … to have so many records
};

DiskStats& DiskStats::operator+=(const DiskStats& other) {
  on_disk += other.on_disk;
  failed_writes += other.failed_writes;
  failed_snapshots += other.failed_snapshots;
  decided_undurable += other.decided_undurable;
  kills += other.kills;
  restored_snapshots += other.restored_snapshots;
  unacknowledged += other.unacknowledged;
  return *this;
}

DiskSimulation::DiskSimulation(const EngineSetup* setup, std::uint64_t seed, DiskBreakage breakage)
    : setup_(setup),
      breakage_(breakage),
      logs_(DrawLogs(seed, kShortLogs)),
      random_(~seed),
      journal_(OneIn(2) ? SimJournal::Kind::kSqlite : SimJournal::Kind::kMemory),
      process_(setup) {
  for (const SimLog& log : logs_) {
    readers_.push_back(std::make_unique<Reader>());
    readers_.back()->log = &log;
  }
}

DiskSimulation::~DiskSimulation() = default;

void DiskSimulation::Start(Reader* reader) const {
  reader->stage1 = NewPartition(setup_->plan, *reader->log);
  reader->next = 0;
  reader->ended = false;
  reader->waiting.reset();
  if (!reader->committed) return;
  TOCSIN_CHECK(reader->stage1->Restore(*reader->committed).ok());
  const std::vector<SimRecord>& records = reader->log->records;
  while (reader->next < records.size() &&
         records[reader->next].offset < reader->committed->offset) {
    ++reader->next;
  }
}

void DiskSimulation::StepReader(Reader* reader) {
  switch (random_() % 8) {
    case 0:
    case 1:
      return Send(reader);
    case 2: {
      const TimeUs implied = ImpliedTime(*reader->log, reader->next, *reader->stage1);
      if (implied != kNoTime) reader->stage1->CloseIdle(implied);
      return;
    }
    default:
      break;
  }
  if (reader->ended) return;
  if (reader->next < reader->log->records.size()) {
    reader->stage1->Feed(reader->log->At(reader->next++));
  } else {
    reader->stage1->End();
    reader->ended = true;
    Send(reader);
  }
}

void DiskSimulation::Send(Reader* reader) {
  std::vector<std::string> records;
  EncodeTo(reader->stage1->TakeBatches(), setup_->plan, &records);
  for (std::string& record : records) waiting_.push_back(std::move(record));
  // Who ends commits nothing more: whoever starts instead ends at the same tick.
  if (reader->ended) return;
  if (breakage_ == DiskBreakage::kCommitAtOnce) reader->committed = reader->stage1->Commit();
  // One commit after the other.
  if (reader->waiting) return;
  reader->waiting = reader->stage1->Commit();
  reader->waits_for = durable_.size() + waiting_.size();
}

void DiskSimulation::Write() {
  if (backs_off_ > 0) return static_cast<void>(--backs_off_);
  if (waiting_.empty()) return TellSources(durable_.size());
  const auto count = static_cast<std::ptrdiff_t>(1 + random_() % waiting_.size());
  const std::vector<std::string> records(waiting_.begin(), waiting_.begin() + count);
  const absl::StatusOr<std::uint64_t> last = journal_->AppendBatches(records);
  if (!last.ok()) {
    if (!Passes(last.status())) Fail(std::string(last.status().message()));
    ++stats_.failed_writes;
    backs_off_ = static_cast<int>(random_() % 8);
    if (breakage_ == DiskBreakage::kTrustFailedWrite) {
      TellSources(durable_.size() + waiting_.size());
    }
    return;
  }
  durable_.insert(durable_.end(), records.begin(), records.end());
  waiting_.erase(waiting_.begin(), waiting_.begin() + count);
  if (*last != durable_.size()) Fail("the journal counts " + std::to_string(*last) + " records");
  TellSources(durable_.size());
}

void DiskSimulation::TellSources(std::size_t durable) {
  for (const std::unique_ptr<Reader>& reader : readers_) {
    if (!reader->waiting || reader->waits_for > durable) continue;
    reader->committed = *std::exchange(reader->waiting, std::nullopt);
  }
}

void DiskSimulation::Decide() {
  if (process_.through() < durable_.size()) return process_.Read(1 + random_() % 6);
  const std::size_t ahead = process_.through() - durable_.size();
  if (ahead >= waiting_.size() || !OneIn(3)) return;
  ++stats_.decided_undurable;
  process_.Decide(process_.through() + 1, waiting_[ahead]);
}

void DiskSimulation::TakeSnapshot() {
  if (process_.through() > durable_.size()) return;
  const absl::Status saved = process_.TakeSnapshot();
  if (saved.ok()) return;
  if (!Passes(saved)) Fail(std::string(saved.message()));
  ++stats_.failed_snapshots;
}

void DiskSimulation::Trouble() {
  if (OneIn(2)) return journal_.Repair();
  constexpr int kCodes[] = {SQLITE_FULL, SQLITE_IOERR_WRITE, SQLITE_IOERR_FSYNC};
  const int code = kCodes[random_() % 3];
  const int first = 1 + static_cast<int>(random_() % 6);
  journal_.Fail(code, first, OneIn(2) ? 1 + static_cast<int>(random_() % 3) : 1'000'000);
}

void DiskSimulation::Kill() {
  ++stats_.kills;
  if (OneIn(4)) {
    journal_.Reopen();
  } else {
    journal_.Kill();
  }
  CheckJournal();
  waiting_.clear();
  if (durable_.empty()) waiting_.push_back(ExpectRecord(logs_));
  for (const std::unique_ptr<Reader>& reader : readers_) Start(reader.get());
  if (process_.Start(journal_.get())) ++stats_.restored_snapshots;
}

void DiskSimulation::CheckJournal() {
  const absl::StatusOr<std::uint64_t> last = journal_->AppendBatches({});
  const absl::StatusOr<std::uint64_t> oldest = journal_->OldestBatch();
  if (!last.ok() || !oldest.ok()) return Fail("the journal cannot be read after a start");
  if (*last < durable_.size()) return Fail("records that were durable are gone");
  // A write that was not acknowledged may be there, whole.
  while (durable_.size() < *last && !waiting_.empty()) {
    ++stats_.unacknowledged;
    durable_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  std::uint64_t expected = *oldest;
  const absl::Status read = journal_->ReadBatches(
      *oldest - 1, [&](std::uint64_t sequence, std::string_view record) -> absl::Status {
        const bool is_there = sequence == expected++ && sequence <= durable_.size() &&
                              record == durable_[sequence - 1];
        return is_there ? absl::OkStatus() : absl::DataLossError("a record has changed");
      });
  if (!read.ok()) Fail(std::string(read.message()));
  if (expected != durable_.size() + 1) Fail("the journal has another number of records");
}

void DiskSimulation::Fail(const std::string& what) {
  if (actual_.contradiction.empty()) actual_.contradiction = "journal: " + what;
}

void DiskSimulation::Step() {
  switch (random_() % 16) {
    case 0:
    case 1:
      return Write();
    case 2:
    case 3:
      return Decide();
    case 4:
      if (OneIn(4)) TakeSnapshot();
      return;
    case 5:
      if (OneIn(6)) Trouble();
      return;
    case 6:
      if (OneIn(12)) Kill();
      return;
    case 7:
      // An input that is made anew.
      if (OneIn(8)) Start(readers_[random_() % readers_.size()].get());
      return;
    default:
      return StepReader(readers_[random_() % readers_.size()].get());
  }
}

void DiskSimulation::Run() {
  if (journal_.is_on_disk()) ++stats_.on_disk;
  SeedTableHash(1);
  expected_ = ReadUndisturbed(*setup_, JournalOf(setup_->plan, logs_));
  SeedTableHash(2);
  waiting_.push_back(ExpectRecord(logs_));
  for (const std::unique_ptr<Reader>& reader : readers_) Start(reader.get());
  process_.Start(journal_.get());
  const auto ended = [](const std::unique_ptr<Reader>& reader) { return reader->ended; };
  while (actual_.contradiction.empty() && !std::all_of(readers_.begin(), readers_.end(), ended)) {
    Step();
  }
  journal_.Repair();
  while (actual_.contradiction.empty() && !waiting_.empty()) Write();
  if (!actual_.contradiction.empty()) return;
  while (process_.through() < durable_.size()) process_.Read(durable_.size());
  TakeSnapshot();
  const std::string said = actual_.contradiction;
  actual_ = process_.Finish();
  if (!said.empty()) actual_.contradiction = said;
  actual_.facts = FactsOf(*setup_, durable_);
}

}  // namespace tocsin::testing
