// Arbitrary bytes as documents of the format TOCSIN_FORMAT: no crash, no read out of bounds, sound
// events.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "tests/fuzz/checking_sink.h"

namespace tocsin {
namespace {

std::unique_ptr<Decoder> NewMappedDecoder() {
  InputConfig input;
  input.format = TOCSIN_FORMAT;
#ifdef TOCSIN_SIGNAL
  input.signal = TOCSIN_SIGNAL;
#endif
  input.map = {{"service", "", "shop", {}}, {"labels.team", "", "web", {}}};
  ErrorList errors;
  std::unique_ptr<Decoder> decoder = NewDecoder(input, &errors);
  if (!decoder) std::abort();
  return decoder;
}

}  // namespace
}  // namespace tocsin

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static tocsin::Decoder* const decoder = tocsin::NewMappedDecoder().release();
  // Without a time of the record for every other length.
  const tocsin::TimeUs record_time = size % 2 == 0 ? tocsin::kSecondUs : tocsin::kNoTime;
  tocsin::DecodeWithinBounds(decoder, TOCSIN_FORMAT, {reinterpret_cast<const char*>(data), size},
                             record_time);
  return 0;
}
