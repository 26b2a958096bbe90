// A file input of the running engine: a file, a folder, or what a pattern matches, each file a
// source partition (service/file_partition.h), found as they come and forgotten when they are gone.
//
// Files that were rotated from another (ingest/sources/rotation.h) belong to that one. Positions are kept in
// the journal, with the batches that they belong to. What is wrong with one file, or with a folder
// that cannot be listed, is its state and tried again; the others go on, and Poll never fails. A file or
// folder that is not there is waited for, and said to be missing: nothing waits for it. Only a
// configuration that cannot be right, and a file that is not to be followed and not there, fail Start.
// Of the input's thread.
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
  // More files of one input are not read, and that is said.
  static constexpr std::size_t kFilesMax = 1'024;
  // A folder or a pattern is looked at so often, or less where that takes long.
  static constexpr DurationUs kLookEvery = kSecondUs;

  // All outlive the input. `log` is that of an input by HTTP, which the file then is; else nullptr.
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

  // Finds files that are new. Of the first time, those that were followed before are read on.
  void Look(bool first);
  FileClock ReadClock() const;
  void FollowAll(const std::vector<FileInput>& found, const std::vector<FileInput>& logs);
  void Follow(LogFiles files, bool may_go);
  // Whether it is a part of a log that is followed, moved or copied there.
  bool IsKnown(const std::string& path);
  // Logs whose own file is not there, but which were followed before.
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
  // Files that are known as parts of others, by path: which they were when that was found.
  struct Part {
    std::uint64_t inode = 0;
    std::int64_t modified = 0;
    bool operator==(const Part&) const = default;
  };
  std::map<std::string, Part> parts_;
  Files files_;                      // by name
  std::vector<std::string> faults_;  // of folders
  std::string missing_;              // the folder of a pattern
  std::vector<std::string> losses_;
  TimeUs looked_at_ = kNoTime;
  DurationUs look_after_ = kLookEvery;
};

}  // namespace tocsin
