#include "service/dead_letters.h"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

#include "core/json_writer.h"
#include "system/host_clock.h"
#include "system/private_files.h"

namespace tocsin {
namespace {

constexpr int kSamplesPerSecondMax = 10;
constexpr std::size_t kFileBytesMax = 16 << 20;

}  // namespace

DeadLetters::DeadLetters(std::string path) : path_(std::move(path)), thread_([this] { Run(); }) {}

DeadLetters::~DeadLetters() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  thread_.join();
  if (file_ != nullptr) std::fclose(file_);
}

bool DeadLetters::Ready(std::size_t bytes) {
  if (file_ != nullptr && size_ + bytes > kFileBytesMax) {
    std::fclose(file_);
    file_ = nullptr;
    std::rename(path_.c_str(), (path_ + ".1").c_str());
  }
  if (file_ == nullptr) {
    const absl::StatusOr<int> descriptor = OpenPrivate(path_, O_WRONLY | O_APPEND);
    if (!descriptor.ok()) return false;
    file_ = fdopen(*descriptor, "ab");
    if (file_ == nullptr) {
      close(*descriptor);
      return false;
    }
    std::fseek(file_, 0, SEEK_END);
    size_ = static_cast<std::size_t>(std::ftell(file_));
  }
  return true;
}

void DeadLetters::OnDeadLetter(const std::string& source, std::int64_t offset,
                               std::string_view reason, std::string_view bytes) {
  const std::int64_t second = HostMonotonic() / kSecondUs;
  absl::MutexLock lock(&mutex_);
  if (second != second_) {
    second_ = second;
    this_second_ = 0;
  }
  if (++this_second_ > kSamplesPerSecondMax || lines_.size() >= kQueuedMax) return;
  JsonWriter json;
  json.BeginObject();
  json.Key("source").String(source).Key("offset").Int(offset).Key("reason").String(reason);
  json.Key("record").String(bytes);
  json.EndObject();
  lines_.push_back(json.Take() + '\n');
}

void DeadLetters::Run() {
  while (true) {
    std::vector<std::string> lines;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &DeadLetters::HasWork));
      lines = std::exchange(lines_, {});
      if (lines.empty()) return;
    }
    for (const std::string& line : lines) {
      if (!Ready(line.size())) continue;
      size_ += std::fwrite(line.data(), 1, line.size(), file_);
    }
    if (file_ != nullptr) std::fflush(file_);
  }
}

}  // namespace tocsin
