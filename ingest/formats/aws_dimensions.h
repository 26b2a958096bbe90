// Turns the dimensions of a CloudWatch metric into labels and fields of an event.
//
//   TakeDimension("DBInstanceIdentifier", "orders-db", &reader_);
//
// Every dimension becomes a label. A dimension that names a service, a host or a dependency also
// fills that field; if several do, the first one wins. A dimension that is named like a field
// (`service`), which custom metrics have, fills that field as well.
#pragma once

#include <string_view>

#include "ingest/json/payload_reader.h"

namespace tocsin {

void TakeDimension(std::string_view name, std::string_view value, PayloadReader* reader);

}  // namespace tocsin
