// What the lines of one logfmt stream have in common: the text that is the same in all of them, and
// parameters where they differ.
//
//   ts=… level=info msg="request completed" method=GET path=… status=200 duration=…
//
//   LogfmtTemplate lines(&fields, input);
//   if (const char* end = lines.Read(record, readable_end, record_time)) …   // lines.event()
//   else …                                    // parse the line, and
//   lines.Learn(line, pairs, record_time);
//
// Learned from lines that were parsed: those with the same keys, of which two are enough. Read
// compares the common text at once, finds the ends of the parameters, and puts their values into
// the event of the line before, whose other fields are still right. The outcome is that of parsing
// the line, or none: a value that is not plain ASCII, or is refused, leaves the line to the parser.
//
// In log parsing's words (Drain, https://github.com/logpai/Drain3) a template with its parameters.
// On processors without AVX2 it reads nothing. About 20 KiB, allocated once. Not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "core/ascii.h"
#include "core/limits.h"
#include "core/time.h"
#include "ingest/fields/event_builder.h"
#include "ingest/fields/field_map.h"

namespace tocsin {

// Views of a line; the value is without its quotes.
struct LogfmtPair {
  std::string_view key;
  std::string_view value;
  const FieldEntry* entry = nullptr;  // nullptr: nobody reads it
};

// Heroku's router has the time that the service took where others have its name.
inline bool IsServiceTime(std::string_view service) {
  return service.ends_with("ms") && IsDigit(service[0]);
}

class LogfmtTemplate {
 public:
  static constexpr std::size_t kPairsMax = limits::kLabelsMax;
  static constexpr std::size_t kTextBytesMax = 4096;

  // `fields` outlives this.
  LogfmtTemplate(const FieldMap* fields, const InputConfig& input);
  LogfmtTemplate(const LogfmtTemplate&) = delete;
  LogfmtTemplate& operator=(const LogfmtTemplate&) = delete;

  // Where the line that the record begins with ends; nullptr if it is none of these, or too near to
  // `readable_end`, up to which bytes may be read. The event's views are those of the line and of
  // this; they live until the next call.
  const char* Read(std::string_view record, const char* readable_end, TimeUs record_time);
  const Event& event() const { return builder_.event(); }

  // False where the line has other keys. REQUIRES: the line is sound.
  bool Learn(std::string_view line, std::span<const LogfmtPair> pairs, TimeUs record_time);
  // Forgets all, and begins with the line.
  void Restart(std::string_view line, std::span<const LogfmtPair> pairs);

 private:
  // Of text_.
  struct Pair {
    std::uint32_t key = 0;
    std::uint32_t key_size = 0;
    std::uint32_t value = 0;
    std::uint32_t value_size = 0;
    bool quoted = false;
    bool varies = false;
    const FieldEntry* entry = nullptr;
  };
  // A piece of the common text, and the parameter behind it.
  struct Piece {
    const char* text = nullptr;  // of common_
    std::size_t size = 0;
    unsigned beyond = 0;  // a bit for every byte of its last block that is not of the text
    char lowest = 0;      // what is less ends the value …
    char other = 0;       // … and so does this, and a quote
    std::string_view* value = nullptr;  // nullptr: the line ends
  };
  // A parameter whose value is not taken as it stands.
  struct Parsed {
    FieldTarget target = FieldTarget::kTime;
    const std::string_view* value = nullptr;
  };

  std::string_view KeyOf(const Pair& pair) const {
    return std::string_view(text_).substr(pair.key, pair.key_size);
  }
  std::string_view ValueOf(const Pair& pair) const {
    return std::string_view(text_).substr(pair.value, pair.value_size);
  }
  // The end of the line at `at`, whose values are then where the pieces say; nullptr: no such line.
  const char* Match(const char* at, const char* readable_end);
  bool HasKeys(std::span<const LogfmtPair> pairs) const;
  // The line takes the place of the one that is kept.
  void Keep(std::string_view line, std::span<const LogfmtPair> pairs);
  // Makes the event and the parameters from the line that is kept; false if there is no template.
  bool Build(TimeUs record_time);
  void AddPiece(std::size_t begin, std::size_t end, bool quoted, std::string_view* value);

  EventBuilder builder_;
  std::string text_;         // the last line from which something was learned
  std::vector<Pair> pairs_;  // its pairs
  bool usable_ = false;
  std::string common_;  // the texts of the pieces, with padding; never reallocated
  std::vector<Piece> pieces_;
  std::vector<Parsed> parsed_;
  std::uint64_t replaced_ = 0;                      // slots, a bit each
  std::array<std::string_view, kPairsMax> values_;  // of those that are no texts of the event
};

}  // namespace tocsin
