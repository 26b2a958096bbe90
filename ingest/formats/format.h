// All that is known of a format outside of its decoder: one row each, in registry.cc.
//
//   const Format* format = FindFormat("otlp-proto");
//   if (format != nullptr && format->framing == Framing::kPayload) …
//
// Whoever needs to know something about a format (the reader of files, `format: auto`, the
// receiver of posts, the configuration's defaults) reads it here. Constants; thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "config/config.h"
#include "core/time.h"
#include "ingest/decoder.h"
#include "ingest/framing.h"

namespace tocsin {

using DecoderFactory = std::unique_ptr<Decoder>(const InputConfig& input, ErrorList* errors);

// How `format: auto` recognises a file by its first lines.
struct FormatDetection {
  enum class By : std::uint8_t {
    kNothing,              // it has to be named
    kFirstLine,            // the first line that is not empty begins with a key
    kDecoding,             // more than half of the lines are events, with a time of their own
    kDecodingWithAnyTime,  // the same, with a time or without
    kMostLines,            // JSON, and all keys stand in more than half of the lines
    kAnyLine,              // JSON, and each key stands in some line
  };
  using Keys = std::array<std::string_view, 4>;

  By by = By::kNothing;
  int rank = 0;                   // of those with the same `by`, lower ones are tried first
  std::array<Keys, 2> keys = {};  // alternatives; of kFirstLine each is a whole one

  bool decodes() const { return by == By::kDecoding || by == By::kDecodingWithAnyTime; }
};

// What those who post it over HTTP send and expect.
struct FormatOverHttp {
  int status = 200;  // of a request that was taken, with this answer
  std::string_view content_type = "application/json";
  std::string_view body = "{}\n";
  std::string_view wrong_type = {};    // a Content-Type that is another format's
  std::string_view own_encoding = {};  // a Content-Encoding that the decoder undoes itself
};

struct Format {
  std::string_view name;
  DecoderFactory* create = nullptr;
  Framing framing = Framing::kLines;
  OwnTime own_time = OwnTime::kComplete;
  bool carries_messages = false;     // of a format that `message_format` names
  std::string_view own_key = {};     // of inputs of this format only: preset, pattern or signal
  DurationUs delay = kDefaultDelay;  // of inputs that set none
  FormatDetection detection = {};
  FormatOverHttp http = {};

  static constexpr DurationUs kDefaultDelay = 10 * kSecondUs;
};

// Sorted by name.
std::span<const Format> AllFormats();
// nullptr where there is no such format, `auto` included.
const Format* FindFormat(std::string_view name);

// Empties the keys of an input that go with another format than it has.
void ClearKeysOfOtherFormats(InputConfig* input);

}  // namespace tocsin
