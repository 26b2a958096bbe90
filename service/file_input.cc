#include "service/file_input.h"

#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/time/clock.h"
#include "core/status_macros.h"
#include "ingest/formats/detect_format.h"
#include "ingest/sources/file_listing.h"
#include "ingest/sources/rotation.h"

namespace tocsin {
namespace {

// Records read from one file before the next file's turn, and from all files before batches are
// sent.
constexpr int kRecordsPerFile = 4'096;
constexpr int kRecordsPerPoll = 65'536;
// Listing folders takes at most 1/20 of the time.
constexpr int kLookShare = 20;
constexpr rlim_t kOpenFiles = 65'536;

// Raises the limit of open files. Each file is kept open, so that a renamed or removed one is read
// to its end.
void AllowOpenFiles() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t wanted = std::min(limit.rlim_max, kOpenFiles);
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = wanted;
  setrlimit(RLIMIT_NOFILE, &limit);
}

std::string Normal(const std::string& path) {
  return path == "-" ? path : std::filesystem::path(path).lexically_normal().string();
}

}  // namespace

FileFollower::FileFollower(const InputConfig* config, const EngineSetup* setup, BatchLog* batches,
                           DeadLetterObserver* dead_letters, RecordLog* log, const TimeSource* time)
    : config_(config),
      setup_(setup),
      batches_(batches),
      dead_letters_(dead_letters),
      log_(log),
      time_(time),
      path_(Normal(config->file->path)) {}

absl::Status FileFollower::Start() {
  AllowOpenFiles();
  if (config_->format != kAutoFormat) {
    TOCSIN_RETURN_IF_ERROR(setup_->NewPartition(*config_, config_->name).status());
  }
  if (log_ == nullptr && !config_->file->follow) {
    TOCSIN_RETURN_IF_ERROR(ListFiles(path_).status());
  }
  Look(/*first=*/true);
  // All existing files join before reading continues, so that ticks that they share are decided
  // with all of them.
  const FileClock clock = ReadClock();
  for (const auto& [name, file] : files_) {
    CountReceived(static_cast<std::size_t>(file->Turn(clock, /*records_max=*/1)));
  }
  return absl::OkStatus();
}

FileClock FileFollower::ReadClock() const {
  const TimeSource::Reading now = time_->Now();
  return {.monotonic = now.monotonic,
          .wall = now.wall,
          .due_tick = ticks().due,
          .furthest_tick = ticks().furthest};
}

void FileFollower::Look(bool first) {
  if (log_ != nullptr) {
    const std::string name = std::filesystem::path(path_).filename().string();
    if (first) Follow({.path = path_, .name = name, .older = {}}, /*may_go=*/false);
  } else if (first || (config_->file->follow && !is_single_)) {
    FoundFiles found = FindFiles(path_);
    // The path counts as a single file once a file exists there; a missing one may become a folder.
    is_single_ = found.is_single && (path_ == "-" || std::filesystem::exists(path_));
    const std::vector<FileInput> logs = first ? LogsOf(found.files) : std::vector<FileInput>();
    const bool was_full = std::exchange(left_out_, 0) > 0;
    if (found.is_single) {
      for (FileInput& file : found.files) Follow({file.path, file.name, {}}, /*may_go=*/false);
    } else {
      FollowAll(found.files, logs);
    }
    if (left_out_ > 0 && !was_full) spdlog::warn("input {}: {}", config_->name, LeftOut());
    if (found.faults != faults_) {
      for (const std::string& fault : found.faults) {
        spdlog::warn("input {}: {}", config_->name, fault);
      }
    }
    faults_ = std::move(found.faults);
    missing_ = std::move(found.missing);
  }
  if (!first) return;
  // Files that were followed before the restart are waited for from the beginning.
  for (const auto& [name, file] : files_) file->Prepare(ReadClock(), /*at_start=*/true);
}

void FileFollower::FollowAll(const std::vector<FileInput>& found,
                             const std::vector<FileInput>& logs) {
  std::vector<FileInput> known = logs;
  for (const auto& [name, file] : files_) known.push_back({file->path(), name});
  std::vector<LogFiles> grouped = GroupRotations(found, known);
  // Retires a file that was its own log until the file that it was rotated from appeared, and the
  // path itself once it has become a folder.
  for (const auto& entry : files_) {
    FilePartition& file = *entry.second;
    const bool is_part = std::any_of(grouped.begin(), grouped.end(), [&](const LogFiles& log) {
      return std::count(log.older.begin(), log.older.end(), file.path()) > 0;
    });
    if (is_part || file.path() == path_) file.Retire();
  }
  for (LogFiles& files : grouped) Follow(std::move(files), /*may_go=*/true);
}

std::vector<FileInput> FileFollower::LogsOf(const std::vector<FileInput>& files) const {
  std::vector<FileInput> logs;
  for (const FileInput& file : files) {
    const std::filesystem::path path(file.path), name(file.name);
    for (const RotatedName& rotated : RotationsOf(path.filename().string())) {
      const std::string base = (name.parent_path() / rotated.base).string();
      const auto position = batches_->Position(config_->name + '/' + base);
      if (!position.ok() || !*position) continue;
      logs.push_back({(path.parent_path() / rotated.base).string(), base});
      break;
    }
  }
  return logs;
}

bool FileFollower::IsKnown(const std::string& path) {
  struct stat facts;
  if (stat(path.c_str(), &facts) != 0) return false;
  const Part part = {.inode = facts.st_ino,
                     .modified = static_cast<std::int64_t>(facts.st_mtim.tv_sec) * 1'000'000'000 +
                                 facts.st_mtim.tv_nsec};
  if (const auto found = parts_.find(path); found != parts_.end() && found->second == part) {
    return true;
  }
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  const bool is_known = std::any_of(files_.begin(), files_.end(), [&](const auto& entry) {
    const FilePartition& file = *entry.second;
    return std::filesystem::path(file.path()).parent_path() == folder && file.Owns(path);
  });
  if (parts_.size() >= kFilesMax) parts_.clear();
  if (is_known) parts_[path] = part;
  return is_known;
}

void FileFollower::Follow(LogFiles files, bool may_go) {
  if (files_.contains(files.name)) return;
  if (may_go && IsKnown(files.path)) return;
  std::erase_if(files.older, [&](const std::string& older) { return IsKnown(older); });
  if (files_.size() >= kFilesMax) {
    if (left_out_++ == 0) {
      spdlog::warn("input {}: {} has more than {} files: {} and others are not read", config_->name,
                   path_, kFilesMax, files.path);
    }
    return;
  }
  const std::string name = files.name;
  files_[name] =
      std::make_unique<FilePartition>(FilePartition::Options{.config = config_,
                                                             .setup = setup_,
                                                             .batches = batches_,
                                                             .dead_letters = dead_letters_,
                                                             .log = log_,
                                                             .may_go = may_go,
                                                             .copied_files = &copied_files_,
                                                             .losses = &losses_},
                                      std::move(files));
}

absl::Status FileFollower::Poll(absl::Duration wait) {
  const FileClock clock = ReadClock();
  if (looked_at_ == kNoTime) looked_at_ = clock.monotonic;
  if (clock.monotonic - looked_at_ >= look_after_) {
    looked_at_ = clock.monotonic;
    ForgetGone();
    Look(/*first=*/false);
    look_after_ = std::max(kLookEvery, kLookShare * (time_->Monotonic() - clock.monotonic));
  }
  int left = kRecordsPerPoll;
  int records = 0;
  auto at = files_.lower_bound(next_);
  for (std::size_t i = 0; i < files_.size() && left > 0; ++i, ++at) {
    if (at == files_.end()) at = files_.begin();
    FilePartition& file = *at->second;
    if (file.paused) continue;
    const int read = file.Turn(clock, std::min(left, kRecordsPerFile));
    left -= read;
    records += read;
  }
  next_ = at == files_.end() ? std::string() : at->first;
  CountReceived(static_cast<std::size_t>(records));
  if (records == 0) absl::SleepFor(wait);
  return absl::OkStatus();
}

void FileFollower::ForgetGone() {
  std::erase_if(files_, [&](const auto& entry) {
    const bool is_gone = entry.second->is_gone();
    if (is_gone) spdlog::info("{}: the file is gone", entry.second->source());
    return is_gone;
  });
}

std::vector<InputPartition*> FileFollower::Partitions() {
  std::vector<InputPartition*> all;
  for (const auto& [name, file] : files_) {
    if (file->List()) all.push_back(file.get());
  }
  return all;
}

std::vector<SourceState> FileFollower::States() const {
  std::vector<SourceState> states;
  for (const auto& [name, file] : files_) states.push_back(file->state());
  for (const std::string& fault : faults_) states.push_back({config_->name, true, fault});
  if (left_out_ > 0) states.push_back({config_->name, true, LeftOut()});
  // An empty folder is not an error.
  if (states.empty()) states.push_back({config_->name, false, path_ + ": has no files"});
  return states;
}

std::string FileFollower::Missing() const {
  for (const auto& [name, file] : files_) {
    if (std::string missing = file->Missing(); !missing.empty()) return missing;
  }
  return missing_;
}

std::string FileFollower::LeftOut() const {
  return path_ + ": " + std::to_string(left_out_) + " files past the limit of " +
         std::to_string(kFilesMax) + " are not read";
}

bool FileFollower::ended() {
  const bool follows = log_ != nullptr || (config_->file->follow && !is_single_);
  return !follows && std::all_of(files_.begin(), files_.end(),
                                 [](const auto& entry) { return entry.second->is_done(); });
}

absl::Status FileFollower::CloseIdle(std::uint64_t) {
  for (const auto& [name, file] : files_) file->CloseIdle();
  return absl::OkStatus();
}

std::optional<std::string> FileFollower::Position(InputPartition* partition,
                                                  const SourceCommit& commit) {
  return static_cast<FilePartition*>(partition)->PositionOf(commit);
}

void FileFollower::OnDurable(std::span<const InputCommit> commits) {
  for (const InputCommit& one : commits) {
    static_cast<FilePartition*>(one.partition)->OnDurable(one.commit);
  }
}

}  // namespace tocsin
