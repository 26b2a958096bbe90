#include "tests/sim/rotation_simulation.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>
#include <utility>

#include "core/check.h"
#include "core/hash.h"
#include "ingest/sources/followed_file.h"
#include "ingest/sources/line_reader.h"
#include "tests/engine/text_decoder.h"
#include "tests/ingest/sources/log_rotator.h"

namespace tocsin::testing {
namespace {

constexpr LogShape kFileShape = {.records_min = 12, .records_spread = 14, .step_ms = 14'000};
// Fewer than are kept.
constexpr int kRotationsMax = 8;
// Copies of all that a file was are kept.
constexpr int kKeep = 12;

std::vector<std::string> LinesOf(const SimLog& log) {
  std::vector<std::string> lines;
  for (const SimRecord& record : log.records) {
    std::string_view text = record.text;
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      // Each is another one: files are told apart by what they hold.
      lines.push_back(std::string(text.substr(0, end)) + " line=" + std::to_string(lines.size()));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  }
  return lines;
}

// "offset next tail|stage 1", as the journal keeps it.
struct Position {
  std::int64_t offset = 0, next = 0;
  std::string tail, metadata;

  std::string ToText() const {
    return std::to_string(offset) + ' ' + std::to_string(next) + ' ' + tail + ' ' + metadata;
  }
  static Position FromText(const std::string& text) {
    Position position;
    const char* const end = text.data() + text.size();
    const auto offset = std::from_chars(text.data(), end, position.offset);
    const auto next = std::from_chars(offset.ptr + 1, end, position.next);
    const auto tail = static_cast<std::size_t>(next.ptr + 1 - text.data());
    const std::size_t metadata = text.find(' ', tail) + 1;
    position.tail = text.substr(tail, metadata - 1 - tail);
    position.metadata = text.substr(metadata);
    return position;
  }
};

}  // namespace

struct RotationSimulation::File {
  const SimLog* log = nullptr;
  std::vector<std::string> lines;
  std::size_t written = 0;
  std::unique_ptr<LogRotator> rotator;
  bool dates = false;  // how rotated files are named
  int rotations = 0;
  std::unique_ptr<FollowedFile> tail;
  std::unique_ptr<SourcePartition> stage1;
  std::int64_t next_offset = 0;  // behind the last line that was read
  bool at_end = false;
  bool ended = false;
};

RotationStats& RotationStats::operator+=(const RotationStats& other) {
  rotations += other.rotations;
  restarts += other.restarts;
  return *this;
}

RotationSimulation::RotationSimulation(const EngineSetup* setup, std::uint64_t seed,
                                       RotationBreakage breakage)
    : setup_(setup),
      breakage_(breakage),
      logs_(DrawLogs(seed, kFileShape)),
      random_(~seed),
      journal_(OneIn(3) ? SimJournal::Kind::kSqlite : SimJournal::Kind::kMemory),
      process_(setup) {
  for (const SimLog& log : logs_) {
    auto file = std::make_unique<File>();
    file->log = &log;
    file->lines = LinesOf(log);
    file->dates = OneIn(4);
    const std::string folder = folder_.path() + '/' + std::to_string(files_.size());
    std::filesystem::create_directory(folder);
    file->rotator = std::make_unique<LogRotator>(folder, "app.log", kKeep);
    files_.push_back(std::move(file));
  }
}

RotationSimulation::~RotationSimulation() = default;

void RotationSimulation::Append(const std::vector<std::string>& records,
                                const std::vector<SourcePosition>& positions) {
  TOCSIN_CHECK(journal_->AppendBatches(records, positions).ok());
  appended_.insert(appended_.end(), records.begin(), records.end());
}

void RotationSimulation::Start(File* file) {
  file->tail = std::make_unique<FollowedFile>(TailOptions{.path = file->rotator->path()});
  file->stage1 = NewPartition(setup_->plan, *file->log);
  file->next_offset = 0;
  file->at_end = file->ended = false;
  const absl::StatusOr<std::optional<std::string>> text = journal_->ReadPosition(file->log->source);
  TOCSIN_CHECK(text.ok());
  if (!*text) return;
  const Position position = Position::FromText(**text);
  if (breakage_ == RotationBreakage::kKnowBytes) {
    file->tail->RestoreBytes(static_cast<std::uint64_t>(position.offset),
                             static_cast<std::uint64_t>(position.next));
  } else {
    TOCSIN_CHECK(file->tail->Restore(position.tail).ok());
  }
  file->next_offset = position.next;
  const SourceCommit commit = {.offset = position.offset, .metadata = position.metadata};
  TOCSIN_CHECK(file->stage1->Restore(commit).ok());
}

void RotationSimulation::Restart() {
  ++stats_.restarts;
  journal_.Kill();
  process_.Start(journal_.get());
  for (const std::unique_ptr<File>& file : files_) Start(file.get());
}

void RotationSimulation::Read(File* file, std::uint64_t lines) {
  now_ += kSecondUs;
  LineReader::Line line;
  for (; lines > 0; --lines) {
    const Tail::Result result = file->tail->Next(now_, &line);
    file->at_end = result == Tail::Result::kEnd;
    if (result != Tail::Result::kLine) return;
    file->stage1->Feed(RecordOf(line));
    file->next_offset = static_cast<std::int64_t>(line.next_offset);
  }
}

void RotationSimulation::Send(File* file) {
  std::vector<std::string> records;
  EncodeTo(file->stage1->TakeBatches(), setup_->plan, &records);
  if (file->ended) return Append(records, {});
  const SourceCommit commit = file->stage1->Commit();
  const Position position = {
      .offset = commit.offset,
      .next = file->next_offset,
      .tail = file->tail->Position(static_cast<std::uint64_t>(commit.offset)),
      .metadata = commit.metadata};
  const SourcePosition written = {file->log->source, position.ToText()};
  const bool is_first = file->written == 1;
  if (breakage_ == RotationBreakage::kCommitPosition && !is_first && OneIn(3)) {
    Append({}, {written});
    return Restart();
  }
  Append(records, {written});
}

void RotationSimulation::Rotate(File* file) {
  if (file->rotations == kRotationsMax) return;
  ++file->rotations;
  ++stats_.rotations;
  constexpr int kNumberedWays = 5;
  const auto way = file->dates ? LogRotator::Way::kDate
                               : static_cast<LogRotator::Way>(random_() % kNumberedWays);
  file->rotator->Rotate(way);
  file->rotator->ForgetOld();
}

void RotationSimulation::Step(File* file) {
  now_ += static_cast<DurationUs>(random_() % 2'000) * kMillisecondUs;
  file->rotator->SetTime(now_);
  switch (random_() % 16) {
    case 0:
      return Rotate(file);
    case 1:
      if (OneIn(6)) Restart();
      return;
    case 2:
    case 3:
    case 4:
      return Send(file);
    case 5:
    case 6:
    case 7:
    case 8:
    case 9:
      return Read(file, 1 + random_() % 12);
    default:
      break;
  }
  for (std::uint64_t lines = 1 + random_() % 6; lines > 0; --lines) {
    if (file->written == file->lines.size()) break;
    file->rotator->Write(file->lines[file->written++] + '\n');
  }
  if (file->written < file->lines.size() || !OneIn(4)) return;
  // Nothing more comes, also of files that were rotated.
  for (int looks = 0; looks < 3; ++looks) {
    do {
      Read(file, 1'000);
    } while (!file->at_end);
    now_ += FollowedFile::kLingerFor;
  }
  file->stage1->End();
  file->ended = true;
  Send(file);
}

std::vector<std::string> RotationSimulation::UndisturbedJournal() {
  std::vector<std::string> records = {ExpectRecord(logs_)};
  for (const std::unique_ptr<File>& file : files_) {
    const std::unique_ptr<SourcePartition> stage1 = NewPartition(setup_->plan, *file->log);
    std::int64_t offset = 0;
    for (const std::string& line : file->lines) {
      const std::int64_t next = offset + std::ssize(line) + 1;
      stage1->Feed({.offset = offset, .next_offset = next, .bytes = line});
      offset = next;
    }
    stage1->End();
    EncodeTo(stage1->TakeBatches(), setup_->plan, &records);
  }
  return records;
}

void RotationSimulation::Run() {
  SeedTableHash(1);
  expected_ = ReadUndisturbed(*setup_, UndisturbedJournal());
  SeedTableHash(2);
  Append({ExpectRecord(logs_)}, {});
  process_.Start(journal_.get());
  for (const std::unique_ptr<File>& file : files_) {
    // Of a log that was never read, what it was rotated into is not read.
    file->rotator->SetTime(now_);
    file->rotator->Write(file->lines[file->written++] + '\n');
    Start(file.get());
    Read(file.get(), 1);
    Send(file.get());
  }
  const auto ended = [](const std::unique_ptr<File>& file) { return file->ended; };
  while (!std::all_of(files_.begin(), files_.end(), ended)) {
    File* const file = files_[random_() % files_.size()].get();
    if (!file->ended) Step(file);
    if (OneIn(4)) process_.Read(1 + random_() % 6);
    if (OneIn(40)) TOCSIN_CHECK(process_.TakeSnapshot().ok());
  }
  process_.Read(appended_.size());
  TOCSIN_CHECK(process_.TakeSnapshot().ok());
  actual_ = process_.Finish();
  actual_.facts = FactsOf(*setup_, appended_);
}

}  // namespace tocsin::testing
