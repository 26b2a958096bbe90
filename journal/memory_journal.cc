#include <algorithm>
#include <cstddef>
#include <deque>
#include <map>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "core/status_macros.h"
#include "journal/journal.h"

namespace tocsin {
namespace {

class MemoryJournal final : public Journal {
 public:
  absl::StatusOr<std::uint64_t> AppendBatches(
      std::span<const std::string> batches, std::span<const SourcePosition> positions) override {
    absl::MutexLock lock(&mutex_);
    for (const SourcePosition& position : positions) positions_[position.source] = position.text;
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

  absl::Status SaveSnapshot(const Snapshot& snapshot, std::span<const OutputLine> lines) override {
    absl::MutexLock lock(&mutex_);
    const std::uint64_t before = snapshot_ ? snapshot_->through : 0;
    if (snapshot.through < before || snapshot.through > Last()) {
      return absl::InvalidArgumentError("a snapshot must stand for batches that exist");
    }
    // Like SQLite's, although nothing can damage this one: both keep what the older one needs.
    for (; pruned_ < before; ++pruned_) batches_.pop_front();
    snapshot_ = snapshot;
    lines_.insert(lines_.end(), lines.begin(), lines.end());
    return absl::OkStatus();
  }

  absl::StatusOr<std::optional<Snapshot>> LoadSnapshot() override {
    absl::MutexLock lock(&mutex_);
    return snapshot_;
  }

  absl::Status ReadLines(absl::FunctionRef<absl::Status(const OutputLine&)> visit) override {
    for (std::size_t i = 0;; ++i) {
      OutputLine line;
      {
        absl::MutexLock lock(&mutex_);
        if (i >= lines_.size()) return absl::OkStatus();
        line = lines_[i];
      }
      TOCSIN_RETURN_IF_ERROR(visit(line));
    }
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

  absl::Status WriteMeta(const std::string& key, const std::string& value) override {
    absl::MutexLock lock(&mutex_);
    meta_[key] = value;
    return absl::OkStatus();
  }

  absl::StatusOr<std::optional<std::string>> ReadMeta(const std::string& key) override {
    absl::MutexLock lock(&mutex_);
    return Find(meta_, key);
  }

 private:
  using Texts = std::map<std::string, std::string>;

  static std::optional<std::string> Find(const Texts& texts, const std::string& key) {
    const auto it = texts.find(key);
    return it == texts.end() ? std::nullopt : std::optional(it->second);
  }

  std::uint64_t Last() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return pruned_ + batches_.size();
  }

  absl::Mutex mutex_;
  std::uint64_t pruned_ ABSL_GUARDED_BY(mutex_) = 0;  // batches 1 … pruned_ are gone
  std::deque<std::string> batches_ ABSL_GUARDED_BY(mutex_);
  std::optional<Snapshot> snapshot_ ABSL_GUARDED_BY(mutex_);
  std::vector<OutputLine> lines_ ABSL_GUARDED_BY(mutex_);
  std::map<Hash128, Delivery> deliveries_ ABSL_GUARDED_BY(mutex_);
  Texts positions_ ABSL_GUARDED_BY(mutex_);
  Texts meta_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<Journal> NewMemoryJournal() { return std::make_unique<MemoryJournal>(); }

}  // namespace tocsin
