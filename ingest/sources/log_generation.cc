#include "ingest/sources/log_generation.h"

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>
#include <vector>

#include "core/hash.h"
#include "ingest/sources/file_source.h"
#include "ingest/sources/text_stream.h"

namespace tocsin {
namespace {

using Found = LogGeneration::Found;

constexpr std::size_t kChunkBytes = 64 << 10;
constexpr int kNumbers = 10;

FileDescriptor OpenFile(const std::string& path) {
  // O_NONBLOCK: opening a FIFO or a device must not block before we know that it is one.
  return FileDescriptor(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
}

std::int64_t Nanoseconds(const statx_timestamp& time) {
  return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

bool Look(int file, const char* path, FileFacts* facts) {
  struct statx answer;
  if (statx(file, path, AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &answer) != 0) return false;
  facts->device = makedev(answer.stx_dev_major, answer.stx_dev_minor);
  facts->inode = answer.stx_ino;
  facts->born = (answer.stx_mask & STATX_BTIME) != 0 ? Nanoseconds(answer.stx_btime) : 0;
  facts->modified = Nanoseconds(answer.stx_mtime);
  facts->size = answer.stx_size;
  facts->links = answer.stx_nlink;
  facts->mode = answer.stx_mode;
  return true;
}

// nullopt with errno when the file cannot be read.
std::optional<bool> IsCompressed(int file) {
  std::string head;
  if (!ReadAt(file, 0, kZstdMagic.size(), &head) && errno != 0) return std::nullopt;
  return head.starts_with(kGzipMagic) || head == kZstdMagic;
}

// On kFailed errno is set.
Found ComparePlain(int file, const FileIdentity& identity) {
  std::string bytes;
  if (!ReadAt(file, 0, identity.head_bytes, &bytes))
    return errno == 0 ? Found::kOther : Found::kFailed;
  if (Hash64(bytes) != identity.head_hash) return Found::kOther;
  if (!ReadAt(file, identity.tail_end - identity.tail_bytes, identity.tail_bytes, &bytes)) {
    return errno == 0 ? Found::kOther : Found::kFailed;
  }
  return Hash64(bytes) == identity.tail_hash ? Found::kYes : Found::kOther;
}

// On kFailed the stream's status has the error. On kYes the stream is at tail_end.
Found CompareText(TextStream* text, const FileIdentity& identity) {
  std::string head;  // of the text
  std::string last;  // at most the tail's bytes
  std::vector<char> chunk(kChunkBytes);
  for (std::uint64_t at = 0; at < identity.tail_end;) {
    const std::uint64_t wanted = std::min<std::uint64_t>(chunk.size(), identity.tail_end - at);
    const std::size_t count = text->Read(chunk.data(), static_cast<std::size_t>(wanted));
    if (count == 0) return text->status().ok() ? Found::kOther : Found::kFailed;
    if (at < identity.head_bytes) {
      head.append(chunk.data(), std::min<std::uint64_t>(count, identity.head_bytes - at));
      if (head.size() == identity.head_bytes && Hash64(head) != identity.head_hash) {
        return Found::kOther;
      }
    }
    last.append(chunk.data(), count);
    if (last.size() > identity.tail_bytes) last.erase(0, last.size() - identity.tail_bytes);
    at += count;
  }
  return Hash64(last) == identity.tail_hash ? Found::kYes : Found::kOther;
}

// The beginning of the text in a file that was truncated while its writer kept its offset: the file
// has zeros up to there.
std::uint64_t SkipHole(int file, std::uint64_t size) {
  std::string bytes;
  if (size == 0 || !ReadAt(file, 0, 1, &bytes) || bytes[0] != '\0') return 0;
  const off_t data = lseek(file, 0, SEEK_DATA);
  std::uint64_t at = data > 0 ? static_cast<std::uint64_t>(data) : 0;
  while (at < size) {
    const std::uint64_t count = std::min<std::uint64_t>(kChunkBytes, size - at);
    if (!ReadAt(file, at, static_cast<std::size_t>(count), &bytes)) break;
    const std::size_t found = bytes.find_first_not_of('\0');
    if (found != bytes.npos) return at + found;
    at += count;
  }
  return size;
}

std::string Escape(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string escaped;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       c == '/' || c == '.' || c == '-' || c == '_';
    if (plain) {
      escaped += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    escaped += {'%', kHex[byte / 16], kHex[byte % 16]};
  }
  return escaped;
}

std::optional<std::string> Unescape(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      plain += text[i];
      continue;
    }
    unsigned char byte = 0;
    if (i + 3 > text.size()) return std::nullopt;
    const auto result = std::from_chars(text.data() + i + 1, text.data() + i + 3, byte, 16);
    if (result.ptr != text.data() + i + 3) return std::nullopt;
    plain += static_cast<char>(byte);
    i += 2;
  }
  return plain;
}

}  // namespace

bool FileFacts::At(const std::string& path, FileFacts* facts) {
  return Look(AT_FDCWD, path.c_str(), facts);
}

bool FileFacts::Of(int file, FileFacts* facts) { return Look(file, "", facts); }

const char* FileKind(const FileFacts& facts) {
  if (S_ISDIR(facts.mode)) return "a directory";
  if (S_ISFIFO(facts.mode)) return "a FIFO";
  if (S_ISSOCK(facts.mode)) return "a socket";
  return "a device";
}

LogGeneration::LogGeneration(std::string path, const FileFacts* facts) : path_(std::move(path)) {
  if (facts == nullptr) return;
  SetFile(*facts);
  See(*facts);
}

Found LogGeneration::Fail(const std::string& path, const char* what, int error) {
  fault_ = path + ": " + what + ": " + std::strerror(error);
  return Found::kFailed;
}

Found LogGeneration::Fail(std::string fault) {
  fault_ = std::move(fault);
  return Found::kFailed;
}

Found LogGeneration::Open(const std::string& path, Framing framing, bool by_content,
                          std::optional<std::uint64_t> from) {
  Close();
  FileDescriptor file = OpenFile(path);
  if (!file.is_open()) {
    if (errno == ENOENT || errno == ENOTDIR) return Found::kMissing;
    return Fail(path, "cannot be opened", errno);
  }
  FileFacts facts;
  if (!FileFacts::Of(file.number(), &facts)) return Fail(path, "cannot read its metadata", errno);
  if (!facts.is_file()) {
    fault_ = path + ": is " + FileKind(facts) + ": expected a file";
    return Found::kFailed;
  }
  const bool is_known = identity_.inode != 0;
  by_content = by_content && identity_.has_content();
  if (is_known && !identity_.IsFile(facts) && !by_content) return Found::kOther;
  framing_ = framing;
  const std::uint64_t begin = from.value_or(offset_);
  const std::optional<bool> is_compressed = IsCompressed(file.number());
  if (!is_compressed) return Fail(path, "cannot be read", errno);
  return *is_compressed ? OpenCompressed(std::move(file), path, facts, begin)
                        : OpenPlain(std::move(file), path, facts, begin);
}

Found LogGeneration::OpenPlain(FileDescriptor file, const std::string& path, const FileFacts& facts,
                               std::uint64_t from) {
  if (identity_.has_content()) {
    const Found found = ComparePlain(file.number(), identity_);
    if (found == Found::kFailed) return Fail(path, "cannot be read", errno);
    if (found != Found::kYes) return found;
  }
  if (from == 0 && offset_ == 0) {
    from = offset_ = SkipHole(file.number(), facts.size);
  }
  auto stream = std::make_unique<FollowStream>(std::move(file), path, from);
  if (stream->cut()) return Found::kOther;
  if (!stream->status().ok()) {
    fault_ = std::string(stream->status().message());
    return Found::kFailed;
  }
  stream_ = stream.get();
  Take(path, facts, from, std::move(stream));
  return Found::kYes;
}

Found LogGeneration::OpenCompressed(FileDescriptor file, const std::string& path,
                                    const FileFacts& facts, std::uint64_t from) {
  const auto failed = [this](const absl::Status& status) {
    fault_ = std::string(status.message());
    return Found::kFailed;
  };
  absl::StatusOr<std::unique_ptr<TextStream>> text = TextStream::Over(std::move(file), path);
  if (!text.ok()) return failed(text.status());
  std::uint64_t at = 0;
  if (identity_.has_content()) {
    const Found found = CompareText(text->get(), identity_);
    if (found == Found::kFailed) return failed((*text)->status());
    if (found != Found::kYes) return found;
    at = identity_.tail_end;
  }
  if (from < at) {
    text = TextStream::Over(OpenFile(path), path);
    if (!text.ok()) return failed(text.status());
    at = 0;
  }
  // The comparison has already advanced the stream to `at`.
  if (const absl::Status skipped = (*text)->SkipTo(from - at); !skipped.ok()) {
    return failed(skipped);
  }
  stream_ = nullptr;
  Take(path, facts, from, *std::move(text));
  return Found::kYes;
}

void LogGeneration::Take(const std::string& path, const FileFacts& facts, std::uint64_t from,
                         std::unique_ptr<TextStream> stream) {
  path_ = path;
  SetFile(facts);
  fault_.clear();
  See(facts);
  opened_at_ = from;
  reader_ = LineReaderOver(std::move(stream),
                           {.framing = framing_, .start_offset = from, .complete_at_end = false});
}

bool LogGeneration::Assume(Framing framing, std::uint64_t offset) {
  const FileDescriptor file = OpenFile(path_);
  std::string bytes;
  FileFacts facts;
  if (!file.is_open() || !FileFacts::Of(file.number(), &facts) || !facts.is_file() ||
      facts.size < offset || !ReadAt(file.number(), offset - 1, 1, &bytes)) {
    return false;
  }
  char next = '\n';
  if (facts.size > offset) {
    std::string behind;
    if (!ReadAt(file.number(), offset, 1, &behind)) return false;
    next = behind[0];
  }
  const bool ends_line = bytes[0] == '\n';
  const bool ends_value = framing == Framing::kJsonValues && (bytes[0] == '}' || bytes[0] == ']') &&
                          std::string_view("\n\r, ]").find(next) != std::string_view::npos;
  if (!ends_line && !ends_value) return false;
  SetFile(facts);
  offset_ = offset;
  return Open(path_, framing) == Found::kYes && Learn();
}

void LogGeneration::Close() {
  if (stream_ != nullptr) Learn();
  Drop();
}

void LogGeneration::Abandon() {
  LearnFromMemory();
  Drop();
}

void LogGeneration::LearnFromMemory() {
  if (stream_ == nullptr || stream_->tail().empty()) return;
  if (opened_at_ == 0 && stream_->head().size() > identity_.head_bytes) {
    identity_.head_bytes = stream_->head().size();
    identity_.head_hash = Hash64(stream_->head());
  }
  if (!identity_.has_content()) return;
  identity_.tail_end = stream_->offset();
  identity_.tail_bytes = stream_->tail().size();
  identity_.tail_hash = Hash64(stream_->tail());
}

void LogGeneration::Drop() {
  reader_ = nullptr;
  stream_ = nullptr;
}

LogGeneration::Read LogGeneration::Next(LineReader::Line* line) {
  switch (reader_->Next(line)) {
    case LineReader::Result::kLine:
      offset_ = line->next_offset;
      return Read::kLine;
    case LineReader::Result::kEnd:
      return stream_ != nullptr && stream_->cut() ? Read::kCut : Read::kEnd;
    case LineReader::Result::kError:
      break;
  }
  fault_ = std::string(reader_->status().message());
  return Read::kFailed;
}

bool LogGeneration::HasNews(const FileFacts& facts) const {
  return stream_ != nullptr && (facts.size != stream_->offset() || facts.modified != modified_);
}

std::optional<FileFacts> LogGeneration::Facts() const {
  FileFacts facts;
  if (stream_ == nullptr || !FileFacts::Of(stream_->file(), &facts)) return std::nullopt;
  return facts;
}

void LogGeneration::SetFile(const FileFacts& facts) {
  identity_.device = facts.device;
  identity_.inode = facts.inode;
  identity_.born = facts.born;
}

void LogGeneration::See(const FileFacts& facts) {
  modified_ = facts.modified;
  size_ = facts.size;
}

bool LogGeneration::Learn() {
  if (stream_ == nullptr || offset_ == 0 || identity_.tail_end == stream_->offset()) return true;
  FileIdentity learned = identity_;
  // A truncated file may have grown again and have other content there.
  if (LearnUpTo(stream_->offset(), &learned) && learned.tail_hash == Hash64(stream_->tail())) {
    identity_ = learned;
    return true;
  }
  LearnFromMemory();
  return false;
}

std::optional<FileIdentity> LogGeneration::Whole() const {
  const std::optional<FileFacts> facts = Facts();
  FileIdentity whole = identity_;
  if (!facts || !LearnUpTo(facts->size, &whole)) return std::nullopt;
  return whole;
}

bool LogGeneration::LearnUpTo(std::uint64_t end, FileIdentity* identity) const {
  FileIdentity learned = *identity;
  std::string bytes;
  learned.head_bytes = std::min<std::uint64_t>(FollowStream::kHeadBytes, end);
  if (learned.head_bytes != identity->head_bytes) {
    if (!ReadAt(stream_->file(), 0, learned.head_bytes, &bytes)) return false;
    learned.head_hash = Hash64(bytes);
  }
  learned.tail_end = end;
  learned.tail_bytes = std::min<std::uint64_t>(FollowStream::kTailBytes, end);
  if (!ReadAt(stream_->file(), end - learned.tail_bytes, learned.tail_bytes, &bytes)) return false;
  learned.tail_hash = Hash64(bytes);
  *identity = learned;
  return true;
}

LogGeneration LogGeneration::Closed() const {
  LogGeneration closed(path_);
  closed.identity_ = identity_;
  closed.offset_ = offset_;
  closed.modified_ = modified_;
  return closed;
}

std::string LogGeneration::ToText() const {
  std::string text;
  for (const std::uint64_t number :
       {identity_.device, identity_.inode, static_cast<std::uint64_t>(identity_.born),
        identity_.head_bytes, identity_.head_hash, identity_.tail_end, identity_.tail_bytes,
        identity_.tail_hash, offset_, static_cast<std::uint64_t>(modified_)}) {
    text += std::to_string(number) + ',';
  }
  return text + Escape(path_);
}

std::optional<LogGeneration> LogGeneration::FromText(std::string_view text) {
  std::array<std::uint64_t, kNumbers> numbers{};
  for (std::uint64_t& number : numbers) {
    const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
    text.remove_prefix(static_cast<std::size_t>(result.ptr - text.data()));
    if (result.ec != std::errc() || !text.starts_with(',')) return std::nullopt;
    text.remove_prefix(1);
  }
  const std::optional<std::string> path = Unescape(text);
  const auto& [device, inode, born, head_bytes, head_hash, tail_end, tail_bytes, tail_hash, offset,
               time] = numbers;
  if (!path || head_bytes > FollowStream::kHeadBytes || tail_bytes > FollowStream::kTailBytes ||
      tail_bytes > tail_end || tail_end > INT64_MAX || offset > INT64_MAX) {
    return std::nullopt;
  }
  LogGeneration generation(*path);
  generation.identity_ = {device,     inode,     static_cast<std::int64_t>(born),
                          head_bytes, head_hash, tail_end,
                          tail_bytes, tail_hash};
  generation.offset_ = offset;
  generation.modified_ = static_cast<std::int64_t>(time);
  return generation;
}

Found CompareContent(const std::string& path, const FileIdentity& identity) {
  FileDescriptor file = OpenFile(path);
  if (!file.is_open())
    return errno == ENOENT || errno == ENOTDIR ? Found::kMissing : Found::kFailed;
  FileFacts facts;
  if (!FileFacts::Of(file.number(), &facts)) return Found::kFailed;
  if (!facts.is_file()) return Found::kOther;
  const std::optional<bool> is_compressed = IsCompressed(file.number());
  if (!is_compressed) return Found::kFailed;
  if (!*is_compressed) return ComparePlain(file.number(), identity);
  const absl::StatusOr<std::unique_ptr<TextStream>> text = TextStream::Over(std::move(file), path);
  return text.ok() ? CompareText(text->get(), identity) : Found::kFailed;
}

bool HoldsContent(const std::string& path, const FileIdentity& identity) {
  return identity.has_content() && CompareContent(path, identity) == Found::kYes;
}

bool CanBeRead(const std::string& path) {
  const FileDescriptor file = OpenFile(path);
  return file.is_open() && IsCompressed(file.number()).has_value();
}

}  // namespace tocsin
