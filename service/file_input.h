// A file input of the running engine: a file, a folder, or the files that match a pattern. Each
// file is a source partition (service/file_partition.h), added when it appears and removed when it
// is gone.
//
// Rotated files (ingest/sources/rotation.h) belong to the file that they were rotated from.
// Positions are kept in the journal, with the batches that they belong to. A file that cannot be
// read, or a folder that cannot be listed, reports that as its state and is retried; other files
// continue, and Poll never fails. A missing file or folder is reported as missing, and decisions do
// not wait for it. Start fails only if the configuration is invalid, or if a file that is not
// followed is missing. Used only by the input's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "ingest/sources/file_listing.h"
#include "ingest/sources/record_log.h"
#include "runtime/engine_setup.h"
#include "service/batch_log.h"
#include "service/file_partition.h"
#include "service/input.h"

namespace tocsin {

class FileFollower : public Input {
 public:
  // More files of one input are not read; that is logged and reported as a state.
  static constexpr std::size_t kFilesMax = 1'024;
  // How often a folder or a pattern is listed; less often if listing takes long.
  static constexpr DurationUs kLookEvery = kSecondUs;

  // All arguments outlive the input. `log` is the record log of an HTTP input, which is read
  // instead of files; else nullptr.
  FileFollower(const InputConfig* config, const EngineSetup* setup, BatchLog* batches,
               DeadLetterObserver* dead_letters, RecordLog* log, const TimeSource* time);

  absl::Status Start() override;
  absl::Status Poll(absl::Duration wait) override;
  std::vector<InputPartition*> Partitions() override;
  std::vector<SourceState> States() const override;
  std::string Missing() const override;
  bool ended() override;
  void Pause(InputPartition* partition, bool pause) override { partition->paused = pause; }
  absl::Status CloseIdle(std::uint64_t released) override;
  std::optional<std::string> Position(InputPartition* partition,
                                      const SourceCommit& commit) override;
  void OnDurable(std::span<const InputCommit> commits) override;
  std::vector<std::string> TakeLosses() override { return std::exchange(losses_, {}); }
  bool assigned() const override { return true; }
  void Stop() override {}

 private:
  using Files = std::map<std::string, std::unique_ptr<FilePartition>>;

  // Finds new files. The first time also files that were followed before a restart.
  void Look(bool first);
  FileClock ReadClock() const;
  void FollowAll(const std::vector<FileInput>& found, const std::vector<FileInput>& logs);
  void Follow(LogFiles files, bool may_go);
  // Whether the file is a rotated part of a followed log, moved or copied to this path.
  bool IsKnown(const std::string& path);
  // Logs that were followed before but whose own file is missing now.
  std::vector<FileInput> LogsOf(const std::vector<FileInput>& files) const;
  void ForgetGone();
  std::string LeftOut() const;

  const InputConfig* config_;
  const EngineSetup* setup_;
  BatchLog* batches_;
  DeadLetterObserver* dead_letters_;
  RecordLog* log_;
  const TimeSource* time_;
  const std::string path_;
  std::string next_;  // the file whose turn it is
  bool is_single_ = false;
  std::size_t left_out_ = 0;
  std::size_t copied_files_ = 0;
  // By path: files that are known to be parts of others, and their identity when that was found.
  struct Part {
    std::uint64_t inode = 0;
    std::int64_t modified = 0;
    bool operator==(const Part&) const = default;
  };
  std::map<std::string, Part> parts_;
  Files files_;                      // by name
  std::vector<std::string> faults_;  // of folders
  std::string missing_;              // why the folder of a pattern is missing; empty: it exists
  std::vector<std::string> losses_;
  TimeUs looked_at_ = kNoTime;
  DurationUs look_after_ = kLookEvery;
};

}  // namespace tocsin
