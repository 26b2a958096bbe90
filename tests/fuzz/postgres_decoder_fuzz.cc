// Arbitrary bytes as lines of a PostgreSQL log: no crash, no read out of bounds, sound events.
//
// The first byte chooses whether the record has a time and whether the input names year and zone;
// the rest is the record.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "tests/fuzz/checking_sink.h"

namespace tocsin {
namespace {

std::unique_ptr<Decoder> NewPostgresDecoderFor(bool told) {
  InputConfig input;
  input.format = "postgres";
  if (told) {
    input.year = 2024;
    input.time_zone = 330 * kMinuteUs;
    input.map = {{"service", "", "shop", {}}};
  }
  ErrorList errors;
  std::unique_ptr<Decoder> decoder = NewDecoder(input, &errors);
  if (!decoder) std::abort();
  return decoder;
}

}  // namespace
}  // namespace tocsin

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static tocsin::Decoder* const plain = tocsin::NewPostgresDecoderFor(false).release();
  static tocsin::Decoder* const told = tocsin::NewPostgresDecoderFor(true).release();
  if (size == 0) return 0;
  const std::string_view record(reinterpret_cast<const char*>(data) + 1, size - 1);
  tocsin::Decoder* const decoder = (data[0] & 2) != 0 ? told : plain;
  tocsin::DecodeWithinBounds(decoder, "postgres", record,
                             (data[0] & 1) != 0 ? tocsin::kSecondUs : tocsin::kNoTime);
  return 0;
}
