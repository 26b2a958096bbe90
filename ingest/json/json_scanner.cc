#include "ingest/json/json_scanner.h"

#include <algorithm>

namespace tocsin {

std::size_t JsonScanner::SkipString(std::string_view text, std::size_t at) {
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (escaped_) {
      escaped_ = false;
    } else if (c == '\\') {
      escaped_ = true;
    } else if (c == '"') {
      in_string_ = false;
      return at + 1;
    }
    if (c == '\n' && layout_ == Layout::kStrict) {
      state_ = State::kBroken;
      return at;
    }
  }
  return at;
}

bool JsonScanner::Open(char bracket) {
  if (layout_ == Layout::kStrict && depth_ > 0) {
    const bool may_stand = InObject() ? last_ == ':' : last_ == '[' || last_ == ',';
    if (!may_stand || depth_ == kComparedMax) return false;
  }
  if (depth_ < kComparedMax) {
    const std::uint64_t bit = std::uint64_t{1} << depth_;
    objects_ = bracket == '{' ? objects_ | bit : objects_ & ~bit;
  }
  depth_max_ = std::max(depth_max_, ++depth_);
  return true;
}

bool JsonScanner::Close(char bracket) {
  if (depth_ == 0) return false;
  if (depth_ <= kComparedMax && InObject() != (bracket == '}')) return false;
  if (--depth_ == 0) state_ = State::kComplete;
  return true;
}

std::size_t JsonScanner::Feed(std::string_view text) {
  std::size_t at = 0;
  if (in_string_) at = SkipString(text, at);
  while (at < text.size() && state_ == State::kOpen) {
    const char c = text[at];
    bool sound = true;
    switch (c) {
      case ' ':
      case '\t':
      case '\r':
      case '\n':
        ++at;
        continue;
      case '"':
        in_string_ = true;
        last_ = c;
        at = SkipString(text, at + 1);
        continue;
      case '{':
      case '[':
        sound = Open(c);
        break;
      case '}':
      case ']':
        sound = Close(c);
        break;
      default:
        sound = depth_ > 0;
        break;
    }
    if (!sound) {
      state_ = State::kBroken;
      return at;
    }
    last_ = c;
    ++at;
  }
  return at;
}

}  // namespace tocsin
