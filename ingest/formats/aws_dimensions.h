// The dimensions of a CloudWatch metric, as labels and fields of an event.
//
//   TakeDimension("DBInstanceIdentifier", "orders-db", &reader_);
//
// Each becomes a label. What names a service, a host, or something that services depend on fills
// that field, of several the first, and so does one that is named like a field (`service`), as
// custom metrics have them.
#pragma once

#include <string_view>

#include "ingest/json/payload_reader.h"

namespace tocsin {

void TakeDimension(std::string_view name, std::string_view value, PayloadReader* reader);

}  // namespace tocsin
