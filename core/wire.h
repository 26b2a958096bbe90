// Little writer and reader for our own binary encodings (PaneBatch, snapshots).
//
//   ByteWriter out;  out.Varint(7);  out.Bytes("abc");  out.Double(0.5);
//   ByteReader in(out.view());
//   std::uint64_t n = in.Varint();  std::string_view s = in.Bytes();  double d = in.Double();
//   if (!in.Done()) return absl::DataLossError("…");
//
// Integers are LEB128 varints, signed ones zigzag; doubles are 8 bytes little-endian. A reader that
// runs past its end or meets a malformed varint goes bad: it returns zeros and empty views from
// then on and ok() is false, so callers check once at the end. A varint longer than its value needs
// is malformed too, so every value has one encoding. Count() bounds a length by the bytes left, so
// a hostile length never allocates. A reader knows which format its input was written in
// (core/state_format.h), so that a field that an older build did not write is not asked for:
// `if (in->format() >= 6) page.paged_at = in->Signed();`. Not thread-safe; views live as long as
// the input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "core/state_format.h"

namespace tocsin {

class ByteWriter {
 public:
  void Byte(std::uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void Varint(std::uint64_t value);
  void Signed(std::int64_t value);
  void Fixed64(std::uint64_t value);
  void Double(double value);
  void Bool(bool value) { Byte(value ? 1 : 0); }
  // Length and bytes.
  void Bytes(std::string_view bytes);
  // Bytes without a length.
  void Raw(std::string_view bytes) { out_.append(bytes); }

  std::string_view view() const { return out_; }
  std::size_t size() const { return out_.size(); }
  std::string Take() { return std::exchange(out_, {}); }

 private:
  std::string out_;
};

class ByteReader {
 public:
  explicit ByteReader(std::string_view input, int format = kStateFormat)
      : rest_(input), format_(format) {}

  int format() const { return format_; }
  void set_format(int format) { format_ = format; }

  std::uint8_t Byte();
  std::uint64_t Varint();
  std::int64_t Signed();
  std::uint64_t Fixed64();
  double Double();
  bool Bool() { return Byte() != 0; }
  std::string_view Bytes();
  std::string_view Raw(std::size_t size);
  // A reader of what Bytes would return, in the same format.
  ByteReader Nested() { return ByteReader(Bytes(), format_); }
  // A count of elements that take at least `element_bytes_min` (≥ 1) each: bad if that cannot fit.
  std::size_t Count(std::size_t element_bytes_min = 1);

  bool ok() const { return ok_; }
  // True when everything was read and nothing was malformed.
  bool Done() const { return ok_ && rest_.empty(); }
  std::size_t remaining() const { return rest_.size(); }
  // Marks the input as malformed, for checks that only the caller can make.
  void Fail() {
    ok_ = false;
    rest_ = {};
  }

 private:
  std::string_view rest_;
  int format_;
  bool ok_ = true;
};

}  // namespace tocsin
