// FollowedFile: locating the parts of the log, and continuing after a restart.

#include <dirent.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "ingest/sources/followed_file.h"
#include "ingest/sources/line_reader.h"
#include "ingest/sources/rotation.h"

namespace tocsin {
namespace {

using Found = LogGeneration::Found;

// Compression programs copy the modification time of the original file, some in whole seconds.
constexpr std::int64_t kTimeSlackNs = 2'000'000'000;
constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::size_t kNamesMax = 65'536;

// Whether a file was modified at `modified` or later, within the precision of its timestamp.
bool IsAsNewAs(const FileFacts& facts, std::int64_t modified) {
  const bool in_whole_seconds = facts.modified % kSecondNs == 0;
  return facts.modified >= (in_whole_seconds ? modified - modified % kSecondNs : modified);
}

// The file with this inode in the folder of `path`, under any name.
std::optional<std::string> FindInode(const std::string& path, const FileIdentity& identity) {
  const std::filesystem::path whole(path);
  const std::string folder = whole.has_parent_path() ? whole.parent_path().string() : ".";
  DIR* const directory = opendir(folder.c_str());
  if (directory == nullptr) return std::nullopt;
  std::optional<std::string> found;
  std::size_t names = 0;
  while (const dirent* const entry = readdir(directory)) {
    if (++names > kNamesMax) break;
    if (entry->d_ino != identity.inode) continue;
    FileFacts facts;
    const std::string candidate = (std::filesystem::path(folder) / entry->d_name).string();
    if (!FileFacts::At(candidate, &facts) || !identity.IsFile(facts)) continue;
    found = candidate;
    break;
  }
  closedir(directory);
  return found;
}

// Removes and returns the part before the separator.
std::string_view TakeUpTo(std::string_view* text, char separator) {
  const std::size_t end = std::min(text->find(separator), text->size());
  const std::string_view part = text->substr(0, end);
  text->remove_prefix(std::min(end + 1, text->size()));
  return part;
}

bool ParseNumber(std::string_view text, std::uint64_t* number) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), *number);
  return result.ec == std::errc() && result.ptr == text.data() + text.size();
}

}  // namespace

std::string FollowedFile::ListingFault() const {
  const std::string& known = files_.empty() ? options_.path : files_.back().log.path();
  for (const std::string& path : {options_.path, known}) {
    const std::filesystem::path parent = std::filesystem::path(path).parent_path();
    const std::string folder = parent.empty() ? "." : parent.string();
    std::error_code error;
    const std::filesystem::directory_iterator listed(folder, error);  // as RotatedFrom lists it
    if (error && error != std::errc::no_such_file_or_directory &&
        error != std::errc::not_a_directory) {
      return folder + ": cannot be listed: " + error.message();
    }
    for (const std::string& rotated : RotatedFrom(path)) {
      FileFacts facts;
      if (!FileFacts::At(rotated, &facts) && errno != ENOENT) {
        return rotated + ": cannot read its metadata: " + std::strerror(errno);
      }
    }
  }
  return "";
}

std::vector<FollowedFile::Rotated> FollowedFile::ListRotated() const {
  std::vector<std::string> paths = RotatedFrom(options_.path);
  // If the path is a link, also the rotations of its current and previous targets.
  std::set<std::string> logs = {options_.path};
  std::error_code error;
  const std::string real = std::filesystem::canonical(options_.path, error).string();
  if (!error) logs.insert(real);
  for (const File& file : files_) logs.insert(file.log.path());
  logs.erase(options_.path);
  for (const std::string& log : logs) {
    for (std::string& path : RotatedFrom(log)) {
      const bool is_known = std::find(paths.begin(), paths.end(), path) != paths.end();
      if (!is_known) paths.push_back(std::move(path));
    }
  }
  std::vector<Rotated> rotated;
  for (std::string& path : paths) {
    Rotated one;
    if (!FileFacts::At(path, &one.facts) || !one.facts.is_file()) continue;
    one.path = std::move(path);
    rotated.push_back(std::move(one));
  }
  SetOwners(&rotated);
  return rotated;
}

void FollowedFile::SetOwners(std::vector<Rotated>* rotated) const {
  struct Log {
    const LogGeneration* log;
    FileIdentity identity;
  };
  std::vector<Log> logs;
  for (const LogGeneration& log : known_) {
    if (log.identity().has_content()) logs.push_back({&log, log.identity()});
  }
  for (const File& file : files_) {
    FileIdentity identity = file.log.identity();
    // A file that is still open can be read beyond the position.
    if (!identity.has_content()) identity = file.log.Whole().value_or(identity);
    if (!file.finished || identity.has_content()) logs.push_back({&file.log, identity});
  }
  std::vector<Log> elsewhere;
  // Inodes are reused, so the content must match as well. A copy counts only if the file itself is
  // gone, because two files may have the same content.
  for (const Log& one : logs) {
    const FileIdentity& identity = one.identity;
    bool is_found = IsAtPath(*one.log) && HoldsContent(options_.path, identity);
    for (Rotated& file : *rotated) {
      if (file.owner != nullptr || !identity.IsFile(file.facts)) continue;
      // One that cannot be read is taken for what its inode says.
      const Found holds =
          identity.has_content() ? CompareContent(file.path, identity) : Found::kYes;
      if (holds != Found::kYes && holds != Found::kFailed) continue;
      file.owner = one.log;
      is_found = true;
    }
    if (!is_found && identity.has_content()) elsewhere.push_back(one);
  }
  // If several files have the same content, earlier generations are older than its last seen
  // modification time, and later ones come after it in the list.
  for (const Log& one : elsewhere) {
    const std::int64_t modified = one.log->modified();
    Rotated* copy = nullptr;
    for (Rotated& file : *rotated) {
      if (file.owner != nullptr || file.facts.modified < modified - kTimeSlackNs) continue;
      if (!HoldsContent(file.path, one.identity)) continue;
      copy = &file;
      if (IsAsNewAs(file.facts, modified)) break;
    }
    if (copy != nullptr) copy->owner = one.log;
  }
  // The content of an archive that was read is not remembered: identify it by inode and time.
  const auto set_archive = [&](const LogGeneration& log) {
    if (log.identity().has_content()) return;
    for (Rotated& one : *rotated) {
      const bool is_it = log.identity().IsFile(one.facts) && one.facts.modified == log.modified();
      if (is_it && one.owner == nullptr) one.owner = &log;
    }
  };
  for (const LogGeneration& log : known_) set_archive(log);
  for (const File& file : files_) {
    if (file.finished) set_archive(file.log);
  }
}

std::vector<FollowedFile::Rotated> FollowedFile::Unread(const LogGeneration& newest) const {
  std::vector<Rotated> rotated = ListRotated();
  std::size_t begin = 0;
  bool is_found = false;
  for (std::size_t i = 0; i < rotated.size(); ++i) {
    if (rotated[i].owner != nullptr) begin = i + 1;
    is_found = is_found || rotated[i].owner == &newest;
  }
  rotated.erase(rotated.begin(), rotated.begin() + static_cast<std::ptrdiff_t>(begin));
  if (!is_found) {
    std::erase_if(rotated,
                  [&](const Rotated& one) { return one.facts.modified < newest.modified(); });
  }
  return rotated;
}

std::vector<FollowedFile::Rotated> FollowedFile::Before(const LogGeneration& newest,
                                                        std::int64_t since) const {
  std::vector<Rotated> rotated = ListRotated();
  const auto end = std::find_if(rotated.begin(), rotated.end(),
                                [&](const Rotated& one) { return one.owner == &newest; });
  auto begin = end;
  while (begin != rotated.begin() && std::prev(begin)->owner == nullptr &&
         std::prev(begin)->facts.modified >= since) {
    --begin;
  }
  return {begin, end};
}

Found FollowedFile::Find(LogGeneration* log, const LogGeneration& owner,
                         std::optional<std::uint64_t> from) const {
  if (owner.identity().inode == 0) return Found::kMissing;
  bool failed = false;
  const auto open = [&](const std::string& path, bool by_content) {
    const Found found = log->Open(path, options_.framing, by_content, from);
    failed = failed || found == Found::kFailed;
    return found == Found::kYes;
  };
  if (IsAtPath(owner) && open(options_.path, /*by_content=*/false)) return Found::kYes;
  for (const std::string& near : {options_.path, owner.path()}) {
    const std::optional<std::string> path = FindInode(near, owner.identity());
    if (path && open(*path, /*by_content=*/false)) return Found::kYes;
  }
  std::string unreadable;  // what may be it
  for (const Rotated& one : ListRotated()) {
    if (one.owner == &owner && open(one.path, /*by_content=*/true)) return Found::kYes;
    const bool may_be =
        one.owner == nullptr && one.facts.modified >= owner.modified() - kTimeSlackNs;
    if (may_be && !CanBeRead(one.path)) unreadable = one.path;
  }
  const bool is_taken = std::any_of(files_.begin(), files_.end(), [&](const File& file) {
    return &file.log != &owner && IsAtPath(file.log);
  });
  if (!is_taken && HoldsContent(options_.path, owner.identity()) &&
      open(options_.path, /*by_content=*/true)) {
    return Found::kYes;
  }
  if (failed) return Found::kFailed;
  if (!is_taken && !CanBeRead(options_.path)) unreadable = options_.path;
  if (!unreadable.empty()) return log->Fail(unreadable + ": cannot be read");
  const std::string fault = ListingFault();
  return fault.empty() ? Found::kMissing : log->Fail(fault);
}

Found FollowedFile::FindByOrder(File* file) const {
  const std::vector<Rotated> rotated = ListRotated();
  std::set<const LogGeneration*> older;
  for (const LogGeneration& log : known_) older.insert(&log);
  for (const File& one : files_) {
    if (&one == file) break;
    older.insert(&one.log);
  }
  auto begin = rotated.begin();
  for (auto one = rotated.begin(); one != rotated.end(); ++one) {
    if (older.contains(one->owner)) begin = std::next(one);
  }
  const auto found = std::find_if(begin, rotated.end(), [&](const Rotated& one) {
    return one.owner != nullptr || IsAsNewAs(one.facts, file->log.modified());
  });
  if (found == rotated.end() || found->owner != nullptr) return Found::kMissing;
  file->log = LogGeneration(found->path, &found->facts);
  return file->log.Open(found->path, options_.framing);
}

bool FollowedFile::Owns(const std::string& path) const {
  FileFacts facts;
  if (!FileFacts::At(path, &facts) || !facts.is_file()) return false;
  // A copy counts only if the file itself is gone, because two files may have the same content.
  std::vector<const LogGeneration*> gone;
  for (const LogGeneration& log : known_) gone.push_back(&log);
  for (const File& file : files_) {
    if (file.log.is_open() && file.log.identity().IsFile(facts)) return true;
    const std::optional<FileFacts> own = file.log.Facts();
    if (!own || own->links == 0) gone.push_back(&file.log);
  }
  return std::any_of(gone.begin(), gone.end(), [&](const LogGeneration* log) {
    return facts.modified >= log->modified() - kTimeSlackNs && HoldsContent(path, log->identity());
  });
}

std::string FollowedFile::Position(std::uint64_t oldest) {
  segments_.Forget(oldest);
  for (File& file : files_) file.log.Learn();
  // oldest;segments;file|file|…;known|known|…
  std::string files, known;
  for (const LogGeneration& log : known_) known += log.ToText() + '|';
  for (const File& file : files_) {
    if (file.finished && &file != &files_.back() && !segments_.Uses(file.id)) {
      known += file.log.ToText() + '|';
    } else {
      files += std::to_string(file.id) + ',' + (file.finished ? '1' : '0') + ',' +
               file.log.ToText() + '|';
    }
  }
  return std::to_string(oldest) + ';' + segments_.ToText() + ';' + files + ';' + known;
}

absl::Status FollowedFile::Restore(std::string_view position) {
  const absl::Status malformed =
      absl::InvalidArgumentError(options_.path + ": malformed position: " + std::string(position));
  std::string_view text = position;
  std::uint64_t oldest = 0;
  if (!ParseNumber(TakeUpTo(&text, ';'), &oldest)) return malformed;
  std::optional<LogSegments> segments = LogSegments::FromText(TakeUpTo(&text, ';'));
  if (!segments) return malformed;
  std::deque<File> files;
  for (std::string_view list = TakeUpTo(&text, ';'); !list.empty();) {
    std::string_view one = TakeUpTo(&list, '|');
    File file = {.log = LogGeneration("")};
    std::uint64_t finished = 0;
    if (!ParseNumber(TakeUpTo(&one, ','), &file.id) ||
        !ParseNumber(TakeUpTo(&one, ','), &finished)) {
      return malformed;
    }
    std::optional<LogGeneration> log = LogGeneration::FromText(one);
    if (!log) return malformed;
    file.finished = finished != 0;
    file.log = *std::move(log);
    file.uncut_at = file.log.modified();
    next_id_ = std::max(next_id_, file.id + 1);
    files.push_back(std::move(file));
  }
  std::deque<LogGeneration> known;
  while (!text.empty()) {
    std::optional<LogGeneration> log = LogGeneration::FromText(TakeUpTo(&text, '|'));
    if (!log) return malformed;
    known.push_back(*std::move(log));
    if (known.size() > kKnownMax) known.pop_front();
  }
  files_ = std::move(files);
  known_ = std::move(known);
  segments_ = *std::move(segments);
  again_parts_ = segments_.From(oldest);
  restored_ = true;
  return absl::OkStatus();
}

void FollowedFile::RestoreBytes(std::uint64_t oldest, std::uint64_t next) {
  restored_ = true;
  LogGeneration log(options_.path);
  if (next == 0 || !log.Assume(options_.framing, next)) {
    segments_.Restart(next);
    return;
  }
  files_.push_back({.id = next_id_++, .log = std::move(log)});
  segments_.Add(files_.back().id, 0, next);
  again_parts_ = segments_.From(oldest);
}

Found FollowedFile::OpenAgain(const LogSegments::Part& part) {
  const auto file = std::find_if(files_.begin(), files_.end(),
                                 [&](const File& one) { return one.id == part.file; });
  if (file == files_.end() || file->log.identity().inode == 0) return Found::kMissing;
  again_ = file->log.Closed();
  const Found found =
      again_->Open(file->log.path(), options_.framing, /*by_content=*/false, part.from);
  if (found == Found::kYes || found == Found::kFailed) return found;
  return Find(&*again_, file->log, part.from);
}

std::optional<Tail::Result> FollowedFile::ReadAgain(TimeUs now, LineReader::Line* line) {
  while (!again_parts_.empty()) {
    LogSegments::Part& part = again_parts_.front();
    if (part.from >= part.to) {
      again_.reset();
      again_parts_.erase(again_parts_.begin());
      continue;
    }
    if (!again_) {
      looked_at_ = now;
      if (now < again_retry_at_) return Result::kBlocked;
      const Found found = OpenAgain(part);
      if (found == Found::kFailed) return FailAgain(now);
      if (found != Found::kYes) {
        LosePart();
        continue;
      }
      again_completing_ = false;
    }
    switch (again_->Next(line)) {
      case LogGeneration::Read::kLine: {
        const std::uint64_t begin = std::min(line->offset, part.to);
        const std::uint64_t end = std::min(line->next_offset, part.to);
        line->offset = part.offset + (begin - part.from);
        part.offset += end - part.from;
        part.from = end;
        line->next_offset = part.offset;
        again_alone_since_ = kNoTime;
        return Result::kLine;
      }
      case LogGeneration::Read::kEnd:
        // The last record may be incomplete.
        if (again_completing_) part.from = part.to;
        if (!std::exchange(again_completing_, true)) again_->CompleteAtEnd();
        break;
      case LogGeneration::Read::kCut:
        again_.reset();
        break;
      case LogGeneration::Read::kFailed:
        return FailAgain(now);
    }
  }
  return std::nullopt;
}

Tail::Result FollowedFile::FailAgain(TimeUs now) {
  state_ = State::kFailing;
  reason_ = again_->fault();
  again_.reset();
  again_retry_at_ = now + kRetryMin;
  // When nothing can be read, that is no reason to give up this part.
  LogGeneration newest(options_.path);
  if (newest.Open(options_.path, options_.framing) != Found::kYes) {
    again_alone_since_ = kNoTime;
  } else if (again_alone_since_ == kNoTime) {
    again_alone_since_ = now;
  } else if (now - again_alone_since_ >= kGiveUpAfter) {
    LosePart();
    again_alone_since_ = kNoTime;
  }
  return Result::kBlocked;
}

void FollowedFile::LosePart() {
  LogSegments::Part& part = again_parts_.front();
  notes_.push_back({options_.path + ": a part to read again after the restart is missing: " +
                        std::to_string(part.to - part.from) + " bytes are lost",
                    /*is_loss=*/true});
  part.from = part.to;
}

}  // namespace tocsin
