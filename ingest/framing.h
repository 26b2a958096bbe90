// How the bytes of a file fall into records.
#pragma once

#include <cstdint>

namespace tocsin {

enum class Framing : std::uint8_t {
  kLines,
  kJsonValues,
  kPayload,        // the file is one record, of up to limits::kPayloadBytesMax
  kJsonOrPayload,  // which of the two, its first bytes tell; stdin is JSON
};

}  // namespace tocsin
