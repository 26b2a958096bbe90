// The decompressed bytes of a file or of stdin.
//
//   TOCSIN_ASSIGN_OR_RETURN(std::unique_ptr<TextStream> stream, TextStream::Open("a.log.gz"));
//   while ((n = stream->Read(buffer, sizeof(buffer))) > 0) …
//   stream->status()      // why it ended; ok at a sound end
//
// gzip and zstd are told by their first bytes, not by the name; several members or frames in a row
// are one text. Memory: a buffer of 256 KiB and, for zstd, a window of at most 128 MiB (what
// `zstd --long` writes; a larger one is refused). Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "system/file_descriptor.h"

namespace tocsin {

// What compressed files begin with.
inline constexpr std::string_view kGzipMagic = "\x1F\x8B";
inline constexpr std::string_view kZstdMagic = "\x28\xB5\x2F\xFD";

class TextStream {
 public:
  virtual ~TextStream() = default;

  // Bytes read, at most `size`; 0 at the end (more may follow when a plain file grows) or on an
  // error.
  virtual std::size_t Read(char* buffer, std::size_t size) = 0;
  // Moves to a byte of the text. Plain files seek, others read up to there.
  virtual absl::Status SkipTo(std::uint64_t offset);

  // Of a pipe: from now on Read gives nothing instead of waiting, and waits() says that it did.
  // Compressed ones wait all the same.
  void DoNotWait() { may_wait_ = false; }
  bool waits() const { return waits_; }

  const absl::Status& status() const { return status_; }
  // Bytes of the file, compressed if it is; total is 0 for a pipe.
  std::uint64_t bytes_read() const { return bytes_read_; }
  std::uint64_t bytes_total() const { return bytes_total_; }

  // "-" is stdin. Errors name the path.
  static absl::StatusOr<std::unique_ptr<TextStream>> Open(const std::string& path);
  // The same for a file that is open.
  static absl::StatusOr<std::unique_ptr<TextStream>> Over(FileDescriptor file,
                                                          const std::string& path);

 protected:
  absl::Status status_;
  std::uint64_t bytes_read_ = 0;
  std::uint64_t bytes_total_ = 0;
  bool may_wait_ = true;
  bool waits_ = false;
};

}  // namespace tocsin
