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

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "core/status_macros.h"

namespace tocsin {
namespace {

constexpr mode_t kPrivateDirectory = 0700;
constexpr mode_t kPrivateFile = 0600;
// What others may do, by the bits of a mode.
constexpr mode_t kOthers = 0077;

// Names, or their beginnings, of what we keep in a state directory.
constexpr std::array<std::string_view, 4> kOurs = {"tocsin.", "dead-letters.jsonl", "http",
                                                   "api-token"};

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

bool IsOurs(const std::string& name) {
  return std::any_of(kOurs.begin(), kOurs.end(), [&](std::string_view ours) {
    return std::string_view(name).starts_with(ours);
  });
}

// Of an earlier version, which left both to the umask.
void MakePrivate(const std::string& path) {
  bool only_ours = true;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
    if (!IsOurs(entry.path().filename().string())) {
      only_ours = false;
    } else if (entry.is_regular_file(error) && !entry.is_symlink(error)) {
      // Belongs to somebody else: not ours to change.
      [[maybe_unused]] const int changed = chmod(entry.path().c_str(), kPrivateFile);
    }
  }
  struct stat about = {};
  if (!only_ours || error || stat(path.c_str(), &about) != 0) return;
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
