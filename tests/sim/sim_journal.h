// A journal of a simulation: in memory, or the one of `tocsin run` on a disk that fails when it is
// told to.
//
//   SimJournal journal(SimJournal::Kind::kSqlite);
//   journal.Fail(SQLITE_FULL, /*first=*/2, /*calls=*/40);    // from the second change of a file on
//   journal->AppendBatches(…)                                // then fails as on a full disk
//   journal.Repair();
//   journal.Kill();                                          // and open it again
//
// The database lies in a folder of its own, in memory where the machine has /dev/shm, and is
// removed at the end. A memory journal never fails and survives the process: it stands for one
// elsewhere. One SQLite journal at a time; not thread-safe.
#pragma once

#include <memory>
#include <string>

#include "journal/journal.h"

namespace tocsin::testing {

// A folder that is removed at the end.
class SimFolder {
 public:
  SimFolder();
  ~SimFolder();
  SimFolder(const SimFolder&) = delete;
  SimFolder& operator=(const SimFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class SimJournal {
 public:
  enum class Kind { kMemory, kSqlite };

  explicit SimJournal(Kind kind);
  ~SimJournal();

  Journal* get() const { return journal_.get(); }
  Journal* operator->() const { return journal_.get(); }
  bool is_on_disk() const { return folder_ != nullptr; }

  // The changes of files from the `first` on from now, so many of them, fail with SQLite's code.
  void Fail(int code, int first, int calls);
  void Repair();
  // The process is killed, so that nothing more is written, and starts again. On a disk that works.
  void Kill();
  // The same for one that ends in good order.
  void Reopen();

 private:
  void Open();

  std::unique_ptr<SimFolder> folder_;  // null: in memory
  std::unique_ptr<Journal> journal_;
};

}  // namespace tocsin::testing
