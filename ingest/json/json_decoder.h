// Decodes JSON events: the canonical event (design, "The event"), also with OpenTelemetry and ECS
// field names, and the logs of libraries and programs that have a preset
// (ingest/fields/field_presets.h). The preset is the input's `preset`, else the one named like its
// format, if there is one.
//
// A record is one object, an array of objects, or several of these, one per line. A malformed line,
// a malformed array element and the rest of a malformed array count as one undecodable item each;
// what surrounds them is still decoded. A record of up to limits::kEventBytesMax is copied once,
// into a padded buffer; a larger one is copied piece by piece, so that limit bounds memory.
#pragma once

#include <memory>

#include "config/config.h"
#include "config/node.h"
#include "ingest/decoder.h"

namespace tocsin {

std::unique_ptr<Decoder> NewJsonDecoder(const InputConfig& input, ErrorList* errors);

}  // namespace tocsin
