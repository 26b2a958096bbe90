// The canonical JSON event (design, "The event"), also under OpenTelemetry's and ECS's names, and
// the logs of those who have a preset (ingest/fields/field_presets.h), which is the input's or of its
// format's name.
//
// A record is one object, an array of objects, or one of these a line. A line, an array element, or
// the rest of an array whose structure breaks counts as one undecodable each; their neighbours are
// read. A record of up to limits::kEventBytesMax is copied once, into a padded buffer; a larger one
// piece by piece, so memory stays bounded by that.
#pragma once

#include <memory>

#include "config/config.h"
#include "config/node.h"
#include "ingest/decoder.h"

namespace tocsin {

std::unique_ptr<Decoder> NewJsonDecoder(const InputConfig& input, ErrorList* errors);

}  // namespace tocsin
