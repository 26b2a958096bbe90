// Reads the decompressed bytes of a file or of stdin.
//
//   TOCSIN_ASSIGN_OR_RETURN(std::unique_ptr<TextStream> stream, TextStream::Open("a.log.gz"));
//   while ((n = stream->Read(buffer, sizeof(buffer))) > 0) …
//   stream->status()      // OK, or the error that ended it
//
// gzip and zstd are detected by their first bytes, not by the name; consecutive members or frames
// are concatenated. Memory: a buffer of 256 KiB and, for zstd, a window of at most 128 MiB, which
// is what `zstd --long` writes; larger windows are rejected. Not thread-safe.
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
  // Advances to an offset of the text. Plain files seek, others read up to it.
  virtual absl::Status SkipTo(std::uint64_t offset);

  // For pipes: from now on Read returns 0 instead of blocking, and waits() tells that it would have
  // blocked. Compressed streams still block.
  void DoNotWait() { may_wait_ = false; }
  bool waits() const { return waits_; }

  const absl::Status& status() const { return status_; }
  // Bytes of the (possibly compressed) file; total is 0 for a pipe.
  std::uint64_t bytes_read() const { return bytes_read_; }
  std::uint64_t bytes_total() const { return bytes_total_; }

  // "-" is stdin. Errors name the path.
  static absl::StatusOr<std::unique_ptr<TextStream>> Open(const std::string& path);
  // The same for an open file.
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
