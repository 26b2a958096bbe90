// A file input of the running engine: files that are read to their end and, if so configured,
// followed as they grow. Positions are kept in the journal. Compressed files and stdin end at their
// end. Reading thread only.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/input.h"
#include "ingest/file_source.h"
#include "ingest/record_log.h"
#include "journal/journal.h"
#include "replay/engine_setup.h"

namespace tocsin {

class FileFollower : public Input {
 public:
  // All outlive the input. `log` is that of an input by HTTP, which the file then is; else nullptr.
  FileFollower(const InputConfig* config, const EngineSetup* setup, Journal* journal,
               DeadLetterObserver* dead_letters, RecordLog* log);

  const InputConfig& config() const override { return *config_; }
  absl::Status Start() override;
  absl::Status Poll(absl::Duration wait, const InputClock& clock) override;
  std::vector<InputPartition*> Partitions() override;
  void Pause(InputPartition* partition, bool pause) override { partition->paused = pause; }
  absl::Status CloseIdle(const InputClock& clock) override;
  absl::Status Commit(InputPartition* partition, bool sync) override;
  bool assigned() const override { return true; }
  void Stop() override {}

 private:
  struct File : InputPartition {
    std::unique_ptr<LineReader> reader;
    bool follow = true;
    bool live = false;  // its newest record was near the time it was read
  };

  absl::Status Open(const FileInput& input);
  absl::Status CommitNow(const File& file, const SourceCommit& commit);
  absl::Status Read(File* file, const InputClock& clock, bool* progressed);

  const InputConfig* config_;
  const EngineSetup* setup_;
  Journal* journal_;
  DeadLetterObserver* dead_letters_;
  RecordLog* log_;
  std::vector<std::unique_ptr<File>> files_;
};

}  // namespace tocsin
