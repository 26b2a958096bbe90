// Makes the calls of a program on files fail, as disks do, and its clock jump: a library that a
// test links, or that a whole program is run under.
//
//   FaultScope faults("path=/tmp/x; write:ENOSPC; fsync:EIO:n=1");      // in a test, until it ends
//   LD_PRELOAD=libtocsin_faults.so TOCSIN_FAULTS="path=/tmp/x; read:EIO:p=0.01" tocsin run …
//
// Rules are separated by semicolons. `path=PREFIX` is for the rules after it (absolute, and as the
// kernel names the file; what has no such path is never touched), `seed=N` for those with `p=`.
// `clock=N` moves the wall clock by N seconds (clock_gettime, which std::chrono asks).
// A rule is CALL:EFFECT with conditions behind further colons:
//
//   CALL     open, read, write, fsync, truncate, rename, unlink, mkdir, stat or list; each stands
//            for all calls of its kind (pread, preadv and so on). `any`: all of them.
//   EFFECT   the name of an errno such as ENOSPC; `short`: half of the bytes; `slow`: 20 ms first
//   p=0.01   with this probability; n=3: the third such call alone; from=3, to=9: those
//
// All rules are looked at in order; the first one with an errno decides. With TOCSIN_FAULTS_FILE
// the rules are those of a file, read again when it changes, so that a fault can begin and end
// while the program runs. Calls of libc within itself (fopen) are seen where they read and write.
// Thread-safe.
#pragma once

#include <string>

extern "C" {
// Replaces the rules and begins to count anew. Null or empty: nothing fails.
void tocsin_faults_set(const char* rules);
// Calls that failed or were cut short since then.
long tocsin_faults_injected(void);
}

namespace tocsin {

class FaultScope {
 public:
  explicit FaultScope(const std::string& rules) { tocsin_faults_set(rules.c_str()); }
  ~FaultScope() { tocsin_faults_set(nullptr); }
  FaultScope(const FaultScope&) = delete;
  FaultScope& operator=(const FaultScope&) = delete;
  long injected() const { return tocsin_faults_injected(); }
};

}  // namespace tocsin
