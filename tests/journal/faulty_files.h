// A disk that fails: SQLite's files with faults at chosen calls.
//
//   FaultyFiles files;                               // the default VFS while it lives
//   files.FailAt(3, SQLITE_IOERR_FSYNC, 1);        // the third call from now on that changes files
//   files.calls();                                   // how many there were since
//
// Counts writes, truncations, syncs and deletions. A write that fails has written its first half. A
// sync does nothing but fail: the machine is not switched off here, and tests are fast. One object
// at a time; not thread-safe.
#pragma once

#include <sqlite3.h>

namespace tocsin {

class FaultyFiles {
 public:
  FaultyFiles();
  ~FaultyFiles();
  FaultyFiles(const FaultyFiles&) = delete;
  FaultyFiles& operator=(const FaultyFiles&) = delete;

  // Calls `first`, `first` + 1 … from now on, `count` of them, give `code`.
  void FailAt(int first, int code, int count = 1);
  // Only calls of this kind count.
  enum class Kind { kAny, kWrite, kSync };
  void Only(Kind kind) { kind_ = kind; }
  int calls() const { return calls_; }
  bool failed() const { return failed_; }

  // For the files.
  int Next(Kind kind);

 private:
  int calls_ = 0;
  int first_ = 0, count_ = 0, code_ = 0;
  Kind kind_ = Kind::kAny;
  bool failed_ = false;
  sqlite3_vfs vfs_{};
};

}  // namespace tocsin
