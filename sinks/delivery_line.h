// A delivery as JSON for custom receivers, and as one line for sinks that write lines.
//
//   std::string line = DeliveryLine(delivery, LineFormat::kText);
//
// A reader of a line file cannot detect duplicates, so a line that may have been written before
// says "repeat". Thread-safe: pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "config/node.h"
#include "core/delivery.h"

namespace tocsin {

enum class LineFormat : std::uint8_t {
  kJson,  // {"action", "level", "dedup_key", "repeat"?, "incident"}
  kText,  // "TRIGGER level 2 (SEV2) INC-2026-001 prod api: 42 % of requests fail, since …"
};

// The key `format` of a stanza: `json` (default) or `text`.
LineFormat ReadLineFormat(ConfigReader* reader);

// {"action", "level", "dedup_key", "incident"}: the same in every attempt.
std::string DeliveryJson(const Delivery& delivery);

// The result has no trailing line feed.
std::string DeliveryLine(const Delivery& delivery, LineFormat format);

}  // namespace tocsin
