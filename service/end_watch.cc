#include "service/end_watch.h"

#include <utility>

namespace tocsin {

EndWatch::EndWatch(KafkaProbe* probe) : probe_(probe), thread_([this] { Run(); }) {}

EndWatch::~EndWatch() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  probe_->Cancel();
  thread_.join();
}

bool EndWatch::busy() const {
  absl::MutexLock lock(&mutex_);
  return asking_ || !asked_.empty();
}

void EndWatch::Ask(std::vector<KafkaPartition> partitions) {
  absl::MutexLock lock(&mutex_);
  asked_ = std::move(partitions);
}

std::vector<KafkaProbe::End> EndWatch::Take() {
  absl::MutexLock lock(&mutex_);
  return std::exchange(answers_, {});
}

void EndWatch::Run() {
  while (true) {
    std::vector<KafkaPartition> partitions;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &EndWatch::HasWork));
      if (stopping_) return;
      partitions = std::exchange(asked_, {});
      asking_ = true;
    }
    probe_->EndOffsets(partitions, kTimeout, [this](const KafkaProbe::End& end) {
      absl::MutexLock lock(&mutex_);
      answers_.push_back(end);
    });
    absl::MutexLock lock(&mutex_);
    asking_ = false;
  }
}

}  // namespace tocsin
