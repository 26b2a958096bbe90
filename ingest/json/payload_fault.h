// Reasons why a payload that is not JSON cannot be decoded, or not all of it: static strings that
// the decoders of binary formats share.
#pragma once

#include <string_view>

#include "core/limits.h"

namespace tocsin::payload_fault {

inline constexpr std::string_view kNotUtf8 = "not valid UTF-8";
inline constexpr std::string_view kNoTime = "no time";
inline constexpr std::string_view kNumberRange = "a number out of range";
inline constexpr std::string_view kProtobuf = "not a valid protobuf message";
inline constexpr std::string_view kTooDeep = "deeper than 32 levels";
inline constexpr std::string_view kTooLarge = "larger than 8 MiB";
static_assert(limits::kJsonDepthMax == 32 && limits::kPayloadBytesMax == 8 << 20);

}  // namespace tocsin::payload_fault
