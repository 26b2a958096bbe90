#include <algorithm>
#include <array>
#include <cstddef>
#include <deque>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "core/status_macros.h"
#include "journal/journal.h"

namespace tocsin {
namespace {

class MemoryJournal final : public Journal {
 public:
  explicit MemoryJournal(const JournalLimits& limits) : limits_(limits) {}

  absl::StatusOr<std::uint64_t> AppendBatches(std::span<const std::string> batches,
                                              std::span<const SourcePosition> positions) override {
    absl::MutexLock lock(&mutex_);
    for (const SourcePosition& position : positions) positions_[position.source] = position.text;
    for (const std::string& batch : batches) appended_bytes_ += std::ssize(batch);
    batches_.insert(batches_.end(), batches.begin(), batches.end());
    return Last();
  }

  absl::Status ReadBatches(
      std::uint64_t after,
      absl::FunctionRef<absl::Status(std::uint64_t, std::string_view)> visit) override {
    for (std::uint64_t seq = after + 1;; ++seq) {
      std::string batch;
      {
        absl::MutexLock lock(&mutex_);
        if (seq <= pruned_) return absl::DataLossError("the batches asked for were pruned");
        if (seq > Last()) return absl::OkStatus();
        batch = batches_[static_cast<std::size_t>(seq - pruned_ - 1)];
      }
      TOCSIN_RETURN_IF_ERROR(visit(seq, batch));
    }
  }

  absl::StatusOr<std::uint64_t> OldestBatch() override {
    absl::MutexLock lock(&mutex_);
    return pruned_ + 1;
  }

  absl::Status SaveSnapshot(const Snapshot& snapshot, std::span<const OutputLine> lines) override {
    absl::MutexLock lock(&mutex_);
    const std::uint64_t before = snapshot_ ? snapshot_->through : 0;
    if (snapshot.through < before || snapshot.through > Last()) {
      return absl::InvalidArgumentError("a snapshot must stand for batches that exist");
    }
    PruneBatches(snapshot, before);
    snapshot_ = snapshot;
    for (const OutputLine& line : lines) AddLine(line);
    PruneLines();
    return absl::OkStatus();
  }

  absl::StatusOr<std::optional<Snapshot>> LoadSnapshot() override {
    absl::MutexLock lock(&mutex_);
    return snapshot_;
  }

  absl::Status ReadLines(absl::FunctionRef<absl::Status(const OutputLine&)> visit) override {
    std::vector<OutputLine> lines;
    {
      absl::MutexLock lock(&mutex_);
      lines.assign(lines_.begin(), lines_.end());
      for (std::size_t i = 0; i < alone_; ++i) lines[i].alone = true;
    }
    for (const OutputLine& line : lines) TOCSIN_RETURN_IF_ERROR(visit(line));
    return absl::OkStatus();
  }

  absl::Status WriteDeliveries(std::span<const Delivery> deliveries) override {
    absl::MutexLock lock(&mutex_);
    for (const Delivery& delivery : deliveries) deliveries_[delivery.id] = delivery;
    return absl::OkStatus();
  }

  absl::Status ReadDeliveries(absl::FunctionRef<absl::Status(const Delivery&)> visit) override {
    std::vector<Delivery> deliveries;
    {
      absl::MutexLock lock(&mutex_);
      for (const auto& [id, delivery] : deliveries_) deliveries.push_back(delivery);
    }
    std::stable_sort(deliveries.begin(), deliveries.end(),
                     [](const Delivery& a, const Delivery& b) { return a.sequence < b.sequence; });
    for (const Delivery& delivery : deliveries) TOCSIN_RETURN_IF_ERROR(visit(delivery));
    return absl::OkStatus();
  }

  absl::Status ForgetDeliveries(std::span<const Hash128> ids) override {
    absl::MutexLock lock(&mutex_);
    for (const Hash128& id : ids) deliveries_.erase(id);
    return absl::OkStatus();
  }

  absl::StatusOr<std::optional<std::string>> ReadPosition(const std::string& source) override {
    absl::MutexLock lock(&mutex_);
    return Find(positions_, source);
  }

  absl::StatusOr<std::vector<std::string>> ForgetAbsent(const Present& present) override {
    absl::MutexLock lock(&mutex_);
    std::set<std::string> sources, sinks;
    for (const auto& [source, position] : positions_) sources.insert(source);
    for (const auto& [id, delivery] : deliveries_) sinks.insert(delivery.sink);
    std::vector<std::string> dropped;
    for (const std::string& source : Forgotten(sources, present.sources, present, &absent_[0])) {
      positions_.erase(source);
      dropped.push_back(absl::StrCat("the position of source ", source));
    }
    for (const std::string& sink : Forgotten(sinks, present.sinks, present, &absent_[1])) {
      std::erase_if(deliveries_, [&](const auto& one) { return one.second.sink == sink; });
      dropped.push_back(absl::StrCat("the deliveries of sink ", sink));
    }
    return dropped;
  }

  JournalUsage Usage() const override {
    absl::MutexLock lock(&mutex_);
    JournalUsage usage = usage_;
    usage.batches = std::ssize(batches_);
    for (const std::string& batch : batches_) usage.batch_bytes += std::ssize(batch);
    usage.lines_incomplete = usage.lines_dropped > 0;
    return usage;
  }

 private:
  using Texts = std::map<std::string, std::string>;
  using Absences = std::map<std::string, DurationUs>;
  struct Mark {
    std::uint64_t through = 0;
    TimeUs tick = kNoTime;
    std::int64_t bytes = 0;
  };

  static std::optional<std::string> Find(const Texts& texts, const std::string& key) {
    const auto it = texts.find(key);
    return it == texts.end() ? std::nullopt : std::optional(it->second);
  }

  // The names that were not present for long enough; keeps `absent` up to date.
  static std::vector<std::string> Forgotten(const std::set<std::string>& names,
                                            const std::vector<std::string>& present,
                                            const Present& options, Absences* absent) {
    Absences now;
    std::vector<std::string> forgotten;
    for (const std::string& name : names) {
      if (std::find(present.begin(), present.end(), name) != present.end()) continue;
      const DurationUs absent_for = (*absent)[name] + options.elapsed;
      if (absent_for < options.forget_after) {
        now[name] = absent_for;
      } else {
        forgotten.push_back(name);
      }
    }
    *absent = std::move(now);
    return forgotten;
  }

  std::uint64_t Last() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return pruned_ + batches_.size();
  }

  // Like SQLite's, although nothing can damage a snapshot here: both keep what the older one needs.
  void PruneBatches(const Snapshot& snapshot, std::uint64_t before)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const TimeUs old = snapshot.tick == kNoTime ? kNoTime : snapshot.tick - limits_.batches_time;
    std::uint64_t prune = 0;
    for (const Mark& mark : marks_) {
      if (mark.tick <= old || mark.bytes <= appended_bytes_ - limits_.batches_bytes) {
        prune = mark.through;
      }
    }
    prune = std::min(prune, before);
    for (; pruned_ < prune; ++pruned_) batches_.pop_front();
    std::erase_if(marks_, [&](const Mark& mark) {
      return mark.through <= prune || mark.through == snapshot.through;
    });
    marks_.push_back({snapshot.through, snapshot.tick, appended_bytes_});
  }

  void AddLine(const OutputLine& line) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (line.kind == LineKind::kIncident) {
      std::size_t place = 0, alone = alone_;
      std::erase_if(lines_, [&](OutputLine& earlier) {
        mutex_.AssertHeld();
        const bool was_alone = place++ < alone_;
        if (earlier.kind != LineKind::kIncident || earlier.incident != line.incident) return false;
        earlier.open = false;
        if (!line.replaces) return false;
        Take(earlier);
        if (was_alone) --alone;
        return true;
      });
      alone_ = alone;
    }
    lines_.push_back(line);
    ++usage_.lines;
    usage_.line_bytes += std::ssize(line.text);
  }

  void PruneLines() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (usage_.line_bytes <= limits_.lines_bytes) return;
    std::size_t kept = 0;
    std::erase_if(lines_, [&](const OutputLine& line) {
      mutex_.AssertHeld();
      if (line.open || usage_.line_bytes <= limits_.lines_bytes) {
        ++kept;
        return false;
      }
      Take(line);
      ++usage_.lines_dropped;
      alone_ = kept;
      return true;
    });
  }

  void Take(const OutputLine& line) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    --usage_.lines;
    usage_.line_bytes -= std::ssize(line.text);
  }

  const JournalLimits limits_;
  mutable absl::Mutex mutex_;
  std::uint64_t pruned_ ABSL_GUARDED_BY(mutex_) = 0;  // batches 1 … pruned_ are gone
  std::deque<std::string> batches_ ABSL_GUARDED_BY(mutex_);
  std::int64_t appended_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<Mark> marks_ ABSL_GUARDED_BY(mutex_);  // of snapshots, in order
  std::optional<Snapshot> snapshot_ ABSL_GUARDED_BY(mutex_);
  std::deque<OutputLine> lines_ ABSL_GUARDED_BY(mutex_);
  std::size_t alone_ ABSL_GUARDED_BY(mutex_) = 0;  // of lines_: the first ones
  JournalUsage usage_ ABSL_GUARDED_BY(mutex_);     // of lines
  std::map<Hash128, Delivery> deliveries_ ABSL_GUARDED_BY(mutex_);
  Texts positions_ ABSL_GUARDED_BY(mutex_);
  std::array<Absences, 2> absent_ ABSL_GUARDED_BY(mutex_);  // of sources, of sinks
};

}  // namespace

std::unique_ptr<Journal> NewMemoryJournal(const JournalLimits& limits) {
  return std::make_unique<MemoryJournal>(limits);
}

}  // namespace tocsin
