// Records keep their bytes and their stamps, and stand where a decoder may read behind them.

#include "service/record_slice.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "ingest/decoder.h"

namespace tocsin {
namespace {

TEST(RecordSlice, KeepsRecordsOfAllSizesInOrder) {
  std::vector<std::string> values = {"", "a", std::string(100, 'b'), std::string(70'000, 'c')};
  for (int i = 0; i < 500; ++i) values.push_back(std::string(static_cast<std::size_t>(i), 'd'));
  RecordSlice slice(/*bytes_hint=*/10);
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    slice.Add({.offset = static_cast<std::int64_t>(i),
               .timestamp = static_cast<TimeUs>(i) * kSecondUs,
               .append_time = i % 2 == 1,
               .value = values[i]});
    bytes += values[i].size();
  }
  EXPECT_GE(slice.bytes(), bytes);
  const RecordSlice moved = std::move(slice);
  ASSERT_EQ(moved.size(), values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const SourceRecord record = moved.record(i);
    EXPECT_EQ(record.offset, static_cast<std::int64_t>(i));
    EXPECT_EQ(record.next_offset, record.offset + 1);
    EXPECT_EQ(record.timestamp, static_cast<TimeUs>(i) * kSecondUs);
    EXPECT_EQ(record.append_time, i % 2 == 1);
    EXPECT_EQ(record.bytes, values[i]);
    EXPECT_TRUE(record.padded);
    EXPECT_EQ(*(record.bytes.data() + record.bytes.size()), '\0');
  }
}

// Under the address sanitizer: all of the padding may be read, behind the last record, too.
TEST(RecordSlice, PaddingBehindTheLastRecordIsThere) {
  RecordSlice slice;
  slice.Add({.offset = 1, .value = "last"});
  const std::string_view bytes = slice.record(0).bytes;
  volatile char seen = 0;
  for (std::size_t i = 0; i < kDecodePadding; ++i) seen = bytes.data()[bytes.size() + i];
  EXPECT_EQ(bytes.data()[bytes.size()], '\0');
  (void)seen;
}

}  // namespace
}  // namespace tocsin
