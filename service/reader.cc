#include "service/reader.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace tocsin {

Reader::Reader(Options options)
    : options_(std::move(options)), board_(options_.plan->pane(), options_.decided_tick) {
  for (const InputMaker& input : options_.inputs) {
    runners_.push_back(std::make_unique<InputRunner>(InputRunner::Options{.name = input.name,
                                                                          .make = input.make,
                                                                          .plan = options_.plan,
                                                                          .log = options_.log,
                                                                          .board = &board_,
                                                                          .time = options_.time}));
    std::vector<std::string> known;
    for (const std::string& source : options_.known_sources) {
      if (source.starts_with(input.name + '/')) known.push_back(source);
    }
    runners_.back()->ExpectKnown(known);
  }
  for (const std::string& source : options_.known_sources) {
    const bool configured =
        std::any_of(options_.inputs.begin(), options_.inputs.end(),
                    [&](const InputMaker& input) { return source.starts_with(input.name + '/'); });
    if (!configured) retired_.push_back(source);
  }
}

void Reader::Start() {
  started_at_ = options_.time->Monotonic();
  for (const std::unique_ptr<InputRunner>& runner : runners_) runner->Start();
}

void Reader::OpenWhenReady() {
  const bool arrived = std::all_of(runners_.begin(), runners_.end(),
                                   [](const auto& runner) { return runner->HasArrived(); });
  if (!arrived && options_.time->Monotonic() - started_at_ < kOpenAfter) return;
  BatchLog::Entry entry;
  if (!retired_.empty()) {
    entry.records.push_back(
        EncodeControl({.kind = ControlRecord::Kind::kRetire, .sources = retired_}));
  }
  ControlRecord expect = {.kind = ControlRecord::Kind::kExpect};
  for (const std::unique_ptr<InputRunner>& runner : runners_) {
    const std::vector<std::string> present = runner->TakePresent();
    expect.sources.insert(expect.sources.end(), present.begin(), present.end());
  }
  if (!expect.sources.empty()) entry.records.push_back(EncodeControl(expect));
  if (!entry.records.empty()) options_.log->Append(std::move(entry));
  for (const std::unique_ptr<InputRunner>& runner : runners_) runner->Open();
  opened_ = true;
}

void Reader::Turn() {
  if (!opened_) OpenWhenReady();
  if (!opened_) return;
  BatchLog::Entry entry;
  for (const ControlRecord& record : board_.Judge(options_.time->Monotonic())) {
    const std::string& source = record.sources.front();
    if (record.kind == ControlRecord::Kind::kExclude) {
      spdlog::warn("{} holds up the others: deciding without it, results are marked partial",
                   source);
    } else {
      spdlog::info("{} is no longer excluded", source);
    }
    entry.records.push_back(EncodeControl(record));
  }
  if (!entry.records.empty()) options_.log->Append(std::move(entry));
}

absl::Status Reader::status() const {
  for (const std::unique_ptr<InputRunner>& runner : runners_) {
    const InputStatus status = runner->Status();
    // If it has run once, its configuration is valid.
    if (status.refused && status.failures == 1 && status.state == InputStatus::State::kFailed &&
        status.sources.empty()) {
      return absl::InvalidArgumentError("input " + status.name + ": " + status.reason);
    }
  }
  return absl::OkStatus();
}

bool Reader::ended() const {
  return std::all_of(runners_.begin(), runners_.end(),
                     [](const auto& runner) { return runner->ended(); });
}

bool Reader::Stop(absl::Duration grace) {
  // Ask all to stop before waiting for any.
  const TimeUs until = options_.time->Monotonic() + absl::ToInt64Microseconds(grace);
  for (const std::unique_ptr<InputRunner>& runner : runners_) runner->AskToStop(grace);
  bool stopped = true;
  for (const std::unique_ptr<InputRunner>& runner : runners_) {
    const DurationUs left = std::max<DurationUs>(0, until - options_.time->Monotonic());
    if (runner->Stop(absl::Microseconds(left))) continue;
    spdlog::error("input {} does not stop: it is stuck in a system call", runner->Status().name);
    stopped = false;
  }
  return stopped;
}

std::vector<InputStatus> Reader::Inputs() const {
  std::vector<InputStatus> inputs;
  for (const std::unique_ptr<InputRunner>& runner : runners_) inputs.push_back(runner->Status());
  return inputs;
}

std::vector<std::string> Reader::TakeLosses() {
  std::vector<std::string> losses;
  for (const std::unique_ptr<InputRunner>& runner : runners_) {
    for (std::string& loss : runner->TakeLosses()) losses.push_back(std::move(loss));
  }
  return losses;
}

absl::Status Reader::Submit(const OperatorAction& action) {
  if (options_.log->full()) {
    return absl::ResourceExhaustedError("the batch log is full: try again later");
  }
  options_.log->Append(
      {.records = {EncodeControl({.kind = ControlRecord::Kind::kAct, .act = action})}});
  return absl::OkStatus();
}

std::int64_t Reader::received() const {
  std::int64_t received = 0;
  for (const std::unique_ptr<InputRunner>& runner : runners_) received += runner->received();
  return received;
}

}  // namespace tocsin
