// The reading side of the engine: runs every input on its own thread, and coordinates them.
//
//   Reader reader({.inputs = …, .plan = &plan, .log = &log, .time = &time});
//   reader.Start();
//   while (!stopping && !reader.ended()) reader.Turn();        // several times a second
//   reader.Stop(absl::Seconds(7));
//
// Reading begins when every input has started or has failed once, or after kOpenAfter, so that the
// first ticks wait for all sources found by then. From then on Turn excludes sources that hold up
// the others, and readmits them (service/source_board.h). Operator actions are appended to the
// batch log as they arrive. Call Turn from one thread, the rest from any.
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
    std::vector<std::string> known_sources = {};  // stage 2 waits for them since before a restart
    TimeUs decided_tick = kNoTime;                // the last tick that stage 2 has decided
  };

  explicit Reader(Options options);

  void Start();
  void Turn();
  // InvalidArgument when an input cannot start because its configuration is wrong.
  absl::Status status() const;
  // Whether every input has ended.
  bool ended() const;
  // False if an input is stuck in a call (service/input_runner.h).
  bool Stop(absl::Duration grace);

  std::vector<InputStatus> Inputs() const;
  // A sentence for each loss of records since the last call.
  std::vector<std::string> TakeLosses();
  // Sources that are excluded at present.
  std::vector<std::string> ExcludedSources() const { return board_.ExcludedSources(); }
  // Appends an operator action to the batch log. ResourceExhausted while the log is full.
  absl::Status Submit(const OperatorAction& action);
  // Records taken from all inputs up to now.
  std::int64_t received() const;

 private:
  // Once all inputs have arrived: announces their sources to stage 2 and opens the inputs.
  void OpenWhenReady();

  const Options options_;
  SourceBoard board_;
  std::vector<std::unique_ptr<InputRunner>> runners_;
  std::vector<std::string> retired_;  // sources of inputs that are no longer configured
  TimeUs started_at_ = 0;             // monotonic
  bool opened_ = false;
};

}  // namespace tocsin
