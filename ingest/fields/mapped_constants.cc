#include "ingest/fields/mapped_constants.h"

#include <string>

namespace tocsin {
namespace {

// The valid constants; reports all other mappings.
std::vector<FieldMapping> OnlyConstants(const InputConfig& input, ErrorList* errors) {
  std::vector<FieldMapping> constants;
  for (const FieldMapping& mapping : input.map) {
    const bool is_label = mapping.target.starts_with("labels.");
    if (!mapping.path.empty()) {
      errors->Add(mapping.at, "map: format " + input.format + " has no named fields such as \"" +
                                  mapping.path + "\": expected {value: constant}");
    } else if (!is_label && mapping.target != "weight" && !FieldFromName(mapping.target)) {
      errors->Add(mapping.at, "map: format " + input.format + " reads \"" + mapping.target +
                                  "\" from its lines; it cannot be a constant");
    } else {
      constants.push_back(mapping);
    }
  }
  return constants;
}

}  // namespace

MappedConstants::MappedConstants(const InputConfig& input, ErrorList* errors)
    : fields_(OnlyConstants(input, errors), errors) {
  for (int i = 0; i < kFields; ++i) {
    const auto field = static_cast<Field>(i);
    if (const std::string_view text = base().Get(field); !text.empty()) {
      texts_.emplace_back(field, text);
    }
  }
}

}  // namespace tocsin
