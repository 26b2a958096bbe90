// An EventSink for fuzz targets: aborts where an event breaks what every decoder promises, and reads
// all that it is given, so that a view beyond its buffer is seen by AddressSanitizer.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <string_view>

#include "core/limits.h"
#include "ingest/decoder.h"

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

}  // namespace tocsin
