#include "tests/journal/faulty_files.h"

namespace tocsin {
namespace {

FaultyFiles* faults = nullptr;
sqlite3_vfs* real_vfs = nullptr;

// SQLite allocates szOsFile bytes for each: ours, and the real one behind it.
struct File {
  sqlite3_file base;
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};
File* Of(sqlite3_file* file) { return reinterpret_cast<File*>(file); }
const sqlite3_io_methods* Methods(sqlite3_file* file) { return Of(file)->real()->pMethods; }

int Fault(FaultyFiles::Kind kind) { return faults == nullptr ? SQLITE_OK : faults->Next(kind); }

int Close(sqlite3_file* file) { return Methods(file)->xClose(Of(file)->real()); }
int Read(sqlite3_file* file, void* to, int size, sqlite3_int64 offset) {
  return Methods(file)->xRead(Of(file)->real(), to, size, offset);
}
int Write(sqlite3_file* file, const void* from, int size, sqlite3_int64 offset) {
  if (const int code = Fault(FaultyFiles::Kind::kWrite); code != SQLITE_OK) {
    Methods(file)->xWrite(Of(file)->real(), from, size / 2, offset);
    return code;
  }
  return Methods(file)->xWrite(Of(file)->real(), from, size, offset);
}
int Truncate(sqlite3_file* file, sqlite3_int64 size) {
  if (const int code = Fault(FaultyFiles::Kind::kWrite); code != SQLITE_OK) return code;
  return Methods(file)->xTruncate(Of(file)->real(), size);
}
int Sync(sqlite3_file* file, int flags) {
  static_cast<void>(file), static_cast<void>(flags);
  return Fault(FaultyFiles::Kind::kSync);
}
int FileSize(sqlite3_file* file, sqlite3_int64* size) {
  return Methods(file)->xFileSize(Of(file)->real(), size);
}
int Lock(sqlite3_file* file, int lock) { return Methods(file)->xLock(Of(file)->real(), lock); }
int Unlock(sqlite3_file* file, int lock) { return Methods(file)->xUnlock(Of(file)->real(), lock); }
int CheckReservedLock(sqlite3_file* file, int* out) {
  return Methods(file)->xCheckReservedLock(Of(file)->real(), out);
}
int FileControl(sqlite3_file* file, int operation, void* argument) {
  return Methods(file)->xFileControl(Of(file)->real(), operation, argument);
}
int SectorSize(sqlite3_file* file) { return Methods(file)->xSectorSize(Of(file)->real()); }
int Characteristics(sqlite3_file* file) {
  return Methods(file)->xDeviceCharacteristics(Of(file)->real());
}
int ShmMap(sqlite3_file* file, int page, int size, int extend, void volatile** out) {
  return Methods(file)->xShmMap(Of(file)->real(), page, size, extend, out);
}
int ShmLock(sqlite3_file* file, int offset, int n, int flags) {
  return Methods(file)->xShmLock(Of(file)->real(), offset, n, flags);
}
void ShmBarrier(sqlite3_file* file) { Methods(file)->xShmBarrier(Of(file)->real()); }
int ShmUnmap(sqlite3_file* file, int remove) {
  return Methods(file)->xShmUnmap(Of(file)->real(), remove);
}

const sqlite3_io_methods kMethods = {2,
                                     Close,
                                     Read,
                                     Write,
                                     Truncate,
                                     Sync,
                                     FileSize,
                                     Lock,
                                     Unlock,
                                     CheckReservedLock,
                                     FileControl,
                                     SectorSize,
                                     Characteristics,
                                     ShmMap,
                                     ShmLock,
                                     ShmBarrier,
                                     ShmUnmap,
                                     nullptr,
                                     nullptr};

int Open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  file->pMethods = nullptr;
  const int code = real_vfs->xOpen(real_vfs, name, Of(file)->real(), flags, out_flags);
  if (Of(file)->real()->pMethods != nullptr) file->pMethods = &kMethods;
  return code;
}
int Delete(sqlite3_vfs*, const char* name, int sync) {
  if (const int code = Fault(FaultyFiles::Kind::kWrite); code != SQLITE_OK) return code;
  return real_vfs->xDelete(real_vfs, name, sync);
}

}  // namespace

FaultyFiles::FaultyFiles() {
  real_vfs = sqlite3_vfs_find(nullptr);
  vfs_ = *real_vfs;
  vfs_.zName = "faulty";
  vfs_.szOsFile = static_cast<int>(sizeof(File)) + real_vfs->szOsFile;
  vfs_.xOpen = Open;
  vfs_.xDelete = Delete;
  faults = this;
  sqlite3_vfs_register(&vfs_, 1);
}

FaultyFiles::~FaultyFiles() {
  sqlite3_vfs_unregister(&vfs_);
  sqlite3_vfs_register(real_vfs, 1);
  faults = nullptr;
}

void FaultyFiles::FailAt(int first, int code, int count) {
  calls_ = 0;
  failed_ = false;
  first_ = first;
  code_ = code;
  count_ = count;
}

int FaultyFiles::Next(Kind kind) {
  if (kind_ != Kind::kAny && kind != kind_) return SQLITE_OK;
  ++calls_;
  if (calls_ < first_ || calls_ >= first_ + count_) return SQLITE_OK;
  failed_ = true;
  return code_;
}

}  // namespace tocsin
