#include "service/record_feeder.h"

#include <utility>

namespace tocsin {
namespace {

// Feeding a record takes about a microsecond, and memory that another core wrote a tenth of that.
constexpr std::size_t kFedAhead = 2;

}  // namespace

std::size_t RecordFeeder::AddLane(SourcePartition* stage1) {
  absl::MutexLock lock(&mutex_);
  lanes_.push_back({.stage1 = stage1, .slices = {}});
  return lanes_.size() - 1;
}

void RecordFeeder::Add(std::size_t lane, RecordSlice slice) {
  if (slice.empty()) return;
  absl::MutexLock lock(&mutex_);
  Lane& at = lanes_[lane];
  if (at.slices.empty() && !at.fed) ready_.push_back(&at);
  queued_records_ += slice.size();
  queued_bytes_ += slice.bytes();
  at.slices.push_back(std::move(slice));
}

void RecordFeeder::Start() {
  if (feeding()) return;
  std::size_t lanes = 0;
  {
    absl::MutexLock lock(&mutex_);
    goal_ = Goal::kFeed;
    lanes = lanes_.size();
  }
  // More threads than partitions would have nothing to do.
  fed_ = std::async(std::launch::async, [this, lanes] {
    executor_(lanes, [this](std::size_t, std::size_t) { FeedSlices(); });
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
  for (Lane& lane : lanes_) lane.slices.clear();
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

bool RecordFeeder::busy(std::size_t lane) const {
  absl::MutexLock lock(&mutex_);
  return lanes_[lane].fed || !lanes_[lane].slices.empty();
}

void RecordFeeder::FeedSlices() {
  RecordSlice slice;
  while (Lane* const lane = Take(&slice)) {
    for (std::size_t i = 0; i < slice.size(); ++i) {
      slice.Prefetch(i + kFedAhead);
      lane->stage1->Feed(slice.record(i));
    }
    absl::MutexLock lock(&mutex_);
    lane->fed = false;
    queued_records_ -= slice.size();
    queued_bytes_ -= slice.bytes();
    // First again, while what it counts is still near this thread.
    if (!lane->slices.empty()) ready_.push_front(lane);
  }
}

RecordFeeder::Lane* RecordFeeder::Take(RecordSlice* slice) {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(this, &RecordFeeder::Awaited));
  // What a lane holds that another thread feeds is also that one's to drain.
  if (goal_ == Goal::kRest || ready_.empty()) return nullptr;
  Lane* const lane = ready_.front();
  ready_.pop_front();
  *slice = std::move(lane->slices.front());
  lane->slices.pop_front();
  lane->fed = true;
  return lane;
}

}  // namespace tocsin
