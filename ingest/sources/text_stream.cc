#include "ingest/sources/text_stream.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "core/status_macros.h"

namespace tocsin {
namespace {

constexpr std::size_t kInputBytes = 256 << 10;
constexpr int kZstdWindowLogMax = 27;

absl::Status SystemError(const std::string& path, std::string_view what, int error) {
  return absl::UnavailableError(path + ": " + std::string(what) + ": " + std::strerror(error));
}

// The raw bytes of a file, with a Peek for detecting its kind.
class RawFile {
 public:
  RawFile(std::string path, FileDescriptor file) : path_(std::move(path)), file_(std::move(file)) {}

  // Like read(2), with retries; returns −1 and sets `status` on an error.
  std::ptrdiff_t Read(char* buffer, std::size_t size, absl::Status* status) {
    if (!head_.empty()) {
      const std::size_t taken = std::min(size, head_.size());
      std::memcpy(buffer, head_.data(), taken);
      head_.erase(0, taken);
      return static_cast<std::ptrdiff_t>(taken);
    }
    ssize_t count;
    do {
      count = read(file_.number(), buffer, size);
    } while (count < 0 && errno == EINTR);
    if (count < 0) *status = SystemError(path_, "cannot be read", errno);
    return count;
  }

  // The first bytes, without consuming them.
  absl::StatusOr<std::string_view> Peek(std::size_t size) {
    absl::Status status;
    std::string head;
    while (head.size() < size) {
      std::array<char, 16> bytes;
      const std::ptrdiff_t count =
          Read(bytes.data(), std::min(bytes.size(), size - head.size()), &status);
      if (count < 0) return status;
      if (count == 0) break;
      head.append(bytes.data(), static_cast<std::size_t>(count));
    }
    head_ = std::move(head);
    return head_;
  }

  // Whether Read would return at once.
  bool HasInput() const {
    pollfd ready = {.fd = file_.number(), .events = POLLIN, .revents = 0};
    return !head_.empty() || poll(&ready, 1, 0) > 0;
  }

  bool SeekTo(std::uint64_t offset) {
    if (lseek(file_.number(), static_cast<off_t>(offset), SEEK_SET) < 0) return false;
    head_.clear();
    return true;
  }

  std::uint64_t Size() const {
    struct stat facts;
    if (fstat(file_.number(), &facts) != 0 || !S_ISREG(facts.st_mode)) return 0;
    return static_cast<std::uint64_t>(facts.st_size);
  }

  const std::string& path() const { return path_; }

 private:
  std::string path_;
  FileDescriptor file_;
  std::string head_;
};

class PlainStream final : public TextStream {
 public:
  explicit PlainStream(RawFile file) : file_(std::move(file)) { bytes_total_ = file_.Size(); }

  std::size_t Read(char* buffer, std::size_t size) override {
    if (!status_.ok()) return 0;
    waits_ = !may_wait_ && !file_.HasInput();
    if (waits_) return 0;
    const std::ptrdiff_t count = file_.Read(buffer, size, &status_);
    if (count < 0) return 0;
    bytes_read_ += static_cast<std::uint64_t>(count);
    if (count == 0) {
      bytes_total_ = file_.Size();
      if (bytes_total_ != 0 && bytes_total_ < bytes_read_) {
        status_ = absl::DataLossError(file_.path() + ": was truncated to " +
                                      std::to_string(bytes_total_) + " bytes after " +
                                      std::to_string(bytes_read_) + " were read");
      }
    }
    return static_cast<std::size_t>(count);
  }

  absl::Status SkipTo(std::uint64_t offset) override {
    if (bytes_total_ == 0) return TextStream::SkipTo(offset);  // A pipe, or still empty.
    if (offset > bytes_total_) {
      return absl::OutOfRangeError(file_.path() + ": offset " + std::to_string(offset) +
                                   " is beyond its end at " + std::to_string(bytes_total_));
    }
    if (!file_.SeekTo(offset)) return SystemError(file_.path(), "cannot seek", errno);
    bytes_read_ = offset;
    return absl::OkStatus();
  }

 private:
  RawFile file_;
};

// The common part of gzip and zstd: an input buffer, and the check for a truncated archive.
class CompressedStream : public TextStream {
 public:
  explicit CompressedStream(RawFile file) : file_(std::move(file)), input_(kInputBytes) {
    bytes_total_ = file_.Size();
  }

  std::size_t Read(char* buffer, std::size_t size) final {
    std::size_t produced = 0;
    while (status_.ok() && produced == 0 && !ended_) {
      if (begin_ == end_ && !Refill()) {
        ended_ = true;
        // The decoder may still hold output back.
        produced = Step(buffer, size);
        if (produced > 0) ended_ = false;
        if (produced == 0 && inside_ && status_.ok()) {
          status_ = absl::DataLossError(Place() + "the archive is truncated");
        }
        break;
      }
      produced = Step(buffer, size);
    }
    text_bytes_ += produced;
    return produced;
  }

 protected:
  // Decodes from [begin_, end_) and moves begin_; returns the bytes produced. Sets inside_ or
  // status_.
  virtual std::size_t Step(char* buffer, std::size_t size) = 0;

  std::string Place() const {
    return file_.path() + ": at byte " + std::to_string(bytes_read_ - (end_ - begin_)) +
           " (after " + std::to_string(text_bytes_) + " bytes of text): ";
  }

  const char* input() const { return input_.data() + begin_; }
  std::size_t input_size() const { return end_ - begin_; }
  void Consume(std::size_t size) { begin_ += size; }

  bool inside_ = false;  // a member has begun and not ended

 private:
  bool Refill() {
    begin_ = end_ = 0;
    const std::ptrdiff_t count = file_.Read(input_.data(), input_.size(), &status_);
    if (count <= 0) return false;
    end_ = static_cast<std::size_t>(count);
    bytes_read_ += end_;
    return true;
  }

  RawFile file_;
  std::vector<char> input_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::uint64_t text_bytes_ = 0;
  bool ended_ = false;
};

class GzipStream final : public CompressedStream {
 public:
  explicit GzipStream(RawFile file) : CompressedStream(std::move(file)) {
    // 15 window bits; + 16: expect a gzip header.
    if (inflateInit2(&inflate_, 15 + 16) != Z_OK) {
      status_ = absl::ResourceExhaustedError("no memory for gzip");
    }
  }
  ~GzipStream() override { inflateEnd(&inflate_); }

 private:
  std::size_t Step(char* buffer, std::size_t size) override {
    if (!inside_ && input_size() > 0) {
      inflateReset(&inflate_);
      inside_ = true;
    }
    if (!inside_) return 0;
    inflate_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input()));
    inflate_.avail_in = static_cast<uInt>(input_size());
    inflate_.next_out = reinterpret_cast<Bytef*>(buffer);
    inflate_.avail_out = static_cast<uInt>(size);
    const int result = inflate(&inflate_, Z_NO_FLUSH);
    const std::size_t produced = size - inflate_.avail_out;
    Consume(input_size() - inflate_.avail_in);
    if (result == Z_STREAM_END) {
      inside_ = false;
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
      status_ = absl::DataLossError(Place() + "the gzip archive is damaged: " +
                                    (inflate_.msg != nullptr ? inflate_.msg : "bad data"));
    }
    return produced;
  }

  z_stream inflate_{};
};

class ZstdStream final : public CompressedStream {
 public:
  explicit ZstdStream(RawFile file)
      : CompressedStream(std::move(file)), context_(ZSTD_createDCtx(), ZSTD_freeDCtx) {
    if (!context_) {
      status_ = absl::ResourceExhaustedError("no memory for zstd");
      return;
    }
    ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, kZstdWindowLogMax);
  }

 private:
  std::size_t Step(char* buffer, std::size_t size) override {
    ZSTD_inBuffer in{input(), input_size(), 0};
    ZSTD_outBuffer out{buffer, size, 0};
    if (in.size == 0 && !inside_) return 0;
    const std::size_t result = ZSTD_decompressStream(context_.get(), &out, &in);
    Consume(in.pos);
    if (ZSTD_isError(result)) {
      status_ = absl::DataLossError(Place() +
                                    "the zstd archive is damaged: " + ZSTD_getErrorName(result));
    } else {
      inside_ = result != 0;
    }
    return out.pos;
  }

  std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> context_;
};

}  // namespace

absl::Status TextStream::SkipTo(std::uint64_t offset) {
  std::vector<char> scratch(64 << 10);
  for (std::uint64_t at = 0; at < offset;) {
    const std::size_t count =
        Read(scratch.data(),
             static_cast<std::size_t>(std::min<std::uint64_t>(scratch.size(), offset - at)));
    if (count == 0) {
      if (!status_.ok()) return status_;
      return absl::OutOfRangeError("offset " + std::to_string(offset) + " is beyond the end at " +
                                   std::to_string(at));
    }
    at += count;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<TextStream>> TextStream::Open(const std::string& path) {
  const int number = path == "-" ? STDIN_FILENO : open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (number < 0) {
    const int error = errno;
    const std::string message = path + ": cannot be opened: " + std::strerror(error);
    if (error == ENOENT) return absl::NotFoundError(message);
    return absl::UnavailableError(message);
  }
  return Over(FileDescriptor(number), path);
}

absl::StatusOr<std::unique_ptr<TextStream>> TextStream::Over(FileDescriptor descriptor,
                                                             const std::string& path) {
  RawFile file(path == "-" ? "stdin" : path, std::move(descriptor));
  TOCSIN_ASSIGN_OR_RETURN(const std::string_view peeked, file.Peek(kZstdMagic.size()));
  const std::string head(peeked);
  std::unique_ptr<TextStream> stream;
  if (head.starts_with(kGzipMagic)) {
    stream = std::make_unique<GzipStream>(std::move(file));
  } else if (head == kZstdMagic) {
    stream = std::make_unique<ZstdStream>(std::move(file));
  } else if (head.empty() && (path.ends_with(".gz") || path.ends_with(".zst"))) {
    return absl::DataLossError(path + ": the archive is empty");
  } else {
    stream = std::make_unique<PlainStream>(std::move(file));
  }
  TOCSIN_RETURN_IF_ERROR(stream->status());
  return stream;
}

}  // namespace tocsin
