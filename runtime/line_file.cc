#include "runtime/line_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>
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

std::optional<std::int64_t> FindLine(const std::string& path, std::string_view line,
                                     std::int64_t search_bytes_max) {
  constexpr std::int64_t kBlock = 1 << 20;
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return std::nullopt;
  std::ifstream file(path, std::ios::binary);
  if (!file.seekg(0, std::ios::end)) return std::nullopt;
  // Blocks from the end, each with so much of the one behind it that no line is cut in two.
  const std::string wanted = std::string(line) + '\n';
  const std::int64_t end = file.tellg();
  const std::int64_t least = std::max<std::int64_t>(0, end - search_bytes_max);
  std::string behind;
  for (std::int64_t at = end; at > least;) {
    const std::int64_t begin = std::max(least, at - kBlock);
    std::string block(static_cast<std::size_t>(at - begin), '\0');
    if (!file.seekg(begin) || !file.read(block.data(), at - begin)) return std::nullopt;
    block += behind;
    for (std::size_t found = block.rfind(wanted); found != std::string::npos;
         found = found == 0 ? std::string::npos : block.rfind(wanted, found - 1)) {
      if (found == 0 ? begin == 0 : block[found - 1] == '\n') {
        return begin + static_cast<std::int64_t>(found);
      }
    }
    behind = block.substr(0, std::min(block.size(), wanted.size()));
    at = begin;
  }
  return std::nullopt;
}

}  // namespace tocsin
