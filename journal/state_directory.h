// The directory that a journal lives in: who may read it, and that one process at a time has it.
//
//   TOCSIN_ASSIGN_OR_RETURN(StateDirectory directory, StateDirectory::Take("./state"));
//
// What is in there names customers, addresses and secrets of alerts, and whoever can open the lock
// file can keep us from starting. So the directory is made with mode 0700 and files with 0600;
// what an earlier version left readable is closed, with the folders http and files. A directory
// that holds other things than ours, or that belongs to somebody else, keeps its mode, and so do
// its folders. The lock is the kernel's: it ends with the process, however that ends. Movable; not
// thread-safe.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tocsin {

inline constexpr char kDatabaseFile[] = "tocsin.db";
inline constexpr char kLockFile[] = "tocsin.lock";

class StateDirectory {
 public:
  // Makes the directory, locks it, and makes our files in it private. FileError where that cannot
  // be; FailedPrecondition, with the directory, where another process has it.
  static absl::StatusOr<StateDirectory> Take(const std::string& path);
  StateDirectory(StateDirectory&& other) noexcept;
  StateDirectory& operator=(StateDirectory&&) = delete;
  ~StateDirectory();

 private:
  explicit StateDirectory(int lock) : lock_(lock) {}
  int lock_;
};

// `message` with the code of what `system_error` means to a file: ResourceExhausted or Unavailable
// of what may pass (a full disk, a quota, a file system that is read-only for now, an I/O error,
// too many open files), else PermissionDenied.
absl::Status FileError(const std::string& message, int system_error);

// Creates the file, empty, where there is none; mode 0600 either way. Fails with a FileError.
absl::Status MakePrivateFile(const std::string& path);

}  // namespace tocsin
