// Finds the end of a JSON value by looking only at brackets and quotes.
//
//   JsonScanner scanner(JsonScanner::Layout::kAny);
//   std::size_t used = scanner.Feed(text);
//   if (scanner.state() == JsonScanner::State::kComplete) …  // text.substr(0, used) is the value
//
// For code that must cope with malformed JSON: splitting an array around a malformed element,
// finding the values of a file that does not fit in memory, or the depth of an ignored value. Feed
// it pieces of any size; the first byte must open an object or array. Constant memory. Not
// thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tocsin {

class JsonScanner {
 public:
  enum class Layout : std::uint8_t {
    kAny,
    // Also rejects a line feed inside a string, a bracket where no value is allowed, and the 65th
    // level of nesting, which is deeper than any decoder accepts. A truncated line is thus detected
    // before it swallows the valid lines after it.
    kStrict,
  };
  enum class State : std::uint8_t { kOpen, kComplete, kBroken };

  explicit JsonScanner(Layout layout) : layout_(layout) {}

  // Scans until the value is complete or broken. Returns the number of bytes used: through the last
  // bracket, or up to the first invalid byte.
  std::size_t Feed(std::string_view text);

  State state() const { return state_; }
  int depth_max() const { return depth_max_; }

 private:
  std::size_t SkipString(std::string_view text, std::size_t at);
  bool Open(char bracket);
  bool Close(char bracket);
  bool InObject() const {
    return depth_ > 0 && depth_ <= kComparedMax && ((objects_ >> (depth_ - 1)) & 1) != 0;
  }

  Layout layout_;
  State state_ = State::kOpen;
  bool in_string_ = false;
  bool escaped_ = false;
  char last_ = 0;  // the last byte outside strings that is not white space
  int depth_ = 0;
  int depth_max_ = 0;
  // Bit d − 1: the d-th open bracket is a brace. Brackets deeper than kComparedMax are not matched.
  static constexpr int kComparedMax = 64;
  std::uint64_t objects_ = 0;
};

}  // namespace tocsin
