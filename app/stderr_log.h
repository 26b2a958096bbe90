// The program's log on standard error, written by a thread of its own: whoever reads it, or does not,
// holds nothing up.
//
//   const StderrLog log;          // spdlog's default logger as long as it lives
//   spdlog::info("running");
//
// What does not fit (LineOutput::kWaitingBytesMax) is left out, the oldest first. The end waits a
// second for what is left. Only one at a time.
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

 private:
  std::shared_ptr<spdlog::logger> before_;
};

}  // namespace tocsin
