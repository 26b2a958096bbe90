#include "system/write_all.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>

#include "absl/base/const_init.h"
#include "absl/synchronization/mutex.h"

namespace tocsin {
namespace {

ABSL_CONST_INIT absl::Mutex stdout_mutex(absl::kConstInit);

}  // namespace

int WriteAll(int descriptor, std::string_view bytes, std::size_t* done) {
  *done = 0;
  while (*done < bytes.size()) {
    const ssize_t written = write(descriptor, bytes.data() + *done, bytes.size() - *done);
    if (written >= 0) {
      *done += static_cast<std::size_t>(written);
    } else if (errno == EAGAIN) {
      pollfd room{.fd = descriptor, .events = POLLOUT, .revents = 0};
      poll(&room, 1, -1);
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

int WriteToStdout(std::string_view bytes, std::size_t* done) {
  absl::MutexLock lock(&stdout_mutex);
  return WriteAll(STDOUT_FILENO, bytes, done);
}

void BlockSigpipe() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

}  // namespace tocsin
