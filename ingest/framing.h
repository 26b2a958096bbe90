// How the bytes of a file are split into records.
#pragma once

#include <cstdint>

namespace tocsin {

enum class Framing : std::uint8_t {
  kLines,
  kJsonValues,
  kPayload,        // the file is one record, of up to limits::kPayloadBytesMax
  kJsonOrPayload,  // either of the two, detected from the first bytes; stdin is always JSON
};

}  // namespace tocsin
