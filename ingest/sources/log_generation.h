// One file of a rotated log: identifies it even after it was moved, and tracks how far it was read.
//
//   LogGeneration generation("/var/log/app.log");
//   if (generation.Open(generation.path(), framing) != LogGeneration::Found::kYes) …
//   while (generation.Next(&line) == LogGeneration::Read::kLine) …
//
// A file is identified by device, inode and creation time. Not every file system reports the
// latter, and inodes are reused; so it is also identified by what was read from it: a hash of its
// first 1,024 bytes and one of the 256 bytes before the position. So it is found again after it was
// renamed, copied or compressed, and a new file in its place is not mistaken for it. Not
// thread-safe.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/time.h"
#include "ingest/sources/follow_stream.h"
#include "ingest/sources/line_reader.h"

namespace tocsin {

// Metadata of a file.
struct FileFacts {
  std::uint64_t device = 0, inode = 0;
  std::int64_t born = 0;  // creation time in ns; 0: unknown
  std::int64_t modified = 0;
  std::uint64_t size = 0, links = 0;
  mode_t mode = 0;

  bool is_file() const { return S_ISREG(mode); }
  // Return false and set errno on failure.
  static bool At(const std::string& path, FileFacts* facts);
  static bool Of(int file, FileFacts* facts);
};

struct FileIdentity {
  std::uint64_t device = 0, inode = 0;  // 0: unknown
  std::int64_t born = 0;                // distinguishes a reused inode
  std::uint64_t head_bytes = 0, head_hash = 0;
  std::uint64_t tail_end = 0;  // offset of the end of the tail
  std::uint64_t tail_bytes = 0, tail_hash = 0;

  bool IsFile(const FileFacts& facts) const {
    const bool is_born_then = born == facts.born || born == 0 || facts.born == 0;
    return device == facts.device && inode == facts.inode && is_born_then;
  }
  // Whether any content of the file is known.
  bool has_content() const { return head_bytes > 0; }
};

class LogGeneration {
 public:
  enum class Found : std::uint8_t { kYes, kOther, kMissing, kFailed };
  enum class Read : std::uint8_t { kLine, kEnd, kCut, kFailed };

  // Represents the file at this path or, with `facts`, only the file that they describe.
  explicit LogGeneration(std::string path, const FileFacts* facts = nullptr);

  // Opens the file at `path` if it is this one; with `by_content`, also a file with the same
  // content. Fails if it is not a regular file. kFailed: see fault(). Reading continues at `from`,
  // by default at offset().
  Found Open(const std::string& path, Framing framing, bool by_content = false,
             std::optional<std::uint64_t> from = std::nullopt);
  // For positions that hold only an offset: assumes that the file at the path was read up to
  // `offset`. Returns false if it is shorter or no record ends there.
  bool Assume(Framing framing, std::uint64_t offset);
  void Close();
  // Closes a file that was truncated: updates the identity from what was read, not from the file.
  void Abandon();
  // Forgets device and inode, so that another file with the same inode is not mistaken for it.
  void ForgetFile() { identity_.device = identity_.inode = 0; }
  bool is_open() const { return reader_ != nullptr; }

  Read Next(LineReader::Line* line);
  // The next call of Next delivers an incomplete last record.
  void CompleteAtEnd() { reader_->CompleteAtEnd(); }
  // Whether the open file may have new content, given its current facts.
  bool HasNews(const FileFacts& facts) const;
  std::optional<FileFacts> Facts() const;  // nullopt: no plain file is open

  // Updates the identity with what was read since. False: the file was truncated.
  bool Learn();
  // The identity that the open file would have if all of it had been read.
  std::optional<FileIdentity> Whole() const;
  // The modification time as last seen, in ns.
  std::int64_t modified() const { return modified_; }
  void See(const FileFacts& facts);

  const std::string& path() const { return path_; }
  const FileIdentity& identity() const { return identity_; }
  std::uint64_t offset() const { return offset_; }
  std::uint64_t size() const { return size_; }  // of the file when last checked
  bool is_compressed() const { return reader_ != nullptr && stream_ == nullptr; }
  const std::string& fault() const { return fault_; }
  // Sets fault(), for callers who looked for the file themselves.
  Found Fail(std::string fault);

  // A copy for the same file that is not open.
  LogGeneration Closed() const;
  // "device,inode,…,path": what is needed to continue reading after a restart.
  std::string ToText() const;
  static std::optional<LogGeneration> FromText(std::string_view text);

 private:
  Found Fail(const std::string& path, const char* what, int error);
  Found OpenPlain(FileDescriptor file, const std::string& path, const FileFacts& facts,
                  std::uint64_t from);
  Found OpenCompressed(FileDescriptor file, const std::string& path, const FileFacts& facts,
                       std::uint64_t from);
  // Makes this the open file.
  void Take(const std::string& path, const FileFacts& facts, std::uint64_t from,
            std::unique_ptr<TextStream> stream);

  void SetFile(const FileFacts& facts);
  void Drop();
  // Updates the identity from the bytes in memory, when the file no longer holds them.
  void LearnFromMemory();
  // REQUIRES: a plain file is open.
  bool LearnUpTo(std::uint64_t end, FileIdentity* identity) const;

  std::string path_;
  FileIdentity identity_;
  std::uint64_t offset_ = 0;
  std::uint64_t size_ = 0;
  std::int64_t modified_ = 0;
  std::uint64_t opened_at_ = 0;  // offset where reading began
  Framing framing_ = Framing::kLines;
  std::unique_ptr<LineReader> reader_;
  FollowStream* stream_ = nullptr;  // owned by reader_; nullptr unless it is a plain file
  std::string fault_;
};

// Whether a file, possibly compressed, has the content of this identity. kFailed: it cannot be read
// at present. REQUIRES: the identity has content.
LogGeneration::Found CompareContent(const std::string& path, const FileIdentity& identity);
// The same; false as well when the file cannot be read or the identity has no content.
bool HoldsContent(const std::string& path, const FileIdentity& identity);
// Whether the first bytes of a file can be read.
bool CanBeRead(const std::string& path);
// The kind of a file that is not a regular one, such as "a directory".
const char* FileKind(const FileFacts& facts);

}  // namespace tocsin
