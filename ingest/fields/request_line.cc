#include "ingest/fields/request_line.h"

#include <cstddef>

namespace tocsin {
namespace {

// Longer words are not methods; the longest one of WebDAV has 16 letters.
constexpr std::size_t kMethodBytesMax = 20;

// The length of the method at the beginning, which a space must follow; 0: there is none.
std::size_t MethodBytes(std::string_view line) {
  for (std::size_t i = 0; i < line.size() && i <= kMethodBytesMax; ++i) {
    const char c = line[i];
    if (c == ' ') return i;
    if ((c < 'A' || c > 'Z') && c != '-' && c != '_') return 0;
  }
  return 0;
}

}  // namespace

RequestLine ParseAnyRequestLine(std::string_view line) {
  const std::size_t space = MethodBytes(line);
  if (space == 0 || line[0] == '-') return {};
  std::string_view target = line.substr(space + 1);
  // The protocol is the last word; before HTTP/1.0 there was none.
  constexpr std::size_t kProtocolBytes = 9;  // " HTTP/1.1"
  if (target.size() > kProtocolBytes &&
      target.substr(target.size() - kProtocolBytes).starts_with(" HTTP/")) {
    target.remove_suffix(kProtocolBytes);
  } else if (const std::size_t last = target.rfind(' ');
             last != target.npos && target.substr(last + 1).starts_with("HTTP/")) {
    target = target.substr(0, last);
  }
  return {.method = line.substr(0, space), .target = target};
}

std::string_view PathOfUrl(std::string_view url) {
  if (url == "*") return url;
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!url.starts_with(scheme)) continue;
    const std::size_t slash = url.find('/', scheme.size());
    return slash == url.npos ? "/" : url.substr(slash);
  }
  return {};
}

}  // namespace tocsin
