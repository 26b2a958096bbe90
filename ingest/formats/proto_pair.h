// Reads a protobuf message of two length-delimited fields, {1: name, 2: value}, which labels and
// attributes are.
//
//   std::string_view name, value;
//   ReadProtoPair(bytes, &name, &value);
//   if (IsOnlyBytes(1, value)) text = BytesOf(value);
//
// Fast path: nearly all such messages have both fields in order and shorter than 128 bytes, which
// is recognized without walking the message. All others are walked. Throws what protozero throws.
// Thread-safe: pure functions.
#pragma once

#include <cstdint>
#include <string_view>

#include <protozero/pbf_reader.hpp>

namespace tocsin {

// Whether the message is one length-delimited field of less than 128 bytes and nothing else.
inline bool IsOnlyBytes(std::uint32_t tag, std::string_view bytes) {
  return bytes.size() >= 2 && static_cast<unsigned char>(bytes[0]) == (tag << 3 | 2) &&
         static_cast<unsigned char>(bytes[1]) < 128 &&
         bytes.size() == 2 + static_cast<std::size_t>(bytes[1]);
}
// The content of that field. REQUIRES: IsOnlyBytes.
inline std::string_view BytesOf(std::string_view bytes) {
  return {bytes.data() + 2, bytes.size() - 2};
}

// Absent fields are empty. For speed, views are built from the sizes that were compared, not by
// substr: substr computes the minimum of two lengths, and later code would wait for it, whereas a
// compared size is behind a predicted branch. Nor are the views returned as a struct: g++ 12 then
// moves as 16 bytes what was just stored as two times 8, and that load waits for the stores.
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
    const std::uint32_t tag = reader.tag();  // reading the value may reset it
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
