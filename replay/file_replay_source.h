// One file of recorded traffic with its rotations, pulled a few records at a time.
//
//   TOCSIN_ASSIGN_OR_RETURN(std::unique_ptr<FileReplaySource> source,
//                           FileReplaySource::Open(log, input, setup));
//   while (!source->ended()) { TOCSIN_RETURN_IF_ERROR(source->Read()); … source->partition() … }
//
// What `input` says of the format may be `auto`, and its record_time is that of records that say
// none. Not thread-safe.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "config/config.h"
#include "engine/source_partition.h"
#include "ingest/sources/line_reader.h"
#include "ingest/sources/rotation.h"
#include "runtime/engine_setup.h"

namespace tocsin {

class FileReplaySource {
 public:
  // `setup` outlives the source.
  static absl::StatusOr<std::unique_ptr<FileReplaySource>> Open(const LogFiles& log,
                                                                InputConfig input,
                                                                const EngineSetup& setup);
  ~FileReplaySource();

  // Feeds some records, or ends the partition.
  absl::Status Read();
  bool ended() const { return ended_; }
  SourcePartition& partition() { return *partition_; }
  double share_done() const;  // −1 when unknown
  // What people should know of records that could not be read because nobody says when they were
  // written; "" where there are none.
  std::string UntimedText() const;

 private:
  class UntimedRecords;
  FileReplaySource();

  std::string path_;
  std::unique_ptr<LineReader> reader_;
  std::unique_ptr<UntimedRecords> untimed_;
  std::unique_ptr<SourcePartition> partition_;
  bool ended_ = false;
};

}  // namespace tocsin
