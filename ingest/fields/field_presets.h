// The names that logs of well-known libraries and programs use for the fields of an event.
//
//   const FieldPreset* preset = FindPreset("pino");      // nullptr: unknown preset
//   FieldMap fields(input.map, &errors, preset);
//
// Thread-safe: presets are constants.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ingest/fields/field_map.h"

namespace tocsin {

const FieldPreset* FindPreset(std::string_view name);
// The names of the presets of JSON logs, sorted. Each is also the name of a format.
std::vector<std::string> JsonPresetNames();

}  // namespace tocsin
