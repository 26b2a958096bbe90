// File inputs of the running engine: what becomes of files is theirs alone, and what is decided is
// what a replay of the files decides.

#include "service/file_input.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ingest/sources/followed_file.h"
#include "replay/replayer.h"
#include "tests/faults/faults.h"
#include "tests/ingest/sources/log_rotator.h"
#include "tests/service/live_files.h"
#include "tests/service/watched_journal.h"

namespace tocsin {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class FileInputTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "file-input-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = fs::canonical(pattern).string();
    fs::create_directory(folder_ + "/logs");
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string Yaml(const std::string& file, const std::string& more = "") const {
    return absl::StrCat("state_dir: ", folder_, "/state\ninputs:\n  - {name: app, file: ", file,
                        more, "}\n", kDetectors);
  }
  std::string Logs(const std::string& name) const { return folder_ + "/logs/" + name; }
  void Append(const std::string& name, const std::string& text) const {
    std::ofstream(Logs(name), std::ios::app) << text;
  }
  static std::string Request(TimeUs time, int status = 200) {
    return absl::StrCat(R"({"time":")", FormatTime(time),
                        R"(","type":"request","service":"shop","endpoint":"/orders","status":)",
                        status, "}\n");
  }
  // What a replay of these files says.
  std::vector<std::string> Replayed(const Config& config, const std::vector<std::string>& inputs) {
    ReplayOptions options;
    options.config = &config;
    options.inputs = inputs;
    std::vector<std::string> lines;
    options.on_decision = [&](const Decision& decision) {
      for (const OutputLine& line : decision.lines) {
        lines.push_back((line.kind == LineKind::kSignal ? "signal " : "incident ") + line.text);
      }
    };
    const absl::StatusOr<ReplayStats> stats = Replay(options);
    EXPECT_TRUE(stats.ok()) << stats.status();
    if (stats.ok()) replayed_ = *stats;
    return lines;
  }

  static constexpr const char* kDetectors = R"(
detectors:
  - {name: errors, kind: error_rate, by: [service, endpoint], critical: {above: 50%, window: 1m}}
  - {name: gone, kind: absence, where: {type: request}, by: [service], critical: {}}
  - {name: disk, kind: saturation, where: {name: disk_used}, by: [host], max: 100, critical: {above: 95%}}
)";
  std::string folder_;
  ReplayStats replayed_;
};

TEST_F(FileInputTest, WaitsForAFileThatIsNotThere) {
  LiveFiles live(Yaml(Logs("app.log")));
  live.Turn(1);
  EXPECT_THAT(live.Sources(), IsEmpty());
  EXPECT_FALSE(live.input().ended());
  EXPECT_THAT(live.StateOf("app/app.log").reason, HasSubstr("No such file"));
  EXPECT_FALSE(live.StateOf("app/app.log").failing) << "it is waited for by nobody";
  EXPECT_EQ(live.input().Missing(), Logs("app.log") + ": No such file or directory");
  Append("app.log", Request(live.wall()));
  live.Turn(1);
  EXPECT_EQ(live.input().Missing(), "");
  EXPECT_THAT(live.Sources(), ElementsAre("app/app.log"));
  EXPECT_EQ(live.Sum().events, 1);
  EXPECT_EQ(live.StateOf("app/app.log").reason, "");
  // And while it is not there, time goes on.
  fs::remove(Logs("app.log"));
  for (int i = 0; i < 30; ++i) live.Turn(1);
  EXPECT_GE(live.decider().assembler().next_tick(), live.wall() - 14 * kSecondUs);
  EXPECT_EQ(live.Find("app/app.log")->reach, SourceBoard::Reach::kReadable);
  EXPECT_THAT(live.input().Missing(), HasSubstr("app.log: No such file"));
}

TEST_F(FileInputTest, AFileOfAnUnknownFormatThatIsNotThereIsMissingToo) {
  LiveFiles live(Yaml(Logs("app.log"), ", format: auto"));
  live.Turn(1);
  EXPECT_THAT(live.input().Missing(), HasSubstr("app.log: cannot be opened: No such file"));
  Append("app.log", Request(live.wall()));
  live.Turn(1);
  live.Turn(1);
  EXPECT_EQ(live.input().Missing(), "");
  EXPECT_EQ(live.Sum().events, 1);
}

TEST_F(FileInputTest, AFolderThatIsNotThereIsMissing) {
  LiveFiles live(Yaml(Logs("web")));
  live.Turn(1);
  EXPECT_THAT(live.input().Missing(), HasSubstr("logs/web: No such file"));
  fs::create_directory(Logs("web"));
  live.Turn(1);
  live.Turn(1);
  EXPECT_EQ(live.input().Missing(), "");
  EXPECT_EQ(live.StateOf("app").reason, Logs("web") + ": has no files");
  EXPECT_FALSE(live.StateOf("app").failing);
  Append("web/a.log", Request(live.wall()));
  live.Turn(1);
  EXPECT_EQ(live.StateOf("app").reason, "");
  EXPECT_THAT(live.Sources(), ElementsAre("app/a.log"));
  fs::remove_all(Logs("web"));
  live.Turn(1);
  EXPECT_THAT(live.input().Missing(), HasSubstr("logs/web: No such file"));
  EXPECT_EQ(live.Find("app/a.log")->reach, SourceBoard::Reach::kReadable);
}

TEST_F(FileInputTest, APatternThatMatchesNothingIsSaidAndOneWithoutAFolderIsMissing) {
  LiveFiles live(Yaml("\"" + folder_ + "/logs/web/*.log\""));
  live.Turn(1);
  EXPECT_EQ(live.input().Missing(), Logs("web") + ": No such file or directory");
  fs::create_directory(Logs("web"));
  live.Turn(1);
  EXPECT_EQ(live.input().Missing(), "");
  EXPECT_EQ(live.StateOf("app").reason, Logs("web/*.log") + ": has no files");
  EXPECT_FALSE(live.StateOf("app").failing);
  Append("web/a.log", Request(live.wall()));
  live.Turn(1);
  EXPECT_EQ(live.StateOf("app").reason, "");
  EXPECT_THAT(live.Sources(), ElementsAre("app/a.log"));
}

TEST_F(FileInputTest, AFolderOfAPatternThatCannotBeListedIsAFault) {
  fs::create_directory(Logs("web"));
  const FaultScope faults("path=" + Logs("web") + "; open:EACCES");
  LiveFiles live(Yaml("\"" + folder_ + "/logs/web/*.log\""));
  live.Turn(1);
  EXPECT_TRUE(live.StateOf("app").failing);
  EXPECT_THAT(live.StateOf("app").reason, HasSubstr("cannot be listed: Permission denied"));
}

TEST_F(FileInputTest, EmptyFilesAreWaitedForByNobody) {
  Append("a.log", "");
  Append("b.log", Request(LiveFiles::kStart));
  LiveFiles live(Yaml(folder_ + "/logs"));
  for (int i = 0; i < 30; ++i) live.Turn(1);
  EXPECT_THAT(live.Sources(), ElementsAre("app/b.log"));
  EXPECT_GE(live.decider().assembler().next_tick(), live.wall() - 14 * kSecondUs);
}

TEST_F(FileInputTest, FilesComeAndGo) {
  LiveFiles live(Yaml(folder_ + "/logs"));
  for (int i = 0; i < 60; ++i) {
    Append("a.log", Request(live.wall()));
    live.Turn(1);
  }
  const TimeUs before = live.decider().assembler().next_tick();
  EXPECT_GT(before, live.wall() - 15 * kSecondUs);
  // With lines from before its time: they are late, and nothing goes back.
  Append("b.log", Request(live.wall() - 10 * kMinuteUs) + Request(live.wall() - kMinuteUs) +
                      Request(live.wall()));
  for (int i = 0; i < 60; ++i) {
    Append("a.log", Request(live.wall()));
    live.Turn(1);
    EXPECT_GT(live.decider().assembler().next_tick(), live.wall() - 16 * kSecondUs);
  }
  EXPECT_THAT(live.Sources(), ElementsAre("app/a.log", "app/b.log"));
  EXPECT_EQ(live.Sum().late, 2);
  EXPECT_EQ(live.Sum().events, 123);
  // One that is gone is waited for no more.
  fs::remove(Logs("b.log"));
  for (int i = 0; i < 90; ++i) {
    Append("a.log", Request(live.wall()));
    live.Turn(1);
    EXPECT_GT(live.decider().assembler().next_tick(), live.wall() - 16 * kSecondUs);
  }
  EXPECT_THAT(live.Sources(), ElementsAre("app/a.log"));
  EXPECT_THAT(live.decider().assembler().Sources(), ElementsAre("app/a.log"));
  EXPECT_THAT(live.input().States(), SizeIs(1));
  // And is read on when it comes again.
  Append("b.log", Request(live.wall()));
  live.Turn(2);
  live.Turn(1);
  EXPECT_THAT(live.Sources(), ElementsAre("app/a.log", "app/b.log"));
}

TEST_F(FileInputTest, APatternFindsFiles) {
  fs::create_directories(Logs("one"));
  fs::create_directories(Logs("two"));
  Append("one/a.log", Request(LiveFiles::kStart));
  Append("one/a.txt", Request(LiveFiles::kStart));
  LiveFiles live(Yaml("\"" + folder_ + "/logs/*/*.log\""));
  live.Turn(1);
  EXPECT_THAT(live.Sources(), ElementsAre("app/one/a.log"));
  Append("two/b.log", Request(live.wall()));
  live.Turn(1);
  live.Turn(1);
  EXPECT_THAT(live.Sources(), ElementsAre("app/one/a.log", "app/two/b.log"));
}

TEST_F(FileInputTest, OneBadFileIsThatFilesFault) {
  for (const std::string fault : {"open:EACCES", "read:EIO", "stat:ESTALE"}) {
    SCOPED_TRACE(fault);
    for (const auto& entry : fs::directory_iterator(folder_ + "/logs")) fs::remove(entry.path());
    LiveFiles live(Yaml(folder_ + "/logs"));
    live.Turn(1);
    Append("bad.log", Request(live.wall()));
    Append("good.log", Request(live.wall()));
    {
      const FaultScope faults("path=" + Logs("bad.log") + "; " + fault);
      for (int i = 0; i < 40; ++i) {
        Append("good.log", Request(live.wall()));
        live.Turn(1);
      }
      EXPECT_THAT(live.Sources(), ElementsAre("app/good.log"));
      EXPECT_TRUE(live.StateOf("app/bad.log").failing);
      EXPECT_THAT(live.StateOf("app/bad.log").reason, HasSubstr("bad.log"));
      EXPECT_GT(live.decider().assembler().next_tick(), live.wall() - 16 * kSecondUs);
    }
    for (int i = 0; i < 6; ++i) live.Turn(1);
    EXPECT_THAT(live.Sources(), ElementsAre("app/bad.log", "app/good.log"));
    EXPECT_EQ(live.StateOf("app/bad.log").reason, "");
  }
}

// A file in a time of its own that nobody adds to is not waited for, and joins again when somebody
// does.
TEST_F(FileInputTest, AnOldFileHoldsUpNobody) {
  Append("old.log", Request(LiveFiles::kStart - 90 * kDayUs));
  LiveFiles live(Yaml(folder_ + "/logs"));
  live.Turn(1);
  for (int i = 0; i < 60; ++i) {
    Append("new.log", Request(live.wall()));
    live.Turn(1);
  }
  EXPECT_GT(live.decider().assembler().next_tick(), live.wall() - 16 * kSecondUs);
  EXPECT_THAT(live.decider().assembler().Sources(), ElementsAre("app/new.log"));
  live.Restart();
  live.Turn(1);
  EXPECT_THAT(live.decider().assembler().Sources(), ElementsAre("app/new.log"));
  Append("old.log", Request(live.wall()));
  live.Turn(1);
  EXPECT_THAT(live.decider().assembler().Sources(), ElementsAre("app/new.log", "app/old.log"));
  EXPECT_EQ(live.Sum().late, 0);
}

// Between the read that met the end of the file and the close the process was frozen: nothing that
// came meanwhile is late.
TEST_F(FileInputTest, AFreezeBetweenReadingAndClosing) {
  LiveFiles live(Yaml(Logs("app.log")));
  for (int i = 0; i < 30; ++i) {
    Append("app.log", Request(live.wall()));
    live.Turn(1);
  }
  live.Poll();
  live.Send();
  for (int i = 0; i < 60; ++i) {
    live.Advance(1);
    Append("app.log", Request(live.wall()));
  }
  live.CloseIdle();
  live.Settle();
  EXPECT_EQ(live.Sum().late, 0);
  EXPECT_EQ(live.Sum().events, 90);
}

// A turn that takes long sees the path as it was when it began.
TEST_F(FileInputTest, ARotationDuringALongTurn) {
  LiveFiles live(Yaml(Logs("app.log")));
  for (int i = 0; i < 3; ++i) {
    Append("app.log", Request(live.wall()));
    live.Turn(1);
  }
  // More than is read at once.
  for (int i = 0; i < 10'000; ++i) Append("app.log", Request(live.wall()));
  live.Turn(1);
  fs::rename(Logs("app.log"), Logs("app.log.1"));
  for (int i = 0; i < 60; ++i) {
    live.Advance(1);
    Append("app.log", Request(live.wall()));
  }
  live.Settle();
  EXPECT_EQ(live.Sum().late, 0);
  EXPECT_EQ(live.Sum().events, 10'063);
}

TEST_F(FileInputTest, GoesOnAtAPositionOfTheLastRelease) {
  const std::string text = Request(LiveFiles::kStart) + Request(LiveFiles::kStart);
  Append("app.log", text + Request(LiveFiles::kStart + kSecondUs));
  auto journal = NewMemoryJournal();
  {
    // What the last release wrote after two records.
    ErrorList errors;
    const std::optional<Config> config = LoadConfigText(Yaml(Logs("app.log")), "test", &errors);
    const auto setup = EngineSetup::Build(&*config, &errors);
    auto stage1 = setup->NewPartition(config->inputs.front(), "app/app.log").value();
    const auto size = static_cast<std::int64_t>(text.size());
    const std::string line = Request(LiveFiles::kStart);
    // Line feeds are no part of a value.
    stage1->Feed({.offset = 0, .next_offset = size / 2 - 1, .bytes = line});
    stage1->Feed({.offset = size / 2, .next_offset = size - 1, .bytes = line});
    const SourceCommit commit = stage1->Commit();
    ASSERT_EQ(commit.offset, 0);
    ASSERT_TRUE(journal->WritePosition("app/app.log", "0 " + commit.metadata).ok());
  }
  LiveFiles live(Yaml(Logs("app.log")), std::move(journal));
  live.Settle();
  EXPECT_EQ(live.Sum().records, 1) << "the first two are only read again";
  EXPECT_EQ(live.Find("app/app.log")->stage1->next_offset(),
            static_cast<std::int64_t>(fs::file_size(Logs("app.log"))) - 1);
}

TEST_F(FileInputTest, APositionThatCannotBeUsedIsSaidAndReadingBeginsAnew) {
  Append("app.log", Request(LiveFiles::kStart));
  for (const char* const position :
       {"x", "12 nonsense", "f2 - json 1;2 0 t1", "f2 - json x 0 t1"}) {
    auto journal = NewMemoryJournal();
    ASSERT_TRUE(journal->WritePosition("app/app.log", position).ok());
    LiveFiles live(Yaml(Logs("app.log")), std::move(journal));
    live.Settle();
    EXPECT_EQ(live.Sum().events, 1) << position;
  }
}

TEST_F(FileInputTest, MoreFilesThanAreRead) {
  for (std::size_t i = 0; i < FileFollower::kFilesMax + 3; ++i) {
    Append(absl::StrCat(i, ".log"), Request(LiveFiles::kStart));
  }
  LiveFiles live(Yaml(folder_ + "/logs"));
  live.Turn(1);
  EXPECT_THAT(live.Sources(), SizeIs(FileFollower::kFilesMax));
  EXPECT_THAT(live.StateOf("app").reason, HasSubstr("3 files past the limit"));
}

// Half an hour with two outages, rotated in every way, restarted and killed: the lines are those of
// a replay of the files that are left.
TEST_F(FileInputTest, LiveEqualsReplayAcrossRotations) {
  std::size_t lines = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    fs::remove_all(folder_ + "/logs");
    fs::create_directory(folder_ + "/logs");
    std::mt19937_64 random(seed);
    const bool dates = seed % 3 == 0;
    LogRotator log(folder_ + "/logs", "app.log", /*keep=*/100);
    LiveFiles live(Yaml(seed % 2 == 0 ? folder_ + "/logs" : Logs("app.log")));
    for (int second = 0; second < 1'800; ++second) {
      const bool fails = (second >= 600 && second < 800) || (second >= 1'300 && second < 1'500);
      log.SetTime(live.wall());
      for (int i = 0; i < 3; ++i) {
        const DurationUs age = static_cast<DurationUs>(random() % 4) * kSecondUs;
        log.Write(Request(live.wall() - age, fails && i != 0 ? 503 : 200));
      }
      if (random() % 60 == 0) {
        LogRotator::Way way = LogRotator::Way::kDate;
        if (!dates) way = static_cast<LogRotator::Way>(random() % 5);
        log.Rotate(way);
      }
      live.Turn(1, /*commit=*/random() % 3 == 0);
      if (random() % 100 == 0) live.Restart();
    }
    live.Settle();
    EXPECT_EQ(live.Sum().late, 0);
    const std::vector<std::string> replayed = Replayed(live.config(), {folder_ + "/logs"});
    EXPECT_EQ(replayed_.events, 5'400);
    EXPECT_EQ(replayed_.late, 0);
    ASSERT_GE(replayed.size(), live.lines().size());
    for (std::size_t i = 0; i < live.lines().size(); ++i) ASSERT_EQ(live.lines()[i], replayed[i]);
    lines += live.lines().size();
  }
  EXPECT_GT(lines, 20U * 8U);
}

// ---------------------------------------------------------------------------------------------
// Formats that do not say when their events were.

std::string Scrape(int used) { return absl::StrCat("disk_used{host=\"db-1\"} ", used, "\n"); }

TEST_F(FileInputTest, PagesOfMetricsAreOfTheTimeOfReading) {
  LiveFiles live(Yaml(Logs("node.prom"), ", format: prometheus-text"));
  int scrapes = 0;
  for (int second = 0; second < 600; ++second) {
    if (second % 15 == 0) {
      std::ofstream(Logs("new")) << Scrape(second < 300 ? 50 : 99);
      fs::rename(Logs("new"), Logs("node.prom"));
      ++scrapes;
    }
    live.Turn(1, /*commit=*/second % 7 == 0);
    if (second % 50 == 49) live.Restart();
  }
  live.Settle();
  EXPECT_THAT(live.Sources(), ElementsAre("app/node.prom"));
  EXPECT_EQ(live.Sum().undecodable, 0);
  EXPECT_EQ(live.Sum().late, 0);
  EXPECT_THAT(live.lines(), testing::Not(IsEmpty()));
  const std::vector<std::string> replayed = Replayed(live.config(), {folder_ + "/state/files/app"});
  EXPECT_EQ(replayed_.events, scrapes);
  ASSERT_GE(replayed.size(), live.lines().size());
  for (std::size_t i = 0; i < live.lines().size(); ++i) EXPECT_EQ(live.lines()[i], replayed[i]);
}

// Each is another: files are known by their content.
std::string Resolved(int id) {
  return absl::StrCat(R"({"action":"resolved","data":{"metric_alert":{"id":")", id,
                      R"(","title":"slow","date_closed":null}}})", "\n");
}

TEST_F(FileInputTest, RecordsWithoutATimeAreCopiedOnceWhateverHappens) {
  LiveFiles live(Yaml(Logs("sentry.log"), ", format: sentry"));
  int written = 0;
  for (int round = 0; round < 60; ++round) {
    for (int i = 0; i < round % 4; ++i) {
      Append("sentry.log", Resolved(written++));
    }
    if (round % 9 == 8) fs::rename(Logs("sentry.log"), Logs("sentry.log.1"));
    const FaultScope faults(absl::StrCat("seed=", round, "; path=", folder_,
                                         "/state; write:ENOSPC:p=0.3; fsync:EIO:p=0.2; "
                                         "truncate:EIO:p=0.2; open:EMFILE:p=0.2"));
    live.Turn(1, /*commit=*/round % 5 == 0);
    if (round % 7 == 6) live.Restart();
  }
  for (int i = 0; i < 5; ++i) live.Settle();
  Replayed(live.config(), {folder_ + "/state/files/app"});
  EXPECT_EQ(replayed_.events, written);
  EXPECT_EQ(replayed_.undecodable, 0);
}

TEST_F(FileInputTest, ABacklogOfSuchAFormatIsInItsOwnTime) {
  // As Telegraf writes it: with times.
  for (int i = 0; i < 600; ++i) {
    Append("cpu.influx", absl::StrCat("disk_used,host=a value=99 ",
                                      (LiveFiles::kStart - kDayUs) / 1'000'000 + i, "000000000\n"));
  }
  LiveFiles live(Yaml(Logs("cpu.influx"), ", format: influx"));
  live.Settle();
  Append("cpu.influx", "disk_used,host=a value=99\n");
  live.Settle();
  EXPECT_EQ(live.Sum().events, 601);
  EXPECT_EQ(live.Sum().late, 0);
  EXPECT_EQ(live.Sum().undecodable, 0);
}

TEST_F(FileInputTest, StampsWithoutAYearAreNearTheFile) {
  LiveFiles live(Yaml(Logs("auth.log"), ", format: syslog"));
  Append("auth.log", "Mar  2 00:00:01 db-1 sshd[1]: Failed password\n");
  live.Settle();
  EXPECT_EQ(live.Sum().events, 1);
  EXPECT_EQ(live.Sum().undecodable, 0);
}

// A disk that is full stops the copies, and nothing else.
TEST_F(FileInputTest, AFullDiskStopsOnlyWhatIsCopied) {
  LiveFiles live(absl::StrCat(
      "state_dir: ", folder_, "/state\ninputs:\n  - {name: plain, file: ", Logs("app.log"),
      "}\n  - {name: copied, file: ", Logs("sentry.log"), ", format: sentry}\n", kDetectors));
  {
    const FaultScope faults("path=" + folder_ + "/state; any:ENOSPC");
    Append("sentry.log", Resolved(7));
    for (int i = 0; i < 30; ++i) {
      Append("app.log", Request(live.wall()));
      live.Turn(1);
    }
    EXPECT_TRUE(live.StateOf("copied/sentry.log").failing);
    EXPECT_THAT(live.StateOf("copied/sentry.log").reason, HasSubstr("No space left"));
    EXPECT_GT(live.decider().assembler().next_tick(), live.wall() - 16 * kSecondUs);
  }
  for (int i = 0; i < 5; ++i) live.Turn(1);
  EXPECT_FALSE(live.StateOf("copied/sentry.log").failing);
  EXPECT_EQ(live.Find("copied/sentry.log")->stage1->counters().events, 1);
}

}  // namespace
}  // namespace tocsin
