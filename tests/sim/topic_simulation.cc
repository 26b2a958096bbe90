#include "tests/sim/topic_simulation.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/check.h"
#include "core/hash.h"

namespace tocsin::testing {
namespace {

constexpr LogShape kTopicShape = {
    .records_min = 20, .records_spread = 21, .step_ms = 12'000, .quiet_middle = true};

std::int64_t EndOf(const SimLog& log, std::size_t records) {
  return records == 0 ? 0 : log.records[records - 1].offset + 1;
}

RecordPrint PrintOf(const SimRecord& record) {
  return {.offset = record.offset,
          .timestamp = record.timestamp,
          .bytes = static_cast<std::int64_t>(record.text.size())};
}

}  // namespace

struct TopicSimulation::Topic {
  struct Commit {
    SourceCommit commit;
    bool needs_first = false;  // of a commit of the second life: something of the first one
  };

  // At the broker:
  SimLog lives[2];
  int last_life = 0;
  int life = 0;
  std::size_t there = 0;  // records that were written so far
  std::optional<Commit> committed;
  // The instance:
  std::unique_ptr<SourcePartition> stage1;  // null: it is down
  std::int64_t position = 0;
  bool reassigned = false;
  bool ended = false;
  TimeUs first_closed = kNoTime;  // the tick that closes the last pane of the first life

  const SimLog& log() const { return lives[life]; }
  bool is_at_end() const {
    return there == log().records.size() && position == EndOf(log(), there);
  }
  // Whether an instance that starts from the commit finds all that it needs.
  bool may_restart() const {
    if (life == 0) return true;
    if (!committed) return false;
    return !committed->needs_first;
  }
};

TopicStats& TopicStats::operator+=(const TopicStats& other) {
  recreated_running += other.recreated_running;
  recreated_down += other.recreated_down;
  noticed_by_record += other.noticed_by_record;
  noticed_by_offset += other.noticed_by_offset;
  crashes += other.crashes;
  decider_crashes += other.decider_crashes;
  return *this;
}

TopicSimulation::TopicSimulation(const EngineSetup* setup, std::uint64_t seed,
                                 TopicBreakage breakage)
    : setup_(setup),
      breakage_(breakage),
      logs_(DrawLogs(seed, kTopicShape)),
      random_(~seed),
      journal_(OneIn(4) ? SimJournal::Kind::kSqlite : SimJournal::Kind::kMemory),
      process_(setup) {
  for (const SimLog& log : logs_) {
    auto topic = std::make_unique<Topic>();
    topic->last_life = OneIn(4) ? 0 : 1;
    topic->lives[0] = log;
    if (topic->last_life == 1) {
      const auto middle = static_cast<std::ptrdiff_t>(log.behind_middle);
      topic->lives[1] = log;
      topic->lives[1].records.erase(topic->lives[1].records.begin(),
                                    topic->lives[1].records.begin() + middle);
      topic->lives[0].records.resize(log.behind_middle);
      // A log that begins has no holes yet.
      std::int64_t offset = 0;
      for (SimRecord& record : topic->lives[1].records) record.offset = offset++;
    }
    topics_.push_back(std::move(topic));
  }
}

TopicSimulation::~TopicSimulation() = default;

void TopicSimulation::Append(const std::vector<std::string>& records) {
  TOCSIN_CHECK(journal_->AppendBatches(records).ok());
  appended_.insert(appended_.end(), records.begin(), records.end());
}

void TopicSimulation::Start(Topic* topic) {
  topic->stage1 = NewPartition(setup_->plan, topic->log());
  topic->position = 0;
  topic->ended = false;
  topic->reassigned = false;
  if (!topic->committed) return;
  TOCSIN_CHECK(topic->stage1->Restore(topic->committed->commit).ok());
  topic->position = topic->committed->commit.offset;
  CheckLog(topic);
}

void TopicSimulation::Crash(Topic* topic) {
  if (!topic->may_restart()) return;
  ++stats_.crashes;
  topic->stage1.reset();
}

void TopicSimulation::Recreate(Topic* topic) {
  if (topic->life == topic->last_life) return;
  if (topic->stage1 != nullptr) {
    if (!topic->is_at_end() || topic->stage1->next_offset() != topic->position) return;
    ++stats_.recreated_running;
    topic->first_closed = std::max(topic->stage1->clock(), topic->stage1->last_tick()) +
                          SourcePartition::kAheadMax + 2 * setup_->plan.pane() +
                          setup_->plan.DelayMax(topic->log().input);
    topic->reassigned = true;
  } else {
    const std::int64_t end = EndOf(topic->log(), topic->log().records.size());
    if (!topic->committed || topic->committed->commit.offset != end) return;
    ++stats_.recreated_down;
  }
  if (topic->committed) {
    const std::int64_t end = EndOf(topic->log(), topic->log().records.size());
    topic->committed->needs_first = topic->committed->commit.offset != end;
  }
  topic->life = 1;
  topic->there = random_() % (topic->log().records.size() + 1);
}

void TopicSimulation::StartOver(Topic* topic) {
  topic->position = 0;
  if (breakage_ != TopicBreakage::kKeepState) topic->stage1->StartOver(0);
}

void TopicSimulation::CheckLog(Topic* topic) {
  topic->reassigned = false;
  const std::optional<RecordPrint> last = topic->stage1->last_record();
  const std::vector<SimRecord>& records = topic->log().records;
  for (std::size_t i = 0; last && i < topic->there; ++i) {
    if (breakage_ == TopicBreakage::kTrustOffset) break;
    if (records[i].offset != last->offset || PrintOf(records[i]) == *last) continue;
    ++stats_.noticed_by_record;
    return StartOver(topic);
  }
  // The first fetch follows at once. A log that grows past the position in between is not noticed.
  CheckOffset(topic);
}

void TopicSimulation::CheckOffset(Topic* topic) {
  if (topic->position <= EndOf(topic->log(), topic->there)) return;
  ++stats_.noticed_by_offset;
  StartOver(topic);
}

void TopicSimulation::Poll(Topic* topic) {
  if (topic->reassigned) CheckLog(topic);
  CheckOffset(topic);
  const SimLog& log = topic->log();
  for (std::size_t i = 0; i < topic->there; ++i) {
    if (log.records[i].offset < topic->position) continue;
    topic->stage1->Feed(log.At(i));
    topic->position = log.records[i].offset + 1;
    return;
  }
  if (topic->life == topic->last_life && topic->is_at_end()) {
    topic->stage1->End();
    Send(topic);
    topic->ended = true;
  }
}

void TopicSimulation::Send(Topic* topic) {
  std::vector<std::string> records;
  EncodeTo(topic->stage1->TakeBatches(), setup_->plan, &records);
  if (!records.empty()) Append(records);
}

void TopicSimulation::StepTopic(Topic* topic) {
  if (topic->stage1 == nullptr) {
    if (OneIn(2)) Recreate(topic);
    if (OneIn(2)) Start(topic);
    return;
  }
  switch (random_() % 16) {
    case 0:
      return Recreate(topic);
    case 1:
      if (OneIn(3)) Crash(topic);
      return;
    case 2:
    case 3:
      return Send(topic);
    case 4: {
      Send(topic);
      // Until it has noticed, its commits are of the log that is gone.
      const bool is_ahead =
          topic->reassigned || topic->position > EndOf(topic->log(), topic->there);
      if (is_ahead) return;
      const bool needs_first = topic->life == 1 && topic->stage1->last_tick() < topic->first_closed;
      topic->committed = {topic->stage1->Commit(), needs_first};
      return;
    }
    case 5:
    case 6:
    case 7:
      topic->there = std::min(topic->there + random_() % 4, topic->log().records.size());
      return;
    default:
      return Poll(topic);
  }
}

void TopicSimulation::Step() {
  const std::size_t actor = random_() % (topics_.size() + 1);
  if (actor < topics_.size()) {
    if (!topics_[actor]->ended) StepTopic(topics_[actor].get());
    return;
  }
  if (OneIn(40)) {
    ++stats_.decider_crashes;
    journal_.Kill();
    process_.Start(journal_.get());
  } else if (OneIn(20)) {
    TOCSIN_CHECK(process_.TakeSnapshot().ok());
  } else {
    process_.Read(1 + random_() % 6);
  }
}

void TopicSimulation::Run() {
  SeedTableHash(1);
  expected_ = ReadUndisturbed(*setup_, JournalOf(setup_->plan, logs_));
  SeedTableHash(2);
  Append({ExpectRecord(logs_)});
  process_.Start(journal_.get());
  for (const std::unique_ptr<Topic>& topic : topics_) Start(topic.get());
  const auto ended = [](const std::unique_ptr<Topic>& topic) { return topic->ended; };
  while (!std::all_of(topics_.begin(), topics_.end(), ended)) Step();
  process_.Read(appended_.size());
  TOCSIN_CHECK(process_.TakeSnapshot().ok());
  actual_ = process_.Finish();
  actual_.facts = FactsOf(*setup_, appended_);
}

}  // namespace tocsin::testing
