// How the running engine is, as JSON for `GET /api/v1/status` and as text for `tocsin status`.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "service/pipeline.h"

namespace tocsin {

std::string StatusJson(const PipelineStatus& status, TimeUs now);

// What StatusJson gave, for people: a line each for what is wrong, the inputs and the rest.
absl::StatusOr<std::string> StatusText(const std::string& json);

}  // namespace tocsin
