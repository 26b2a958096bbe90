#include "system/private_files.h"

#include <fcntl.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "config/secret_file.h"
#include "core/check.h"
#include "core/status_macros.h"
#include "system/write_all.h"

namespace tocsin {
namespace {

absl::Status Failed(const std::string& what, const std::string& path, int error) {
  return absl::UnavailableError(
      absl::StrCat("cannot ", what, " ", path, ": ", std::generic_category().message(error)));
}

// What was renamed into a folder is there after a power cut only then.
absl::Status SyncFolderOf(const std::string& path) {
  std::string folder = std::filesystem::path(path).parent_path();
  if (folder.empty()) folder = ".";
  const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return Failed("open", folder, errno);
  const absl::Cleanup close_it = [descriptor] { close(descriptor); };
  return fsync(descriptor) == 0 ? absl::OkStatus() : Failed("sync", folder, errno);
}

}  // namespace

absl::Status MakePrivateDirectory(const std::string& path) {
  const std::filesystem::path whole(path);
  std::filesystem::path made;
  for (const std::filesystem::path& part : whole) {
    made /= part;
    if (mkdir(made.c_str(), 0700) == 0 || errno == EEXIST || errno == EISDIR) continue;
    const int error = errno;
    std::error_code ignored;
    // A folder above that is there, on a file system that may not be written.
    if (std::filesystem::is_directory(made, ignored)) continue;
    return Failed("create the folder", made, error);
  }
  std::error_code ignored;
  if (std::filesystem::is_directory(whole, ignored)) return absl::OkStatus();
  return Failed("create the folder", path, ENOTDIR);
}

absl::StatusOr<int> OpenPrivate(const std::string& path, int flags) {
  const int descriptor = open(path.c_str(), flags | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) return Failed("open", path, errno);
  // One that an earlier version made, too. Whoever may write it but not own it, may keep it.
  if (fchmod(descriptor, 0600) != 0 && errno != EPERM) {
    const int error = errno;
    close(descriptor);
    return Failed("protect", path, error);
  }
  return descriptor;
}

absl::Status WritePrivateFile(const std::string& path, std::string_view content) {
  const std::string temporary = path + ".new";
  {
    TOCSIN_ASSIGN_OR_RETURN(const int descriptor, OpenPrivate(temporary, O_WRONLY | O_TRUNC));
    const absl::Cleanup close_it = [descriptor] { close(descriptor); };
    std::size_t done = 0;
    const int error = WriteAll(descriptor, content, &done);
    if (error != 0) return Failed("write", temporary, error);
    if (fsync(descriptor) != 0) return Failed("sync", temporary, errno);
  }
  if (std::rename(temporary.c_str(), path.c_str()) != 0) return Failed("write", path, errno);
  return SyncFolderOf(path);
}

std::string OwnTokenFile(const std::string& state_dir) { return state_dir + "/token"; }

absl::StatusOr<std::string> EnsureToken(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored)) {
    // One that can be read but not protected, as on a disk that is read-only, is still the token.
    if (const auto descriptor = OpenPrivate(path, O_RDONLY); descriptor.ok()) close(*descriptor);
    return ReadToken(path);
  }
  unsigned char bytes[32];
  TOCSIN_CHECK(RAND_bytes(bytes, sizeof(bytes)) == 1);
  const std::string token =
      absl::BytesToHexString({reinterpret_cast<const char*>(bytes), sizeof(bytes)});
  TOCSIN_RETURN_IF_ERROR(WritePrivateFile(path, token + "\n"));
  return token;
}

}  // namespace tocsin
