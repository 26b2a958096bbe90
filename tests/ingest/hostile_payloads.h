// Hostile payloads, made of sound ones: a payload as a tree of parts, and parts of it that come
// many times, come empty, or are long.
//
//   const Part root = JsonPart(R"({"labels": {"a": "b"}, "samples": [1]})");
//   for (const Change& change : ChangesOf(root)) {
//     std::string payload = WithChanges(root, {change}, 1 << 15);      // 32 KiB longer
//   }
//
// Two changes at once show what grows with the product of two sizes: labels and samples, a name and
// what stands in its map. REQUIRES: sound samples. Changes point into their tree.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tocsin {

struct Part {
  enum class Kind : std::uint8_t {
    kText,     // head text tail
    kList,     // head parts, separated, tail
    kMessage,  // head, the length as a varint, and the text or parts: a field of protobuf
  };
  Kind kind = Kind::kText;
  std::string head, tail, separator;
  std::string text;
  std::vector<Part> parts;
  bool repeats = true;     // may stand several times in a row
  bool stretches = false;  // the text may be longer
};

Part JsonPart(std::string_view json);
// Every field whose bytes can be read as a message is taken for one, unless they are all printable.
Part ProtobufPart(std::string_view message);
// Lines, in them words, in them what stands between commas, in them letters and signs.
Part TextPart(std::string_view text);

struct Change {
  enum class Kind : std::uint8_t { kRepeat, kRepeatEmpty, kStretch };
  const Part* part = nullptr;
  Kind kind = Kind::kRepeat;
};
std::vector<Change> ChangesOf(const Part& root);
// "kRepeat of {…}", for messages.
std::string TextOf(const Change& change);

// Each change adds about `bytes`. Of a part that is repeated only the first has the other change.
std::string WithChanges(const Part& root, const std::vector<Change>& changes, std::size_t bytes);

}  // namespace tocsin
