#include "core/wire.h"

#include <bit>
#include <cmath>
#include <limits>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin {
namespace {

TEST(ByteWriter, WritesTheDocumentedBytes) {
  ByteWriter out;
  out.Varint(0);
  out.Varint(127);
  out.Varint(300);
  out.Signed(-1);
  out.Signed(1);
  out.Bool(true);
  out.Bytes("ab");
  out.Raw("z");
  EXPECT_EQ(out.view(), std::string_view("\x00\x7f\xac\x02\x01\x02\x01\x02"
                                         "abz",
                                         11));
  EXPECT_EQ(out.size(), 11u);
  ByteWriter fixed;
  fixed.Fixed64(0x0102030405060708);
  fixed.Double(1.0);
  EXPECT_EQ(fixed.Take(), std::string("\x08\x07\x06\x05\x04\x03\x02\x01\0\0\0\0\0\0\xf0\x3f", 16));
  EXPECT_EQ(fixed.size(), 0u);
}

TEST(ByteReader, ReadsBackWhatWasWritten) {
  const std::uint64_t varints[] = {0, 1, 127, 128, 16'383, 16'384, 1ull << 63, UINT64_MAX};
  const std::int64_t signeds[] = {0, -1, 1, -64, 64, INT64_MIN, INT64_MAX};
  const double doubles[] = {0.0, -0.0, 0.1, 1e300, 5e-324, std::numeric_limits<double>::infinity()};
  ByteWriter out;
  for (const std::uint64_t value : varints) out.Varint(value);
  for (const std::int64_t value : signeds) out.Signed(value);
  for (const double value : doubles) out.Double(value);
  out.Double(std::nan(""));
  out.Bytes("");
  out.Bytes(std::string(200, 'x'));
  out.Bool(false);
  out.Byte(0xfe);

  ByteReader in(out.view());
  for (const std::uint64_t value : varints) EXPECT_EQ(in.Varint(), value);
  for (const std::int64_t value : signeds) EXPECT_EQ(in.Signed(), value);
  for (const double value : doubles) {
    EXPECT_EQ(std::bit_cast<std::uint64_t>(in.Double()), std::bit_cast<std::uint64_t>(value));
  }
  EXPECT_TRUE(std::isnan(in.Double()));
  EXPECT_EQ(in.Bytes(), "");
  EXPECT_EQ(in.Bytes(), std::string(200, 'x'));
  EXPECT_FALSE(in.Bool());
  EXPECT_FALSE(in.Done());
  EXPECT_EQ(in.remaining(), 1u);
  EXPECT_EQ(in.Byte(), 0xfe);
  EXPECT_TRUE(in.Done());
}

TEST(ByteReader, GoesBadPastTheEndAndStaysBad) {
  ByteReader in("\x05");
  EXPECT_EQ(in.Fixed64(), 0u);
  EXPECT_FALSE(in.ok());
  EXPECT_FALSE(in.Done());
  EXPECT_EQ(in.Byte(), 0);  // the byte that is there is not handed out any more
  EXPECT_EQ(in.Varint(), 0u);
  EXPECT_EQ(in.Signed(), 0);
  EXPECT_EQ(in.Bytes(), "");
  EXPECT_EQ(in.Raw(0), "");
  EXPECT_EQ(in.Count(), 0u);
  EXPECT_FALSE(in.ok());
}

TEST(ByteReader, RejectsMalformedVarints) {
  const std::string_view cases[] = {
      {"", 0},
      {"\x80", 1},                                       // cut
      {"\x80\x00", 2},                                   // longer than needed
      {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10},  // 65 bits
      {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81", 10},  // an eleventh byte
      {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11},
  };
  for (const std::string_view text : cases) {
    ByteReader in(text);
    EXPECT_EQ(in.Varint(), 0u);
    EXPECT_FALSE(in.ok()) << ::testing::PrintToString(std::string(text));
  }
}

TEST(ByteReader, BoundsLengthsByWhatIsLeft) {
  ByteReader bytes(
      "\x04"
      "abc");
  EXPECT_EQ(bytes.Bytes(), "");
  EXPECT_FALSE(bytes.ok());

  ByteReader huge("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
  EXPECT_EQ(huge.Bytes(), "");
  EXPECT_FALSE(huge.ok());

  ByteReader fits(
      std::string_view("\x02"
                       "abcdef"));
  EXPECT_EQ(fits.Count(3), 2u);
  EXPECT_TRUE(fits.ok());
  ByteReader exceeds(
      std::string_view("\x02"
                       "abcde"));
  EXPECT_EQ(exceeds.Count(3), 0u);
  EXPECT_FALSE(exceeds.ok());
}

TEST(ByteReader, FailMarksTheInput) {
  ByteReader in("abc");
  in.Fail();
  EXPECT_FALSE(in.ok());
  EXPECT_EQ(in.remaining(), 0u);
  EXPECT_FALSE(in.Done());
}

}  // namespace
}  // namespace tocsin
