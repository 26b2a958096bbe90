// What `map:` says about the events of a text format: fields that its lines do not name, the same
// for all of them.
//
//   MappedConstants constants(input, &errors);     // map: {service: {value: shop}}
//   Event event = constants.base();                // labels and weight
//   …                                              // what the line says
//   constants.Apply(&event);                       // a mapped text counts, not the line's
//
// A line has no names, hence paths are an error, and so are constants of what a line itself says:
// its type, its status. Views of the event live as long as this. Not copyable.
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
