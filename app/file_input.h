// A file input of the running engine: files that are read to their end and, if so configured,
// followed as they grow. Positions are kept in the journal, with the batches that they belong to.
// Compressed files and stdin end at their end. Of the input's thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/batch_log.h"
#include "app/input.h"
#include "ingest/file_source.h"
#include "ingest/record_log.h"
#include "replay/engine_setup.h"

namespace tocsin {

class FileFollower : public Input {
 public:
  // All outlive the input. `log` is that of an input by HTTP, which the file then is; else nullptr.
  FileFollower(const InputConfig* config, const EngineSetup* setup, BatchLog* batches,
               DeadLetterObserver* dead_letters, RecordLog* log, const TimeSource* time);

  const InputConfig& config() const override { return *config_; }
  absl::Status Start() override;
  absl::Status Poll(absl::Duration wait) override;
  std::vector<InputPartition*> Partitions() override;
  void Pause(InputPartition* partition, bool pause) override { partition->paused = pause; }
  absl::Status CloseIdle(std::uint64_t released) override;
  std::optional<std::string> Position(const SourceCommit& commit) const override;
  void OnDurable(std::span<const InputCommit> commits) override;
  bool assigned() const override { return true; }
  void Stop() override {}

 private:
  struct File : InputPartition {
    std::unique_ptr<LineReader> reader;
    bool follow = true;
    bool live = false;  // its newest record was near the time it was read
    TimeUs end_seen_at = kNoTime;  // wall clock, before the look that found its end
  };

  absl::Status Open(const FileInput& input);
  absl::Status Read(File* file, bool* progressed);

  const InputConfig* config_;
  const EngineSetup* setup_;
  BatchLog* batches_;
  DeadLetterObserver* dead_letters_;
  RecordLog* log_;
  const TimeSource* time_;
  std::vector<std::unique_ptr<File>> files_;
};

}  // namespace tocsin
