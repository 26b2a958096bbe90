#include "ingest/compression/inflate.h"

#include <algorithm>

#include <zlib.h>

namespace tocsin {
namespace {

// The initial output size as a multiple of the input size: most text shrinks to less than a
// quarter.
constexpr std::size_t kFirstFactor = 4;
constexpr std::size_t kFirstBytesMin = 1 << 10;
constexpr std::size_t kFirstBytesMax = 64 << 10;

}  // namespace

bool IsDeflated(std::string_view bytes) {
  if (bytes.starts_with("\x1F\x8B")) return true;
  // RFC 1950: deflate with a window of 32 KiB, and a check in the second byte.
  return bytes.size() >= 2 && bytes[0] == '\x78' &&
         (0x7800 + static_cast<unsigned char>(bytes[1])) % 31 == 0;
}

std::string_view Inflate(std::string_view bytes, std::size_t bytes_max, std::string* text) {
  z_stream inflater{};
  // 15 window bits; + 32: detect a gzip or zlib header from the first bytes.
  if (inflateInit2(&inflater, 15 + 32) != Z_OK) return "out of memory while decompressing";
  inflater.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  inflater.avail_in = static_cast<uInt>(bytes.size());
  const std::size_t first = std::clamp(kFirstFactor * bytes.size(), kFirstBytesMin, kFirstBytesMax);
  std::size_t size = 0;
  int result = Z_OK;
  while (result == Z_OK && size <= bytes_max) {
    // One byte more than the limit, so that an output of exactly the limit reaches its end.
    text->resize(std::min(std::max(first, 2 * size), bytes_max + 1));
    inflater.next_out = reinterpret_cast<Bytef*>(text->data() + size);
    inflater.avail_out = static_cast<uInt>(text->size() - size);
    result = inflate(&inflater, Z_NO_FLUSH);
    size = text->size() - inflater.avail_out;
  }
  const bool trailing = inflater.avail_in > 0;
  inflateEnd(&inflater);
  text->resize(std::min(size, bytes_max));
  if (size > bytes_max) return "too large when decompressed";
  if (result == Z_BUF_ERROR) return "truncated compressed data";
  if (result != Z_STREAM_END) return "corrupt compressed data";
  return trailing ? "trailing bytes after compressed data" : std::string_view();
}

}  // namespace tocsin
