// Arbitrary records: no crash, no read out of bounds, and every view stays inside what may be read.
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

std::unique_ptr<Decoder> NewMappedDecoder(bool mapped) {
  InputConfig input;
  if (mapped) {
    input.map = {{"endpoint", "http.path", "", {}},
                 {"labels.team", "labels.team.name", "", {}},
                 {"user", "a.b.c", "", {}},
                 {"type", "", "request", {}}};
  }
  ErrorList errors;
  std::unique_ptr<Decoder> decoder = NewDecoder(input, &errors);
  if (!decoder) std::abort();
  return decoder;
}

}  // namespace
}  // namespace tocsin

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static tocsin::Decoder* const plain = tocsin::NewMappedDecoder(false).release();
  static tocsin::Decoder* const mapped = tocsin::NewMappedDecoder(true).release();
  if (size == 0) return 0;
  tocsin::CheckingSink sink;
  const std::string_view record(reinterpret_cast<const char*>(data) + 1, size - 1);
  tocsin::Decoder* const decoder = (data[0] & 2) != 0 ? mapped : plain;
  const tocsin::TimeUs record_time = (data[0] & 1) != 0 ? tocsin::kSecondUs : tocsin::kNoTime;
  if ((data[0] & 4) != 0) {
    std::string padded(record);
    padded += '\0';
    padded.append(tocsin::kDecodePadding - 1, '"');
    decoder->DecodePadded({padded.data(), record.size()}, record_time, &sink);
  } else {
    tocsin::DecodeWithinBounds(decoder, "json", record, record_time);
  }
  return 0;
}
