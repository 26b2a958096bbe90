// A template for similar logfmt lines: the text that is the same in all of them, and parameters
// where they differ. Decodes such lines faster than the parser does.
//
//   ts=… level=info msg="request completed" method=GET path=… status=200 duration=…
//
//   LogfmtTemplate lines(&fields, input);
//   if (const char* end = lines.Read(record, readable_end, record_time)) …   // lines.event()
//   else …                                    // parse the line, and
//   lines.Learn(line, pairs, record_time);
//
// A template is learned from parsed lines with the same keys; two lines are enough. Read compares
// the common text 32 bytes at a time, finds the end of each parameter, and stores the values in the
// event of the previous line, whose other fields stay valid. The event is the same as if the line
// had been parsed. If a value is not plain ASCII or is rejected, Read fails and the parser reads
// the line.
//
// "Template" and "parameter" as in log parsing (Drain, https://github.com/logpai/Drain3). Without
// AVX2, Read always returns nullptr. About 20 KiB, allocated once. Not thread-safe.
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
  const FieldEntry* entry = nullptr;  // nullptr: no field reads this key
};

// Whether a `service` value is a duration ("12ms"): in the log of Heroku's router, `service` is how
// long the service took, not its name.
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

  // Reads the first line of the record into event() and returns its end. nullptr if the line does
  // not match or is too close to `readable_end`, the end of the readable memory. The event has
  // views of the line and of this object; they are valid until the next call.
  const char* Read(std::string_view record, const char* readable_end, TimeUs record_time);
  const Event& event() const { return builder_.event(); }

  // False if the line has other keys. REQUIRES: the line was parsed without an error.
  bool Learn(std::string_view line, std::span<const LogfmtPair> pairs, TimeUs record_time);
  // Discards the template and starts a new one from this line.
  void Restart(std::string_view line, std::span<const LogfmtPair> pairs);

 private:
  // Offsets and sizes in text_.
  struct Pair {
    std::uint32_t key = 0;
    std::uint32_t key_size = 0;
    std::uint32_t value = 0;
    std::uint32_t value_size = 0;
    bool quoted = false;
    bool varies = false;
    const FieldEntry* entry = nullptr;
  };
  // A piece of the common text and the parameter that follows it.
  struct Piece {
    const char* text = nullptr;  // in common_
    std::size_t size = 0;
    unsigned beyond = 0;  // bit mask of the bytes of the last block that are past the text
    char lowest = 0;      // the value ends at a character less than this,
    char other = 0;       // at this one, and at a double quote
    std::string_view* value = nullptr;  // nullptr: the line ends here
  };
  // A parameter whose value has to be parsed.
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
  // Matches the line at `at`, stores its values where the pieces point, and returns its end;
  // nullptr if the line does not match.
  const char* Match(const char* at, const char* readable_end);
  bool HasKeys(std::span<const LogfmtPair> pairs) const;
  // Replaces the kept line with this one.
  void Keep(std::string_view line, std::span<const LogfmtPair> pairs);
  // Builds the event and the pieces from the kept line; false if no template can be built.
  bool Build(TimeUs record_time);
  void AddPiece(std::size_t begin, std::size_t end, bool quoted, std::string_view* value);

  EventBuilder builder_;
  std::string text_;         // the kept line: the last one that changed the template
  std::vector<Pair> pairs_;  // its pairs
  bool usable_ = false;
  std::string common_;  // the text of all pieces, padded; never reallocated
  std::vector<Piece> pieces_;
  std::vector<Parsed> parsed_;
  std::uint64_t replaced_ = 0;                      // bit mask of the slots that Read replaces
  std::array<std::string_view, kPairsMax> values_;  // values that are no string fields
};

}  // namespace tocsin
