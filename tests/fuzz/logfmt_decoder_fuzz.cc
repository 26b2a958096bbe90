// Arbitrary bytes as logfmt lines: no crash, no read out of bounds, sound events, and of a record
// those of its lines: what its templates read is what the parser reads, to whom a line without
// padding is left.
//
// The first byte chooses whether the record has a time and whether a mapping is used; the rest is
// the record.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "tests/fuzz/checking_sink.h"

namespace tocsin {
namespace {

std::unique_ptr<Decoder> NewLogfmtDecoderFor(bool mapped) {
  InputConfig input;
  input.format = "logfmt";
  if (mapped) {
    input.year = 2024;
    input.time_zone = 330 * kMinuteUs;
    input.map = {{"message", "event", "", {}}, {"labels.tag", "tag", "", {}}};
  }
  ErrorList errors;
  std::unique_ptr<Decoder> decoder = NewDecoder(input, &errors);
  if (!decoder) std::abort();
  return decoder;
}

}  // namespace
}  // namespace tocsin

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const bool mapped = (data[0] & 2) != 0;
  // What a decoder has learned from one input must not decide about the next.
  const std::unique_ptr<tocsin::Decoder> decoder = tocsin::NewLogfmtDecoderFor(mapped);
  static tocsin::Decoder* const of_lines[] = {tocsin::NewLogfmtDecoderFor(false).release(),
                                              tocsin::NewLogfmtDecoderFor(true).release()};
  const std::string_view record(reinterpret_cast<const char*>(data) + 1, size - 1);
  const tocsin::TimeUs record_time = (data[0] & 1) != 0 ? tocsin::kSecondUs : tocsin::kNoTime;
  tocsin::CheckLineByLine(decoder.get(), of_lines[mapped ? 1 : 0], record, record_time);
  return 0;
}
