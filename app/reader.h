// The reading side of the engine: polls the inputs, makes stage 1's batches durable, commits, and
// hands the batches to the deciding thread.
//
//   Reader reader({.inputs = …, .plan = &plan, .journal = journal, .out = &queue});
//   while (!stopping) TOCSIN_RETURN_IF_ERROR(reader.Turn());
//   TOCSIN_RETURN_IF_ERROR(reader.Finish());
//
// Order per turn: poll → batches durable in the journal → queue → commit → idle closes → feed. What people did joins the batches. An
// idle close that the log does not imply is committed before it is made. Partitions more than
// limits::kTicksAheadMax ticks ahead of the slowest are paused. A partition whose tick has stood
// still for 30 s while all others passed it is excluded by a control record, and rejoins when it
// moves. Partitions that appear while the program runs are expected behind the tick that is due, so
// that nothing waits or goes back for them. One thread; Sources() may be called from any.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "app/input.h"
#include "app/pipeline.h"
#include "core/act.h"
#include "core/bounded_queue.h"
#include "journal/journal.h"
#include "panes/plan.h"

namespace tocsin {

// Journal records that are durable, with the sequence of the last one.
struct DurableBatches {
  std::uint64_t sequence = 0;
  std::vector<std::string> records;
};

class Reader {
 public:
  struct Options {
    std::vector<std::unique_ptr<Input>> inputs;
    const Plan* plan = nullptr;
    Journal* journal = nullptr;
    BoundedQueue<DurableBatches>* out = nullptr;
    std::vector<std::string> known_sources;  // that stage 2 waits for already (a restart)
    TimeUs decided_tick = kNoTime;           // the last one that it has decided
  };

  explicit Reader(Options options);

  // Starts the inputs, announces their partitions, retires sources that are configured no more.
  absl::Status Start();
  absl::Status Turn();
  // Sends what is closed, commits synchronously, leaves the groups.
  absl::Status Finish();
  // After an error: leaves the groups without a commit, so that what did not become durable is read
  // again.
  void Abandon();
  // Every input has ended.
  bool ended() const;

  struct View {
    std::vector<SourceStatus> sources;
    bool assigned = false;
    std::int64_t errors = 0;
    std::int64_t skipped = 0;
  };
  View Sources() const;
  // Puts what a person did into the batch log with the next turn. Any thread. ResourceExhausted when
  // limits::kQueueElementsMax wait.
  absl::Status Submit(const Act& act);
  // Records taken from all inputs. Any thread, always the newest.
  std::int64_t received() const;

 private:
  static InputClock ReadClock();
  absl::Status SendBatches();
  absl::Status CommitDue(bool all);
  // Where the partitions of all inputs stand.
  void FindTicks();
  void Balance();
  void Exclude(std::vector<std::string>* records);
  void Publish();

  std::vector<std::unique_ptr<Input>> inputs_;
  const Plan* plan_;
  Journal* journal_;
  BoundedQueue<DurableBatches>* out_;
  std::vector<std::string> known_sources_;
  InputClock clock_;
  TimeUs due_tick_ = kNoTime;  // never goes back
  TimeUs furthest_tick_ = kNoTime;
  TimeUs idle_checked_at_ = 0;
  TimeUs published_at_ = 0;
  bool published_ = true;  // the last turn, too
  mutable absl::Mutex mutex_;
  View view_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> acts_ ABSL_GUARDED_BY(mutex_);  // encoded, to be appended
};

}  // namespace tocsin
