#include "tests/sim/sim_journal.h"

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>
#include <utility>

#include <gtest/gtest.h>

#include "core/check.h"
#include "tests/journal/faulty_files.h"

namespace tocsin::testing {
namespace {

FaultyFiles& Files() {
  static FaultyFiles files;
  return files;
}

}  // namespace

SimFolder::SimFolder() {
  const char* const in_memory = "/dev/shm/";
  path_ = access(in_memory, W_OK) == 0 ? in_memory : ::testing::TempDir();
  path_ += "tocsin-sim-XXXXXX";
  TOCSIN_CHECK(mkdtemp(path_.data()) != nullptr);
}

SimFolder::~SimFolder() {
  std::error_code error;
  std::filesystem::remove_all(path_, error);
}

SimJournal::SimJournal(Kind kind) {
  if (kind == Kind::kMemory) {
    journal_ = NewMemoryJournal();
    return;
  }
  folder_ = std::make_unique<SimFolder>();
  Repair();
  Open();
}

SimJournal::~SimJournal() {
  if (is_on_disk()) Repair();
}

void SimJournal::Open() {
  absl::StatusOr<std::unique_ptr<Journal>> opened = OpenSqliteJournal(folder_->path());
  TOCSIN_CHECK(opened.ok());
  journal_ = *std::move(opened);
}

void SimJournal::Fail(int code, int first, int calls) {
  if (is_on_disk()) Files().FailAt(first, code, calls);
}

void SimJournal::Repair() { Files().FailAt(0, SQLITE_OK, 0); }

void SimJournal::Kill() {
  if (!is_on_disk()) return;
  Fail(SQLITE_IOERR_WRITE, 1, 1'000'000);
  Reopen();
}

void SimJournal::Reopen() {
  if (!is_on_disk()) return;
  journal_.reset();
  Repair();
  Open();
}

}  // namespace tocsin::testing
