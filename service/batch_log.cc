#include "service/batch_log.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/status_macros.h"
#include "system/await_for.h"

namespace tocsin {
namespace {

std::size_t BytesOf(const BatchLog::Entry& entry) {
  std::size_t bytes = 0;
  for (const std::string& record : entry.records) bytes += record.size();
  for (const SourcePosition& position : entry.positions) bytes += position.text.size();
  return bytes;
}

}  // namespace

absl::Status BatchLog::Start() {
  absl::MutexLock lock(&mutex_);
  TOCSIN_ASSIGN_OR_RETURN(last_, options_.journal->AppendBatches({}, {}));
  taken_ = last_;
  durable_.store(last_, std::memory_order_release);
  writer_ = std::make_unique<WriteBehind<Set>>(WriteBehind<Set>::Options{
      .what = "the state",
      .write = [this](std::span<const Set* const> sets) { return Write(sets); },
      .on_progress = [this] { OnProgress(); },
      .time = options_.time,
      .release_after = options_.release_after});
  return absl::OkStatus();
}

std::uint64_t BatchLog::Append(Entry entry) {
  const std::size_t bytes = BytesOf(entry);
  absl::MutexLock lock(&mutex_);
  if (closed_) return last_;
  for (const SourcePosition& position : entry.positions) {
    positions_[position.source] = position.text;
  }
  last_ += entry.records.size();
  const Set set = {.sequence = last_, .entry = std::make_shared<const Entry>(std::move(entry))};
  const std::uint64_t number = writer_->Push(set, bytes);
  if (set.records().empty()) return last_;
  undecided_bytes_ += bytes;
  undecided_.push_back(
      {.set = set, .number = number, .bytes = bytes, .appended_at = options_.time->Monotonic()});
  return last_;
}

bool BatchLog::full() const {
  absl::MutexLock lock(&mutex_);
  return std::max(undecided_bytes_, writer_->Health().bytes) >= options_.bytes_max;
}

std::uint64_t BatchLog::released() const {
  absl::MutexLock lock(&mutex_);
  return std::max(durable(), taken_);
}

absl::StatusOr<std::optional<std::string>> BatchLog::Position(const std::string& source) {
  {
    absl::MutexLock lock(&mutex_);
    const auto found = positions_.find(source);
    if (found != positions_.end()) return std::optional<std::string>(found->second);
  }
  return options_.journal->ReadPosition(source);
}

bool BatchLog::PositionIsDurable(const std::string& source) const {
  absl::MutexLock lock(&mutex_);
  return !positions_.contains(source);
}

absl::Status BatchLog::Write(std::span<const Set* const> sets) {
  Entry all;
  if (sets.size() > 1) {
    for (const Set* set : sets) {
      const Entry& entry = *set->entry;
      all.records.insert(all.records.end(), entry.records.begin(), entry.records.end());
      all.positions.insert(all.positions.end(), entry.positions.begin(), entry.positions.end());
    }
  }
  const Entry& entry = sets.size() > 1 ? all : *sets.front()->entry;
  TOCSIN_ASSIGN_OR_RETURN(const std::uint64_t last,
                          options_.journal->AppendBatches(entry.records, entry.positions));
  // Only this thread appends to the journal's batches.
  TOCSIN_CHECK(last == sets.back()->sequence);
  durable_.store(last, std::memory_order_release);
  absl::MutexLock lock(&mutex_);
  for (const SourcePosition& position : entry.positions) {
    const auto found = positions_.find(position.source);
    // A newer position may be waiting already.
    if (found != positions_.end() && found->second == position.text) positions_.erase(found);
  }
  return absl::OkStatus();
}

void BatchLog::OnProgress() {
  absl::MutexLock lock(&mutex_);
  progressed_ = true;
}

std::optional<BatchLog::Set> BatchLog::Pop() {
  absl::MutexLock lock(&mutex_);
  while (true) {
    mutex_.Await(absl::Condition(this, &BatchLog::Appended));
    if (undecided_.empty()) return std::nullopt;
    progressed_ = false;
    if (writer_->released() >= undecided_.front().number) break;
    const DurationUs waits = writer_->NextRelease() - options_.time->Monotonic();
    AwaitFor(&mutex_, absl::Condition(&progressed_),
             absl::Microseconds(std::clamp<DurationUs>(waits, 0, kSecondUs)));
  }
  Undecided front = std::move(undecided_.front());
  undecided_.pop_front();
  undecided_bytes_ -= front.bytes;
  taken_ = front.set.sequence;
  return std::move(front.set);
}

void BatchLog::Close() {
  absl::MutexLock lock(&mutex_);
  closed_ = true;
}

bool BatchLog::Stop(absl::Duration grace) {
  Close();
  const bool stopped = writer_ == nullptr || writer_->Stop(grace);
  OnProgress();  // wakes Pop: sets that will not be written are released now
  return stopped;
}

BatchLog::Health BatchLog::GetHealth() const {
  absl::MutexLock lock(&mutex_);
  Health health{.disk = writer_->Health(), .undecided = undecided_.size()};
  if (!undecided_.empty()) health.undecided_since = undecided_.front().appended_at;
  return health;
}

}  // namespace tocsin
