// Arbitrary bytes as syslog lines: no crash, no read out of bounds, sound events.

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
  input.format = "syslog";
  input.year = 2024;
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
  tocsin::DecodeWithinBounds(decoder, "syslog", {reinterpret_cast<const char*>(data), size},
                             tocsin::kNoTime);
  return 0;
}
