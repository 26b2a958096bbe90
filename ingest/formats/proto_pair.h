// A protobuf message of two fields of bytes, as labels and attributes are: {1: name, 2: value}.
//
//   std::string_view name, value;
//   ReadProtoPair(bytes, &name, &value);
//   if (IsOnlyBytes(1, value)) text = BytesOf(value);
//
// Nearly all of them stand in order and are short, which is seen without walking them; the others
// are walked. Throws what protozero throws. Thread-safe: pure functions.
#pragma once

#include <cstdint>
#include <string_view>

#include <protozero/pbf_reader.hpp>

namespace tocsin {

// Whether a message is one short field of bytes and nothing else.
inline bool IsOnlyBytes(std::uint32_t tag, std::string_view bytes) {
  return bytes.size() >= 2 && static_cast<unsigned char>(bytes[0]) == (tag << 3 | 2) &&
         static_cast<unsigned char>(bytes[1]) < 128 &&
         bytes.size() == 2 + static_cast<std::size_t>(bytes[1]);
}
// REQUIRES: IsOnlyBytes.
inline std::string_view BytesOf(std::string_view bytes) {
  return {bytes.data() + 2, bytes.size() - 2};
}

// Absent fields are empty. Views are made of what was compared, not by substr, which takes the
// lesser of two lengths: what comes next would wait for it where a branch is predicted. Nor are
// they returned together: g++ 12 then moves as sixteen bytes what was just stored as two times
// eight, which waits for the store.
inline void ReadProtoPair(std::string_view bytes, std::string_view* name, std::string_view* value) {
  if (bytes.size() >= 2 && bytes[0] == '\x0a' && static_cast<unsigned char>(bytes[1]) < 128) {
    const auto size = static_cast<std::size_t>(bytes[1]);
    if (size + 2 < bytes.size()) {
      const char* const text = bytes.data() + 2;
      const std::string_view rest(text + size, bytes.size() - 2 - size);
      if (IsOnlyBytes(2, rest)) {
        *name = {text, size};
        *value = BytesOf(rest);
        return;
      }
    }
  }
  *name = *value = {};
  protozero::pbf_reader reader(bytes.data(), bytes.size());
  while (reader.next()) {
    const std::uint32_t tag = reader.tag();  // which reading forgets
    const bool is_bytes = reader.wire_type() == protozero::pbf_wire_type::length_delimited;
    if (!is_bytes || tag > 2) {
      reader.skip();
      continue;
    }
    const protozero::data_view view = reader.get_view();
    *(tag == 1 ? name : value) = {view.data(), view.size()};
  }
}

}  // namespace tocsin
