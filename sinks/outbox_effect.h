// What an outbox asks its owner to do, and what it has counted.
#pragma once

#include <cstdint>

#include "core/delivery.h"

namespace tocsin {

struct OutboxEffect {
  enum class Kind : std::uint8_t {
    kWrite,   // to the journal, then OnWritten: once per effect
    kSend,    // to the sink (Sink::RequestFor), then OnReply or OnHeld
    kLookUp,  // the same with Sink::LookUpFor
    kForget,  // may leave the journal; no answer
  };
  Kind kind = Kind::kWrite;
  Delivery delivery;  // to be written or sent; `attempts` includes this attempt
};

struct OutboxCounters {
  std::int64_t submitted = 0, delivered = 0, retried = 0, parked = 0, abandoned = 0, withheld = 0;
};

}  // namespace tocsin
