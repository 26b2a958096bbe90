#include "journal/state_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "core/status_macros.h"

namespace tocsin {
namespace {

constexpr mode_t kPrivateDirectory = 0700;
constexpr mode_t kPrivateFile = 0600;
// What others may do, by the bits of a mode.
constexpr mode_t kOthers = 0077;

// The beginnings of names of files that we keep in a state directory, such as tocsin.db-wal.
constexpr std::array<std::string_view, 3> kOurs = {"tocsin.", "dead-letters.jsonl", "api-token"};
// Names that others may have given to something of theirs.
constexpr std::array<std::string_view, 4> kAlsoOurs = {"token", "token.new", "http", "files"};
// In the names of what is in the folders: segments of logs, and the bodies that an input has seen.
constexpr std::array<std::string_view, 2> kInFolders = {".tlog", ".seen"};

// Of the call that set errno.
absl::Status Denied(const std::string& what) {
  const int number = errno;
  return FileError(absl::StrCat(what, ": ", std::generic_category().message(number)), number);
}

absl::Status MakeDirectory(const std::string& path) {
  std::error_code error;
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  if (!parent.empty()) std::filesystem::create_directories(parent, error);
  if (!error && mkdir(path.c_str(), kPrivateDirectory) != 0 && errno != EEXIST) {
    error = std::error_code(errno, std::generic_category());
  }
  if (!error && !std::filesystem::is_directory(path, error) && !error) {
    error = std::make_error_code(std::errc::not_a_directory);
  }
  if (!error) return absl::OkStatus();
  return FileError(absl::StrCat("cannot create the state directory ", path, ": ", error.message()),
                   error.value());
}

bool IsOurs(std::string_view name) {
  return std::any_of(kOurs.begin(), kOurs.end(),
                     [&](std::string_view ours) { return name.starts_with(ours); });
}

bool IsAlsoOurs(std::string_view name) {
  return std::find(kAlsoOurs.begin(), kAlsoOurs.end(), name) != kAlsoOurs.end();
}

// Nothing that belongs to somebody else, nor what a link leads to.
void Close(const std::filesystem::path& path) {
  struct stat about = {};
  if (lstat(path.c_str(), &about) != 0 || about.st_uid != geteuid()) return;
  if ((about.st_mode & kOthers) == 0 || (about.st_mode & S_ISVTX) != 0) return;
  if (!S_ISREG(about.st_mode) && !S_ISDIR(about.st_mode)) return;
  [[maybe_unused]] const int changed =
      chmod(path.c_str(), S_ISDIR(about.st_mode) ? kPrivateDirectory : kPrivateFile);
}

// And what of ours is below it.
void CloseAll(const std::filesystem::path& path) {
  std::error_code error;
  Close(path);
  if (!std::filesystem::is_directory(std::filesystem::symlink_status(path, error))) return;
  for (std::filesystem::recursive_directory_iterator at(path, error), end; !error && at != end;
       at.increment(error)) {
    const std::string name = at->path().filename().string();
    const auto is_in_name = [&](std::string_view part) {
      return name.find(part) != std::string::npos;
    };
    const bool is_folder = std::filesystem::is_directory(at->symlink_status(error));
    if (is_folder || std::any_of(kInFolders.begin(), kInFolders.end(), is_in_name)) {
      Close(at->path());
    }
  }
}

// Of an earlier version, which left all to the umask.
void MakePrivate(const std::string& path) {
  bool only_ours = true;
  std::vector<std::filesystem::path> also_ours;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
    const std::string name = entry.path().filename().string();
    if (IsOurs(name)) {
      if (entry.is_regular_file(error)) Close(entry.path());
    } else if (IsAlsoOurs(name)) {
      also_ours.push_back(entry.path());
    } else {
      only_ours = false;
    }
  }
  struct stat about = {};
  if (!only_ours || error || stat(path.c_str(), &about) != 0) return;
  // Before the database is made the folder is whose it was.
  const bool is_old = std::filesystem::exists(path + "/" + kDatabaseFile, error);
  for (const std::filesystem::path& one : also_ours) {
    if (is_old) CloseAll(one);
  }
  if (about.st_uid == geteuid() && (about.st_mode & kOthers) != 0 &&
      (about.st_mode & S_ISVTX) == 0) {
    [[maybe_unused]] const int changed = chmod(path.c_str(), kPrivateDirectory);
  }
}

}  // namespace

absl::Status FileError(const std::string& message, int system_error) {
  switch (system_error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return absl::ResourceExhaustedError(message);
    case EIO:
    case EROFS:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ESTALE:
    case ETIMEDOUT:
    case EINTR:
    case EAGAIN:
      return absl::UnavailableError(message);
    default:
      return absl::PermissionDeniedError(message);
  }
}

absl::StatusOr<StateDirectory> StateDirectory::Take(const std::string& path) {
  TOCSIN_RETURN_IF_ERROR(MakeDirectory(path));
  const std::string lock_path = absl::StrCat(path, "/", kLockFile);
  StateDirectory directory(
      open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kPrivateFile));
  if (directory.lock_ < 0) return Denied(absl::StrCat("cannot create ", lock_path));
  if (flock(directory.lock_, LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("the state directory ", path,
                     " is in use by another process; stop it, or give this one a state_dir of "
                     "its own"));
  }
  MakePrivate(path);
  return directory;
}

StateDirectory::StateDirectory(StateDirectory&& other) noexcept
    : lock_(std::exchange(other.lock_, -1)) {}

StateDirectory::~StateDirectory() {
  if (lock_ >= 0) close(lock_);
}

absl::Status MakePrivateFile(const std::string& path) {
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kPrivateFile);
  if (file < 0) return Denied(absl::StrCat("cannot create ", path));
  const absl::Cleanup close_file = [file] { close(file); };
  struct stat about = {};
  if (fstat(file, &about) != 0) return Denied(absl::StrCat("cannot look at ", path));
  if ((about.st_mode & kOthers) != 0 && about.st_uid == geteuid() &&
      fchmod(file, kPrivateFile) != 0) {
    return Denied(absl::StrCat("cannot make ", path, " private"));
  }
  return absl::OkStatus();
}

}  // namespace tocsin
