// Writes lines to a log and rotates it in every common way.
//
//   LogRotator log(folder, "app.log");
//   log.Write("one\n");
//   log.Rotate(LogRotator::Way::kRenameAndCompress);
//
// Keeps `keep` rotated files, as logrotate does. Modification times are those of the clock or of
// SetTime, so that a test whose days take milliseconds has files of different times. Not
// thread-safe.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "absl/time/time.h"
#include "core/time.h"

namespace tocsin {

class LogRotator {
 public:
  enum class Way : std::uint8_t {
    kRename,         // app.log → app.log.1, and a new app.log
    kCopyTruncate,   // copied to app.log.1 and cut
    kRenameAndGzip,  // app.log.1.gz at once
    kRenameAndZstd,  // app.log.1.zst at once
    kCompressLater,  // app.log.1 now; what is app.log.2 then is compressed
    kDate,           // app.log-20260301, app.log-20260302, …
    kLink,           // app.log is a link, which is switched to the next file
  };

  LogRotator(std::string folder, std::string name, int keep = 9)
      : folder_(std::move(folder)), name_(std::move(name)), keep_(keep) {}
  ~LogRotator() { Close(); }

  // The modification time of files changed from now on.
  void SetTime(TimeUs now) { now_ = now; }

  std::string path() const { return folder_ + "/" + name_; }

  void Write(const std::string& bytes) {
    if (file_ < 0) Create();
    Append(file_, bytes);
  }
  // Writes to the file of before the last rotation by rename, like a program that has not reopened
  // its log yet.
  bool WriteToOld(const std::string& bytes) {
    if (old_ < 0) return false;
    Append(old_, bytes);
    return true;
  }
  bool has_old() const { return old_ >= 0; }
  void ForgetOld() { CloseFile(&old_); }

  void Rotate(Way way, bool create = true) {
    if (file_ < 0) Create();
    if (way == Way::kLink) return SwitchLink();
    if (way == Way::kCopyTruncate) {
      Shift();
      Copy(path(), path() + ".1");
      ASSERT_EQ(ftruncate(file_, 0), 0);
      Stamp(file_);
      return;
    }
    std::string target = path() + ".1";
    if (way == Way::kDate) {
      target = path() + "-" + Date(day_++);
    } else {
      Shift();
    }
    std::filesystem::rename(path(), target);
    CloseFile(&old_);
    old_ = file_;
    file_ = -1;
    if (create) Create();
    if (way == Way::kRenameAndGzip) Compress(target, ".gz");
    if (way == Way::kRenameAndZstd) Compress(target, ".zst");
    if (way == Way::kCompressLater && std::filesystem::exists(path() + ".2")) {
      Compress(path() + ".2", ".gz");
    }
  }

  static std::string Read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  // Keeps the modification time of the original, as gzip and zstd do.
  static void Compress(const std::string& path, const std::string& extension) {
    struct stat facts;
    ASSERT_EQ(stat(path.c_str(), &facts), 0);
    const std::string text = Read(path);
    if (extension == ".gz") {
      const gzFile file = gzopen((path + extension).c_str(), "wb");
      gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
      gzclose(file);
    } else {
      std::string packed(ZSTD_compressBound(text.size()), '\0');
      packed.resize(ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(), 1));
      std::ofstream(path + extension, std::ios::binary) << packed;
    }
    const timespec times[2] = {facts.st_atim, facts.st_mtim};
    ASSERT_EQ(utimensat(AT_FDCWD, (path + extension).c_str(), times, 0), 0);
    std::filesystem::remove(path);
  }

 private:
  void Append(int file, const std::string& bytes) {
    ASSERT_EQ(write(file, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    Stamp(file);
  }
  void Stamp(int file) {
    if (now_ == kNoTime) return;
    const timespec time = absl::ToTimespec(absl::FromUnixMicros(now_));
    const timespec times[2] = {time, time};
    ASSERT_EQ(futimens(file, times), 0);
  }
  // Of the days from 2026-03-01 on, as if a month had 28.
  static std::string Date(int day) {
    return std::to_string(20'260'301 + day / 28 * 100 + day % 28);
  }
  static void CloseFile(int* file) {
    if (*file >= 0) close(*file);
    *file = -1;
  }
  void Close() {
    CloseFile(&file_);
    CloseFile(&old_);
  }
  void Create() {
    file_ = open(path().c_str(), O_WRONLY | O_APPEND | O_CREAT, 0644);
    ASSERT_GE(file_, 0);
    Stamp(file_);
  }
  void Copy(const std::string& from, const std::string& to) {
    std::filesystem::copy_file(from, to, std::filesystem::copy_options::overwrite_existing);
    const int copy = open(to.c_str(), O_WRONLY);
    Stamp(copy);
    close(copy);
  }
  // app.log.1 becomes app.log.2, and so on; the oldest goes.
  void Shift() {
    for (int i = keep_; i > 0; --i) {
      for (const char* const extension : {"", ".gz", ".zst"}) {
        const std::string from = path() + "." + std::to_string(i) + extension;
        if (!std::filesystem::exists(from)) continue;
        if (i == keep_) {
          std::filesystem::remove(from);
        } else {
          std::filesystem::rename(from, path() + "." + std::to_string(i + 1) + extension);
        }
      }
    }
  }
  void SwitchLink() {
    // A file that is not a link first becomes the target of one.
    const std::string target = folder_ + "/target-" + std::to_string(++targets_);
    CloseFile(&old_);
    if (!std::filesystem::is_symlink(path())) {
      std::filesystem::rename(path(), target);
    } else {
      old_ = file_;
      file_ = open(target.c_str(), O_WRONLY | O_APPEND | O_CREAT, 0644);
      Stamp(file_);
    }
    std::filesystem::create_symlink(target, path() + ".new");
    std::filesystem::rename(path() + ".new", path());
  }

  const std::string folder_, name_;
  const int keep_;
  int file_ = -1, old_ = -1;
  int day_ = 0, targets_ = 0;
  TimeUs now_ = kNoTime;
};

}  // namespace tocsin
