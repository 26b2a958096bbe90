// Grouping files into logs and ordering them by their names.

#include "ingest/sources/rotation.h"
#include "ingest/sources/file_listing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace tocsin {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// "name: older older" for each log.
std::vector<std::string> Grouped(const std::vector<std::string>& names,
                                 const std::vector<std::string>& logs = {}) {
  const auto inputs = [](const std::vector<std::string>& of) {
    std::vector<FileInput> files;
    for (const std::string& name : of) files.push_back({.path = "/logs/" + name, .name = name});
    return files;
  };
  std::vector<std::string> texts;
  for (const LogFiles& log : GroupRotations(inputs(names), inputs(logs))) {
    std::string text = log.name + ":";
    for (const std::string& older : log.older) text += " " + older.substr(6);
    texts.push_back(text);
  }
  return texts;
}

TEST(Rotation, NumbersCountBack) {
  EXPECT_THAT(Grouped({"a.log", "a.log.1", "a.log.10.gz", "a.log.2", "a.log.3.zst"}),
              ElementsAre("a.log: a.log.10.gz a.log.3.zst a.log.2 a.log.1"));
  EXPECT_THAT(Grouped({"a.log", "a.log.0", "a.log.1"}), ElementsAre("a.log: a.log.1 a.log.0"));
  EXPECT_THAT(Grouped({"a.log", "a.log.old"}), ElementsAre("a.log: a.log.old"));
}

TEST(Rotation, DatesCountForward) {
  EXPECT_THAT(Grouped({"a.log", "a.log-20260302.gz", "a.log-20260301"}),
              ElementsAre("a.log: a.log-20260301 a.log-20260302.gz"));
  EXPECT_THAT(Grouped({"a.log", "a.log.2026-03-01_10", "a.log.2026-03-01_9"}),
              ElementsAre("a.log: a.log.2026-03-01_9 a.log.2026-03-01_10"));
  EXPECT_THAT(Grouped({"0.log", "0.log.20260301-101112", "0.log.20260228-010203.gz"}),
              ElementsAre("0.log: 0.log.20260228-010203.gz 0.log.20260301-101112"));
  EXPECT_THAT(Grouped({"a.log", "a-2026-03-01T10-00-00.000.log.gz", "a-2026-03-01-2.log"}),
              ElementsAre("a.log: a-2026-03-01-2.log a-2026-03-01T10-00-00.000.log.gz"));
  EXPECT_THAT(Grouped({"a.log", "a.log-1772323200"}), ElementsAre("a.log: a.log-1772323200"));
}

TEST(Rotation, OthersAreLogsOfTheirOwn) {
  // The file that they were rotated from does not exist.
  EXPECT_THAT(Grouped({"a.log.1", "a.log.2"}), ElementsAre("a.log.1:", "a.log.2:"));
  EXPECT_THAT(Grouped({"a-20260301.log", "a-20260302.log"}),
              ElementsAre("a-20260301.log:", "a-20260302.log:"));
  // Numbers before the extension belong to parallel writers; these numbers are not dates.
  EXPECT_THAT(Grouped({"worker.log", "worker-1.log", "worker.log-7", "worker.log.12345",
                       "worker.log-20261301", "worker.log.bak", "worker.log.gz"}),
              testing::SizeIs(7));
}

TEST(Rotation, WhatIsThereTwiceIsReadOnce) {
  EXPECT_THAT(Grouped({"a.log", "a.log.1", "a.log.1.gz"}), ElementsAre("a.log: a.log.1"));
  EXPECT_THAT(Grouped({"a.log", "a.log.1.xz", "a.log.2.bz2"}), ElementsAre("a.log:"));
}

TEST(Rotation, OfALogWhoseFileIsNotThereJustNow) {
  EXPECT_THAT(Grouped({"a.log.1", "b.log"}, {"a.log"}), ElementsAre("b.log:", "a.log: a.log.1"));
}

TEST(Rotation, ListsAFolder) {
  std::string folder = testing::TempDir() + "rotation-XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  for (const char* const name : {"a.log", "a.log.2.gz", "a.log.1", "aa.log.1", "b.log.1"}) {
    std::ofstream(folder + "/" + name) << "x";
  }
  EXPECT_THAT(RotatedFrom(folder + "/a.log"),
              ElementsAre(folder + "/a.log.2.gz", folder + "/a.log.1"));
  EXPECT_THAT(RotatedFrom(folder + "/c.log"), IsEmpty());
  EXPECT_THAT(RotatedFrom(folder + "/none/c.log"), IsEmpty());
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace tocsin
