// The reading side of the engine: every input on its own thread, and what concerns all of them.
//
//   Reader reader({.inputs = …, .plan = &plan, .log = &log, .time = &time});
//   reader.Start();
//   while (!stopping && !reader.ended()) reader.Turn();        // several times a second
//   reader.Stop(absl::Seconds(7));
//
// The first batches go out when every input has started, or has failed once, or kOpenAfter has
// passed, so that the first ticks wait for all that is there. From then on a turn excludes sources
// that hold up the others and takes them back (service/source_board.h). What people do goes into the
// batch log as it comes. Turn from one thread, the rest from any.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/operator_action.h"
#include "panes/plan.h"
#include "service/batch_log.h"
#include "service/input_runner.h"
#include "service/source_board.h"
#include "service/source_status.h"

namespace tocsin {

class Reader {
 public:
  static constexpr DurationUs kOpenAfter = 15 * kSecondUs;

  struct InputMaker {
    std::string name;
    std::function<std::unique_ptr<Input>()> make;
  };
  struct Options {
    std::vector<InputMaker> inputs;
    // All outlive the reader.
    const Plan* plan = nullptr;
    BatchLog* log = nullptr;
    const TimeSource* time = nullptr;
    std::vector<std::string> known_sources = {};  // that stage 2 waits for already (a restart)
    TimeUs decided_tick = kNoTime;                // the last one that it has decided
  };

  explicit Reader(Options options);

  void Start();
  void Turn();
  // InvalidArgument when an input cannot start because its configuration is wrong.
  absl::Status status() const;
  // Every input has ended.
  bool ended() const;
  // False where an input hangs in a call that does not return (service/input_runner.h).
  bool Stop(absl::Duration grace);

  std::vector<InputStatus> Inputs() const;
  // Records that were lost since the last call.
  std::vector<std::string> TakeLosses();
  // Sources that are left out at present.
  std::vector<std::string> ExcludedSources() const { return board_.ExcludedSources(); }
  // Puts what a person did into the batch log. ResourceExhausted while that is full.
  absl::Status Submit(const OperatorAction& act);
  // Records taken from all inputs. Always the newest.
  std::int64_t received() const;

 private:
  // Once all have arrived: what stage 2 is to wait for.
  void OpenWhenReady();

  const Options options_;
  SourceBoard board_;
  std::vector<std::unique_ptr<InputRunner>> runners_;
  std::vector<std::string> retired_;  // of inputs that are configured no more
  TimeUs started_at_ = 0;             // monotonic
  bool opened_ = false;
};

}  // namespace tocsin
