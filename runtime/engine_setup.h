// A configuration made ready to run: detectors, plan, and what every input needs.
//
//   ErrorList errors;
//   std::unique_ptr<EngineSetup> setup = EngineSetup::Build(&config, &errors);
//   if (setup == nullptr) …                             // the errors say why
//
// Shared by replay and the running engine, so that both read a configuration the same way. The
// configuration outlives the set-up; immutable afterwards.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "config/config.h"
#include "detectors/detector.h"
#include "engine/decider.h"
#include "engine/source_partition.h"
#include "panes/plan.h"

namespace tocsin {

struct EngineSetup {
  const Config* config = nullptr;
  std::vector<std::unique_ptr<Detector>> detectors;
  Plan plan;

  static std::unique_ptr<EngineSetup> Build(const Config* config, ErrorList* errors);

  // Stage 1 for one partition of an input. InvalidArgument when the input's format is wrong.
  absl::StatusOr<std::unique_ptr<SourcePartition>> NewPartition(
      const InputConfig& input, const std::string& source,
      DeadLetterObserver* dead_letters = nullptr) const;
};

// Where the running engine keeps copies of an input's followed files whose records do not say when
// they were, with the time of reading: a folder of record logs, which replay reads.
std::string CopiesFolder(const Config& config, const std::string& input);

// All messages of a list, a line each.
std::string ErrorsText(const ErrorList& errors);

}  // namespace tocsin
