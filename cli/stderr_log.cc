#include "cli/stderr_log.h"

#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <mutex>
#include <string>
#include <string_view>

#include "transport/line_output.h"

namespace tocsin {
namespace {

constexpr absl::Duration kEndWait = absl::Milliseconds(500);

}  // namespace

class StderrLog::LineSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  ~LineSink() override { lines_->Close(kEndWait).IgnoreError(); }

  void End() {
    const std::lock_guard<std::mutex> lock(mutex_);
    lines_->Close(kEndWait).IgnoreError();
  }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t formatted;
    formatter_->format(message, formatted);
    std::string_view line(formatted.data(), formatted.size());
    if (line.ends_with('\n')) line.remove_suffix(1);
    lines_->Write(line);
  }
  void flush_() override {}

  const std::unique_ptr<LineOutput> lines_ = LineOutput::ToStderr();
};

StderrLog::StderrLog() : lines_(std::make_shared<LineSink>()), before_(spdlog::default_logger()) {
  spdlog::set_default_logger(std::make_shared<spdlog::logger>("tocsin", lines_));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
}

StderrLog::~StderrLog() { spdlog::set_default_logger(before_); }

void StderrLog::End() { lines_->End(); }

}  // namespace tocsin
