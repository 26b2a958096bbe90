#include "tests/faults/faults.h"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

// Nothing here may allocate or call what is replaced, so paths and rules live in fixed arrays.

namespace {

enum Call {
  kOpen,
  kRead,
  kWrite,
  kFsync,
  kTruncate,
  kRename,
  kUnlink,
  kMkdir,
  kStat,
  kList,
  kCalls
};
constexpr std::array<const char*, kCalls> kCallNames = {
    "open", "read", "write", "fsync", "truncate", "rename", "unlink", "mkdir", "stat", "list"};

struct ErrnoName {
  const char* name;
  int number;
};
constexpr ErrnoName kErrnos[] = {
    {"ENOSPC", ENOSPC}, {"EIO", EIO},       {"EINTR", EINTR},   {"EACCES", EACCES},
    {"EROFS", EROFS},   {"EDQUOT", EDQUOT}, {"ENOENT", ENOENT}, {"ESTALE", ESTALE},
    {"EMFILE", EMFILE}, {"ENOMEM", ENOMEM}, {"EBUSY", EBUSY},   {"EPERM", EPERM},
};

constexpr int kRulesMax = 32;
constexpr long kShort = -1, kSlow = -2;
constexpr long kSlowNs = 20'000'000;
constexpr long kFileCheckNs = 10'000'000;

struct Rule {
  unsigned calls = 0;  // bits
  long effect = 0;     // an errno, kShort or kSlow
  double probability = 1;
  long from = 1, to = LONG_MAX;
  char path[PATH_MAX] = "/";
  std::atomic<long> count{0};
};

struct Rules {
  std::atomic<int> size{0};
  std::uint64_t seed = 1;
  Rule rules[kRulesMax];
};

Rules rules;
std::atomic<long> injected{0};
std::atomic<long> wall_clock_offset_s{0};
pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
pthread_once_t once = PTHREAD_ONCE_INIT;
char rules_file[PATH_MAX];
std::atomic<long> checked_at{0};
// Of the file that was read last. Two that are written in one tick of the kernel's clock have the
// same time.
statx_timestamp rules_file_time = {};
std::uint64_t rules_file_inode = 0, rules_file_size = 0;
thread_local bool inside = false;

std::uint64_t Mix(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15ULL;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

[[noreturn]] void Refuse(const char* what, const char* text) {
  std::fprintf(stderr, "libtocsin_faults: %s: \"%s\"\n", what, text);
  std::abort();
}

unsigned CallBits(const char* name) {
  if (std::strcmp(name, "any") == 0) return (1U << kCalls) - 1;
  for (unsigned i = 0; i < kCalls; ++i) {
    if (std::strcmp(name, kCallNames[i]) == 0) return 1U << i;
  }
  Refuse("unknown call", name);
}

long EffectOf(const char* name) {
  if (std::strcmp(name, "short") == 0) return kShort;
  if (std::strcmp(name, "slow") == 0) return kSlow;
  for (const ErrnoName& known : kErrnos) {
    if (std::strcmp(name, known.name) == 0) return known.number;
  }
  Refuse("unknown effect", name);
}

void ParseRule(char* text, const char* path) {
  const int size = rules.size.load(std::memory_order_relaxed);
  if (size == kRulesMax) Refuse("more than 32 rules", text);
  Rule& rule = rules.rules[size];
  rule.probability = 1;
  rule.from = 1;
  rule.to = LONG_MAX;
  rule.count.store(0, std::memory_order_relaxed);
  std::snprintf(rule.path, sizeof rule.path, "%s", path);
  char* rest = nullptr;
  rule.calls = CallBits(strtok_r(text, ":", &rest));
  const char* const effect = strtok_r(nullptr, ":", &rest);
  if (effect == nullptr) Refuse("a rule without an effect", text);
  rule.effect = EffectOf(effect);
  while (const char* const condition = strtok_r(nullptr, ":", &rest)) {
    const char* const value = std::strchr(condition, '=');
    if (value == nullptr) Refuse("a condition without a value", condition);
    if (condition[0] == 'p') {
      rule.probability = std::atof(value + 1);
    } else if (condition[0] == 'n') {
      rule.from = rule.to = std::atol(value + 1);
    } else if (condition[0] == 'f') {
      rule.from = std::atol(value + 1);
    } else if (condition[0] == 't') {
      rule.to = std::atol(value + 1);
    } else {
      Refuse("unknown condition", condition);
    }
  }
  rules.size.store(size + 1, std::memory_order_release);
}

// With the lock held.
void Parse(const char* text) {
  rules.size.store(0, std::memory_order_release);
  rules.seed = 1;
  injected.store(0, std::memory_order_relaxed);
  wall_clock_offset_s.store(0, std::memory_order_relaxed);
  char copy[8'192];
  char path[PATH_MAX] = "/";
  std::snprintf(copy, sizeof copy, "%s", text == nullptr ? "" : text);
  char* rest = nullptr;
  for (char* part = strtok_r(copy, ";\n", &rest); part != nullptr;
       part = strtok_r(nullptr, ";\n", &rest)) {
    while (*part == ' ') ++part;
    for (char* end = part + std::strlen(part); end > part && end[-1] == ' ';) *--end = '\0';
    if (*part == '\0') continue;
    if (std::strncmp(part, "path=", 5) == 0) {
      std::snprintf(path, sizeof path, "%s", part + 5);
    } else if (std::strncmp(part, "seed=", 5) == 0) {
      rules.seed = std::strtoull(part + 5, nullptr, 10);
    } else if (std::strncmp(part, "clock=", 6) == 0) {
      wall_clock_offset_s.store(std::atol(part + 6), std::memory_order_relaxed);
    } else {
      ParseRule(part, path);
    }
  }
}

void Begin() {
  const char* const file = std::getenv("TOCSIN_FAULTS_FILE");
  if (file != nullptr) std::snprintf(rules_file, sizeof rules_file, "%s", file);
  if (const char* const text = std::getenv("TOCSIN_FAULTS")) Parse(text);
}

long NowNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000L + now.tv_nsec;
}

// Looks whether the file with the rules has changed.
void CheckFile() {
  long before = checked_at.load(std::memory_order_relaxed);
  const long now = NowNs();
  if (now - before < kFileCheckNs || !checked_at.compare_exchange_strong(before, now)) return;
  const int file =
      static_cast<int>(syscall(SYS_openat, AT_FDCWD, rules_file, O_RDONLY | O_CLOEXEC));
  if (file < 0) return;
  struct statx facts;
  char text[8'192];
  long size = -1;
  if (syscall(SYS_statx, file, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &facts) == 0 &&
      (facts.stx_mtime.tv_sec != rules_file_time.tv_sec ||
       facts.stx_mtime.tv_nsec != rules_file_time.tv_nsec || facts.stx_ino != rules_file_inode ||
       facts.stx_size != rules_file_size)) {
    rules_file_time = facts.stx_mtime;
    rules_file_inode = facts.stx_ino;
    rules_file_size = facts.stx_size;
    size = syscall(SYS_read, file, text, sizeof text - 1);
  }
  syscall(SYS_close, file);
  if (size < 0) return;
  text[size] = '\0';
  pthread_rwlock_wrlock(&lock);
  Parse(text);
  pthread_rwlock_unlock(&lock);
}

struct Verdict {
  int error = 0;
  bool is_short = false;
};

Verdict Judge(Call call, const char* path) {
  Verdict verdict;
  bool slow = false;
  pthread_rwlock_rdlock(&lock);
  const int size = rules.size.load(std::memory_order_acquire);
  for (int i = 0; i < size; ++i) {  // each rule counts all of its calls
    Rule& rule = rules.rules[i];
    if ((rule.calls & (1U << call)) == 0) continue;
    if (std::strncmp(path, rule.path, std::strlen(rule.path)) != 0) continue;
    const long count = rule.count.fetch_add(1, std::memory_order_relaxed) + 1;
    if (count < rule.from || count > rule.to) continue;
    if (rule.probability < 1) {
      const std::uint64_t drawn = Mix(Mix(rules.seed + static_cast<std::uint64_t>(i) * 1'000'003U) +
                                      static_cast<std::uint64_t>(count));
      if (static_cast<double>(drawn >> 11) * 0x1p-53 >= rule.probability) continue;
    }
    if (rule.effect == kSlow) {
      slow = true;
      continue;
    }
    if (verdict.error != 0) continue;
    injected.fetch_add(1, std::memory_order_relaxed);
    if (rule.effect == kShort) {
      verdict.is_short = true;
    } else {
      verdict.error = static_cast<int>(rule.effect);
    }
  }
  pthread_rwlock_unlock(&lock);
  if (slow) {
    const timespec wait = {0, kSlowNs};
    nanosleep(&wait, nullptr);
  }
  return verdict;
}

bool HasRules() {
  pthread_once(&once, Begin);
  if (rules_file[0] != '\0') CheckFile();
  return rules.size.load(std::memory_order_acquire) > 0;
}

Verdict JudgePath(Call call, const char* path) {
  const int before = errno;
  Verdict verdict;
  if (!inside && path != nullptr && HasRules()) {
    inside = true;
    char whole[2 * PATH_MAX];
    if (path[0] != '/' && syscall(SYS_getcwd, whole, PATH_MAX) > 0) {
      std::strncat(whole, "/", 2);
      std::strncat(whole, path, PATH_MAX - 2);
      path = whole;
    }
    verdict = Judge(call, path);
    inside = false;
  }
  errno = before;
  return verdict;
}

Verdict JudgeFile(Call call, int file) {
  const int before = errno;
  Verdict verdict;
  if (!inside && file >= 0 && HasRules()) {
    inside = true;
    char link[64];
    char path[PATH_MAX];
    std::snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    const long size = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
    if (size > 0 && path[0] == '/') {
      path[size] = '\0';
      verdict = Judge(call, path);
    }
    inside = false;
  }
  errno = before;
  return verdict;
}

template <typename Function>
Function Next(const char* name) {
  void* const found = dlsym(RTLD_NEXT, name);
  if (found == nullptr) Refuse("not found in libc", name);
  Function function;
  std::memcpy(&function, &found, sizeof function);
  return function;
}

template <typename Result>
Result Fail(int error) {
  errno = error;
  return static_cast<Result>(-1);
}

std::size_t Cut(const Verdict& verdict, std::size_t size) {
  return verdict.is_short && size > 1 ? size / 2 : size;
}

mode_t ModeOf(int flags, va_list arguments) {
  const bool creates = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
  return creates ? va_arg(arguments, mode_t) : 0;
}

}  // namespace

extern "C" {

void tocsin_faults_set(const char* text) {
  pthread_once(&once, Begin);
  pthread_rwlock_wrlock(&lock);
  Parse(text);
  pthread_rwlock_unlock(&lock);
}

long tocsin_faults_injected(void) { return injected.load(std::memory_order_relaxed); }

int clock_gettime(clockid_t clock, timespec* now) noexcept {
  const long result = syscall(SYS_clock_gettime, clock, now);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
    now->tv_sec += wall_clock_offset_s.load(std::memory_order_relaxed);
  }
  return static_cast<int>(result);
}

// The name of the real one, and how its arguments are called on.
#define TOCSIN_REAL(name, ...) static const auto real = Next<__VA_ARGS__>(name)

#define TOCSIN_OPEN(name)                                                           \
  int name(const char* path, int flags, ...) {                                      \
    TOCSIN_REAL(#name, int (*)(const char*, int, ...));                             \
    va_list arguments;                                                              \
    va_start(arguments, flags);                                                     \
    const mode_t mode = ModeOf(flags, arguments);                                   \
    va_end(arguments);                                                              \
    const Verdict verdict = JudgePath(kOpen, path);                                 \
    return verdict.error != 0 ? Fail<int>(verdict.error) : real(path, flags, mode); \
  }
TOCSIN_OPEN(open)
TOCSIN_OPEN(open64)

#define TOCSIN_OPENAT(name)                                                                 \
  int name(int folder, const char* path, int flags, ...) {                                  \
    TOCSIN_REAL(#name, int (*)(int, const char*, int, ...));                                \
    va_list arguments;                                                                      \
    va_start(arguments, flags);                                                             \
    const mode_t mode = ModeOf(flags, arguments);                                           \
    va_end(arguments);                                                                      \
    const Verdict verdict = JudgePath(kOpen, path);                                         \
    return verdict.error != 0 ? Fail<int>(verdict.error) : real(folder, path, flags, mode); \
  }
TOCSIN_OPENAT(openat)
TOCSIN_OPENAT(openat64)

ssize_t read(int file, void* buffer, std::size_t size) {
  TOCSIN_REAL("read", ssize_t(*)(int, void*, std::size_t));
  const Verdict verdict = JudgeFile(kRead, file);
  return verdict.error != 0 ? Fail<ssize_t>(verdict.error) : real(file, buffer, Cut(verdict, size));
}

ssize_t write(int file, const void* buffer, std::size_t size) {
  TOCSIN_REAL("write", ssize_t(*)(int, const void*, std::size_t));
  const Verdict verdict = JudgeFile(kWrite, file);
  return verdict.error != 0 ? Fail<ssize_t>(verdict.error) : real(file, buffer, Cut(verdict, size));
}

#define TOCSIN_PREAD(name, kind, buffer_type)                                   \
  ssize_t name(int file, buffer_type buffer, std::size_t size, off_t offset) {  \
    TOCSIN_REAL(#name, ssize_t (*)(int, buffer_type, std::size_t, off_t));      \
    const Verdict verdict = JudgeFile(kind, file);                              \
    return verdict.error != 0 ? Fail<ssize_t>(verdict.error)                    \
                              : real(file, buffer, Cut(verdict, size), offset); \
  }
TOCSIN_PREAD(pread, kRead, void*)
TOCSIN_PREAD(pread64, kRead, void*)
TOCSIN_PREAD(pwrite, kWrite, const void*)
TOCSIN_PREAD(pwrite64, kWrite, const void*)

// Cut short, they take one part alone.
#define TOCSIN_VECTOR(name, kind)                                        \
  ssize_t name(int file, const struct iovec* parts, int count) {         \
    TOCSIN_REAL(#name, ssize_t (*)(int, const struct iovec*, int));      \
    const Verdict verdict = JudgeFile(kind, file);                       \
    if (verdict.error != 0) return Fail<ssize_t>(verdict.error);         \
    return real(file, parts, verdict.is_short && count > 1 ? 1 : count); \
  }
TOCSIN_VECTOR(readv, kRead)
TOCSIN_VECTOR(writev, kWrite)

#define TOCSIN_PVECTOR(name, kind)                                               \
  ssize_t name(int file, const struct iovec* parts, int count, off_t offset) {   \
    TOCSIN_REAL(#name, ssize_t (*)(int, const struct iovec*, int, off_t));       \
    const Verdict verdict = JudgeFile(kind, file);                               \
    if (verdict.error != 0) return Fail<ssize_t>(verdict.error);                 \
    return real(file, parts, verdict.is_short && count > 1 ? 1 : count, offset); \
  }
TOCSIN_PVECTOR(preadv, kRead)
TOCSIN_PVECTOR(preadv64, kRead)
TOCSIN_PVECTOR(pwritev, kWrite)
TOCSIN_PVECTOR(pwritev64, kWrite)

#define TOCSIN_OF_FILE(name, kind)                                     \
  int name(int file) {                                                 \
    TOCSIN_REAL(#name, int (*)(int));                                  \
    const Verdict verdict = JudgeFile(kind, file);                     \
    return verdict.error != 0 ? Fail<int>(verdict.error) : real(file); \
  }
TOCSIN_OF_FILE(fsync, kFsync)
TOCSIN_OF_FILE(fdatasync, kFsync)

#define TOCSIN_TRUNCATE(name, subject, judge)                                \
  int name(subject what, off_t size) noexcept {                              \
    TOCSIN_REAL(#name, int (*)(subject, off_t));                             \
    const Verdict verdict = judge(kTruncate, what);                          \
    return verdict.error != 0 ? Fail<int>(verdict.error) : real(what, size); \
  }
TOCSIN_TRUNCATE(ftruncate, int, JudgeFile)
TOCSIN_TRUNCATE(ftruncate64, int, JudgeFile)
TOCSIN_TRUNCATE(truncate, const char*, JudgePath)
TOCSIN_TRUNCATE(truncate64, const char*, JudgePath)

int rename(const char* from, const char* to) noexcept {
  TOCSIN_REAL("rename", int (*)(const char*, const char*));
  const Verdict verdict = JudgePath(kRename, to);
  return verdict.error != 0 ? Fail<int>(verdict.error) : real(from, to);
}

int unlink(const char* path) noexcept {
  TOCSIN_REAL("unlink", int (*)(const char*));
  const Verdict verdict = JudgePath(kUnlink, path);
  return verdict.error != 0 ? Fail<int>(verdict.error) : real(path);
}

int mkdir(const char* path, mode_t mode) noexcept {
  TOCSIN_REAL("mkdir", int (*)(const char*, mode_t));
  const Verdict verdict = JudgePath(kMkdir, path);
  return verdict.error != 0 ? Fail<int>(verdict.error) : real(path, mode);
}

#define TOCSIN_STAT(name, subject, judge)                                     \
  int name(subject what, struct stat* facts) noexcept {                       \
    TOCSIN_REAL(#name, int (*)(subject, struct stat*));                       \
    const Verdict verdict = judge(kStat, what);                               \
    return verdict.error != 0 ? Fail<int>(verdict.error) : real(what, facts); \
  }
TOCSIN_STAT(stat, const char*, JudgePath)
TOCSIN_STAT(lstat, const char*, JudgePath)
TOCSIN_STAT(fstat, int, JudgeFile)

int statx(int file, const char* path, int flags, unsigned mask, struct statx* facts) noexcept {
  TOCSIN_REAL("statx", int (*)(int, const char*, int, unsigned, struct statx*));
  const Verdict verdict = *path == '\0' ? JudgeFile(kStat, file) : JudgePath(kStat, path);
  return verdict.error != 0 ? Fail<int>(verdict.error) : real(file, path, flags, mask, facts);
}

DIR* opendir(const char* path) {
  TOCSIN_REAL("opendir", DIR * (*)(const char*));
  const Verdict verdict = JudgePath(kList, path);
  if (verdict.error == 0) return real(path);
  errno = verdict.error;
  return nullptr;
}

DIR* fdopendir(int file) {
  TOCSIN_REAL("fdopendir", DIR * (*)(int));
  const Verdict verdict = JudgeFile(kList, file);
  if (verdict.error == 0) return real(file);
  errno = verdict.error;
  return nullptr;
}

}  // extern "C"
