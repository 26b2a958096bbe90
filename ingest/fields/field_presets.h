// What the logs of well-known libraries and programs call the fields of an event.
//
//   const FieldPreset* preset = FindPreset("pino");      // nullptr: there is none of that name
//   FieldMap fields(input.map, &errors, preset);
//
// Immutable and static, hence shareable.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ingest/fields/field_map.h"

namespace tocsin {

const FieldPreset* FindPreset(std::string_view name);
// Names of those of JSON logs, sorted; each is a format as well.
std::vector<std::string> JsonPresetNames();

}  // namespace tocsin
