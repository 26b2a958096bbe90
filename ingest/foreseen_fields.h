// Which fields names stand for, for formats whose records mostly have the same names in the same
// order: found again by their position with one comparison.
//
//   ForeseenFields foreseen(&fields);
//   const JsonEntry* entry = foreseen.Find("http.route", 3);    // nullptr: nobody reads it
//
// Not thread-safe: it remembers.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/limits.h"
#include "ingest/json_fields.h"

namespace tocsin {

class ForeseenFields {
 public:
  // `fields` outlives this.
  explicit ForeseenFields(const JsonFields* fields)
      : fields_(*fields), foreseen_(limits::kLabelsMax) {}

  const JsonEntry* Find(std::string_view name) {
    padded_ = name;
    padded_.append(8, '\0');  // JsonKeyWords may read on
    return fields_.root().Find(padded_.data(), JsonKeyWords::Of(padded_.data(), name.size()));
  }
  const JsonEntry* Find(std::string_view name, std::size_t position) {
    if (position >= foreseen_.size() || name.empty()) return Find(name);
    Foreseen& known = foreseen_[position];
    if (known.name != name) known = {std::string(name), Find(name)};
    return known.entry;
  }

 private:
  struct Foreseen {
    std::string name;  // empty: none yet
    const JsonEntry* entry = nullptr;
  };

  const JsonFields& fields_;
  std::vector<Foreseen> foreseen_;
  std::string padded_;
};

}  // namespace tocsin
