// The program's log on standard error, written by a thread of its own: whoever reads it, or does
// not, holds nothing up.
//
//   const StderrLog log;          // spdlog's default logger as long as it lives
//   spdlog::info("running");
//
// What does not fit (LineOutput::kWaitingBytesMax) is left out, the oldest first. The end waits
// half a second for what is left. Only one at a time.
#pragma once

#include <memory>

namespace spdlog {
class logger;
}

namespace tocsin {

class StderrLog {
 public:
  StderrLog();
  ~StderrLog();
  StderrLog(const StderrLog&) = delete;
  StderrLog& operator=(const StderrLog&) = delete;

  // For a process that ends without destroying anything: what is logged later is not written.
  void End();

 private:
  class LineSink;

  const std::shared_ptr<LineSink> lines_;
  std::shared_ptr<spdlog::logger> before_;
};

}  // namespace tocsin
