#include "ingest/sources/follow_stream.h"

#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

namespace tocsin {

bool ReadAt(int file, std::uint64_t offset, std::size_t size, std::string* bytes) {
  bytes->resize(size);
  for (std::size_t have = 0; have < size;) {
    const ssize_t count =
        pread(file, bytes->data() + have, size - have, static_cast<off_t>(offset + have));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      errno = count == 0 ? 0 : errno;
      return false;
    }
    have += static_cast<std::size_t>(count);
  }
  return true;
}

FollowStream::FollowStream(FileDescriptor file, std::string path, std::uint64_t offset)
    : file_(std::move(file)), path_(std::move(path)), offset_(offset) {
  const std::size_t size = std::min<std::uint64_t>(kTailBytes, offset);
  if (ReadAt(file_.number(), offset - size, size, &tail_)) return;
  if (errno == 0) {
    cut_ = true;
  } else {
    status_ = absl::UnavailableError(path_ + ": cannot be read: " + std::strerror(errno));
  }
}

std::size_t FollowStream::Read(char* buffer, std::size_t size) {
  if (cut_ || !status_.ok()) return 0;
  std::array<char, kTailBytes> before;
  const std::size_t overlap = tail_.size();
  const std::array<iovec, 2> parts = {iovec{before.data(), overlap}, iovec{buffer, size}};
  ssize_t count;
  do {
    count = preadv(file_.number(), parts.data(), 2, static_cast<off_t>(offset_ - overlap));
  } while (count < 0 && errno == EINTR);
  if (count < 0) {
    status_ = absl::UnavailableError(path_ + ": cannot be read: " + std::strerror(errno));
    return 0;
  }
  const auto all = static_cast<std::size_t>(count);
  // Fewer bytes than the overlap mean that the file is shorter now, or that the read was partial:
  // then read again.
  if (all < overlap) {
    std::string again;
    if (ReadAt(file_.number(), offset_ - overlap, overlap, &again)) return Read(buffer, size);
    cut_ = errno == 0;
    if (!cut_) {
      status_ = absl::UnavailableError(path_ + ": cannot be read: " + std::strerror(errno));
    }
    return 0;
  }
  if (std::string_view(before.data(), overlap) != tail_) {
    cut_ = true;
    return 0;
  }
  const std::size_t taken = all - overlap;
  if (taken == 0) return 0;
  const std::size_t kept = std::min(kTailBytes - std::min(kTailBytes, taken), overlap);
  tail_ = tail_.substr(overlap - kept);
  tail_.append(buffer + (taken - std::min(taken, kTailBytes)), std::min(taken, kTailBytes));
  if (head_.size() < kHeadBytes) head_.append(buffer, std::min(taken, kHeadBytes - head_.size()));
  offset_ += taken;
  bytes_read_ += taken;
  return taken;
}

}  // namespace tocsin
