// Makes hostile payloads from valid ones: parses a payload into a tree of parts, and repeats,
// empties or lengthens some of them.
//
//   const Part root = JsonPart(R"({"labels": {"a": "b"}, "samples": [1]})");
//   for (const Change& change : ChangesOf(root)) {
//     std::string payload = WithChanges(root, {change}, 1 << 15);      // 32 KiB longer
//   }
//
// Two changes at once reveal work that grows with the product of two sizes: labels and samples, or
// a name and the content of its map. REQUIRES: valid samples. Changes point into their tree.
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
// A field whose bytes parse as a message is treated as one, unless they are all printable.
Part ProtobufPart(std::string_view message);
// Lines, split into words, those at commas, and those into letters and punctuation.
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
