// One file of a log that is rotated: who it is, wherever it is moved, and how far it was read.
//
//   LogGeneration generation("/var/log/app.log");
//   if (generation.Open(generation.path(), framing) == LogGeneration::Found::kYes) …
//   while (generation.Next(&line) == LogGeneration::Read::kLine) …
//
// A file is known by device, inode and when it was made. Not every file system says that, and inodes
// are used again; so it is also known by what was read of it: a hash of its first 1,024 bytes and one
// of the 256 before the place where it was read to. So it is found again when it was renamed, copied
// or compressed, and a new file in its place is not taken for it. Not thread-safe.
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

// What the file system says of a file.
struct FileFacts {
  std::uint64_t device = 0, inode = 0;
  std::int64_t born = 0;  // in ns; 0: the file system does not say
  std::int64_t modified = 0;
  std::uint64_t size = 0, links = 0;
  mode_t mode = 0;

  bool is_file() const { return S_ISREG(mode); }
  // False: errno says why.
  static bool At(const std::string& path, FileFacts* facts);
  static bool Of(int file, FileFacts* facts);
};

struct FileIdentity {
  std::uint64_t device = 0, inode = 0;  // 0: not known
  std::int64_t born = 0;                // so that an inode that is used again is told from it
  std::uint64_t head_bytes = 0, head_hash = 0;
  std::uint64_t tail_end = 0;  // the tail's bytes end here
  std::uint64_t tail_bytes = 0, tail_hash = 0;

  bool IsFile(const FileFacts& facts) const {
    const bool is_born_then = born == facts.born || born == 0 || facts.born == 0;
    return device == facts.device && inode == facts.inode && is_born_then;
  }
  // Whether anything is known of what the file holds.
  bool has_content() const { return head_bytes > 0; }
};

class LogGeneration {
 public:
  enum class Found : std::uint8_t { kYes, kOther, kMissing, kFailed };
  enum class Read : std::uint8_t { kLine, kEnd, kCut, kFailed };

  // Of the file that is at this path, or, where its facts are known, of that one alone.
  explicit LogGeneration(std::string path, const FileFacts* facts = nullptr);

  // Opens a file if it is this one; with `by_content`, also one that holds the same. What is not a
  // regular file fails. kFailed: see fault(). Reading goes on at offset(), or at `from`.
  Found Open(const std::string& path, Framing framing, bool by_content = false,
             std::optional<std::uint64_t> from = std::nullopt);
  // Takes the file at the path for one of which so many bytes were read, which is all that is known.
  // False: it is shorter, or no record ends there.
  bool Assume(Framing framing, std::uint64_t offset);
  void Close();
  // The same where the file does not hold any more what it did: what was read of it says what that
  // was.
  void Abandon();
  // Forgets which file it was, so that another of the same inode is not taken for it.
  void ForgetFile() { identity_.device = identity_.inode = 0; }
  bool is_open() const { return reader_ != nullptr; }

  Read Next(LineReader::Line* line);
  // An incomplete last record is handed over by the next call of Next.
  void CompleteAtEnd() { reader_->CompleteAtEnd(); }
  // Whether the open file has something new, or may have; its facts as of now.
  bool HasNews(const FileFacts& facts) const;
  std::optional<FileFacts> Facts() const;  // nullopt: not a plain file that is open

  // Takes into the identity what was read since. False: the file was cut.
  bool Learn();
  // What would be known of the open file if all of it had been read.
  std::optional<FileIdentity> Whole() const;
  // The time of its last change as last seen, in ns.
  std::int64_t modified() const { return modified_; }
  void See(const FileFacts& facts);

  const std::string& path() const { return path_; }
  const FileIdentity& identity() const { return identity_; }
  std::uint64_t offset() const { return offset_; }
  std::uint64_t size() const { return size_; }  // of the file when it was last looked at
  bool is_compressed() const { return reader_ != nullptr && stream_ == nullptr; }
  const std::string& fault() const { return fault_; }

  // What is known of the same file, which is not open there.
  LogGeneration Closed() const;
  // "device,inode,…,path": what has to be known to go on with it.
  std::string ToText() const;
  static std::optional<LogGeneration> FromText(std::string_view text);

 private:
  Found Fail(const std::string& path, const char* what, int error);
  Found OpenPlain(FileDescriptor file, const std::string& path, const FileFacts& facts,
                  std::uint64_t from);
  Found OpenCompressed(FileDescriptor file, const std::string& path, const FileFacts& facts,
                       std::uint64_t from);
  // Reads this file from here on.
  void Take(const std::string& path, const FileFacts& facts, std::uint64_t from,
            std::unique_ptr<TextStream> stream);

  void SetFile(const FileFacts& facts);
  void Drop();
  // What the file held that is not there any more.
  void LearnFromMemory();
  // REQUIRES: a plain file is open.
  bool LearnUpTo(std::uint64_t end, FileIdentity* identity) const;

  std::string path_;
  FileIdentity identity_;
  std::uint64_t offset_ = 0;
  std::uint64_t size_ = 0;
  std::int64_t modified_ = 0;
  std::uint64_t opened_at_ = 0;  // where reading began
  Framing framing_ = Framing::kLines;
  std::unique_ptr<LineReader> reader_;
  FollowStream* stream_ = nullptr;  // reader_'s, of a plain file
  std::string fault_;
};

// Whether a file, perhaps compressed, holds what is known of this one.
bool HoldsContent(const std::string& path, const FileIdentity& identity);
// "a directory" and so on, of what is no regular file.
const char* FileKind(const FileFacts& facts);

}  // namespace tocsin
