// Runs one input on its own thread, and creates it anew when it fails.
//
//   InputRunner runner({.name = "app-logs", .make = [&] { return NewInput(…); }, …});
//   runner.Start();
//   …
//   runner.Stop(absl::Seconds(7));        // feeds the taken records, commits, leaves
//
// Each turn polls, appends closed batches with their positions to the batch log, commits durable
// positions to the source, closes idle partitions, and feeds. Partitions that appear, or join again
// after their end, are announced in the log before their first batch. An input that cannot start,
// or fails, is created anew after a pause that doubles up to kPauseMax. Other inputs are not
// affected; the sources of the failed one are excluded when they hold up the others
// (service/source_board.h). A source whose partition the input does not have any more is retired.
// If the thread is stuck in a call, the status reports that instead of what was published last.
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
  // A turn that takes longer counts as hanging. The longest legitimate turn is an assignment while
  // brokers do not answer: 5 s each for the commits, the leaders, the ends and the last records; a
  // start takes up to 16 s.
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

  // Sources that stage 2 already waits for since before a restart. REQUIRES: not started.
  void ExpectKnown(const std::vector<std::string>& sources);
  void Start();
  // Whether the input has started, or failed once.
  bool HasArrived() const;
  // The sources found at the start. The caller announces them in the log before it calls Open; the
  // runner announces sources that it finds later. It reads nothing before Open.
  std::vector<std::string> TakePresent();
  void Open();

  // Asks the input to stop: it feeds and appends the taken records, commits what becomes durable
  // within `grace`, and leaves.
  void AskToStop(absl::Duration grace);
  // AskToStop, and waits for it. False if the thread is stuck in a call: then the process has to
  // end without destroying the runner.
  bool Stop(absl::Duration grace);
  // Whether the input has ended by itself, and all its batches are in the log.
  bool ended() const { return ended_.load(std::memory_order_acquire); }

  InputStatus Status() const;
  // A sentence for each loss of records since the last call, at most kLossesMax.
  std::vector<std::string> TakeLosses();
  // Records taken, including those that stage 1 has not read yet.
  std::int64_t received() const;

 private:
  struct Source {
    SourceBoard::Id id = 0;
    TimeUs data_tick = kNoTime;
    TimeUs committed_at = kNoTime;  // monotonic
    bool announced = false;
    bool ended = false;  // as of the last turn
    // A commit that waits until the log is durable up to the sequence.
    std::optional<SourceCommit> waiting = std::nullopt;
    std::uint64_t waits_for = 0;
  };
  struct Row {
    InputPartition* partition;
    Source* source;  // in a node of sources_
  };

  void Run();
  // Creates the input and runs it until it fails, ends or has to stop.
  absl::Status RunInput();
  // Waits for Open. False: it has to stop.
  bool WaitForOpen();
  absl::Status Turn();
  void Balance();
  void Send(bool all);
  // Updates rows_ from the input's partitions, and announces new and retired ones in the log.
  void UpdateRows(BatchLog::Entry* entry);
  bool RowsAreOf(const std::vector<InputPartition*>& partitions) const;
  // Announces joining partitions in the log: they are expected from the tick after they join, or,
  // if that is not known, from the tick after the furthest one that others have reported.
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
  // Used only by the thread:
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
  // The input whose counter received() adds; nullptr while there is no input.
  const Input* counted_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::int64_t received_before_ ABSL_GUARDED_BY(mutex_) = 0;
  std::thread thread_;
};

}  // namespace tocsin
