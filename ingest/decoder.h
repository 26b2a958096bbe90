// A decoder turns one record of some format into events.
//
//   auto decoder = NewDecoder(input_config, &errors);
//   decoder->Decode(record, record_time, &sink);
//
// Use one decoder per thread: it owns its buffers. Events go to the sink one by one; their views
// are valid until that call returns. A record may hold several events; a malformed part does not
// stop the valid ones from being delivered. Decoding never throws and never fails as a whole: each
// undecodable part is passed to the sink, which counts and samples it. A new format is one file and
// one line in registry.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/node.h"
#include "core/event.h"
#include "core/time.h"
#include "ingest/framing.h"

namespace tocsin {

class PayloadBudget;

class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void OnEvent(const Event& event) = 0;
  // A line, array element, rest of an array, or whole record that cannot be decoded. `reason` is a
  // static string.
  virtual void OnUndecodable(std::string_view bytes, std::string_view reason) = 0;
  // A valid line that is not an event of its own, such as a continuation line of a statement.
  // `reason` is a static string.
  virtual void OnSkipped(std::string_view bytes, std::string_view reason) {
    (void)bytes;
    (void)reason;
  }
};

// A padded record is followed by this many readable bytes; the first of them is 0.
inline constexpr std::size_t kDecodePadding = 64;

class Decoder {
 public:
  virtual ~Decoder() = default;
  // `record_time` is the record's timestamp, used for events without a timestamp of their own;
  // kNoTime if the record has none.
  virtual void Decode(std::string_view record, TimeUs record_time, EventSink* sink) = 0;
  // The same for a padded record, which saves some decoders a copy.
  virtual void DecodePadded(std::string_view record, TimeUs record_time, EventSink* sink) {
    Decode(record, record_time, sink);
  }
  // The same for a record nested in another record's payload. Both share the outer payload's
  // budget, which bounds what they decompress together.
  virtual void DecodeWithin(PayloadBudget* budget, std::string_view record, TimeUs record_time,
                            EventSink* sink) {
    (void)budget;
    Decode(record, record_time, sink);
  }
};

// Returns nullptr and adds to `errors` when the format is unknown or the mapping is invalid. The
// decoder also applies the input's enrichment. REQUIRES: a format `auto` was resolved
// (ingest/formats/detect_format.h).
std::unique_ptr<Decoder> NewDecoder(const InputConfig& input, ErrorList* errors);

// How a file of this format is split into records: JSON into values, text formats into lines.
Framing FramingOf(const std::string& format);

// How long after its end a pane still accepts events of the input: the configured delay, or else
// how late records of its format arrive; a multiple of the pane.
DurationUs DelayOf(const InputConfig& input, DurationUs pane);

// Whether the events of a format carry their own timestamp.
enum class OwnTime : std::uint8_t {
  kComplete,  // always
  kYearless,  // always, but the year may be missing, as in syslog timestamps
  kMissing,   // some do not and take the timestamp of their record
};
// Depends on the format and, for `regex`, on the pattern. REQUIRES: a format `auto` was resolved.
OwnTime OwnTimeOf(const InputConfig& input);

// Whether `reason` means that only the timestamp is missing, so that InputConfig::record_time would
// make the record decodable.
bool WantsRecordTime(const InputConfig& input, std::string_view reason);

// Names of all formats, sorted.
std::vector<std::string> DecoderNames();

}  // namespace tocsin
