#include "ingest/compression/unpack.h"

#include <algorithm>
#include <memory>

#include <zstd.h>

#include "ingest/compression/inflate.h"

namespace tocsin {
namespace {

constexpr std::string_view kTooLarge = "too large when decompressed";
// A window of 8 MiB, which levels up to 19 keep to; what needs more is refused.
constexpr int kWindowLogMax = 23;

std::string_view UnpackZstd(std::string_view bytes, std::size_t bytes_max, std::string* text) {
  constexpr std::size_t kStep = 64 << 10;
  const std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(),
                                                                        ZSTD_freeDCtx);
  if (context == nullptr) return "no memory to decompress with";
  ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, kWindowLogMax);
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  text->clear();
  std::size_t size = 0;
  std::size_t left = 1;  // 0 at the end of a frame, of which there may be many small ones
  for (;;) {
    // One byte more than may be, so that a text of just that size ends in time.
    if (size == text->size()) text->resize(std::min(std::max(kStep, 2 * size), bytes_max + 1));
    ZSTD_outBuffer out{text->data(), text->size(), size};
    left = ZSTD_decompressStream(context.get(), &out, &in);
    size = out.pos;
    if (ZSTD_isError(left)) return "a compressed message that is damaged";
    if (size > bytes_max) return kTooLarge;
    // A full buffer may hide more of a frame, but not of one that has ended.
    if (in.pos == in.size && (left == 0 || out.pos < out.size)) break;
  }
  text->resize(size);
  return left == 0 ? std::string_view() : "a compressed message that is cut short";
}

}  // namespace

std::string_view Unpack(std::string_view encoding, std::string_view bytes, std::size_t bytes_max,
                        std::string* text) {
  if (encoding == "gzip" || encoding == "x-gzip" || encoding == "deflate") {
    if (!IsDeflated(bytes)) return "a compressed message that is damaged";
    return Inflate(bytes, bytes_max, text);
  }
  if (encoding == "zstd") return UnpackZstd(bytes, bytes_max, text);
  return kUnknownEncoding;
}

}  // namespace tocsin
