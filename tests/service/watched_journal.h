// A memory journal whose deliveries a test can wait for, and whose writes it can make fail or hang.
//
//   ASSERT_TRUE(journal.AwaitState(id, DeliveryState::kDelivered));
//
// Waits give up after a minute. Thread-safe.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "journal/journal.h"

namespace tocsin {

class WatchedJournal final : public Journal {
 public:
  bool AwaitState(const Hash128& id, DeliveryState state) {
    return Await([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      const auto it = deliveries_.find(id);
      return it != deliveries_.end() && it->second.state == state;
    });
  }
  bool AwaitRefusals(int count) {
    return Await([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return refusals_ >= count; });
  }
  bool Has(const Hash128& id) const {
    absl::MutexLock lock(&mutex_);
    return deliveries_.contains(id);
  }
  // As last written; a default one if it never was.
  Delivery Get(const Hash128& id) const {
    absl::MutexLock lock(&mutex_);
    const auto it = deliveries_.find(id);
    return it == deliveries_.end() ? Delivery{} : it->second;
  }
  void FailWrites(bool fail) {
    absl::MutexLock lock(&mutex_);
    fail_writes_ = fail;
  }

  // From now on WriteDeliveries waits until it is told otherwise.
  void HoldWrites(bool hold) {
    absl::MutexLock lock(&mutex_);
    hold_writes_ = hold;
  }
  bool AwaitHeld() {
    return Await([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return held_ > 0; });
  }

  absl::Status WriteDeliveries(std::span<const Delivery> deliveries) override {
    absl::MutexLock lock(&mutex_);
    ++held_;
    const auto may_go = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !hold_writes_; };
    mutex_.Await(absl::Condition(&may_go));
    --held_;
    if (fail_writes_) {
      ++refusals_;
      return absl::ResourceExhaustedError("the disk is full");
    }
    for (const Delivery& delivery : deliveries) deliveries_[delivery.id] = delivery;
    return inner_->WriteDeliveries(deliveries);
  }

  absl::StatusOr<std::uint64_t> AppendBatches(std::span<const std::string> batches,
                                              std::span<const SourcePosition> positions) override {
    absl::MutexLock lock(&mutex_);
    if (fail_writes_) {
      ++refusals_;
      return absl::ResourceExhaustedError("the disk is full");
    }
    return inner_->AppendBatches(batches, positions);
  }
  absl::Status ReadBatches(
      std::uint64_t after,
      absl::FunctionRef<absl::Status(std::uint64_t, std::string_view)> visit) override {
    return inner_->ReadBatches(after, visit);
  }
  absl::StatusOr<std::uint64_t> OldestBatch() override { return inner_->OldestBatch(); }
  absl::StatusOr<std::vector<std::string>> ForgetAbsent(const Present& present) override {
    return inner_->ForgetAbsent(present);
  }
  JournalUsage Usage() const override { return inner_->Usage(); }
  absl::Status SaveSnapshot(const Snapshot& snapshot, std::span<const OutputLine> lines) override {
    return inner_->SaveSnapshot(snapshot, lines);
  }
  absl::StatusOr<std::optional<Snapshot>> LoadSnapshot() override { return inner_->LoadSnapshot(); }
  absl::Status ReadLines(absl::FunctionRef<absl::Status(const OutputLine&)> visit) override {
    return inner_->ReadLines(visit);
  }
  absl::Status ReadDeliveries(absl::FunctionRef<absl::Status(const Delivery&)> visit) override {
    return inner_->ReadDeliveries(visit);
  }
  absl::Status ForgetDeliveries(std::span<const Hash128> ids) override {
    return inner_->ForgetDeliveries(ids);
  }
  absl::StatusOr<std::optional<std::string>> ReadPosition(const std::string& source) override {
    return inner_->ReadPosition(source);
  }

 private:
  template <typename Condition>
  bool Await(Condition condition) {
    absl::MutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout(absl::Condition(&condition), absl::Minutes(1));
  }

  const std::unique_ptr<Journal> inner_ = NewMemoryJournal();
  mutable absl::Mutex mutex_;
  std::map<Hash128, Delivery> deliveries_ ABSL_GUARDED_BY(mutex_);
  bool fail_writes_ ABSL_GUARDED_BY(mutex_) = false;
  int refusals_ ABSL_GUARDED_BY(mutex_) = 0;
  bool hold_writes_ ABSL_GUARDED_BY(mutex_) = false;
  int held_ ABSL_GUARDED_BY(mutex_) = 0;  // writes that have not ended
};

}  // namespace tocsin
