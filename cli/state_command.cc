#include "cli/state_command.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/commands.h"
#include "cli/config_check.h"
#include "core/string_hash.h"
#include "engine/decider.h"
#include "ingest/sources/record_log.h"
#include "journal/inspect.h"
#include "journal/repair.h"
#include "panes/pane_batch.h"
#include "runtime/engine_setup.h"

namespace tocsin {
namespace {

constexpr const char* kDefaultDirectory = "./state";
constexpr std::size_t kIncidentsListed = 20;

std::string Size(std::int64_t bytes) {
  if (bytes < 10'000) return absl::StrCat(bytes, " bytes");
  if (bytes < 10'000'000) return absl::StrCat(bytes / 1'000, " kB");
  return absl::StrCat(bytes / 1'000'000, " MB");
}

std::string Tick(TimeUs tick) { return tick == kNoTime ? "no tick yet" : FormatTime(tick); }

void Line(const char* what, const std::string& text) {
  std::printf("  %-11s %s\n", what, text.c_str());
}

// Decodes what the journal holds, as far as it can without its configuration or with it.
class Checker {
 public:
  // `setup` may be null.
  explicit Checker(const EngineSetup* setup, const Config* config) : setup_(setup) {
    if (setup_ != nullptr) {
      decider_ =
          std::make_unique<Decider>(config, &setup->plan, &setup->detectors, SequentialExecutor());
    } else {
      plan_ = CompilePlan(any_, none_);
      decider_ = std::make_unique<Decider>(&any_, &plan_, &none_, SequentialExecutor());
    }
  }

  void Batch(std::uint64_t sequence, std::string_view body) {
    const absl::StatusOr<Chunk> chunk = DecodeChunk(body);
    absl::Status status = chunk.status();
    if (status.ok() && chunk->control) status = DecodeControl(*chunk).status();
    if (status.ok() && !chunk->control && chunk->count == 1) {
      if (HashBytes(chunk->bytes) != chunk->content_hash) {
        status = absl::DataLossError("its content hash does not hold");
      } else if (setup_ != nullptr) {
        status = DecodeContent(*chunk, chunk->bytes, setup_->plan).status();
        if (absl::IsFailedPrecondition(status)) {
          ++foreign_;
          status = absl::OkStatus();
        }
      }
    }
    if (!status.ok()) {
      faults_.push_back({absl::StrCat("batches ", sequence, ": ", status.message()),
                         "its checksum holds, so please report this"});
    }
  }

  void Restore(const Snapshot& snapshot) {
    const absl::Status restored = decider_->Restore(snapshot.state);
    restored_ = restored.ok();
    if (restored_) {
      if (absl::StatusOr<SnapshotSections> sections = SnapshotSections::Parse(snapshot.state);
          sections.ok()) {
        sections_ = *std::move(sections);
      }
      return;
    }
    faults_.push_back({absl::StrCat("the newest snapshot: ", restored.message()),
                       absl::IsDataLoss(restored) ? "its checksum holds, so please report this"
                                                  : "another version of tocsin reads it"});
  }

  void Print() const {
    if (foreign_ > 0) {
      Line("", absl::StrCat(foreign_, " batches were measured by another configuration"));
    }
    if (!restored_) return;
    std::string detectors;
    for (const DetectorSection& detector : sections_.detectors) {
      absl::StrAppend(&detectors, detectors.empty() ? "" : ", ", detector.name);
      if (!detector.firing.empty()) {
        absl::StrAppend(&detectors, " (", detector.firing.size(), " firing)");
      }
    }
    Line("state", absl::StrCat("format ", sections_.format, ", tick ", Tick(decider_->last_tick()),
                               ", ", decider_->assembler().Sources().size(), " sources"));
    Line("detectors", detectors.empty() ? "none" : detectors);
    for (const Decider::Lost& lost : decider_->lost()) {
      Line("", absl::StrCat(lost.detector, " will be learned again: ", lost.reason));
    }
    const std::vector<const Incident*> open = decider_->correlator().Open();
    Line("incidents", absl::StrCat(open.size(), " open"));
    for (std::size_t i = 0; i < open.size() && i < kIncidentsListed; ++i) {
      Line("", absl::StrCat(open[i]->number, " ", ToAbsl(IncidentStateName(open[i]->state)), ": ",
                            open[i]->title));
    }
    const std::vector<Silence> silences = decider_->correlator().Silences();
    Line("silences", absl::StrCat(silences.size()));
    for (const Silence& silence : silences) {
      Line("", absl::StrCat(silence.name, " until ", FormatTime(silence.ends)));
    }
  }
  const std::vector<JournalFault>& faults() const { return faults_; }

 private:
  const EngineSetup* setup_;
  // Without a configuration: one of no detectors.
  Config any_;
  std::vector<std::unique_ptr<Detector>> none_;
  Plan plan_;
  std::unique_ptr<Decider> decider_;
  SnapshotSections sections_;
  bool restored_ = false;
  std::int64_t foreign_ = 0;
  std::vector<JournalFault> faults_;
};

void PrintJournal(const JournalContents& contents) {
  Line("written by",
       absl::StrCat(contents.writer.empty() ? "an earlier version" : contents.writer, ", format ",
                    contents.format, ", tables of version ", contents.schema));
  Line("file", absl::StrCat(Size(contents.file_bytes), ", of it free ", Size(contents.free_bytes),
                            "; not yet in it ", Size(contents.wal_bytes)));
  for (const JournalContents::SnapshotRow& row : contents.snapshots) {
    const DurationUs age = absl::ToUnixMicros(absl::Now()) - row.written_at;
    Line("snapshot", absl::StrCat("through batch ", row.through, ", ", Tick(row.tick), ", ",
                                  Size(row.bytes), ", written ",
                                  FormatDuration(FloorTo(std::max<DurationUs>(0, age), kSecondUs)),
                                  " ago", row.intact ? "" : ", DAMAGED"));
  }
  Line("batches", contents.usage.batches == 0
                      ? "none"
                      : absl::StrCat(contents.oldest_batch, " to ", contents.newest_batch, ", ",
                                     Size(contents.usage.batch_bytes)));
  Line("lines", absl::StrCat(contents.usage.lines, ", ", Size(contents.usage.line_bytes)));
  for (const auto& [sink, counts] : contents.deliveries) {
    std::string text = sink + ":";
    for (std::size_t state = 0; state < counts.size(); ++state) {
      if (counts[state] == 0) continue;
      absl::StrAppend(&text, " ", counts[state], " ",
                      ToAbsl(DeliveryStateName(static_cast<DeliveryState>(state))));
    }
    Line("deliveries", text);
  }
  for (const auto& [source, position] : contents.positions) {
    Line("position", absl::StrCat(source, " at ", position.substr(0, position.find(' '))));
  }
}

// The logs of what came by HTTP.
void CheckRecordLogs(const std::string& directory, std::vector<JournalFault>* faults) {
  std::error_code error;
  std::set<std::string> logs;
  for (const auto& entry : std::filesystem::directory_iterator(directory + "/http", error)) {
    if (IsRecordLog(entry.path().string())) logs.insert(entry.path().string());
  }
  for (const std::string& log : logs) {
    std::int64_t segments = 0, bytes = 0, records = 0;
    for (const auto& entry : std::filesystem::directory_iterator(log, error)) {
      ++segments;
      bytes += static_cast<std::int64_t>(entry.file_size(error));
    }
    absl::StatusOr<std::unique_ptr<LineReader>> reader = OpenRecordLog(log, {});
    absl::Status status = reader.status();
    LineReader::Line line;
    while (status.ok() && (*reader)->Next(&line) == LineReader::Result::kLine) ++records;
    if (status.ok()) status = (*reader)->status();
    Line("log",
         absl::StrCat(log, ": ", segments, " segments, ", Size(bytes), ", ", records, " records"));
    if (!status.ok()) {
      faults->push_back({absl::StrCat(log, ": ", status.message()),
                         "what was posted from there on is not read; keep a copy of the segment"});
    }
  }
}

int Check(const std::string& directory, const EngineSetup* setup, const Config* config) {
  Checker checker(setup, config);
  absl::StatusOr<JournalContents> contents = InspectJournal(
      directory,
      [&](std::uint64_t sequence, std::string_view body) { checker.Batch(sequence, body); });
  if (absl::IsDataLoss(contents.status())) {
    std::printf("%s\n  %s\n", directory.c_str(), std::string(contents.status().message()).c_str());
    return kFinding;
  }
  if (!contents.ok()) {
    std::fprintf(stderr, "tocsin: %s\n", std::string(contents.status().message()).c_str());
    return kEnvironment;
  }
  if (contents->newest) checker.Restore(*contents->newest);
  std::printf("%s\n", directory.c_str());
  PrintJournal(*contents);
  checker.Print();
  std::vector<JournalFault> faults = std::move(contents->faults);
  faults.insert(faults.end(), checker.faults().begin(), checker.faults().end());
  CheckRecordLogs(directory, &faults);
  for (const JournalFault& fault : faults) {
    std::printf("%s\n    %s\n", fault.what.c_str(), fault.remedy.c_str());
  }
  std::printf("%s\n", faults.empty() ? "nothing is damaged"
                                     : absl::StrCat(faults.size(), " faults").c_str());
  return faults.empty() ? kDone : kFinding;
}

int Repair(const std::string& directory) {
  const absl::StatusOr<RepairReport> report = RepairJournal(directory, "tocsin " TOCSIN_VERSION);
  if (!report.ok()) {
    std::fprintf(stderr, "tocsin: %s\n", std::string(report.status().message()).c_str());
    return kEnvironment;
  }
  if (!report->repaired) {
    std::printf("%s: nothing is damaged, nothing was changed\n", directory.c_str());
    return kDone;
  }
  std::printf("%s: repaired; the damaged file is %s\n", directory.c_str(), report->copy.c_str());
  for (const std::string& kept : report->kept) std::printf("  kept %s\n", kept.c_str());
  for (const std::string& lost : report->lost) std::printf("  LOST %s\n", lost.c_str());
  if (report->lost.empty()) std::printf("  nothing was lost\n");
  return report->lost.empty() ? kDone : kFinding;
}

}  // namespace

int State(const StateCommand& command) {
  std::string directory = command.directory;
  std::optional<Config> config;
  std::unique_ptr<EngineSetup> setup;
  if (!command.config.empty()) {
    config = LoadOrExplain(command.config);
    if (!config) return kFinding;
    ErrorList errors;
    setup = EngineSetup::Build(&*config, &errors);
    if (!errors.empty()) {
      std::fprintf(stderr, "%s\n", ErrorsText(errors).c_str());
      return kFinding;
    }
    if (directory.empty()) directory = config->state_dir;
  }
  if (directory.empty()) directory = kDefaultDirectory;
  if (command.verb == "repair") return Repair(directory);
  return Check(directory, setup.get(), config ? &*config : nullptr);
}

}  // namespace tocsin
