// A decoder turns one record of some format into events.
//
//   auto decoder = NewDecoder(input_config, &errors);
//   decoder->Decode(record, record_time, &sink);
//
// One decoder a thread: it owns its buffers. Events are handed to the sink one by one and their
// views live until that call returns. A record may hold several events; the good ones of a bad
// record are still handed over. Never throws, never fails as a whole: what cannot be read is
// counted and shown to the sink, which samples it. A new format is one file and one line in
// registry.cc.
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
  // A line, array element, rest of an array, or whole record that is no event. `reason` is static
  // text.
  virtual void OnUndecodable(std::string_view bytes, std::string_view reason) = 0;
  // A line that is sound and no event of its own, such as the rest of a statement. `reason` as
  // above.
  virtual void OnSkipped(std::string_view bytes, std::string_view reason) {
    (void)bytes;
    (void)reason;
  }
};

// So many bytes may be read behind a padded record; the first of them is 0.
inline constexpr std::size_t kDecodePadding = 64;

class Decoder {
 public:
  virtual ~Decoder() = default;
  // `record_time` is the record's timestamp, for payloads without a time of their own; kNoTime if
  // none.
  virtual void Decode(std::string_view record, TimeUs record_time, EventSink* sink) = 0;
  // The same for a padded record, which saves some decoders a copy.
  virtual void DecodePadded(std::string_view record, TimeUs record_time, EventSink* sink) {
    Decode(record, record_time, sink);
  }
  // The same for a record that stands within another one's payload, whose budget bounds what both
  // unpack together.
  virtual void DecodeWithin(PayloadBudget* budget, std::string_view record, TimeUs record_time,
                            EventSink* sink) {
    (void)budget;
    Decode(record, record_time, sink);
  }
};

// nullptr when the format is unknown or the mapping is wrong; the errors say so. REQUIRES: a format
// `auto` was resolved (ingest/formats/detect_format.h). What the input's enrichment knows is filled in.
std::unique_ptr<Decoder> NewDecoder(const InputConfig& input, ErrorList* errors);

// How a file of this format falls into records: JSON is a sequence of values, text formats are
// lines.
Framing FramingOf(const std::string& format);

// How long after its end a pane still takes events of the input: as configured, or as records of
// its format arrive late; a multiple of the pane.
DurationUs DelayOf(const InputConfig& input, DurationUs pane);

// Whether the events of a format say when they were.
enum class OwnTime : std::uint8_t {
  kComplete,  // always
  kYearless,  // always, but the year may be missing, as in syslog's stamps
  kMissing,   // some do not, and take the timestamp of their record
};
// Of the format and, for `regex`, the pattern. REQUIRES: a format `auto` was resolved.
OwnTime OwnTimeOf(const InputConfig& input);

// Whether what was undecodable for this reason only lacks a time (InputConfig::record_time).
bool WantsRecordTime(const InputConfig& input, std::string_view reason);

// Names of all formats, sorted.
std::vector<std::string> DecoderNames();

}  // namespace tocsin
