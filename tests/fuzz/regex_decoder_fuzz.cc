// Arbitrary bytes under a fixed pattern, and as a pattern over fixed lines: no crash, no read out
// of bounds, sound events.
//
// The first byte chooses between the two; the rest is the record or the pattern.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "tests/fuzz/checking_sink.h"

namespace tocsin {
namespace {

std::unique_ptr<Decoder> NewRegexDecoderFor(std::string pattern) {
  InputConfig input;
  input.format = "regex";
  input.pattern = std::move(pattern);
  ErrorList errors;
  std::unique_ptr<Decoder> decoder = NewDecoder(input, &errors);
  if (decoder == nullptr && errors.empty()) std::abort();
  return decoder;
}

}  // namespace
}  // namespace tocsin

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static tocsin::Decoder* const fixed =
      tocsin::NewRegexDecoderFor(
          R"(^(?P<time>\S+) (?P<level>\w+) (?P<status>\d+)? ?(?P<duration_ms>\S+)? (?P<message>.*)$)")
          .release();
  if (size == 0) return 0;
  if (fixed == nullptr) std::abort();
  tocsin::CheckingSink sink;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if ((data[0] & 1) == 0) {
    tocsin::DecodeWithinBounds(fixed, "regex", text, tocsin::kSecondUs);
  } else if (const auto decoder = tocsin::NewRegexDecoderFor(std::string(text))) {
    decoder->Decode("2026-01-01T12:00:00Z ERROR 503 1.5s no\n\t\xC3\xA9 more\n\xFF",
                    tocsin::kNoTime, &sink);
  }
  return 0;
}
