// The lines of `run --incidents` and `--signals`, written by a thread of their own: whoever reads
// them, or the disk, must not hold up the decisions.
//
//   TOCSIN_ASSIGN_OR_RETURN(auto lines, LineOutput::Open("incidents.jsonl"));
//   lines->Rebuild(old);                        // at the start, from the journal
//   lines->Write(line);                         // never waits
//   TOCSIN_RETURN_IF_ERROR(lines->Close(absl::Seconds(2)));
//
// "-" is standard output; an empty path takes lines and writes none. At most kWaitingBytesMax wait;
// past it the oldest are left out, counted (`left_out`) and said once a minute. A file is whole
// again after the next start, which rebuilds it from the journal as far as that goes back; a pipe
// is not, and its reader sees the gap in the incidents' revisions. An error of a file (a full disk)
// is tried again every second, from the byte where it came; a pipe whose reader went away gets
// nothing any more. Write, Rebuild and Close from one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace tocsin {

// InvalidArgument where both are one file: after a restart each is rebuilt by itself, from the line
// on that the journal still has of its kind. Standard output, pipes and devices are not rebuilt.
absl::Status CheckOutputPaths(const std::string& incidents, const std::string& signals);

class LineOutput {
 public:
  static constexpr std::size_t kWaitingBytesMax = 16 << 20;

  // Keeps the first `keep` bytes of a file that is there, or makes one (mode 0600). Fails when it
  // cannot be written. A FIFO is opened when it has a reader.
  static absl::StatusOr<std::unique_ptr<LineOutput>> Open(const std::string& path,
                                                          std::int64_t keep = 0);
  // Standard error, for the log (cli/stderr_log.h), which is not told what it does not take.
  static std::unique_ptr<LineOutput> ToStderr();
  ~LineOutput();
  LineOutput(const LineOutput&) = delete;
  LineOutput& operator=(const LineOutput&) = delete;

  void Write(std::string_view line);
  // The same, but waits for room in a file, so that nothing is left out. Not for one that hangs.
  void Rebuild(std::string_view line);
  // Gives what waits so long to be written. Fails when not all lines of a file were.
  absl::Status Close(absl::Duration grace);
  // Lines. Any thread.
  std::int64_t left_out() const;

 private:
  class Writer;
  explicit LineOutput(std::shared_ptr<Writer> writer);

  const std::shared_ptr<Writer> writer_;  // its thread's, too; nullptr: nothing is written
};

}  // namespace tocsin
