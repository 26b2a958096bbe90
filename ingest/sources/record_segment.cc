#include "ingest/sources/record_segment.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <tuple>
#include <utility>

#include "core/hash.h"
#include "core/limits.h"

namespace tocsin {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".v2.tlog";
constexpr std::string_view kSuffix1 = ".tlog";
constexpr std::size_t kNameDigits = 20;
constexpr std::string_view kMagic = "tocsinL2";
constexpr std::size_t kFileHeaderBytes = 16;
constexpr std::size_t kRecordHeaderBytes1 = 4 + 8 + 8;
constexpr std::size_t kReadBytes = 256 << 10;
// While searching for the next valid record, candidates whose timestamp is further than this after
// the previous record are ignored.
constexpr DurationUs kTimeGapMax = 400 * kDayUs;
// The search computes checksums over at most this many bytes per byte searched.
constexpr std::size_t kSearchCostMax = 16;

void PutFixed(std::uint64_t value, int bytes, std::string* out) {
  for (int i = 0; i < bytes; ++i) out->push_back(static_cast<char>(value >> (8 * i)));
}

std::uint64_t GetFixed(const char* at, int bytes) {
  std::uint64_t value = 0;
  for (int i = 0; i < bytes; ++i) {
    value |= static_cast<std::uint64_t>(static_cast<unsigned char>(at[i])) << (8 * i);
  }
  return value;
}

std::optional<SegmentFile> ParseName(const fs::path& path) {
  const std::string name = path.filename().string();
  if (name.size() < kNameDigits) return std::nullopt;
  SegmentFile file;
  for (std::size_t i = 0; i < kNameDigits; ++i) {
    const char c = name[i];
    if (c < '0' || c > '9' || file.begin > (INT64_MAX - 9) / 10) return std::nullopt;
    file.begin = 10 * file.begin + (c - '0');
  }
  const std::string_view suffix = std::string_view(name).substr(kNameDigits);
  if (suffix == kSuffix) {
    file.version = 2;
  } else if (suffix == kSuffix1) {
    file.version = 1;
  } else {
    return std::nullopt;
  }
  file.path = path.string();
  return file;
}

}  // namespace

std::string SegmentPath(const std::string& directory, std::int64_t begin, int version) {
  std::string digits = std::to_string(begin);
  digits.insert(0, kNameDigits - digits.size(), '0');
  return directory + '/' + digits + std::string(version == 1 ? kSuffix1 : kSuffix);
}

std::vector<SegmentFile> ListSegments(const std::string& directory, std::error_code* error) {
  std::vector<SegmentFile> found;
  for (fs::directory_iterator at(directory, *error), end; !*error && at != end;
       at.increment(*error)) {
    std::optional<SegmentFile> file = ParseName(at->path());
    if (!file) continue;
    std::error_code gone;  // The file may just have been deleted.
    const std::uintmax_t size = fs::file_size(at->path(), gone);
    if (gone) continue;
    const std::size_t header = file->version == 1 ? 0 : kFileHeaderBytes;
    file->bytes = static_cast<std::int64_t>(size) - static_cast<std::int64_t>(header);
    file->bytes = std::max<std::int64_t>(file->bytes, 0);
    found.push_back(*std::move(file));
  }
  std::sort(found.begin(), found.end(), [](const SegmentFile& a, const SegmentFile& b) {
    return std::tie(a.begin, a.version) < std::tie(b.begin, b.version);
  });
  return found;
}

std::string SegmentHeader(RecordTimes times) {
  std::string header(kMagic);
  header.push_back(static_cast<char>(times));
  header.resize(kFileHeaderBytes, '\0');
  return header;
}

void AppendRecord(TimeUs time, std::int64_t mark, std::string_view payload, std::string* out) {
  const std::size_t begin = out->size();
  PutFixed(payload.size(), 4, out);
  PutFixed(static_cast<std::uint64_t>(time), 8, out);
  PutFixed(static_cast<std::uint64_t>(mark), 8, out);
  PutFixed(HashParts({std::string_view(*out).substr(begin), payload}).low, 8, out);
  out->append(payload);
}

std::size_t SegmentReader::header_bytes() const {
  return version_ == 1 ? kRecordHeaderBytes1 : kRecordHeaderBytes;
}

bool SegmentReader::Open(const SegmentFile& file, std::int64_t offset) {
  Close();
  version_ = file.version;
  times_ = RecordTimes::kAppended;
  error_ = 0;
  file_ = open(file.path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file_ < 0) {
    error_ = errno;
    return false;
  }
  if (version_ > 1 && Have(kFileHeaderBytes, kFileHeaderBytes)) {
    const bool is_read = text_[kMagic.size()] == static_cast<char>(RecordTimes::kRead);
    if (is_read) times_ = RecordTimes::kRead;
  }
  const auto header = static_cast<std::int64_t>(version_ == 1 ? 0 : kFileHeaderBytes);
  text_.clear();
  begin_ = 0;
  if (error_ == 0 && lseek(file_, header + offset, SEEK_SET) < 0) error_ = errno;
  if (error_ == 0) return true;
  Close();
  return false;
}

void SegmentReader::Close() {
  if (file_ >= 0) close(file_);
  file_ = -1;
  text_.clear();
  begin_ = 0;
}

bool SegmentReader::Have(std::size_t size, std::size_t size_max) {
  while (text_.size() - begin_ < size) {
    text_.erase(0, std::exchange(begin_, 0));
    const std::size_t kept = text_.size();
    text_.resize(std::min(std::max(kept + kReadBytes, size), size_max));
    ssize_t count;
    do {
      count = read(file_, text_.data() + kept, text_.size() - kept);
    } while (count < 0 && errno == EINTR);
    error_ = count < 0 ? errno : 0;
    text_.resize(kept + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    bytes_read_ += std::max<ssize_t>(count, 0);
    if (count <= 0) return false;
  }
  return true;
}

bool SegmentReader::Parse(std::string_view bytes, Record* record) const {
  if (bytes.size() < header_bytes()) return false;
  const std::size_t size = GetFixed(bytes.data(), 4);
  if (size > limits::kPayloadBytesMax || bytes.size() < header_bytes() + size) return false;
  record->time = static_cast<TimeUs>(GetFixed(bytes.data() + 4, 8));
  record->payload = bytes.substr(header_bytes(), size);
  record->size = header_bytes() + size;
  if (version_ == 1) {
    record->mark = 0;
    return GetFixed(bytes.data() + 12, 8) == HashParts({bytes.substr(4, 8), record->payload}).low;
  }
  record->mark = static_cast<std::int64_t>(GetFixed(bytes.data() + 12, 8));
  return GetFixed(bytes.data() + 20, 8) == HashParts({bytes.substr(0, 20), record->payload}).low;
}

SegmentReader::Result SegmentReader::Next(std::int64_t bytes_max, Record* record) {
  const auto available = static_cast<std::size_t>(std::max<std::int64_t>(bytes_max, 0));
  if (available < header_bytes() || !Have(header_bytes(), available)) return Missing();
  const std::size_t size = GetFixed(rest().data(), 4);
  if (size > limits::kPayloadBytesMax) return Result::kDamaged;
  if (available < header_bytes() + size || !Have(header_bytes() + size, available)) {
    return Missing();
  }
  if (!Parse(rest(), record)) return Result::kDamaged;
  last_time_ = record->time;
  begin_ += record->size;
  return Result::kRecord;
}

std::optional<std::int64_t> SegmentReader::SkipDamage(std::int64_t bytes_max) {
  const std::string bytes = Peek(bytes_max);
  const std::string_view all = bytes;
  std::size_t cost = 0;
  for (std::size_t at = 1; at + header_bytes() <= all.size(); ++at) {
    const auto time = static_cast<TimeUs>(GetFixed(all.data() + at + 4, 8));
    const std::size_t size = GetFixed(all.data() + at, 4);
    const bool is_plausible =
        size <= all.size() - at - header_bytes() && time >= last_time_ &&
        (last_time_ == 0 ? time <= kMaxTime : time - last_time_ <= kTimeGapMax);
    if (!is_plausible) continue;
    cost += header_bytes() + size;
    if (cost > kSearchCostMax * (all.size() + limits::kPayloadBytesMax)) return std::nullopt;
    Record record;
    if (!Parse(all.substr(at), &record)) continue;
    begin_ += at;
    return static_cast<std::int64_t>(at);
  }
  return std::nullopt;
}

bool SegmentReader::IsTorn(std::int64_t bytes_max) {
  const std::string bytes = Peek(bytes_max);
  if (bytes.find_first_not_of('\0') == bytes.npos || bytes.size() < header_bytes()) return true;
  const std::size_t size = GetFixed(bytes.data(), 4);
  return size <= limits::kPayloadBytesMax && header_bytes() + size > bytes.size();
}

std::string SegmentReader::Peek(std::int64_t bytes_max) {
  const auto available = static_cast<std::size_t>(std::max<std::int64_t>(bytes_max, 0));
  Have(available, available);
  return std::string(rest().substr(0, available));
}

}  // namespace tocsin
