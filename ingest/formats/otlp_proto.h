// Reads OpenTelemetry's export requests in protobuf.
//
//   fault = ReadOtlpLogs(bytes, &budget, &visitor);     // an ExportLogsServiceRequest
//   fault = ReadOtlpMetrics(bytes, &budget, &visitor);  // an ExportMetricsServiceRequest
//
// https://github.com/open-telemetry/opentelemetry-proto, version 1.x
//
// An empty fault: all was read. What stands before a fault has been visited; what is behind it is
// lost. Nothing says which of the two a message is. Unknown fields are passed over. Texts are as
// they come: whether they are UTF-8 is the visitor's to see. Memory: of the largest point or log.
// Thread-safe: pure functions.
#pragma once

#include <string_view>

#include "ingest/formats/otlp_model.h"
#include "ingest/json/payload_budget.h"

namespace tocsin {

// The budget is the payload's.
std::string_view ReadOtlpLogs(std::string_view bytes, PayloadBudget* budget, OtlpVisitor* visitor);
std::string_view ReadOtlpMetrics(std::string_view bytes, PayloadBudget* budget,
                                 OtlpVisitor* visitor);

// Requests one behind the other, each behind its length as a varint, as CloudWatch's metric streams
// have them.
std::string_view ReadDelimitedOtlpMetrics(std::string_view bytes, PayloadBudget* budget,
                                          OtlpVisitor* visitor);

}  // namespace tocsin
