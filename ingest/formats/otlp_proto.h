// Reads OpenTelemetry export requests in protobuf.
//
//   fault = ReadOtlpLogs(bytes, &budget, &visitor);     // an ExportLogsServiceRequest
//   fault = ReadOtlpMetrics(bytes, &budget, &visitor);  // an ExportMetricsServiceRequest
//
// https://github.com/open-telemetry/opentelemetry-proto, version 1.x
//
// An empty fault means that everything was read. What precedes a fault has been visited; what
// follows it is lost. The encoding does not say which of the two requests it is. Unknown fields are
// skipped. Strings are not checked: the visitor has to verify that they are UTF-8. Memory: that of
// the largest point or log. Thread-safe: pure functions.
#pragma once

#include <string_view>

#include "ingest/formats/otlp_model.h"
#include "ingest/json/payload_budget.h"

namespace tocsin {

// `budget` is that of the payload that `bytes` come from.
std::string_view ReadOtlpLogs(std::string_view bytes, PayloadBudget* budget, OtlpVisitor* visitor);
std::string_view ReadOtlpMetrics(std::string_view bytes, PayloadBudget* budget,
                                 OtlpVisitor* visitor);

// A sequence of requests, each preceded by its length as a varint, as in CloudWatch metric streams.
std::string_view ReadDelimitedOtlpMetrics(std::string_view bytes, PayloadBudget* budget,
                                          OtlpVisitor* visitor);

}  // namespace tocsin
