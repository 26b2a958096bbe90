// Twenty rotations per seed, in all ways, with reads, late writers, restarts and kills between
// them, and with faults of reading in half of them: every line is read once.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "ingest/sources/followed_file.h"
#include "ingest/sources/line_reader.h"
#include "tests/faults/faults.h"
#include "tests/ingest/sources/log_rotator.h"

namespace tocsin {
namespace {

namespace fs = std::filesystem;
using ::testing::IsEmpty;
using Way = LogRotator::Way;

class Story {
 public:
  Story(std::uint64_t seed, const std::string& folder, bool has_faults)
      : random_(seed),
        has_faults_(has_faults),
        log_(folder, "app.log", kKeep),
        folder_(folder),
        path_(folder + "/app.log") {
    scheme_ = static_cast<Scheme>(random_() % 4 == 0 ? random_() % 3 : 0);
    log_.SetTime(now_);
    if (scheme_ == Scheme::kLinks) log_.Rotate(Way::kLink);
    Start();
    Write(/*old=*/false);
    ReadAll();
    Commit();
  }

  void Run() {
    for (int rotations = 0; rotations < 20;) {
      now_ += static_cast<DurationUs>(random_() % 3'000) * kMillisecondUs;
      log_.SetTime(now_);
      switch (random_() % 8) {
        case 0:
          Rotate();
          ++rotations;
          break;
        case 1:
          if (log_.has_old() && now_ - rotated_at_ < kLate && OneIn(2)) Write(/*old=*/true);
          break;
        case 2:
          Commit();
          if (OneIn(3)) Start();
          break;
        case 3:
          if (OneIn(4)) Start();
          break;
        case 4:
        case 5:
          Read(1 + random_() % 30);
          break;
        default:
          for (auto lines = random_() % 20; lines > 0; --lines) Write(/*old=*/false);
      }
    }
    log_.ForgetOld();
    for (int i = 0; i < 4; ++i) {
      ReadAll();
      now_ += FollowedFile::kLingerFor;
    }
  }

  std::vector<std::string> read() const {
    std::vector<std::string> lines;
    for (const auto& [offset, one] : read_) lines.push_back(one.text);
    return lines;
  }
  const std::vector<std::string>& written() const { return written_; }
  const std::vector<std::string>& notes() const { return notes_; }
  bool in_order() const { return !late_; }
  const std::string& contradiction() const { return contradiction_; }
  int restarts() const { return restarts_; }

 private:
  enum class Scheme { kNumbers, kDates, kLinks };
  struct Record {
    std::string text;
    int rotation = 0;
  };
  static constexpr int kKeep = 12;
  // So many rotations may come before all is read and committed; what is older may be deleted.
  static constexpr int kBehindMax = 8;
  static constexpr DurationUs kLate = 20 * kSecondUs;

  bool OneIn(std::uint64_t n) { return random_() % n == 0; }

  void Write(bool old) {
    written_.push_back("line " + std::to_string(written_.size()) +
                       std::string(random_() % 90, '.'));
    late_ = late_ || old;
    if (old) {
      ASSERT_TRUE(log_.WriteToOld(written_.back() + "\n"));
    } else {
      log_.Write(written_.back() + "\n");
    }
  }

  void Rotate() {
    // Targets of a link that was switched between two reads are not found again.
    if (behind_ >= kBehindMax || scheme_ == Scheme::kLinks) {
      ReadAll();
      Commit();
    }
    Way way = static_cast<Way>(random_() % 5);
    // A copy that cannot be read when it is first seen is taken for a new file.
    if (has_faults_ && way == Way::kCopyTruncate) way = Way::kRename;
    if (scheme_ == Scheme::kDates) way = Way::kDate;
    if (scheme_ == Scheme::kLinks) way = Way::kLink;
    const bool compresses =
        way == Way::kRenameAndGzip || way == Way::kRenameAndZstd || way == Way::kCompressLater;
    log_.Rotate(way);
    // A compressed file is never written to.
    if (compresses) log_.ForgetOld();
    if (way != Way::kCopyTruncate) rotated_at_ = now_;
    ++rotation_;
    ++behind_;
    caught_up_ = false;
  }

  void ReadAll() {
    for (caught_up_ = false; !caught_up_;) Read(1 << 20);
  }

  // Faults of reading last for up to 20 s, whatever happens to the log meanwhile.
  std::string Fault() {
    if (!has_faults_) return "";
    if (now_ >= fault_until_ && OneIn(15)) {
      constexpr const char* kFaults[] = {"open:EACCES; read:EACCES", "read:EIO", "read:ESTALE",
                                         "list:EACCES; read:EIO", "any:EIO"};
      fault_ = kFaults[random_() % std::size(kFaults)];
      fault_until_ = now_ + static_cast<DurationUs>(random_() % 20) * kSecondUs;
    }
    return now_ < fault_until_ ? "path=" + folder_ + "; " + fault_ : "";
  }

  // Bytes that are read again must be the same at the same offsets.
  void Read(std::uint64_t lines) {
    LineReader::Line line;
    now_ += kSecondUs;
    const FaultScope faults(Fault());
    for (; lines > 0; --lines) {
      const Tail::Result result = tail_->Next(now_, &line);
      if (result != Tail::Result::kLine) {
        caught_up_ = result == Tail::Result::kEnd;
        break;
      }
      const std::string text(line.text);
      const auto [at, is_new] = read_.emplace(line.offset, Record{text, rotation_});
      if (!is_new && at->second.text != text) {
        contradiction_ = "at " + std::to_string(line.offset) + ": \"" + at->second.text +
                         "\", then \"" + text + "\"";
      }
      next_ = line.next_offset;
    }
    for (Tail::Note& note : tail_->TakeNotes()) notes_.push_back(std::move(note.text));
  }

  void Commit() {
    // Some of what was read is still in open panes.
    auto oldest = read_.lower_bound(next_);
    for (auto back = random_() % 40; back > 0 && oldest != read_.begin(); --back) {
      // What was once given up is not asked for again.
      if (std::prev(oldest)->first < committed_oldest_) break;
      if (std::prev(oldest)->second.rotation < rotation_ - 2) break;
      --oldest;
    }
    committed_oldest_ = oldest == read_.end() ? next_ : std::min(next_, oldest->first);
    committed_ = tail_->Position(committed_oldest_);
    committed_next_ = next_;
    if (caught_up_) behind_ = 0;
  }

  // Continues at the last commit: reads since then do not count.
  void Start() {
    ++restarts_;
    tail_ = std::make_unique<FollowedFile>(TailOptions{.path = path_});
    if (!committed_.empty()) {
      ASSERT_TRUE(tail_->Restore(committed_).ok()) << committed_;
    }
    read_.erase(read_.lower_bound(committed_next_), read_.end());
    next_ = committed_oldest_;
    caught_up_ = false;
  }

  std::mt19937_64 random_;
  const bool has_faults_;
  std::string fault_;
  TimeUs fault_until_ = 0;
  LogRotator log_;
  const std::string folder_;
  const std::string path_;
  Scheme scheme_ = Scheme::kNumbers;
  std::unique_ptr<FollowedFile> tail_;
  TimeUs now_ = 1'000 * kSecondUs, rotated_at_ = 0;
  std::uint64_t next_ = 0, committed_next_ = 0, committed_oldest_ = 0;
  std::string committed_;
  std::map<std::uint64_t, Record> read_;  // by offset
  std::vector<std::string> written_, notes_;
  std::string contradiction_;
  bool late_ = false, caught_up_ = false;
  int rotation_ = 0, behind_ = 0, restarts_ = 0;
};

// What is wrong with the lines that were read; empty when each was read once and, unless late
// writers took part, in the order in which it was written.
std::string Difference(const Story& story) {
  std::map<std::string, int> count;
  for (const std::string& line : story.read()) ++count[line];
  std::string missing, twice;
  for (const std::string& line : story.written()) {
    const int times = count[line];
    if (times == 0) missing += line.substr(0, line.find('.')) + ", ";
    if (times > 1) twice += line.substr(0, line.find('.')) + ", ";
  }
  if (!missing.empty() || !twice.empty()) return "missing: " + missing + "; twice: " + twice;
  return story.in_order() && story.read() != story.written() ? "not in order" : "";
}

class RotationStory : public testing::TestWithParam<bool> {};

TEST_P(RotationStory, AThousandRotations) {
  const bool has_faults = GetParam();
  std::string folder = testing::TempDir() + "rotations-XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  folder = fs::canonical(folder).string();
  int restarts = 0;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const std::string logs = folder + "/" + std::to_string(seed);
    fs::create_directory(logs);
    Story story(seed, logs, has_faults);
    story.Run();
    restarts += story.restarts();
    EXPECT_EQ(story.contradiction(), "");
    EXPECT_THAT(story.notes(), IsEmpty());
    EXPECT_EQ(Difference(story), "");
    if (HasFailure()) return;
    fs::remove_all(logs);
  }
  EXPECT_GT(restarts, 200);
  fs::remove_all(folder);
}

INSTANTIATE_TEST_SUITE_P(Faults, RotationStory, testing::Bool(),
                         [](const testing::TestParamInfo<bool>& with) {
                           return with.param ? "WithFaults" : "WithoutFaults";
                         });

}  // namespace
}  // namespace tocsin
