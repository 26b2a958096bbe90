// Good records in the formats of real decoders, and poisoned ones.
//
//   std::string record = InFormat("logfmt", "t=12500 type=request service=api status=503\n");
//   Poison poison(random());
//   std::string broken = poison.Draw("logfmt", record_time, record);
//
// A poisoned record holds nothing that could count: what its format's decoder makes of it is
// refused, or is hours away from kBase and neither a fact nor an alarm. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "ingest/decoder.h"

namespace tocsin::testing {

// "json", "logfmt", "otlp-json".
const std::vector<std::string>& PoisonFormats();
std::unique_ptr<Decoder> NewDecoderOf(const std::string& format);

// The text of tests/engine/text_decoder in a format. OTLP's logs say less.
std::string InFormat(const std::string& format, std::string_view text);

class Poison {
 public:
  explicit Poison(std::uint64_t seed) : random_(seed) {}
  // `good` is a record of this format.
  std::string Draw(const std::string& format, TimeUs record_time, const std::string& good);

 private:
  bool OneIn(std::uint64_t n) { return random_() % n == 0; }
  std::string Candidate(const std::string& format, const std::string& good);

  std::mt19937_64 random_;
};

}  // namespace tocsin::testing
