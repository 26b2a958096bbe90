// Splitting JSON files of any layout; malformed values do not swallow valid ones.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <iterator>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/limits.h"
#include "ingest/sources/file_source.h"
#include "tests/ingest/recording_sink.h"

namespace tocsin {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::SizeIs;

std::string WriteFile(const std::string& content) {
  const auto* const test = testing::UnitTest::GetInstance()->current_test_info();
  const std::string path = testing::TempDir() + "framer_" + test->name() + ".json";
  std::FILE* const file = std::fopen(path.c_str(), "wb");
  std::fwrite(content.data(), 1, content.size(), file);
  std::fclose(file);
  return path;
}

struct Record {
  std::uint64_t offset;
  std::string text;
  bool oversized;
};

std::vector<Record> ReadValues(const std::string& path, std::uint64_t start_offset = 0) {
  LineReader::Options options;
  options.framing = Framing::kJsonValues;
  options.start_offset = start_offset;
  auto reader = OpenLineReader(path, options);
  EXPECT_TRUE(reader.ok()) << reader.status();
  std::vector<Record> records;
  LineReader::Line line;
  std::uint64_t end = start_offset;
  while ((*reader)->Next(&line) == LineReader::Result::kLine) {
    EXPECT_GE(line.offset, end);
    EXPECT_GE(line.next_offset, line.offset);
    end = line.next_offset;
    records.push_back({line.offset, std::string(line.text), line.oversized});
  }
  EXPECT_TRUE((*reader)->status().ok()) << (*reader)->status();
  return records;
}

TEST(JsonFramer, Layouts) {
  const std::string a = R"({"service":"a"})", b = R"({"service":"b"})", c = R"({"service":"c"})";
  struct Case {
    std::string content;
    std::string services;
    std::size_t undecodable;
  };
  const Case cases[] = {
      {"", "", 0},
      {" \n\n", "", 0},
      {a, "a", 0},
      {"\xEF\xBB\xBF" + a + "\n" + b, "ab", 0},
      {a + "\n" + b + "\n" + c + "\n", "abc", 0},
      {a + "\r\n\r\n" + b + "\r\n", "ab", 0},
      {a + b + " " + c, "abc", 0},
      {"[" + a + ",\n" + b + "]\n" + c, "abc", 0},
      {"{\n  \"service\": \"a\"\n}\n{\n  \"service\":\n  \"b\"\n}\n", "ab", 0},
      {"[\n  {\n    \"service\": \"a\"\n  },\n  {\n    \"service\": \"b\"\n  }\n]\n", "ab", 0},
      {"{\"service\":\"a\",\"x\":{\"y\":1}\n,\"z\":2}\n" + b, "ab", 0},
      {"nonsense\n" + a, "a", 1},
      {a + "\nnonsense\n" + b, "ab", 1},
      {a + "\n{\"service\":\n" + b + "\n" + c, "abc", 1},
      {a + "\n{\"service\":\"x\n" + b + "\n" + c, "abc", 1},
      {"{\"x\":{\"y\":1,\n" + a + "\n" + b, "ab", 1},
      {"[" + a + ",\n" + b + "\n" + c + "\n", "abc", 1},
      {a + "}\n" + b, "b", 1},
      {a + "\n{\"service\":", "a", 1},
      {"{\"service\":[}\n" + a, "a", 1},
      {std::string(limits::kJsonDepthMax * 3, '[') + "\n" + a + "\n" + b + "\n" + c, "abc", 1},
  };
  for (const Case& test : cases) {
    SCOPED_TRACE(test.content);
    RecordingSink sink;
    const std::unique_ptr<Decoder> decoder = JsonDecoderFor();
    for (const Record& record : ReadValues(WriteFile(test.content))) {
      decoder->Decode(record.text, kSecondUs, &sink);
    }
    std::string services;
    for (const KeptEvent& event : sink.events) services += event.Get(Field::kService);
    EXPECT_EQ(services, test.services);
    EXPECT_THAT(sink.undecodable, SizeIs(test.undecodable));
  }
}

std::string LongArray(int count, const std::string& end) {
  std::string content = "[\n";
  for (int i = 0; i < count; ++i) {
    content += (i > 0 ? ",\n" : "") + std::string(R"({"service":"a","message":")") +
               std::string(900, 'x') + "\"}";
  }
  return content + end;
}

// Values after any line are delivered as they are written: no line holds up the log until the log
// ends or has grown by a megabyte.
TEST(JsonFramer, NoLineHoldsUpTheOnesBehindIt) {
  constexpr int kBehind = 10;
  std::string good;
  for (int i = 0; i < kBehind; ++i) {
    good += "{\"service\":\"s" + std::to_string(i) + "\",\"x\":{\"y\":[1]}}\n";
  }
  std::mt19937_64 random(1);
  const auto draw = [&random](std::size_t size, std::string_view from) {
    std::string text;
    for (std::size_t i = 0; i < size; ++i) text += from[random() % from.size()];
    return text;
  };
  constexpr std::string_view kAlphabets[] = {"[",  "{",   "[{", "{\"a\":", "[]{},:\"a\\ 1",
                                             "[,", "\"\\"};
  for (int round = 0; round < 2'000; ++round) {
    const std::string_view alphabet = kAlphabets[random() % std::size(kAlphabets)];
    // Whole repetitions too, which random bytes would not give.
    std::string hostile = draw(1 + random() % 300, alphabet);
    if (random() % 2 == 0) {
      hostile.clear();
      for (std::uint64_t n = 1 + random() % 200; n > 0; --n) hostile += alphabet;
    }
    SCOPED_TRACE(hostile);
    LineReader::Options options;
    options.framing = Framing::kJsonValues;
    options.complete_at_end = false;
    auto reader = OpenLineReader(WriteFile(hostile + "\n" + good), options);
    ASSERT_TRUE(reader.ok());
    std::set<std::string> services;
    const std::unique_ptr<Decoder> decoder = JsonDecoderFor();
    LineReader::Line line;
    while ((*reader)->Next(&line) == LineReader::Result::kLine) {
      RecordingSink sink;
      decoder->Decode(line.text, kSecondUs, &sink);
      for (const KeptEvent& event : sink.events) services.insert(event.Get(Field::kService));
    }
    // The first value may be taken for a part of the malformed line; the last may be incomplete.
    for (int i = 2; i < kBehind - 1; ++i) ASSERT_THAT(services, Contains("s" + std::to_string(i)));
  }
}

TEST(JsonFramer, ALongArrayIsReadByElement) {
  const std::string path = WriteFile(LongArray(5000, "\n]\n{\"service\":\"z\"}\n"));
  const std::vector<Record> records = ReadValues(path);
  ASSERT_THAT(records, SizeIs(5001));
  EXPECT_EQ(records.back().text, R"({"service":"z"})");
  // Reading can continue from every offset.
  for (const std::size_t at : {1ul, 2500ul, 4999ul}) {
    LineReader::Options options;
    options.framing = Framing::kJsonValues;
    EXPECT_THAT(ReadValues(path, records[at].offset), SizeIs(5001 - at)) << at;
    EXPECT_THAT(ReadValues(path, records[at - 1].offset + records[at - 1].text.size()),
                SizeIs(5001 - at))
        << at;
  }
}

TEST(JsonFramer, ALongArrayWithoutItsEndCountsOnce) {
  RecordingSink sink;
  const std::unique_ptr<Decoder> decoder = JsonDecoderFor();
  for (const Record& record : ReadValues(WriteFile(LongArray(3000, "")))) {
    decoder->Decode(record.text, kSecondUs, &sink);
  }
  EXPECT_THAT(sink.events, SizeIs(3000));
  EXPECT_THAT(sink.reasons, SizeIs(1));
}

TEST(JsonFramer, AnOversizedValueIsCutAndSkipped) {
  const std::string good = R"({"service":"a"})";
  const std::string huge = R"({"message":")" + std::string(10 << 20, '{') + "\"}";
  const std::vector<Record> records =
      ReadValues(WriteFile(good + "\n" + huge + "\n" + good + "\n"));
  ASSERT_THAT(records, SizeIs(3));
  EXPECT_EQ(records[0].text, good);
  EXPECT_TRUE(records[1].oversized);
  EXPECT_EQ(records[1].text.size(), limits::kEventBytesMax);
  EXPECT_EQ(records[1].offset, good.size() + 1);
  EXPECT_FALSE(records[2].oversized);
  EXPECT_EQ(records[2].text, good);
}

TEST(JsonFramer, AValueIsHandedOverBeforeItsLineEnds) {
  const std::string path = WriteFile(R"({"a":1}{"b":)");
  LineReader::Options options;
  options.framing = Framing::kJsonValues;
  options.complete_at_end = false;
  auto reader = OpenLineReader(path, options);
  ASSERT_TRUE(reader.ok());
  LineReader::Line line;
  ASSERT_EQ((*reader)->Next(&line), LineReader::Result::kLine);
  EXPECT_EQ(line.text, R"({"a":1})");
  EXPECT_EQ((*reader)->Next(&line), LineReader::Result::kEnd);
  std::FILE* const file = std::fopen(path.c_str(), "ab");
  std::fputs("2}", file);
  std::fclose(file);
  ASSERT_EQ((*reader)->Next(&line), LineReader::Result::kLine);
  EXPECT_EQ(line.text, R"({"b":2})");
}

}  // namespace
}  // namespace tocsin
