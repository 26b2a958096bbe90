// The bytes of a plain file that grows, read so that a cut is noticed however much was written since.
//
//   FollowStream stream(std::move(file), path, offset);
//   while ((n = stream.Read(buffer, size)) > 0) …
//   if (stream.cut()) …          // it does not hold any more what was read of it
//
// With what is new, the last 256 bytes before it are read again, by the same call: when they have
// changed, the file was cut (copytruncate) or written anew in place, and nothing of it is taken. Not
// thread-safe.
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

  // Takes what stands before `offset` in the file for what was read of it.
  FollowStream(FileDescriptor file, std::string path, std::uint64_t offset);

  std::size_t Read(char* buffer, std::size_t size) override;
  bool cut() const { return cut_; }
  // Of the file: how far it was read, the last bytes before that, and the first of what was read.
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

// Reads exactly these bytes; false at the end of the file or on an error, which errno then says (0:
// the end).
bool ReadAt(int file, std::uint64_t offset, std::size_t size, std::string* bytes);

}  // namespace tocsin
