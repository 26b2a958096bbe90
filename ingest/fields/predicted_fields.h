// Predicts a key's field mapping from its position in the previous record. For formats whose
// records mostly have the same keys in the same order; a correct prediction costs one comparison.
//
//   PredictedFields predicted(&fields);
//   const FieldEntry* entry = predicted.Find("http.route", 3);    // nullptr: the key is ignored
//   predicted.repeats()   // since position 0 all keys were predicted correctly, without duplicates
//
// Remembers up to limits::kLabelsMax names of up to limits::kNameBytesMax. Not thread-safe.
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
  // `fields` must outlive this object.
  explicit PredictedFields(const FieldMap* fields)
      : fields_(*fields), predicted_(limits::kLabelsMax) {}

  const FieldEntry* Find(std::string_view name) {
    padded_ = name;
    padded_.append(8, '\0');  // JsonKeyWords reads up to 8 bytes
    return fields_.root().Find(padded_.data(), JsonKeyWords::Of(padded_.data(), name.size()));
  }
  const FieldEntry* Find(std::string_view name, std::size_t position) {
    if (position == 0) repeats_ = true;
    if (position < known_ && IsSame(predicted_[position].name, name)) {
      return predicted_[position].entry;
    }
    repeats_ = false;
    const FieldEntry* const entry = Find(name);
    // The names after this position followed another name, so they no longer predict anything.
    known_ = std::min(position, predicted_.size());
    const auto known = predicted_.begin() + static_cast<std::ptrdiff_t>(known_);
    // Longer names are not remembered, so that names never take more than 64 KiB.
    if (known == predicted_.end() || name.size() > limits::kNameBytesMax) return entry;
    const bool is_new = std::none_of(predicted_.begin(), known,
                                     [&](const Predicted& one) { return one.name == name; });
    if (is_new) predicted_[known_++] = {std::string(name), entry};
    return entry;
  }
  bool repeats() const { return repeats_; }

 private:
  // Most names are short: comparing two words is faster than a function call.
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
  std::size_t known_ = 0;  // number of valid elements in predicted_
  bool repeats_ = false;
  std::string padded_;
};

}  // namespace tocsin
