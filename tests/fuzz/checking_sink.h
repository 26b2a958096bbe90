// For fuzz targets: an EventSink that aborts where an event breaks what every decoder promises, and
// reads all that it is given, so that a view beyond its buffer is seen by AddressSanitizer; and
// bounds on the work that decoding takes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/limits.h"
#include "ingest/decoder.h"
#include "tests/ingest/work_bounds.h"
#include "tests/ingest/work_counter.h"

namespace tocsin {

class CheckingSink final : public EventSink {
 public:
  void OnEvent(const Event& event) override {
    Check(event.time >= 0 && event.time <= kMaxTime && event.weight >= 1);
    Check(event.labels.size() <= limits::kLabelsMax);
    std::size_t sum = 0;
    for (const std::string_view text : event.text) sum += Touch(text);
    for (const auto& [name, value] : event.labels) sum += Touch(name) + Touch(value);
    total_ = total_ + sum;
  }
  void OnUndecodable(std::string_view bytes, std::string_view reason) override {
    Check(!reason.empty());
    total_ = total_ + Touch(bytes);
  }
  void OnSkipped(std::string_view bytes, std::string_view reason) override {
    OnUndecodable(bytes, reason);
  }

 private:
  static void Check(bool holds) {
    if (!holds) std::abort();
  }
  static std::size_t Touch(std::string_view text) {
    std::size_t sum = 0;
    for (const char c : text) sum += static_cast<unsigned char>(c);
    return sum;
  }
  volatile std::size_t total_ = 0;
};

// Decodes, and aborts where that takes more work or memory than the record's size justifies.
inline void DecodeWithinBounds(Decoder* decoder, const std::string& format, std::string_view record,
                               TimeUs record_time) {
  CheckingSink sink;
  const WorkCounter counter;
  decoder->Decode(record, record_time, &sink);
  const std::string beyond = BeyondBounds(counter.Done(), PayloadBytes(format, record.size()));
  if (beyond.empty()) return;
  std::fprintf(stderr, "too much work: %s\n", beyond.c_str());
  std::abort();
}

// The same, and keeps all that it is given as text, to compare two ways to read the same.
class TranscriptSink final : public EventSink {
 public:
  void OnEvent(const Event& event) override {
    checking_.OnEvent(event);
    Add("event");
    for (const std::int64_t number :
         {event.time, std::int64_t{static_cast<int>(event.type)}, std::int64_t{event.failed},
          std::int64_t{static_cast<int>(event.outcome)},
          std::int64_t{static_cast<int>(event.action)}, std::int64_t{static_cast<int>(event.state)},
          std::int64_t{static_cast<int>(event.metric_type)}, std::int64_t{event.status},
          event.duration, event.weight}) {
      Add(std::to_string(number));
    }
    for (const std::optional<double>& number : {event.value, event.limit, event.cvss, event.amount,
                                                event.count, event.sum, event.min, event.max}) {
      Add(number ? std::to_string(*number) : "none");
    }
    for (const std::string_view text : event.text) Add(text);
    for (const auto& [name, value] : event.labels) {
      Add(name);
      Add(value);
    }
  }
  void OnUndecodable(std::string_view bytes, std::string_view reason) override {
    checking_.OnUndecodable(bytes, reason);
    Add(reason);
    Add(bytes);
  }
  void OnSkipped(std::string_view bytes, std::string_view reason) override {
    OnUndecodable(bytes, reason);
  }

  const std::string& transcript() const { return transcript_; }

 private:
  void Add(std::string_view text) { transcript_.append(text).append(1, '\x1F'); }

  CheckingSink checking_;
  std::string transcript_;
};

// Aborts where a record of lines becomes something else than each of its lines by itself does, or
// takes too much work.
inline void CheckLineByLine(Decoder* decoder, Decoder* of_lines, std::string_view record,
                            TimeUs record_time) {
  DecodeWithinBounds(of_lines, "lines", record, record_time);
  TranscriptSink whole;
  // In place, as the engine reads; of a line alone no byte beyond it may be read.
  std::string padded(record);
  padded += '\0';
  padded.append(kDecodePadding - 1, '"');
  decoder->DecodePadded({padded.data(), record.size()}, record_time, &whole);
  TranscriptSink one_by_one;
  while (!record.empty()) {
    const std::string_view line = record.substr(0, record.find('\n'));
    const std::vector<char> exact(line.begin(), line.end());
    of_lines->Decode({exact.data(), exact.size()}, record_time, &one_by_one);
    record.remove_prefix(std::min(line.size() + 1, record.size()));
  }
  if (whole.transcript() != one_by_one.transcript()) std::abort();
}

}  // namespace tocsin
