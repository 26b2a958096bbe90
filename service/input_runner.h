// Runs one input on a thread of its own, and begins anew when it fails.
//
//   InputRunner runner({.make = [&] { return NewInput(…); }, .name = "app-logs", …});
//   runner.Start();
//   …
//   runner.Stop(absl::Seconds(7));        // feeds what was taken, commits, leaves
//
// Per turn: poll, append what was closed to the batch log together with the positions it stands for,
// tell the source what is durable, close idle partitions, feed. Partitions that appear, or join
// again after their end, are announced in the log before their first batch. An input that cannot start, or fails, is made anew after a
// pause that doubles up to kPauseMax; others do not notice, except that its sources are excluded
// when they hold up what others have (service/source_board.h). A source whose partition the input does
// not have any more is retired. A thread that does not come back from a call hangs: the status says
// so, whatever was published last.
//
// Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "panes/plan.h"
#include "service/batch_log.h"
#include "service/input.h"
#include "service/source_board.h"
#include "service/source_status.h"
#include "system/time_source.h"

namespace tocsin {

class InputRunner {
 public:
  static constexpr DurationUs kPauseMin = kSecondUs;
  static constexpr DurationUs kPauseMax = 30 * kSecondUs;
  static constexpr std::size_t kLossesMax = 16;
  // A thread that has not turned for so long hangs. The longest that a turn may take is an assignment
  // by brokers that do not answer: 5 s each for the commits, the leaders, the ends and the last
  // records; a start takes up to 16 s.
  static constexpr DurationUs kHangsAfter = 30 * kSecondUs;

  struct Options {
    std::string name;
    std::function<std::unique_ptr<Input>()> make;
    // All outlive the runner.
    const Plan* plan = nullptr;
    BatchLog* log = nullptr;
    SourceBoard* board = nullptr;
    const TimeSource* time = nullptr;
  };

  explicit InputRunner(Options options);
  // REQUIRES: Stop did not return false.
  ~InputRunner();
  InputRunner(const InputRunner&) = delete;
  InputRunner& operator=(const InputRunner&) = delete;

  // Sources that stage 2 waits for from before a restart. REQUIRES: not started.
  void ExpectKnown(const std::vector<std::string>& sources);
  void Start();
  // Whether it has started, or failed once.
  bool HasArrived() const;
  // The sources that it has found, which the log is to expect before Open is called; those that it
  // finds later it announces itself. It reads nothing before Open.
  std::vector<std::string> TakePresent();
  void Open();

  // Asks it to end: it feeds and appends what was taken, commits what becomes durable within
  // `grace`, and leaves.
  void AskToStop(absl::Duration grace);
  // The same, and waits for it. False where it hangs in a call that does not return: then the process has to
  // end without destroying this.
  bool Stop(absl::Duration grace);
  // The input has ended by itself, and all it had is in the log.
  bool ended() const { return ended_.load(std::memory_order_acquire); }

  InputStatus Status() const;
  // Records that were lost since the last call, a sentence each, at most kLossesMax.
  std::vector<std::string> TakeLosses();
  // Records taken, whether stage 1 has read them or not.
  std::int64_t received() const;

 private:
  struct Source {
    SourceBoard::Id id = 0;
    TimeUs data_tick = kNoTime;
    TimeUs committed_at = kNoTime;  // monotonic
    bool announced = false;
    bool ended = false;  // when it was looked at last
    // A commit that waits until the log is durable up to the sequence.
    std::optional<SourceCommit> waiting = std::nullopt;
    std::uint64_t waits_for = 0;
  };
  struct Row {
    InputPartition* partition;
    Source* source;  // in a node of sources_
  };

  void Run();
  // Makes the input and runs it until it fails, ends or is to stop.
  absl::Status RunInput();
  // Waits for Open; false: it is to stop.
  bool WaitForOpen();
  absl::Status Turn();
  void Balance();
  void Send(bool all);
  // Follows the input's list of partitions, with a word in the log on what comes and goes.
  void UpdateRows(BatchLog::Entry* entry);
  bool RowsAreOf(const std::vector<InputPartition*>& partitions) const;
  // Has these expected: behind the tick at which they join, or behind what others have reported.
  void Expect(const std::vector<const InputPartition*>& joining, BatchLog::Entry* entry) const;
  void Report();
  // Commits whose batches are durable.
  std::vector<InputCommit> TakeDurable();
  void Finish();
  void Publish();
  void Fail(const absl::Status& status);
  void Sleep(DurationUs duration);
  void MarkTurn() { turned_at_.store(options_.time->Monotonic(), std::memory_order_relaxed); }
  bool stopping() const { return stopping_.load(std::memory_order_relaxed); }

  const Options options_;
  // Of the thread:
  std::unique_ptr<Input> input_;
  std::map<std::string, Source> sources_;
  std::vector<Row> rows_;
  std::uint64_t appended_ = 0;
  TimeUs published_at_ = kNoTime;
  TimeUs idle_closed_at_ = kNoTime;
  bool published_ = true;  // by the last turn
  DurationUs pause_ = kPauseMin;

  std::atomic<bool> stopping_ = false;  // relaxed: only asks the thread to leave its loop
  std::atomic<bool> ended_ = false;     // release by the thread, acquire in ended()
  std::atomic<TimeUs> turned_at_ = 0;   // monotonic; relaxed: a number on its own
  mutable absl::Mutex mutex_;
  InputStatus status_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> losses_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> present_ ABSL_GUARDED_BY(mutex_);
  bool arrived_ ABSL_GUARDED_BY(mutex_) = false;
  bool present_taken_ ABSL_GUARDED_BY(mutex_) = false;
  bool opened_ ABSL_GUARDED_BY(mutex_) = false;
  bool done_ ABSL_GUARDED_BY(mutex_) = true;
  TimeUs stop_by_ ABSL_GUARDED_BY(mutex_) = INT64_MAX;  // monotonic
  // The input's own counter, for received(); nullptr between two.
  const Input* counted_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::int64_t received_before_ ABSL_GUARDED_BY(mutex_) = 0;
  std::thread thread_;
};

}  // namespace tocsin
