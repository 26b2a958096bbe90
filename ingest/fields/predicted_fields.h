// Which fields names stand for, for formats whose records mostly have the same names in the same
// order: found again by their position with one comparison.
//
//   PredictedFields predicted(&fields);
//   const FieldEntry* entry = predicted.Find("http.route", 3);    // nullptr: nobody reads it
//   predicted.repeats()   // all since position 0 stood there before, together, each name once
//
// Not thread-safe: it remembers.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "core/limits.h"
#include "ingest/fields/field_map.h"

namespace tocsin {

class PredictedFields {
 public:
  // `fields` outlives this.
  explicit PredictedFields(const FieldMap* fields)
      : fields_(*fields), predicted_(limits::kLabelsMax) {}

  const FieldEntry* Find(std::string_view name) {
    padded_ = name;
    padded_.append(8, '\0');  // JsonKeyWords may read on
    return fields_.root().Find(padded_.data(), JsonKeyWords::Of(padded_.data(), name.size()));
  }
  const FieldEntry* Find(std::string_view name, std::size_t position) {
    if (position == 0) repeats_ = true;
    if (position < known_ && IsSame(predicted_[position].name, name)) {
      return predicted_[position].entry;
    }
    repeats_ = false;
    const FieldEntry* const entry = Find(name);
    // What stood behind the name that was here stood behind no other.
    known_ = std::min(position, predicted_.size());
    const auto known = predicted_.begin() + static_cast<std::ptrdiff_t>(known_);
    // What is longer is not remembered, so that names never take more than 64 KiB.
    if (known == predicted_.end() || name.size() > limits::kNameBytesMax) return entry;
    const bool is_new = std::none_of(predicted_.begin(), known,
                                     [&](const Predicted& one) { return one.name == name; });
    if (is_new) predicted_[known_++] = {std::string(name), entry};
    return entry;
  }
  bool repeats() const { return repeats_; }

 private:
  // Most names are short: two words compare quicker than a call does.
  static bool IsSame(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) return false;
    if (a.size() < 8 || a.size() > 16) return a == b;
    return Load(a.data()) == Load(b.data()) &&
           Load(a.data() + a.size() - 8) == Load(b.data() + b.size() - 8);
  }
  static std::uint64_t Load(const char* bytes) {
    std::uint64_t word;
    std::memcpy(&word, bytes, sizeof word);
    return word;
  }
  struct Predicted {
    std::string name;
    const FieldEntry* entry = nullptr;
  };

  const FieldMap& fields_;
  std::vector<Predicted> predicted_;
  std::size_t known_ = 0;  // of them
  bool repeats_ = false;
  std::string padded_;
};

}  // namespace tocsin
