// Arbitrary records in the hands of the JSON presets: no crash, no read out of
// bounds, sound events.
//
// The first byte chooses the preset; the rest is the record.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ingest/fields/field_presets.h"
#include "tests/fuzz/checking_sink.h"

namespace tocsin {
namespace {

std::vector<std::unique_ptr<Decoder>> NewPresetDecoders() {
  std::vector<std::unique_ptr<Decoder>> decoders;
  for (const std::string& name : JsonPresetNames()) {
    InputConfig input;
    input.preset = name;
    input.year = 2024;
    ErrorList errors;
    decoders.push_back(NewDecoder(input, &errors));
    if (!decoders.back()) std::abort();
  }
  return decoders;
}

}  // namespace
}  // namespace tocsin

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto* const decoders =
      new std::vector<std::unique_ptr<tocsin::Decoder>>(tocsin::NewPresetDecoders());
  if (size == 0) return 0;
  tocsin::DecodeWithinBounds((*decoders)[data[0] % decoders->size()].get(), "json",
                             {reinterpret_cast<const char*>(data) + 1, size - 1}, tocsin::kNoTime);
  return 0;
}
