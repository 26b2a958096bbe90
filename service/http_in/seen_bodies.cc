#include "service/http_in/seen_bodies.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string_view>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "core/wire.h"
#include "system/private_files.h"

namespace tocsin {
namespace {

constexpr std::string_view kVersion = "tocsin seen bodies 1\n";
// Time, hash, and a checksum of both.
constexpr std::size_t kRecordBytes = 32;
// The file is rewritten when it reaches this size.
constexpr std::size_t kFileBytesMax = kVersion.size() + 2 * SeenBodies::kMax * kRecordBytes;

std::string Encode(TimeUs time, const Hash128& body) {
  ByteWriter out;
  out.Fixed64(static_cast<std::uint64_t>(time));
  out.Fixed64(body.high);
  out.Fixed64(body.low);
  out.Fixed64(Hash64(out.view()));
  return out.Take();
}

// nullopt if the bytes are not a valid record.
std::optional<std::pair<TimeUs, Hash128>> Decode(std::string_view bytes) {
  if (bytes.size() < kRecordBytes) return std::nullopt;
  ByteReader in(bytes.substr(0, kRecordBytes));
  const auto time = static_cast<TimeUs>(in.Fixed64());
  Hash128 body;
  body.high = in.Fixed64();
  body.low = in.Fixed64();
  if (in.Fixed64() != Hash64(bytes.substr(0, kRecordBytes - 8))) return std::nullopt;
  return std::pair(time, body);
}

}  // namespace

SeenBodies::~SeenBodies() {
  absl::MutexLock lock(&file_mutex_);
  if (file_ >= 0) close(file_);
}

absl::StatusOr<std::unique_ptr<SeenBodies>> SeenBodies::Open(const std::string& path, TimeUs now) {
  std::unique_ptr<SeenBodies> seen(new SeenBodies(path));
  TOCSIN_RETURN_IF_ERROR(MakePrivateDirectory(std::filesystem::path(path).parent_path()));
  TOCSIN_RETURN_IF_ERROR(seen->Load(now));
  return seen;
}

absl::Status SeenBodies::Load(TimeUs now) {
  std::string content;
  {
    std::ifstream file(path_, std::ios::binary);
    content.resize(kFileBytesMax);
    file.read(content.data(), static_cast<std::streamsize>(content.size()));
    content.resize(static_cast<std::size_t>(file.gcount()));
  }
  std::string_view rest = content;
  if (!content.empty() && !rest.starts_with(kVersion)) {
    spdlog::warn("{} has an unknown version: signed bodies seen before are forgotten", path_);
    rest = {};
  }
  rest.remove_prefix(std::min(rest.size(), kVersion.size()));
  {
    absl::MutexLock lock(&mutex_);
    while (const std::optional<Record> record = Decode(rest)) {
      Put(*record);
      rest.remove_prefix(kRecordBytes);
    }
    Forget(now);
  }
  // A kill may leave a partial record; more than that is damage.
  if (rest.size() >= kRecordBytes) {
    spdlog::warn("{} is damaged: skipped its last {} bytes", path_, rest.size());
  }
  absl::MutexLock lock(&file_mutex_);
  return Rewrite();
}

absl::Status SeenBodies::Rewrite() {
  std::string content(kVersion);
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [time, body] : order_) content += Encode(time, body);
  }
  TOCSIN_RETURN_IF_ERROR(WritePrivateFile(path_, content));
  TOCSIN_ASSIGN_OR_RETURN(const int file, OpenPrivate(path_, O_WRONLY));
  if (file_ >= 0) close(file_);
  file_ = file;
  size_ = content.size();
  return absl::OkStatus();
}

absl::Status SeenBodies::Append(const Record& record) {
  if (size_ + kRecordBytes > kFileBytesMax) return Rewrite();
  const std::string bytes = Encode(record.first, record.second);
  // At the end of the last whole record, to overwrite a partial one left by a full disk.
  const ssize_t written = pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(size_));
  if (written != static_cast<ssize_t>(bytes.size())) {
    return absl::UnavailableError(
        absl::StrCat("cannot write ", path_, ": ",
                     written < 0 ? std::generic_category().message(errno) : "the disk is full"));
  }
  size_ += bytes.size();
  complained_ = false;
  return absl::OkStatus();
}

SeenBodies::Seen SeenBodies::Look(const Hash128& body, TimeUs now) {
  absl::MutexLock lock(&mutex_);
  Forget(now);
  const auto found = seen_.find(body);
  if (found == seen_.end()) return Seen::kNever;
  return found->second.first >= now - kWindow ? Seen::kWithinWindow : Seen::kBefore;
}

void SeenBodies::Remember(const Hash128& body, TimeUs now) {
  absl::MutexLock file_lock(&file_mutex_);
  {
    absl::MutexLock lock(&mutex_);
    Put({now, body});
    Forget(now);
  }
  const absl::Status appended = Append({now, body});
  if (appended.ok() || complained_) return;
  complained_ = true;
  spdlog::warn("{}; until that is fixed, signed bodies are remembered in memory only",
               std::string(appended.message()));
}

void SeenBodies::Put(const Record& record) {
  ++seen_.try_emplace(record.second, Times{.first = record.first}).first->second.in_order;
  order_.push_back(record);
}

void SeenBodies::Forget(TimeUs now) {
  while (!order_.empty() && (order_.front().first < now - kKept || order_.size() > kMax)) {
    const auto found = seen_.find(order_.front().second);
    if (--found->second.in_order == 0) seen_.erase(found);
    order_.pop_front();
  }
}

}  // namespace tocsin
