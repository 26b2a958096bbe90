// Reads a growing plain file and detects truncation, no matter how much was written since.
//
//   FollowStream stream(std::move(file), path, offset);
//   while ((n = stream.Read(buffer, size)) > 0) …
//   if (stream.cut()) …          // the file no longer holds what was read from it
//
// Each read also reads the last 256 bytes before the new ones, in the same system call. If those
// have changed, the file was truncated (copytruncate) or rewritten in place, and the new bytes are
// not used. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "ingest/sources/text_stream.h"
#include "system/file_descriptor.h"

namespace tocsin {

class FollowStream final : public TextStream {
 public:
  static constexpr std::size_t kTailBytes = 256;
  static constexpr std::size_t kHeadBytes = 1'024;

  // Assumes that the file's bytes before `offset` are what was read from it before.
  FollowStream(FileDescriptor file, std::string path, std::uint64_t offset);

  std::size_t Read(char* buffer, std::size_t size) override;
  bool cut() const { return cut_; }
  // The position in the file, the last bytes before it, and the first bytes that this stream read.
  std::uint64_t offset() const { return offset_; }
  const std::string& tail() const { return tail_; }
  const std::string& head() const { return head_; }
  int file() const { return file_.number(); }

 private:
  FileDescriptor file_;
  const std::string path_;
  std::uint64_t offset_;
  std::string tail_, head_;
  bool cut_ = false;
};

// Reads exactly `size` bytes. Returns false at the end of the file (errno 0) or on an error
// (errno).
bool ReadAt(int file, std::uint64_t offset, std::size_t size, std::string* bytes);

}  // namespace tocsin
