#include "replay/line_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace tocsin {

LineFile::~LineFile() { Close().IgnoreError(); }

LineFile::LineFile(LineFile&& other) noexcept
    : file_(std::exchange(other.file_, nullptr)),
      path_(std::move(other.path_)),
      failed_(other.failed_) {}

LineFile& LineFile::operator=(LineFile&& other) noexcept {
  std::swap(file_, other.file_);
  std::swap(path_, other.path_);
  std::swap(failed_, other.failed_);
  return *this;
}

absl::StatusOr<LineFile> LineFile::Create(const std::string& path) {
  LineFile file;
  file.path_ = path;
  if (path.empty()) return file;
  if (path == "-") {
    file.file_ = stdout;
    return file;
  }
  // Incidents name users and addresses, which are nobody else's business.
  const int descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (descriptor >= 0) file.file_ = fdopen(descriptor, "wb");
  if (file.file_ == nullptr) {
    const absl::Status failed =
        absl::UnavailableError("cannot write " + path + ": " + std::strerror(errno));
    if (descriptor >= 0) close(descriptor);
    return failed;
  }
  return file;
}

void LineFile::Write(std::string_view line) {
  if (file_ == nullptr) return;
  const bool written = std::fwrite(line.data(), 1, line.size(), file_) == line.size() &&
                       std::fputc('\n', file_) != EOF;
  failed_ = failed_ || !written;
}

void LineFile::Flush() {
  if (file_ != nullptr && std::fflush(file_) != 0) failed_ = true;
}

absl::Status LineFile::Close() {
  if (file_ == nullptr) return absl::OkStatus();
  std::FILE* file = std::exchange(file_, nullptr);
  const int closed = file == stdout ? std::fflush(file) : std::fclose(file);
  if (closed == 0 && !failed_) return absl::OkStatus();
  return absl::UnavailableError("writing " + path_ + " failed: is the disk full?");
}

}  // namespace tocsin
