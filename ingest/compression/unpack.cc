#include "ingest/compression/unpack.h"

#include <algorithm>
#include <memory>

#include <zstd.h>

#include "ingest/compression/inflate.h"

namespace tocsin {
namespace {

constexpr std::string_view kTooLarge = "too large when decompressed";
// A window of 8 MiB, enough for compression levels up to 19; frames that need more are rejected.
constexpr int kWindowLogMax = 23;

std::string_view UnpackZstd(std::string_view bytes, std::size_t bytes_max, std::string* text) {
  constexpr std::size_t kStep = 64 << 10;
  const std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(),
                                                                        ZSTD_freeDCtx);
  if (context == nullptr) return "out of memory while decompressing";
  ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, kWindowLogMax);
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  text->clear();
  std::size_t size = 0;
  std::size_t left = 1;  // 0 at the end of a frame; the input may hold many small frames
  for (;;) {
    // One byte more than the limit, so that an output of exactly the limit reaches its end.
    if (size == text->size()) text->resize(std::min(std::max(kStep, 2 * size), bytes_max + 1));
    ZSTD_outBuffer out{text->data(), text->size(), size};
    left = ZSTD_decompressStream(context.get(), &out, &in);
    size = out.pos;
    if (ZSTD_isError(left)) return "corrupt compressed data";
    if (size > bytes_max) return kTooLarge;
    // If the output buffer is full, the decoder may hold back more of an unfinished frame.
    if (in.pos == in.size && (left == 0 || out.pos < out.size)) break;
  }
  text->resize(size);
  return left == 0 ? std::string_view() : "truncated compressed data";
}

}  // namespace

std::string_view Unpack(std::string_view encoding, std::string_view bytes, std::size_t bytes_max,
                        std::string* text) {
  if (encoding == "gzip" || encoding == "x-gzip" || encoding == "deflate") {
    if (!IsDeflated(bytes)) return "corrupt compressed data";
    return Inflate(bytes, bytes_max, text);
  }
  if (encoding == "zstd") return UnpackZstd(bytes, bytes_max, text);
  return kUnknownEncoding;
}

}  // namespace tocsin
