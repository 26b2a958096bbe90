#include "runtime/line_file.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

namespace tocsin {
namespace {

class LineFileTest : public testing::Test {
 protected:
  ~LineFileTest() override { std::filesystem::remove(path_); }
  void Put(const std::string& text) const { std::ofstream(path_, std::ios::binary) << text; }
  const std::string path_ = testing::TempDir() + "line_file_" + std::to_string(getpid());
};

TEST_F(LineFileTest, FindsALineAndNothingThatOnlyEndsLikeIt) {
  EXPECT_EQ(FindLine(path_, "two", 1000), std::nullopt) << "no file";
  Put("two\none two\ntwo three\ntwo\nfour\n");
  EXPECT_EQ(FindLine(path_, "two", 1000), 22);
  EXPECT_EQ(FindLine(path_, "one two", 1000), 4);
  EXPECT_EQ(FindLine(path_, "four", 1000), 26);
  EXPECT_EQ(FindLine(path_, "five", 1000), std::nullopt);
  EXPECT_EQ(FindLine(path_, "three", 1000), std::nullopt);
  EXPECT_EQ(FindLine(path_, "one two", 10), std::nullopt) << "further back than asked";
  Put("two\n");
  EXPECT_EQ(FindLine(path_, "two", 1000), 0);
  Put("two");
  EXPECT_EQ(FindLine(path_, "two", 1000), std::nullopt) << "half a line";
}

// Whatever the blocks in which a file is read are cut at.
TEST_F(LineFileTest, FindsALineAcrossBlocks) {
  for (const int shift : {0, 1, 2, 3, 700}) {
    const std::string before(static_cast<std::size_t>((1 << 20) + shift), 'x');
    const std::string after((2 << 20) - 350, 'y');
    Put(before + "\nthe line\n" + after + "\n");
    EXPECT_EQ(FindLine(path_, "the line", 100 << 20), static_cast<std::int64_t>(before.size()) + 1)
        << shift;
  }
}

}  // namespace
}  // namespace tocsin
