#include "app/local_output.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"

namespace tocsin {
namespace {

SinkReply Written() {
  SinkReply reply;
  reply.status = 200;
  return reply;
}

SinkReply Failed(const std::string& what, int error) {
  SinkReply reply;
  reply.error = absl::StrCat(what, ": ", std::generic_category().message(error));
  return reply;
}

}  // namespace

SinkReply WriteStdout(std::string line) {
  line.push_back('\n');
  const bool good =
      std::fwrite(line.data(), 1, line.size(), stdout) == line.size() && std::fflush(stdout) == 0;
  if (good) return Written();
  SinkReply reply = Failed("standard output", errno);
  std::clearerr(stdout);
  return reply;
}

SinkReply AppendLine(const std::string& path, std::string line) {
  line.push_back('\n');
  const int file = open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
  if (file < 0) return Failed("cannot append to " + path, errno);
  const absl::Cleanup close_file = [file] { close(file); };
  struct stat before = {};
  if (fstat(file, &before) != 0) return Failed("cannot append to " + path, errno);
  int error = 0;
  std::size_t done = 0;
  while (error == 0 && done < line.size()) {
    const ssize_t written = write(file, line.data() + done, line.size() - done);
    if (written >= 0) {
      done += static_cast<std::size_t>(written);
    } else if (errno != EINTR) {
      error = errno;
    }
  }
  // Pipes and devices keep nothing that could be made durable.
  if (error == 0 && fdatasync(file) != 0 && errno != EINVAL && errno != EROFS) error = errno;
  if (error == 0) return Written();
  if (done > 0 && S_ISREG(before.st_mode) && ftruncate(file, before.st_size) != 0) {
    return Failed("cannot take back half a line of " + path, errno);
  }
  return Failed("cannot append to " + path, error);
}

}  // namespace tocsin
