// Where deliveries go that leave this machine's processes, but not the machine: standard output and
// files.
//
//   LocalOutput local([&] { http.Wakeup(); });
//   local.Send(id, sink.RequestFor(delivery));
//   local.Collect(&replies);               // after the wake-up, or at NextDeadline
//
// Each target is written by a thread of its own, since a pipe that nobody reads, a FIFO without a
// reader and a mount that hangs may hold a write up for ever. A reply of 200 means that all of the
// line was written, else `error` says what and where. A line that takes longer than its request's
// timeout is answered as no answer is: one that has not begun is never written; one that has, may
// still arrive. At most kLinesMax wait for a target. Everything from one thread; `wakeup` is called
// by others.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/time.h"
#include "transport/http_client.h"

namespace tocsin {

class LocalOutput {
 public:
  static constexpr std::size_t kLinesMax = 64;

  explicit LocalOutput(std::function<void()> wakeup);
  ~LocalOutput();
  LocalOutput(const LocalOutput&) = delete;
  LocalOutput& operator=(const LocalOutput&) = delete;

  // `request` is of kind kStdout or kFile.
  void Send(const Hash128& id, SinkRequest request);
  // Appends the replies that have come.
  void Collect(std::vector<HttpClient::Reply>* replies);
  // When the next one is due by its timeout; INT64_MAX if none waits. Monotonic.
  TimeUs NextDeadline() const;
  // What has not begun is not written; what is on its way gets no reply. A thread that hangs is
  // left behind.
  void CancelAll();

 private:
  class Target;

  const std::function<void()> wakeup_;
  std::map<std::string, std::shared_ptr<Target>> targets_;  // by path; "": standard output
};

// And a line feed. One line at a time, whoever writes; waits for the write.
SinkReply WriteStdout(std::string line);

// And a line feed, durable. Makes the file (mode 0640) but no directory. What could be written only
// in part, as on a full disk, is taken back. Waits for the write. Not thread-safe for one path.
SinkReply AppendLine(const std::string& path, std::string line);

}  // namespace tocsin
