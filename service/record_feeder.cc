#include "service/record_feeder.h"

#include <utility>

namespace tocsin {
namespace {

// Prefetch distance: feeding a record takes about 1 µs, fetching memory that another core wrote 0.1
// µs.
constexpr std::size_t kFedAhead = 2;

}  // namespace

std::size_t RecordFeeder::AddQueue(SourcePartition* stage1) {
  absl::MutexLock lock(&mutex_);
  queues_.push_back({.stage1 = stage1, .slices = {}});
  return queues_.size() - 1;
}

void RecordFeeder::Add(std::size_t queue, RecordSlice slice) {
  if (slice.empty()) return;
  absl::MutexLock lock(&mutex_);
  Queue& at = queues_[queue];
  if (at.slices.empty() && !at.fed) ready_.push_back(&at);
  queued_records_ += slice.size();
  queued_bytes_ += slice.bytes();
  at.slices.push_back(std::move(slice));
}

void RecordFeeder::Start() {
  if (feeding()) return;
  std::size_t queues = 0;
  {
    absl::MutexLock lock(&mutex_);
    goal_ = Goal::kFeed;
    queues = queues_.size();
  }
  // More threads than partitions would have nothing to do.
  fed_ = std::async(std::launch::async, [this, queues] {
    executor_(queues, [this](std::size_t, std::size_t) { FeedSlices(); });
  });
}

bool RecordFeeder::WaitUntilIdle(absl::Duration wait) {
  absl::MutexLock lock(&mutex_);
  return mutex_.AwaitWithTimeout(absl::Condition(this, &RecordFeeder::Idle), wait);
}

void RecordFeeder::Rest() {
  if (!feeding()) return;
  {
    absl::MutexLock lock(&mutex_);
    goal_ = Goal::kRest;
  }
  fed_.get();
}

void RecordFeeder::Drain() {
  {
    absl::MutexLock lock(&mutex_);
    goal_ = Goal::kDrain;
  }
  if (feeding()) {
    fed_.get();
  } else {
    FeedSlices();
  }
}

void RecordFeeder::Clear() {
  Rest();
  absl::MutexLock lock(&mutex_);
  for (Queue& queue : queues_) queue.slices.clear();
  ready_.clear();
  queued_records_ = queued_bytes_ = 0;
}

std::size_t RecordFeeder::queued_records() const {
  absl::MutexLock lock(&mutex_);
  return queued_records_;
}

std::size_t RecordFeeder::queued_bytes() const {
  absl::MutexLock lock(&mutex_);
  return queued_bytes_;
}

bool RecordFeeder::busy(std::size_t queue) const {
  absl::MutexLock lock(&mutex_);
  return queues_[queue].fed || !queues_[queue].slices.empty();
}

void RecordFeeder::FeedSlices() {
  RecordSlice slice;
  while (Queue* const queue = Take(&slice)) {
    for (std::size_t i = 0; i < slice.size(); ++i) {
      slice.Prefetch(i + kFedAhead);
      queue->stage1->Feed(slice.record(i));
    }
    absl::MutexLock lock(&mutex_);
    queue->fed = false;
    queued_records_ -= slice.size();
    queued_bytes_ -= slice.bytes();
    // At the front, while its data is still in this thread's cache.
    if (!queue->slices.empty()) ready_.push_front(queue);
  }
}

RecordFeeder::Queue* RecordFeeder::Take(RecordSlice* slice) {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(this, &RecordFeeder::Awaited));
  // A queue that another thread feeds is drained by that thread.
  if (goal_ == Goal::kRest || ready_.empty()) return nullptr;
  Queue* const queue = ready_.front();
  ready_.pop_front();
  *slice = std::move(queue->slices.front());
  queue->slices.pop_front();
  queue->fed = true;
  return queue;
}

}  // namespace tocsin
