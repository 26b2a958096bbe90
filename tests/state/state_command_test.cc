// `tocsin state check` and `repair` on the folder that an earlier build left.
#include "cli/state_command.h"

#include <sqlite3.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_replace.h"
#include "cli/commands.h"
#include "journal/journal.h"

namespace tocsin {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class StateCommandTest : public ::testing::Test {
 protected:
  StateCommandTest() {
    std::string pattern = ::testing::TempDir() + "tocsin-state-XXXXXX";
    EXPECT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    std::filesystem::copy("tests/fixtures/state-5", folder_,
                          std::filesystem::copy_options::recursive);
    std::ifstream file(folder_ + "/config.yaml");
    std::stringstream text;
    text << file.rdbuf();
    std::ofstream(folder_ + "/run.yaml")
        << absl::StrReplaceAll(text.str(), {{"FOLDER", folder_}}) << "state_dir: " << folder_
        << "/state\nsinks:\n  - {name: good, kind: stdout}\n  - {name: broken, kind: stdout}\n"
        << "  - {name: refusing, kind: stdout}\n";
  }
  ~StateCommandTest() override { std::filesystem::remove_all(folder_); }

  int Run(const char* verb, bool with_config = false) {
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    const int code = State({.verb = verb,
                            .config = with_config ? folder_ + "/run.yaml" : "",
                            .directory = with_config ? "" : folder_ + "/state"});
    said_ = ::testing::internal::GetCapturedStdout() + ::testing::internal::GetCapturedStderr();
    return code;
  }
  void Upgrade() const { ASSERT_TRUE(OpenSqliteJournal(folder_ + "/state").ok()); }
  void Tamper(const std::string& sql) const {
    sqlite3* handle = nullptr;
    ASSERT_EQ(sqlite3_open((folder_ + "/state/tocsin.db").c_str(), &handle), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(handle);
    sqlite3_close(handle);
  }

  std::string folder_;
  std::string said_;
};

TEST_F(StateCommandTest, SaysWhatIsThereBeforeAndAfterAnUpgrade) {
  const auto holds =
      AllOf(HasSubstr("3 open"), HasSubstr("INC-2026-001 acknowledged"), HasSubstr("quiet-one"),
            HasSubstr("broken: 4 intended"), HasSubstr("app/app.log at 40871"),
            HasSubstr("http/events: 1 segments"), HasSubstr("nothing is damaged"));
  EXPECT_EQ(Run("check"), kDone) << said_;
  EXPECT_THAT(said_, AllOf(holds, HasSubstr("tables of version 1")));
  EXPECT_EQ(Run("check", /*with_config=*/true), kDone) << said_;
  EXPECT_THAT(
      said_, AllOf(holds, HasSubstr("errors (3 firing)"), Not(HasSubstr("will be learned again"))));
  Upgrade();
  EXPECT_EQ(Run("check"), kDone) << said_;
  EXPECT_THAT(said_, AllOf(holds, HasSubstr("tables of version 2")));
  EXPECT_EQ(Run("repair"), kDone);
  EXPECT_THAT(said_, HasSubstr("nothing was changed"));
}

TEST_F(StateCommandTest, SaysWhatIsDamagedAndSavesTheRest) {
  Upgrade();
  Tamper("UPDATE deliveries SET body = x'00' WHERE sequence = 1");
  EXPECT_EQ(Run("check"), kFinding);
  EXPECT_THAT(said_, AllOf(HasSubstr("deliveries"), HasSubstr("its checksum does not hold"),
                           HasSubstr("tocsin state repair")));
  EXPECT_EQ(Run("repair", /*with_config=*/true), kFinding) << "something was lost";
  EXPECT_THAT(said_, AllOf(HasSubstr("LOST 1 deliveries"), HasSubstr("tocsin.db.damaged-1")));
  EXPECT_EQ(Run("check"), kDone) << said_;
  EXPECT_THAT(said_, HasSubstr("INC-2026-001 acknowledged"));
}

TEST_F(StateCommandTest, WhatANewerVersionWroteIsNotTouched) {
  Upgrade();
  Tamper("PRAGMA user_version = 9; UPDATE meta SET value = 'tocsin 9.9' WHERE key = 'writer'");
  for (const char* verb : {"check", "repair"}) {
    EXPECT_EQ(Run(verb), kEnvironment);
    EXPECT_THAT(said_, AllOf(HasSubstr("tocsin 9.9"), HasSubstr("Run that version")));
  }
}

TEST_F(StateCommandTest, WhereThereIsNoStateThereIsNothingToCheck) {
  std::filesystem::remove(folder_ + "/state/tocsin.db");
  EXPECT_EQ(Run("check"), kEnvironment);
  EXPECT_THAT(said_, HasSubstr("there is no state in"));
}

}  // namespace
}  // namespace tocsin
