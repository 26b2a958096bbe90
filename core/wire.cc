#include "core/wire.h"

#include <bit>
#include <cassert>

namespace tocsin {

void ByteWriter::Varint(std::uint64_t value) {
  while (value >= 0x80) {
    Byte(static_cast<std::uint8_t>(value | 0x80));
    value >>= 7;
  }
  Byte(static_cast<std::uint8_t>(value));
}

void ByteWriter::Signed(std::int64_t value) {
  // Zigzag: 0, -1, 1, -2 … become 0, 1, 2, 3 …, so that small magnitudes stay short.
  const auto bits = static_cast<std::uint64_t>(value);
  Varint((bits << 1) ^ (value < 0 ? ~std::uint64_t{0} : 0));
}

void ByteWriter::Fixed64(std::uint64_t value) {
  char bytes[8];
  for (char& byte : bytes) {
    byte = static_cast<char>(value & 0xff);
    value >>= 8;
  }
  out_.append(bytes, sizeof(bytes));
}

void ByteWriter::Double(double value) { Fixed64(std::bit_cast<std::uint64_t>(value)); }

void ByteWriter::Bytes(std::string_view bytes) {
  Varint(bytes.size());
  Raw(bytes);
}

std::uint8_t ByteReader::Byte() {
  if (rest_.empty()) {
    Fail();
    return 0;
  }
  const auto byte = static_cast<std::uint8_t>(rest_.front());
  rest_.remove_prefix(1);
  return byte;
}

std::uint64_t ByteReader::Varint() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const std::uint8_t byte = Byte();
    if (!ok_) return 0;
    // The tenth byte holds the last bit, and a final zero byte would be a second spelling.
    if ((shift == 63 && byte > 1) || (shift > 0 && byte == 0)) break;
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  Fail();
  return 0;
}

std::int64_t ByteReader::Signed() {
  const std::uint64_t bits = Varint();
  return static_cast<std::int64_t>((bits >> 1) ^ (~(bits & 1) + 1));
}

std::uint64_t ByteReader::Fixed64() {
  const std::string_view bytes = Raw(8);
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    value |= static_cast<std::uint64_t>(static_cast<std::uint8_t>(bytes[i])) << (8 * i);
  }
  return value;
}

double ByteReader::Double() { return std::bit_cast<double>(Fixed64()); }

std::string_view ByteReader::Bytes() {
  const std::uint64_t size = Varint();
  return Raw(size);
}

std::string_view ByteReader::Raw(std::size_t size) {
  if (size > rest_.size()) {
    Fail();
    return {};
  }
  const std::string_view bytes = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return bytes;
}

std::size_t ByteReader::Count(std::size_t element_bytes_min) {
  assert(element_bytes_min >= 1);
  const std::uint64_t count = Varint();
  if (count > rest_.size() / element_bytes_min) {
    Fail();
    return 0;
  }
  return count;
}

}  // namespace tocsin
