// Splitting a file into records takes work linear in its size, for any layout and for streams that
// return few bytes at a time.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/limits.h"
#include "ingest/sources/file_source.h"
#include "ingest/sources/json_framer.h"
#include "ingest/sources/text_stream.h"
#include "tests/ingest/packed_text.h"
#include "tests/ingest/work_counter.h"

namespace tocsin {
namespace {

using ::testing::ElementsAre;

constexpr std::size_t kMax = limits::kEventBytesMax;

// A text that is read in pieces of limited size.
class PiecedStream final : public TextStream {
 public:
  PiecedStream(std::string_view text, std::size_t piece) : rest_(text), piece_(piece) {}
  std::size_t Read(char* buffer, std::size_t size) override {
    const std::size_t count = std::min({size, piece_, rest_.size()});
    std::copy_n(rest_.begin(), count, buffer);
    rest_.remove_prefix(count);
    return count;
  }

 private:
  std::string_view rest_;
  std::size_t piece_;
};

std::string Repeat(std::string_view text, std::size_t bytes) {
  std::string out;
  while (out.size() < bytes) out += text;
  return out;
}

struct Framed {
  std::size_t records = 0;
  std::uint64_t hash = 0;  // of offsets and sizes
  std::uint64_t work = 0;
  bool is_linear = true;
};

// Steps and bytes moved, per byte of the text: twice what the smallest values take.
constexpr std::uint64_t kWorkPerByte = 200;

Framed Frame(std::string_view text, std::size_t piece) {
  LineReader::Options options;
  options.framing = Framing::kJsonValues;
  const std::unique_ptr<LineReader> reader =
      NewJsonValueReader(std::make_unique<PiecedStream>(text, piece), options);
  Framed framed;
  const WorkCounter counter;
  LineReader::Line line;
  while (reader->Next(&line) == LineReader::Result::kLine) {
    ++framed.records;
    framed.hash = framed.hash * 31 + line.offset * 7 + line.text.size() * 3 + line.next_offset;
    const Work work = counter.Done();
    framed.work = work.steps + work.moved;
    // Stop at once: otherwise a quadratic case would run for hours.
    framed.is_linear = framed.work < kWorkPerByte * (text.size() + kMax);
    if (!framed.is_linear) break;
  }
  return framed;
}

std::vector<std::string> HostileTexts(std::size_t bytes) {
  const std::string object = "{\"a\":\"" + std::string(900, 'x') + "\"}";
  const auto array = [&](std::string_view element) { return "[" + Repeat(element, bytes) + "{}]"; };
  return {
      Repeat("{}", bytes),
      Repeat("[]", bytes),
      Repeat("{} ", bytes) + "\n{}",
      Repeat("{}", 1000) + std::string(bytes, ' ') + "\n{}",
      array("{},"),
      array("[],"),
      array("1,"),
      array("\"a\","),
      array("{},\n"),
      array("{}\n,"),
      array("{}" + std::string(1000, ' ') + ","),
      array(object + ","),
      array(object + "\n"),
      "[" + Repeat("{},", 3 * kMax / 2) + "{}" + std::string(bytes, ' ') + "\n{}]",
      std::string(bytes, '['),
      std::string(bytes, '{'),
      std::string(bytes, ']'),
      std::string(bytes, ','),
      std::string(bytes, '"'),
      std::string(bytes, '\n'),
      std::string(bytes, ' ') + "{}",
      "{\"a\":\"" + std::string(bytes, '\\'),
      Repeat("{\"a\":", bytes),
      Repeat("{\"a\":\n", bytes),
      Repeat("[\n", bytes),
      Repeat("{\"a\":\"x\n", bytes),
      Repeat("{\"a\":1}\n", bytes),
      Repeat("nonsense\n", bytes),
      // Each unit opens one array more than it closes, where the reader of its elements takes the
      // closing bracket for the end of the outermost.
      Repeat("[5,[\n],\n", bytes),
      Repeat("[5,[\n]\n", bytes),
      Repeat("[[\"\n],\n", bytes),
      // Values around the limit.
      Repeat("[" + Repeat("{},", kMax - 4) + "{}]\n", bytes),
      Repeat("[" + Repeat("{},", kMax) + "{}]\n", bytes),
      Repeat("{\"a\":\"" + std::string(kMax - 8, 'x') + "\"}\n", bytes),
      Repeat("{\"a\":\"" + std::string(kMax, 'x') + "\"}\n", bytes),
  };
}

TEST(FramerWork, JsonValuesAreCutInLinearTimeWhateverTheStreamGives) {
  for (const std::size_t bytes : {kMax + kMax / 3, 4 * kMax}) {
    for (const std::string& text : HostileTexts(bytes)) {
      SCOPED_TRACE(text.substr(0, 40) + " of " + std::to_string(text.size()));
      const Framed whole = Frame(text, text.size());
      ASSERT_TRUE(whole.is_linear) << whole.work << " after " << whole.records << " records";
      for (const std::size_t piece : {std::size_t{100'000}, std::size_t{4'097}}) {
        SCOPED_TRACE(piece);
        const Framed pieced = Frame(text, piece);
        EXPECT_TRUE(pieced.is_linear) << pieced.work << " after " << pieced.records << " records";
        // What the records are does not depend on it.
        EXPECT_EQ(pieced.records, whole.records);
        EXPECT_EQ(pieced.hash, whole.hash);
      }
    }
  }
}

// An array is one record up to the limit, and its elements are beyond it, wherever a read ends.
TEST(FramerWork, AnArrayIsOpenedByItsLengthAlone) {
  for (const std::size_t size : {kMax, kMax + 1}) {
    std::string text = "[";
    std::size_t elements = 1;
    for (; text.size() < size - 40; ++elements) text += "{\"a\":1},";
    text += "{}";
    text += std::string(size - 1 - text.size(), ' ') + "]\n{}\n";
    for (const std::size_t piece : {std::size_t{1'000}, kMax, 2 * kMax}) {
      EXPECT_EQ(Frame(text, piece).records, size > kMax ? elements + 1 : 2) << size << ' ' << piece;
    }
  }
}

// Whether the next line has been read makes no difference.
TEST(FramerWork, SeveralValuesOnALineAreSeveralRecords) {
  const std::string text = "{\"a\":{}}{\"b\":1} {\"c\":2}\n{\"d\":{\"e\":3}}\n{}\n";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    EXPECT_EQ(Frame(text, piece).records, 5U) << piece;
  }
}

std::string WriteFile(const std::string& content) {
  const auto* const test = testing::UnitTest::GetInstance()->current_test_info();
  const std::string path = testing::TempDir() + "framer_work_" + test->name();
  std::FILE* const file = std::fopen(path.c_str(), "wb");
  std::fwrite(content.data(), 1, content.size(), file);
  std::fclose(file);
  return path;
}

// Members of one byte each make a stream that gives one byte at a time.
TEST(FramerWork, FilesThatGiveAByteAtATime) {
  const std::string packed = Repeat(Gzip("x"), 400'000);
  const std::string path = WriteFile(packed);
  for (const Framing framing : {Framing::kLines, Framing::kJsonValues, Framing::kPayload}) {
    LineReader::Options options;
    options.framing = framing;
    auto reader = OpenLineReader(path, options);
    ASSERT_TRUE(reader.ok());
    const WorkCounter counter;
    LineReader::Line line;
    std::vector<std::size_t> sizes;
    while ((*reader)->Next(&line) == LineReader::Result::kLine) sizes.push_back(line.text.size());
    const Work work = counter.Done();
    EXPECT_THAT(sizes, ElementsAre(packed.size() / Gzip("x").size()));
    EXPECT_LT(work.moved + work.steps, kWorkPerByte * packed.size());
  }
}

TEST(FramerWork, LinesAreCutInLinearTime) {
  for (const std::string& text :
       {Repeat("a\n", 3 * kMax), Repeat("\n", 3 * kMax), Repeat("\r", 3 * kMax),
        Repeat(std::string(kMax - 1, 'a') + "\n", 6 * kMax)}) {
    const std::string path = WriteFile(text);
    auto reader = OpenLineReader(path);
    ASSERT_TRUE(reader.ok());
    const WorkCounter counter;
    LineReader::Line line;
    while ((*reader)->Next(&line) == LineReader::Result::kLine) {
    }
    const Work work = counter.Done();
    EXPECT_LT(work.moved + work.steps, kWorkPerByte * text.size());
  }
}

}  // namespace
}  // namespace tocsin
