#include "ingest/sources/file_source.h"
#include "ingest/sources/file_listing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "core/limits.h"
#include "core/string_hash.h"
#include "tests/ingest/packed_text.h"

namespace tocsin {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class FileSourceTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "file_source_" +
              testing::UnitTest::GetInstance()->current_test_info()->name() + "/";
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }

  std::string Write(const std::string& name, const std::string& content, const char* mode = "wb") {
    std::filesystem::create_directories(std::filesystem::path(folder_ + name).parent_path());
    std::FILE* const file = std::fopen((folder_ + name).c_str(), mode);
    std::fwrite(content.data(), 1, content.size(), file);
    std::fclose(file);
    return folder_ + name;
  }

  std::string folder_;
};

struct Lines {
  std::vector<std::string> texts;
  std::vector<std::uint64_t> offsets;
  std::vector<bool> oversized;
  LineReader::Result result;
  absl::Status status;
};

Lines ReadAll(LineReader& reader) {
  Lines lines;
  LineReader::Line line;
  while ((lines.result = reader.Next(&line)) == LineReader::Result::kLine) {
    lines.texts.emplace_back(line.text);
    lines.offsets.push_back(line.offset);
    lines.oversized.push_back(line.oversized);
  }
  lines.status = reader.status();
  return lines;
}

Lines ReadFile(const std::string& path, std::uint64_t start_offset = 0) {
  LineReader::Options options;
  options.start_offset = start_offset;
  auto reader = OpenLineReader(path, options);
  EXPECT_TRUE(reader.ok()) << reader.status();
  return ReadAll(**reader);
}

std::string NumberedLines(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += "line " + std::to_string(i * 7919) + "\n";
  return text;
}

TEST_F(FileSourceTest, LinesAndOffsets) {
  const Lines lines = ReadFile(Write("a", "one\ntwo\r\n\nlast"));
  EXPECT_THAT(lines.texts, ElementsAre("one", "two", "", "last"));
  EXPECT_THAT(lines.offsets, ElementsAre(0, 4, 9, 10));
  EXPECT_EQ(lines.result, LineReader::Result::kEnd);
  EXPECT_TRUE(lines.status.ok());
  EXPECT_THAT(ReadFile(folder_ + "a", 4).texts, ElementsAre("two", "", "last"));
  EXPECT_THAT(ReadFile(Write("empty", "")).texts, SizeIs(0));
}

TEST_F(FileSourceTest, ArchivesAreReadAsTheyAre) {
  const std::string text = NumberedLines(100'000);
  const Lines plain = ReadFile(Write("plain", text));
  ASSERT_THAT(plain.texts, SizeIs(100'000));
  for (const std::string& archive :
       {Gzip(text), Zstd(text), Gzip(text.substr(0, 70'001)) + Gzip(text.substr(70'001)),
        Zstd(text.substr(0, 70'001)) + Zstd(text.substr(70'001))}) {
    const std::string path = Write("archive", archive);
    const Lines lines = ReadFile(path);
    EXPECT_TRUE(lines.status.ok()) << lines.status;
    EXPECT_EQ(lines.texts, plain.texts);
    EXPECT_EQ(lines.offsets, plain.offsets);
    // Offsets count bytes of the text, so reading can continue from any of them.
    EXPECT_EQ(ReadFile(path, plain.offsets[99'990]).texts,
              std::vector<std::string>(plain.texts.end() - 10, plain.texts.end()));
  }
}

TEST_F(FileSourceTest, ATruncatedArchiveGivesItsLinesAndAnError) {
  const std::string text = NumberedLines(100'000);
  for (const std::string name : {"a.gz", "a.zst"}) {
    const std::string archive = name == "a.gz" ? Gzip(text) : Zstd(text);
    const std::string path = Write(name, archive.substr(0, archive.size() / 2));
    const Lines lines = ReadFile(path);
    EXPECT_EQ(lines.result, LineReader::Result::kError);
    EXPECT_TRUE(absl::IsDataLoss(lines.status)) << lines.status;
    const std::string message(FromAbsl(lines.status.message()));
    EXPECT_THAT(message, HasSubstr(path));
    EXPECT_THAT(message, HasSubstr("at byte " + std::to_string(archive.size() / 2)));
    EXPECT_THAT(message, HasSubstr("truncated"));
    ASSERT_GT(lines.texts.size(), 1000u);
    for (std::size_t i = 0; i < lines.texts.size(); ++i) {
      ASSERT_EQ(lines.texts[i], "line " + std::to_string(i * 7919));
    }
  }
  const auto empty = OpenLineReader(Write("empty.gz", ""));
  EXPECT_TRUE(absl::IsDataLoss(empty.status())) << empty.status();
}

TEST_F(FileSourceTest, ADamagedArchiveIsAnError) {
  const std::string text = NumberedLines(100'000);
  for (std::string archive : {Gzip(text), Zstd(text)}) {
    for (std::size_t i = archive.size() / 2; i < archive.size() / 2 + 64; ++i) archive[i] ^= 0x55;
    const Lines lines = ReadFile(Write("damaged", archive));
    EXPECT_EQ(lines.result, LineReader::Result::kError);
    EXPECT_THAT(std::string(FromAbsl(lines.status.message())), HasSubstr("damaged"));
  }
}

TEST_F(FileSourceTest, AnOversizedLineIsCutAndSkipped) {
  const std::size_t limit = limits::kEventBytesMax;
  const std::string text = "a\n" + std::string(limit, 'x') + "\r\n" + std::string(limit + 1, 'y') +
                           "\n" + std::string(9 * limit, 'z') + "\nb\n" +
                           std::string(3 * limit, 'w');
  for (const std::string& content : {text, Gzip(text)}) {
    const Lines lines = ReadFile(Write("long", content));
    ASSERT_THAT(lines.texts, SizeIs(6));
    EXPECT_THAT(lines.oversized, ElementsAre(false, false, true, true, false, true));
    EXPECT_EQ(lines.texts[1].size(), limit);
    for (const std::size_t i : {2u, 3u, 5u}) EXPECT_EQ(lines.texts[i].size(), limit + 1);
    EXPECT_EQ(lines.texts[4], "b");
    EXPECT_EQ(lines.offsets[4], 2 + limit + 2 + limit + 2 + 9 * limit + 1);
  }
}

TEST_F(FileSourceTest, APlainFileMayGrow) {
  const std::string path = Write("growing", "one\ntw");
  LineReader::Options options;
  options.complete_at_end = false;
  auto reader = OpenLineReader(path, options);
  ASSERT_TRUE(reader.ok());
  EXPECT_THAT(ReadAll(**reader).texts, ElementsAre("one"));
  EXPECT_THAT(ReadAll(**reader).texts, SizeIs(0));
  Write("growing", "o\nthree\n", "ab");
  const Lines more = ReadAll(**reader);
  EXPECT_THAT(more.texts, ElementsAre("two", "three"));
  EXPECT_THAT(more.offsets, ElementsAre(4, 8));
  EXPECT_EQ((*reader)->bytes_read(), 14u);
  EXPECT_EQ((*reader)->bytes_total(), 14u);
  Write("growing", "x\n");
  const Lines cut = ReadAll(**reader);
  EXPECT_EQ(cut.result, LineReader::Result::kError);
  EXPECT_THAT(std::string(FromAbsl(cut.status.message())), HasSubstr("was truncated to 2 bytes"));
}

TEST_F(FileSourceTest, Stdin) {
  const std::string path = Write("in", Gzip("one\ntwo\n"));
  ASSERT_NE(std::freopen(path.c_str(), "rb", stdin), nullptr);
  EXPECT_THAT(ReadFile("-").texts, ElementsAre("one", "two"));
}

TEST_F(FileSourceTest, ListsADirectoryInTheOrderOfNames) {
  Write("b/2.log", "");
  Write("b/10.log", "");
  Write("a.log", "");
  Write("c.log.gz", "");
  Write(".hidden", "");
  Write(".git/x", "");
  std::filesystem::create_symlink("nowhere", folder_ + "dangling");
  const auto files = ListFiles(folder_);
  ASSERT_TRUE(files.ok()) << files.status();
  std::vector<std::string> names;
  for (const FileInput& file : *files) names.push_back(file.name);
  EXPECT_THAT(names, ElementsAre("a.log", "b/10.log", "b/2.log", "c.log.gz"));
  EXPECT_EQ(ReadFile((*files)[0].path).result, LineReader::Result::kEnd);

  const auto one = ListFiles(folder_ + "a.log");
  ASSERT_TRUE(one.ok());
  ASSERT_THAT(*one, SizeIs(1));
  EXPECT_EQ((*one)[0].name, "a.log");
}

TEST_F(FileSourceTest, ErrorsNameThePath) {
  std::filesystem::create_directories(folder_ + "empty");
  EXPECT_THAT(std::string(FromAbsl(ListFiles(folder_ + "none").status().message())),
              HasSubstr(folder_ + "none"));
  EXPECT_THAT(std::string(FromAbsl(ListFiles(folder_ + "empty").status().message())),
              HasSubstr("has no files"));
  EXPECT_TRUE(absl::IsNotFound(OpenLineReader(folder_ + "none").status()));
  EXPECT_FALSE(OpenLineReader(folder_).ok());
  LineReader::Options options;
  options.start_offset = 100;
  EXPECT_TRUE(absl::IsOutOfRange(OpenLineReader(Write("short", "x\n"), options).status()));
  EXPECT_TRUE(absl::IsOutOfRange(OpenLineReader(Write("s.gz", Gzip("x\n")), options).status()));
}

}  // namespace
}  // namespace tocsin
