#include "tests/sim/simulation.h"

#include <algorithm>
#include <utility>

#include "core/check.h"

namespace tocsin::testing {
namespace {

// The n-th word of a commit, replaced.
std::string WithWord(const std::string& text, int n, const std::string& word) {
  std::size_t begin = 0;
  for (; n > 0; --n) begin = text.find(' ', begin) + 1;
  const std::size_t end = text.find(' ', begin);
  return text.substr(0, begin) + word + text.substr(end);
}

}  // namespace

struct Simulation::Instance {
  const SimLog* log = nullptr;
  std::unique_ptr<SourcePartition> partition;
  std::size_t next = 0;             // record
  std::vector<std::string> unsent;  // encoded batches, taken but not durable
  bool ended = false;
  int steps_left = -1;  // of a zombie
};

struct Simulation::Partition {
  const SimLog* log = nullptr;
  std::optional<SourceCommit> commit;
  std::unique_ptr<Instance> current;  // null when all is done
  std::vector<std::unique_ptr<Instance>> zombies;
};

SimStats& SimStats::operator+=(const SimStats& other) {
  crashes += other.crashes;
  zombies += other.zombies;
  idle_closes += other.idle_closes;
  duplicates += other.duplicates;
  decider_crashes += other.decider_crashes;
  restored_snapshots += other.restored_snapshots;
  exclusions += other.exclusions;
  late += other.late;
  quarantined += other.quarantined;
  return *this;
}

Simulation::Simulation(const EngineSetup* setup, std::uint64_t seed, Breakage breakage)
    : setup_(setup),
      breakage_(breakage),
      logs_(DrawLogs(seed)),
      random_(~seed),
      excludes_(breakage == Breakage::kNone && seed % 4 == 0),
      journal_(NewMemoryJournal()),
      process_(setup) {}

Simulation::~Simulation() = default;

void Simulation::Undisturbed() {
  SourceCounters counters;
  expected_ = ReadUndisturbed(*setup_, JournalOf(setup_->plan, logs_, &counters));
  stats_.late += counters.late;
  stats_.quarantined += counters.quarantined;
}

void Simulation::Append(std::vector<std::string> records) {
  TOCSIN_CHECK(journal_->AppendBatches(records).ok());
  appended_.insert(appended_.end(), records.begin(), records.end());
}

SourceCommit Simulation::Broken(SourceCommit commit) const {
  switch (breakage_) {
    case Breakage::kNone:
      break;
    case Breakage::kCommitNextOffset: {
      const std::size_t begin = commit.metadata.find(' ') + 1;
      commit.offset = std::stoll(commit.metadata.substr(begin));
      break;
    }
    case Breakage::kForgetCloseOffset:
      commit.metadata = WithWord(commit.metadata, 3, "0");
      break;
    case Breakage::kAssumeFactsSent:
      commit.metadata = WithWord(commit.metadata, 3, std::to_string(INT64_MAX));
      break;
  }
  return commit;
}

std::unique_ptr<Simulation::Instance> Simulation::Start(const Partition& partition) const {
  auto instance = std::make_unique<Instance>();
  instance->log = partition.log;
  instance->partition = NewPartition(setup_->plan, *partition.log);
  if (partition.commit) {
    TOCSIN_CHECK(instance->partition->Restore(*partition.commit).ok());
    const std::vector<SimRecord>& records = partition.log->records;
    while (instance->next < records.size() &&
           records[instance->next].offset < partition.commit->offset) {
      ++instance->next;
    }
  }
  return instance;
}

void Simulation::Crash(Partition* partition) {
  ++stats_.crashes;
  if (OneIn(2)) {
    ++stats_.zombies;
    partition->current->steps_left = static_cast<int>(random_() % 40);
    partition->zombies.push_back(std::move(partition->current));
  }
  partition->current = Start(*partition);
}

void Simulation::CloseIdle(Instance* instance) {
  const TimeUs implied = ImpliedTime(*instance->log, instance->next, *instance->partition);
  if (implied == kNoTime) return;
  const TimeUs back = static_cast<TimeUs>(random_() % 60) * kSecondUs;
  ++stats_.idle_closes;
  instance->partition->CloseIdle(implied - (OneIn(2) ? back : 0));
}

void Simulation::Send(Instance* instance) {
  std::vector<std::string>& unsent = instance->unsent;
  EncodeTo(instance->partition->TakeBatches(), setup_->plan, &unsent);
  if (unsent.empty()) return;
  const auto count = static_cast<std::ptrdiff_t>(1 + random_() % unsent.size());
  std::vector<std::string> records(unsent.begin(), unsent.begin() + count);
  if (OneIn(8)) records.push_back(records[random_() % records.size()]);
  unsent.erase(unsent.begin(), unsent.begin() + count);
  Append(std::move(records));
}

bool Simulation::StepInstance(Instance* instance) {
  const bool read_all = instance->next == instance->log->records.size();
  switch (random_() % 8) {
    case 0:
    case 1:
      Send(instance);
      break;
    case 2:
      CloseIdle(instance);
      break;
    default:
      if (!read_all) {
        instance->partition->Feed(instance->log->At(instance->next++));
      } else if (!instance->ended) {
        instance->partition->End();
        instance->ended = true;
      } else {
        Send(instance);
        return !instance->unsent.empty();
      }
  }
  return true;
}

bool Simulation::StepPartition(Partition* partition) {
  const std::size_t actor = random_() % (partition->zombies.size() + 1);
  if (actor > 0) {
    const auto at = partition->zombies.begin() + static_cast<std::ptrdiff_t>(actor - 1);
    Instance* zombie = at->get();
    if (zombie->steps_left-- <= 0 || !StepInstance(zombie)) partition->zombies.erase(at);
  } else if (partition->current != nullptr) {
    if (OneIn(40)) {
      Crash(partition);
    } else if (OneIn(8) && !partition->current->ended) {
      // All that was decided is durable first.
      EncodeTo(partition->current->partition->TakeBatches(), setup_->plan,
               &partition->current->unsent);
      if (!partition->current->unsent.empty())
        Append(std::exchange(partition->current->unsent, {}));
      if (!OneIn(4)) partition->commit = Broken(partition->current->partition->Commit());
    } else if (!StepInstance(partition->current.get())) {
      partition->current.reset();
    }
  }
  return partition->current != nullptr || !partition->zombies.empty();
}

void Simulation::Exclude() {
  const TimeUs now = process_.decider().assembler().next_tick();
  if (now == kNoTime) return;
  ++stats_.exclusions;
  const DurationUs pane = setup_->plan.pane();
  const auto panes = [&](std::uint64_t n) { return static_cast<DurationUs>(random_() % n) * pane; };
  ControlRecord record;
  record.sources = {logs_[random_() % logs_.size()].source};
  record.kind = ControlRecord::Kind::kExclude;
  record.tick = now + panes(3);
  std::vector<std::string> records = {EncodeControl(record)};
  record.kind = ControlRecord::Kind::kRejoin;
  record.tick += pane + panes(8);
  records.push_back(EncodeControl(record));
  Append(std::move(records));
}

void Simulation::StartProcess() {
  if (process_.Start(journal_.get())) ++stats_.restored_snapshots;
}

bool Simulation::StepDecider() {
  if (OneIn(60)) {
    ++stats_.decider_crashes;
    StartProcess();
    return true;
  }
  if (OneIn(25)) TOCSIN_CHECK(process_.TakeSnapshot().ok());
  if (excludes_ && OneIn(80)) Exclude();
  if (process_.through() == appended_.size()) return false;
  // A few records at a time.
  process_.Read(1 + random_() % 6);
  return true;
}

void Simulation::Run() {
  // As two processes, whose tables in memory hash differently.
  SeedTableHash(1);
  Undisturbed();
  SeedTableHash(2);
  for (const SimLog& log : logs_) {
    auto partition = std::make_unique<Partition>();
    partition->log = &log;
    partition->current = Start(*partition);
    partitions_.push_back(std::move(partition));
  }
  Append({ExpectRecord(logs_)});
  StartProcess();
  std::vector<Partition*> busy;
  for (const auto& partition : partitions_) busy.push_back(partition.get());
  while (!busy.empty()) {
    const std::size_t actor = random_() % (busy.size() + 1);
    if (actor == busy.size()) {
      StepDecider();
    } else if (!StepPartition(busy[actor])) {
      busy.erase(busy.begin() + static_cast<std::ptrdiff_t>(actor));
    }
  }
  excludes_ = false;
  const bool excluded = stats_.exclusions > 0;
  while (process_.through() < appended_.size() || StepDecider()) StepDecider();
  TOCSIN_CHECK(process_.TakeSnapshot().ok());
  stats_.duplicates += process_.decider().assembler().duplicates();
  actual_ = process_.Finish();
  actual_.facts = FactsOf(*setup_, appended_);
  if (excluded) expected_ = ReadUndisturbed(*setup_, appended_);
}

}  // namespace tocsin::testing
