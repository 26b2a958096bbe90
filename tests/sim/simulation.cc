#include "tests/sim/simulation.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/hash.h"
#include "tests/engine/text_decoder.h"

namespace tocsin::testing {
namespace {

std::string LineText(const OutputLine& line) {
  return FormatTime(line.tick) + (line.kind == LineKind::kSignal ? " signal " : " incident ") +
         line.text;
}

std::string FactsText(const AssembledTick& tick) {
  std::string text = FormatTime(tick.tick);
  for (const Fact& fact : tick.facts) text += ' ' + fact.id + '@' + FormatTime(fact.time);
  return text;
}

void Tell(const std::vector<Notification>& notifications, SimOutput* output) {
  for (const Notification& one : notifications) {
    const std::string id = DeliveryId("sink", one.incident.id, one.level, one.action).Hex();
    const std::string text = FormatTime(one.tick) + ' ' +
                             std::string(NotificationActionName(one.action)) + ' ' +
                             std::to_string(one.level) + ' ' + one.incident.ToJson();
    const auto [known, fresh] = output->notifications.emplace(id, text);
    if (!fresh && known->second != text) {
      output->contradiction = known->second + "\nand then\n" + text;
    }
  }
}

std::string FirstDifference(const std::string& what, const std::vector<std::string>& expected,
                            const std::vector<std::string>& actual) {
  for (std::size_t i = 0; i < std::max(expected.size(), actual.size()); ++i) {
    const std::string want = i < expected.size() ? expected[i] : "nothing";
    const std::string have = i < actual.size() ? actual[i] : "nothing";
    if (want != have)
      return what + ' ' + std::to_string(i) + ": expected\n" + want + "\ngot\n" + have;
  }
  return "";
}

// One undisturbed stage 2 over a whole journal. Facts are taken from an assembler of their own.
SimOutput Read(const EngineSetup& setup, const std::vector<std::string>& records) {
  SimOutput output;
  Decider decider(&setup.config, &setup.plan, &setup.detectors, SequentialExecutor());
  for (const std::string& record : records) {
    TOCSIN_CHECK(decider.Append(record).ok());
    Decision decision;
    while (decider.Step(&decision)) {
      for (const OutputLine& line : decision.lines) output.lines.push_back(LineText(line));
      Tell(decision.notifications, &output);
    }
  }
  return output;
}

std::vector<std::string> FactsOf(const EngineSetup& setup,
                                 const std::vector<std::string>& records) {
  std::vector<std::string> facts;
  TickAssembler assembler(&setup.plan);
  for (const std::string& record : records) {
    TOCSIN_CHECK(assembler.Append(record).ok());
    AssembledTick tick;
    while (assembler.Next(&tick)) {
      if (!tick.facts.empty()) facts.push_back(FactsText(tick));
    }
  }
  return facts;
}

// The n-th word of a commit, replaced.
std::string WithWord(const std::string& text, int n, const std::string& word) {
  std::size_t begin = 0;
  for (; n > 0; --n) begin = text.find(' ', begin) + 1;
  const std::size_t end = text.find(' ', begin);
  return text.substr(0, begin) + word + text.substr(end);
}

void Encode(std::vector<PaneBatch> batches, const Plan& plan, std::vector<std::string>* records) {
  for (const PaneBatch& batch : batches) {
    for (std::string& chunk : EncodeBatch(batch, plan)) records->push_back(std::move(chunk));
  }
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

std::string Difference(const SimOutput& expected, const SimOutput& actual) {
  if (!actual.contradiction.empty()) return actual.contradiction;
  if (std::string text = FirstDifference("facts", expected.facts, actual.facts); !text.empty()) {
    return text;
  }
  if (std::string text = FirstDifference("line", expected.lines, actual.lines); !text.empty()) {
    return text;
  }
  std::vector<std::string> want, have;
  for (const auto& [id, text] : expected.notifications) want.push_back(id + ' ' + text);
  for (const auto& [id, text] : actual.notifications) have.push_back(id + ' ' + text);
  return FirstDifference("notification", want, have);
}

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
      journal_(NewMemoryJournal()) {}

Simulation::~Simulation() = default;

std::unique_ptr<SourcePartition> Simulation::NewPartition(const SimLog& log) const {
  SourcePartition::Options options;
  options.plan = &setup_->plan;
  options.input = log.input;
  options.source = log.source;
  options.decoder = std::make_unique<TextDecoder>();
  return std::make_unique<SourcePartition>(std::move(options));
}

void Simulation::Undisturbed() {
  ControlRecord expect;
  for (const SimLog& log : logs_) expect.sources.push_back(log.source);
  std::vector<std::string> records = {EncodeControl(expect)};
  for (const SimLog& log : logs_) {
    const std::unique_ptr<SourcePartition> partition = NewPartition(log);
    for (std::size_t i = 0; i < log.records.size(); ++i) partition->Feed(log.At(i));
    partition->End();
    Encode(partition->TakeBatches(), setup_->plan, &records);
    stats_.late += partition->counters().late;
    stats_.quarantined += partition->counters().quarantined;
  }
  expected_ = Read(*setup_, records);
  expected_.facts = FactsOf(*setup_, records);
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
  instance->partition = NewPartition(*partition.log);
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
  // Only what the log implies: append time does not go back, so nothing before the next record's
  // time can follow. An instance that still reads again what it had read has not reached the end.
  const std::vector<SimRecord>& records = instance->log->records;
  if (!instance->log->append_time || instance->next >= records.size()) return;
  const SimRecord& next = records[instance->next];
  if (next.offset < instance->partition->next_offset()) return;
  const TimeUs back = static_cast<TimeUs>(random_() % 60) * kSecondUs;
  ++stats_.idle_closes;
  instance->partition->CloseIdle(next.timestamp - (OneIn(2) ? back : 0));
}

void Simulation::Send(Instance* instance) {
  std::vector<std::string>& unsent = instance->unsent;
  Encode(instance->partition->TakeBatches(), setup_->plan, &unsent);
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
      Encode(partition->current->partition->TakeBatches(), setup_->plan,
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
  const TimeUs now = decider_->assembler().next_tick();
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

void Simulation::RestartDecider() {
  decider_ = std::make_unique<Decider>(&setup_->config, &setup_->plan, &setup_->detectors,
                                       SequentialExecutor());
  lines_.clear();
  through_ = 0;
  const absl::StatusOr<std::optional<Snapshot>> snapshot = journal_->LoadSnapshot();
  TOCSIN_CHECK(snapshot.ok());
  if (!*snapshot) return;
  ++stats_.restored_snapshots;
  TOCSIN_CHECK(decider_->Restore((*snapshot)->state).ok());
  through_ = (*snapshot)->through;
}

void Simulation::TakeSnapshot() {
  const Snapshot snapshot = {.through = through_, .state = decider_->Encode()};
  TOCSIN_CHECK(journal_->SaveSnapshot(snapshot, lines_).ok());
  lines_.clear();
}

bool Simulation::StepDecider() {
  if (OneIn(60)) {
    ++stats_.decider_crashes;
    RestartDecider();
    return true;
  }
  if (OneIn(25)) TakeSnapshot();
  if (excludes_ && OneIn(80)) Exclude();
  if (through_ == appended_.size()) return false;
  // A few records at a time.
  std::uint64_t left = 1 + random_() % 6;
  const absl::Status read = journal_->ReadBatches(
      through_, [&](std::uint64_t sequence, std::string_view record) -> absl::Status {
        if (left-- == 0) return absl::CancelledError();
        through_ = sequence;
        TOCSIN_CHECK(decider_->Append(record).ok());
        Decision decision;
        while (decider_->Step(&decision)) {
          for (OutputLine& line : decision.lines) lines_.push_back(std::move(line));
          Tell(decision.notifications, &actual_);
        }
        return absl::OkStatus();
      });
  TOCSIN_CHECK(read.ok() || absl::IsCancelled(read));
  return true;
}

void Simulation::Run() {
  // As two processes, whose tables in memory hash differently.
  SeedTableHash(1);
  Undisturbed();
  SeedTableHash(2);
  ControlRecord expect;
  for (const SimLog& log : logs_) {
    expect.sources.push_back(log.source);
    auto partition = std::make_unique<Partition>();
    partition->log = &log;
    partition->current = Start(*partition);
    partitions_.push_back(std::move(partition));
  }
  Append({EncodeControl(expect)});
  RestartDecider();
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
  while (through_ < appended_.size() || StepDecider()) StepDecider();
  TakeSnapshot();
  stats_.duplicates += decider_->assembler().duplicates();
  const absl::Status read = journal_->ReadLines([&](const OutputLine& line) {
    actual_.lines.push_back(LineText(line));
    return absl::OkStatus();
  });
  TOCSIN_CHECK(read.ok() && decider_->assembler().Finished());
  actual_.facts = FactsOf(*setup_, appended_);
  if (excluded) {
    expected_ = Read(*setup_, appended_);
    expected_.facts = actual_.facts;
  }
}

}  // namespace tocsin::testing
