// What only the user who runs the program may read.
#include "system/private_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/line_file.h"
#include "service/dead_letters.h"
#include "transport/line_output.h"

namespace tocsin {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

class PrivateFiles : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "private_files_" + std::to_string(getpid());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directory(folder_);
    mask_ = umask(0);  // what a careless environment has
  }
  void TearDown() override {
    umask(mask_);
    std::filesystem::remove_all(folder_);
  }
  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  static int Mode(const std::string& path) {
    struct stat status = {};
    EXPECT_EQ(stat(path.c_str(), &status), 0) << path;
    return static_cast<int>(status.st_mode & 07777);
  }
  static std::string Content(const std::string& path) {
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }

  std::string folder_;
  mode_t mask_ = 0;
};

TEST_F(PrivateFiles, FoldersAreMadeForTheUserAlone) {
  ASSERT_TRUE(MakePrivateDirectory(Path("a/b/c/")).ok());
  for (const char* made : {"a", "a/b", "a/b/c"}) EXPECT_EQ(Mode(Path(made)), 0700) << made;
  EXPECT_TRUE(MakePrivateDirectory(Path("a/b")).ok()) << "there already";
  std::ofstream(Path("file")) << "x";
  EXPECT_THAT(std::string(MakePrivateDirectory(Path("file")).message()), HasSubstr(Path("file")));
  EXPECT_THAT(std::string(MakePrivateDirectory(Path("file/below")).message()),
              HasSubstr("Not a directory"));
}

TEST_F(PrivateFiles, AreReplacedAsAWhole) {
  ASSERT_TRUE(WritePrivateFile(Path("x"), "old").ok());
  EXPECT_EQ(Mode(Path("x")), 0600);
  chmod(Path("x").c_str(), 0644);
  ASSERT_TRUE(WritePrivateFile(Path("x"), "new").ok());
  EXPECT_EQ(Mode(Path("x")), 0600);
  EXPECT_EQ(Content(Path("x")), "new");
  EXPECT_THAT(std::string(WritePrivateFile(Path("none/x"), "y").message()),
              HasSubstr("No such file"));
}

TEST_F(PrivateFiles, ATokenIsMadeOnceAndKept) {
  const absl::StatusOr<std::string> made = EnsureToken(Path("token"));
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_THAT(*made, MatchesRegex("[0-9a-f]{64}"));
  EXPECT_EQ(Content(Path("token")), *made + "\n");
  EXPECT_EQ(Mode(Path("token")), 0600);
  EXPECT_EQ(*EnsureToken(Path("token")), *made);
  EXPECT_NE(*EnsureToken(Path("other")), *made);
  std::ofstream(Path("empty")) << "";
  EXPECT_FALSE(EnsureToken(Path("empty")).ok()) << "an empty token would be shown by anybody";
}

TEST_F(PrivateFiles, DeadLettersAndOutputFiles) {
  {
    DeadLetters letters(Path("dead-letters.jsonl"));
    letters.OnDeadLetter("source", 7, "reason", "password=s3cret");
  }
  EXPECT_EQ(Mode(Path("dead-letters.jsonl")), 0600);
  EXPECT_THAT(Content(Path("dead-letters.jsonl")), HasSubstr("s3cret"));
  // One of an earlier version, too.
  chmod(Path("dead-letters.jsonl").c_str(), 0644);
  {
    DeadLetters letters(Path("dead-letters.jsonl"));
    letters.OnDeadLetter("source", 8, "reason", "x");
  }
  EXPECT_EQ(Mode(Path("dead-letters.jsonl")), 0600);
  absl::StatusOr<LineFile> file = LineFile::Create(Path("replayed.jsonl"));
  ASSERT_TRUE(file.ok());
  file->Write("a");
  ASSERT_TRUE(file->Close().ok());
  EXPECT_EQ(Mode(Path("replayed.jsonl")), 0600);
  EXPECT_EQ(Content(Path("replayed.jsonl")), "a\n");
  EXPECT_THAT(std::string(LineFile::Create(Path("none/x")).status().message()),
              HasSubstr("No such file"));
  const auto output = LineOutput::Open(Path("live.jsonl"));
  ASSERT_TRUE(output.ok());
  EXPECT_EQ(Mode(Path("live.jsonl")), 0600);
}

}  // namespace
}  // namespace tocsin
