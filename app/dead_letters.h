// Samples of records that could not be used: <state_dir>/dead-letters.jsonl.
//
//   DeadLetters letters("./state/dead-letters.jsonl");
//
// One JSON line a sample: source, offset, reason, the record's first bytes. At most ten a second and
// 16 MiB a file (one older file is kept); the counters count the rest. Called on the reading thread.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

#include "engine/source_partition.h"

namespace tocsin {

class DeadLetters : public DeadLetterObserver {
 public:
  explicit DeadLetters(std::string path) : path_(std::move(path)) {}
  ~DeadLetters() override;

  void OnDeadLetter(const std::string& source, std::int64_t offset, std::string_view reason,
                    std::string_view bytes) override;

 private:
  bool Ready(std::size_t bytes);

  std::string path_;
  std::FILE* file_ = nullptr;
  std::size_t size_ = 0;
  std::int64_t second_ = 0;  // of the monotonic clock
  int this_second_ = 0;
};

}  // namespace tocsin
