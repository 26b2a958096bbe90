#include "replay/replayer.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>

#include "core/json_writer.h"
#include "core/limits.h"
#include "core/status_macros.h"
#include "ingest/formats/format.h"
#include "ingest/sources/file_listing.h"
#include "ingest/sources/kafka_source.h"
#include "ingest/sources/kafka_uri.h"
#include "ingest/sources/rotation.h"
#include "replay/file_replay_source.h"
#include "runtime/engine_setup.h"
#include "runtime/line_file.h"
#include "runtime/tbb_executor.h"

namespace tocsin {
namespace {

// The engine half of a replay: batches in, lines out.
class ReplayEngine {
 public:
  ReplayEngine(const ReplayOptions& options, const EngineSetup& setup)
      : options_(options),
        plan_(setup.plan),
        decider_(setup.config, &setup.plan, &setup.detectors,
                 TbbExecutor({.threads = options.threads})) {}

  absl::Status Open() {
    TOCSIN_ASSIGN_OR_RETURN(signals_, LineFile::Create(options_.signals_path));
    TOCSIN_ASSIGN_OR_RETURN(incidents_, LineFile::Create(options_.incidents_path));
    return absl::OkStatus();
  }

  absl::Status Expect(const std::vector<std::string>& sources) {
    return decider_.Append(
        EncodeControl({.kind = ControlRecord::Kind::kExpect, .sources = sources}));
  }

  absl::Status Take(SourcePartition* partition) {
    for (const PaneBatch& batch : partition->TakeBatches()) {
      for (const std::string& chunk : EncodeBatch(batch, plan_)) {
        TOCSIN_RETURN_IF_ERROR(decider_.Append(chunk));
      }
    }
    Decision decision;
    while (decider_.Step(&decision)) {
      for (const OutputLine& line : decision.lines) {
        (line.kind == LineKind::kSignal ? signals_ : incidents_).Write(line.text);
      }
      if (options_.on_decision && !decision.lines.empty()) options_.on_decision(decision);
    }
    return absl::OkStatus();
  }

  absl::Status Close() {
    TOCSIN_RETURN_IF_ERROR(signals_.Close());
    return incidents_.Close();
  }

  const Decider& decider() const { return decider_; }

 private:
  const ReplayOptions& options_;
  const Plan& plan_;
  Decider decider_;
  LineFile signals_;
  LineFile incidents_;
};

// Kafka partitions, all driven by one polling consumer; those too far ahead are paused.
class KafkaReplay : public KafkaCallbacks {
 public:
  KafkaReplay(const EngineSetup& setup, InputConfig input, KafkaUri uri, ReplayEngine* engine)
      : setup_(setup), input_(std::move(input)), uri_(std::move(uri)), engine_(engine) {}

  absl::Status Start() {
    KafkaSource::Options options;
    options.brokers = uri_.brokers;
    options.topics = {uri_.topic};
    options.assign_all = true;
    if (input_.kafka) {
      TOCSIN_ASSIGN_OR_RETURN(options.properties, input_.kafka->AllProperties());
    }
    source_ = std::make_unique<KafkaSource>(std::move(options), this);
    TOCSIN_RETURN_IF_ERROR(source_->Start());
    for (const KafkaPartition& kafka : source_->AllPartitions()) {
      Partition& partition = partitions_[kafka];
      TOCSIN_ASSIGN_OR_RETURN(partition.stage1,
                              setup_.NewPartition(input_, input_.name + '/' + kafka.ToString()));
      TOCSIN_ASSIGN_OR_RETURN(partition.end, source_->QueryEndOffset(kafka, absl::Seconds(10)));
    }
    return absl::OkStatus();
  }

  std::vector<std::string> Sources() const {
    std::vector<std::string> names;
    for (const auto& [kafka, partition] : partitions_) names.push_back(partition.stage1->source());
    return names;
  }

  // Reads what is there; partitions too far ahead of `slowest` are paused.
  absl::Status Step(TimeUs slowest) {
    Balance(slowest);
    source_->Poll(absl::Milliseconds(20));
    for (auto& [kafka, partition] : partitions_) {
      TOCSIN_RETURN_IF_ERROR(engine_->Take(partition.stage1.get()));
    }
    return absl::OkStatus();
  }

  bool ended() const {
    return std::all_of(partitions_.begin(), partitions_.end(),
                       [](const auto& entry) { return entry.second.ended; });
  }

  TimeUs Slowest() const {
    TimeUs slowest = INT64_MAX;
    for (const auto& [kafka, partition] : partitions_) {
      if (!partition.ended) slowest = std::min(slowest, partition.stage1->last_tick());
    }
    return slowest;
  }

  std::int64_t Events() const {
    std::int64_t events = 0;
    for (const auto& [kafka, partition] : partitions_)
      events += partition.stage1->counters().events;
    return events;
  }

  absl::Status OnAssigned(std::span<KafkaAssignment>) override { return absl::OkStatus(); }
  void OnRevoked(const KafkaPartition&) override {}
  void OnRecord(const KafkaPartition& kafka, const KafkaRecord& record) override {
    Partition& partition = partitions_[kafka];
    if (partition.ended) return;
    const bool before = uri_.from && record.timestamp < *uri_.from;
    const bool past = uri_.to && record.timestamp >= *uri_.to;
    if (!before && !past && record.offset < partition.end) {
      partition.stage1->Feed({.offset = record.offset,
                              .next_offset = record.offset + 1,
                              .timestamp = record.timestamp,
                              .append_time = record.append_time,
                              .bytes = record.value});
    }
    if (past || record.offset + 1 >= partition.end) EndPartition(kafka, &partition);
  }
  void OnEnd(const KafkaPartition& kafka, std::int64_t end_offset) override {
    Partition& partition = partitions_[kafka];
    if (end_offset >= partition.end) EndPartition(kafka, &partition);
  }
  void OnSkipped(const KafkaPartition&, std::int64_t, std::int64_t, std::string_view) override {}
  // A broker that is away comes back or not; librdkafka goes on trying either way.
  void OnError(std::string_view) override {}

  template <typename Visit>
  void ForEach(Visit visit) {
    for (auto& [kafka, partition] : partitions_) visit(*partition.stage1);
  }

 private:
  struct Partition {
    std::unique_ptr<SourcePartition> stage1;
    std::int64_t end = 0;
    bool ended = false;
    bool paused = false;
  };

  void EndPartition(const KafkaPartition& kafka, Partition* partition) {
    if (partition->ended) return;
    partition->ended = true;
    partition->stage1->End();
    source_->Pause(kafka);
  }

  void Balance(TimeUs slowest) {
    for (auto& [kafka, partition] : partitions_) {
      if (partition.ended) continue;
      const bool ahead =
          slowest == kNoTime ||
          partition.stage1->last_tick() > slowest + limits::kTicksAheadMax * setup_.plan.pane();
      const bool pause = ahead && partition.stage1->last_tick() != slowest;
      if (pause == partition.paused) continue;
      partition.paused = pause;
      if (pause) {
        source_->Pause(kafka);
      } else {
        source_->Resume(kafka);
      }
    }
  }

  const EngineSetup& setup_;
  const InputConfig input_;
  const KafkaUri uri_;
  ReplayEngine* engine_;
  std::unique_ptr<KafkaSource> source_;
  std::map<KafkaPartition, Partition> partitions_;
};

void AddCounters(const SourceCounters& counters, ReplayStats* stats) {
  stats->events += counters.events;
  stats->bytes += counters.bytes;
  stats->late += counters.late;
  stats->quarantined += counters.quarantined;
  stats->undecodable += counters.undecodable;
}

absl::Status OpenFiles(const ReplayOptions& options, const EngineSetup& setup,
                       std::vector<std::unique_ptr<FileReplaySource>>* sources) {
  std::vector<FileInput> found;
  std::map<std::string, std::string> arguments;  // by path
  for (const std::string& argument : options.inputs) {
    if (IsKafkaUri(argument)) continue;
    TOCSIN_ASSIGN_OR_RETURN(const std::vector<FileInput> files, ListFiles(argument));
    for (const FileInput& file : files) arguments.emplace(file.path, argument);
    found.insert(found.end(), files.begin(), files.end());
  }
  for (const LogFiles& log : GroupRotations(found)) {
    InputConfig input =
        InputFor(*options.config, arguments[log.path], "", options.format, options.signal);
    input.record_time = options.record_time;
    TOCSIN_ASSIGN_OR_RETURN(std::unique_ptr<FileReplaySource> source,
                            FileReplaySource::Open(log, std::move(input), setup));
    sources->push_back(std::move(source));
  }
  return absl::OkStatus();
}

absl::Status RunFiles(const ReplayOptions& options,
                      std::vector<std::unique_ptr<FileReplaySource>>* sources,
                      ReplayEngine* engine) {
  while (true) {
    FileReplaySource* behind = nullptr;
    for (const std::unique_ptr<FileReplaySource>& source : *sources) {
      if (source->ended()) continue;
      if (behind == nullptr || source->partition().last_tick() < behind->partition().last_tick()) {
        behind = source.get();
      }
    }
    if (behind == nullptr) return absl::OkStatus();
    TOCSIN_RETURN_IF_ERROR(behind->Read());
    TOCSIN_RETURN_IF_ERROR(engine->Take(&behind->partition()));
    if (options.progress) {
      double share = 0;
      std::int64_t events = 0;
      for (const std::unique_ptr<FileReplaySource>& source : *sources) {
        share += source->ended() ? 1 : source->share_done();
        events += source->partition().counters().events;
      }
      options.progress(share / static_cast<double>(sources->size()), events);
    }
  }
}

absl::Status RunTopics(const ReplayOptions& options,
                       const std::vector<std::unique_ptr<KafkaReplay>>& topics) {
  while (true) {
    TimeUs slowest = INT64_MAX;
    std::int64_t events = 0;
    bool ended = true;
    for (const std::unique_ptr<KafkaReplay>& topic : topics) {
      slowest = std::min(slowest, topic->Slowest());
      events += topic->Events();
      ended = ended && topic->ended();
    }
    if (ended) return absl::OkStatus();
    for (const std::unique_ptr<KafkaReplay>& topic : topics) {
      TOCSIN_RETURN_IF_ERROR(topic->Step(slowest));
    }
    if (options.progress) options.progress(-1, events);
  }
}

// Notes what was left out for want of a time; an error where that is all that a file has.
absl::Status NoteUntimed(const std::vector<std::unique_ptr<FileReplaySource>>& sources,
                         std::vector<std::string>* notes) {
  for (const std::unique_ptr<FileReplaySource>& source : sources) {
    std::string text = source->UntimedText();
    if (text.empty()) continue;
    if (source->partition().counters().events == 0) return absl::FailedPreconditionError(text);
    notes->push_back(std::move(text));
  }
  return absl::OkStatus();
}

// Whether a path is this folder or lies in it.
bool IsUnder(const std::string& folder, const std::string& path) {
  const std::string normal = std::filesystem::path(path).lexically_normal().string();
  const std::string root = std::filesystem::path(folder).lexically_normal().string();
  return normal == root || normal.starts_with(root + '/');
}

std::int64_t PeakRssBytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::int64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace

InputConfig InputFor(const Config& config, const std::string& argument, const std::string& topic,
                     const std::string& format, const std::string& signal) {
  const InputConfig* found = config.inputs.empty() ? nullptr : &config.inputs.front();
  for (const InputConfig& input : config.inputs) {
    if (input.file && input.file->path == argument) found = &input;
    if (IsUnder(CopiesFolder(config, input.name), argument)) found = &input;
    if (input.kafka &&
        std::count(input.kafka->topics.begin(), input.kafka->topics.end(), topic) > 0) {
      found = &input;
    }
  }
  InputConfig input;
  input.enrichment = config.enrichment;
  if (found != nullptr) input = *found;
  if (input.name.empty()) input.name = "replay";
  if (!format.empty()) {
    input.format = format;
    input.format_at = {.file = "--format"};
    ClearKeysOfOtherFormats(&input);
  }
  if (!signal.empty()) input.signal = signal;
  return input;
}

std::string ReplayStats::ToJson() const {
  JsonWriter json;
  json.BeginObject();
  json.Key("events").Int(events).Key("bytes").Int(bytes).Key("late").Int(late);
  json.Key("quarantined").Int(quarantined).Key("undecodable").Int(undecodable);
  json.Key("series").Int(series).Key("ticks").Int(ticks).Key("signals").Int(signals);
  json.Key("incidents").Int(incidents).Key("seconds").Number(seconds);
  json.Key("events_per_second").Number(seconds > 0 ? static_cast<double>(events) / seconds : 0);
  json.Key("peak_rss_bytes").Int(peak_rss_bytes);
  json.EndObject();
  return json.Take();
}

absl::StatusOr<ReplayStats> Replay(const ReplayOptions& options) {
  const auto begin = std::chrono::steady_clock::now();
  Config config = *options.config;
  if (config.inputs.empty()) {
    InputConfig input;
    input.name = "replay";
    config.inputs.push_back(input);
  }
  ErrorList errors;
  const std::unique_ptr<EngineSetup> setup = EngineSetup::Build(&config, &errors);
  if (setup == nullptr) return absl::InvalidArgumentError(ErrorsText(errors));
  ReplayEngine engine(options, *setup);
  TOCSIN_RETURN_IF_ERROR(engine.Open());

  std::vector<std::unique_ptr<FileReplaySource>> files;
  TOCSIN_RETURN_IF_ERROR(OpenFiles(options, *setup, &files));
  std::vector<std::unique_ptr<KafkaReplay>> topics;
  std::vector<std::string> expected;
  for (const std::unique_ptr<FileReplaySource>& file : files) {
    expected.push_back(file->partition().source());
  }
  for (const std::string& argument : options.inputs) {
    if (!IsKafkaUri(argument)) continue;
    TOCSIN_ASSIGN_OR_RETURN(const KafkaUri uri, ParseKafkaUri(argument));
    topics.push_back(std::make_unique<KafkaReplay>(
        *setup, InputFor(config, argument, uri.topic, options.format, options.signal), uri,
        &engine));
    TOCSIN_RETURN_IF_ERROR(topics.back()->Start());
    for (const std::string& source : topics.back()->Sources()) expected.push_back(source);
  }
  if (expected.empty()) return absl::InvalidArgumentError("no input: nothing to replay");
  TOCSIN_RETURN_IF_ERROR(engine.Expect(expected));
  TOCSIN_RETURN_IF_ERROR(RunFiles(options, &files, &engine));
  TOCSIN_RETURN_IF_ERROR(RunTopics(options, topics));
  TOCSIN_RETURN_IF_ERROR(engine.Close());

  ReplayStats stats;
  TOCSIN_RETURN_IF_ERROR(NoteUntimed(files, &stats.notes));
  for (const auto& file : files) AddCounters(file->partition().counters(), &stats);
  for (const auto& topic : topics) {
    topic->ForEach([&](SourcePartition& partition) { AddCounters(partition.counters(), &stats); });
  }
  stats.series = static_cast<std::int64_t>(engine.decider().series());
  stats.ticks = engine.decider().counters().ticks;
  stats.signals = engine.decider().counters().signals_fired;
  stats.incidents = engine.decider().counters().incidents_opened;
  stats.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  stats.peak_rss_bytes = PeakRssBytes();
  return stats;
}

}  // namespace tocsin
