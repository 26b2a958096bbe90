// Reasons why JSON cannot be decoded as an event: static strings that all JSON readers share.
#pragma once

#include <string_view>

#include <simdjson.h>

#include "core/limits.h"

namespace tocsin {

using JsonFault = std::string_view;  // empty: no fault

namespace json_fault {

inline constexpr JsonFault kBroken = "not valid JSON";
inline constexpr JsonFault kCutShort = "cut short";
inline constexpr JsonFault kTooDeep = "deeper than 32 levels";
inline constexpr JsonFault kTooLarge = "larger than 1 MiB";
inline constexpr JsonFault kBadEscape = "a string with a bad escape";
inline constexpr JsonFault kNoTime = "no time";
inline constexpr JsonFault kLabelCount = "more than 64 labels";
inline constexpr JsonFault kLabelSize = "a label of more than 1 KiB";
inline constexpr JsonFault kLabelType = "a label that is not a string";
static_assert(limits::kJsonDepthMax == 32 && limits::kLabelsMax == 64 &&
              limits::kLabelValueBytesMax == 1024 && limits::kEventBytesMax == 1 << 20);

// REQUIRES: `error` is not SUCCESS.
inline JsonFault Of(simdjson::error_code error) {
  switch (error) {
    case simdjson::UTF8_ERROR:
      return "not valid UTF-8";
    case simdjson::UNCLOSED_STRING:
      return "cut short inside a string";
    case simdjson::UNESCAPED_CHARS:
      return "a control character inside a string";
    case simdjson::STRING_ERROR:
      return kBadEscape;
    case simdjson::INCOMPLETE_ARRAY_OR_OBJECT:
      return kCutShort;
    case simdjson::DEPTH_ERROR:
      return kTooDeep;
    default:
      return kBroken;
  }
}

}  // namespace json_fault
}  // namespace tocsin
