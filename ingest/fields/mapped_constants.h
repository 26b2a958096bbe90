// The constants of `map:` for a text format: fields and labels that are the same for all events.
//
//   MappedConstants constants(input, &errors);     // map: {service: {value: shop}}
//   Event event = constants.base();                // labels and weight
//   …                                              // fill in the fields of the line
//   constants.Apply(&event);                       // mapped strings override the line's
//
// The fields of a line have no names, so paths in `map:` are an error. So are constants for what
// the line itself determines, such as its type or status. Views in the event are valid as long as
// this object. Not copyable. Thread-safe: immutable after construction.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "config/config.h"
#include "config/node.h"
#include "core/event.h"
#include "ingest/fields/field_map.h"

namespace tocsin {

class MappedConstants {
 public:
  MappedConstants(const InputConfig& input, ErrorList* errors);

  const Event& base() const { return fields_.base(); }
  const std::vector<LabelView>& labels() const { return fields_.constant_labels(); }
  void Apply(Event* event) const {
    for (const auto& [field, text] : texts_) event->Set(field, text);
  }

 private:
  FieldMap fields_;
  std::vector<std::pair<Field, std::string_view>> texts_;
};

}  // namespace tocsin
