// `tocsin decode`: what the engine sees in a file.

#include <sys/stat.h>

#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "cli/commands.h"
#include "cli/config_check.h"
#include "core/json_writer.h"
#include "core/status_macros.h"
#include "ingest/decoder.h"
#include "ingest/formats/detect_format.h"
#include "ingest/sources/file_listing.h"
#include "ingest/sources/file_source.h"
#include "replay/replayer.h"
#include "runtime/engine_setup.h"

namespace tocsin {
namespace {

// Of what was not used, as much as fits a terminal's line or two.
constexpr std::size_t kSampleBytesMax = 160;

void WriteOptional(std::string_view key, const std::optional<double>& value, JsonWriter* json) {
  if (value) json->Key(key).Number(*value);
}

void WriteText(std::string_view key, std::string_view text, JsonWriter* json) {
  if (!text.empty()) json->Key(key).String(text);
}

// In the canonical form, so that the line decodes to the same event.
std::string EventLine(const Event& event) {
  JsonWriter json;
  json.BeginObject();
  json.Key("time").String(FormatTime(event.time));
  WriteText("type", EventTypeName(event.type), &json);
  for (int i = 0; i < kFields; ++i) {
    const auto field = static_cast<Field>(i);
    WriteText(FieldName(field), event.Get(field), &json);
  }
  if (event.status != 0) json.Key("status").Int(event.status);
  if (event.duration >= 0) {
    json.Key("duration_ms").Number(static_cast<double>(event.duration) / 1e3);
  }
  WriteText("outcome", OutcomeName(event.outcome), &json);
  WriteText("action", ConnectionActionName(event.action), &json);
  WriteText("state", AlarmStateName(event.state), &json);
  if (event.type == EventType::kMetric) {
    WriteText("metric_type", MetricTypeName(event.metric_type), &json);
  }
  WriteOptional("value", event.value, &json);
  WriteOptional("limit", event.limit, &json);
  WriteOptional("count", event.count, &json);
  WriteOptional("sum", event.sum, &json);
  WriteOptional("min", event.min, &json);
  WriteOptional("max", event.max, &json);
  WriteOptional("cvss", event.cvss, &json);
  WriteOptional("amount", event.amount, &json);
  if (event.weight != 1) json.Key("weight").Int(event.weight);
  if (!event.labels.empty()) {
    json.Key("labels").BeginObject();
    for (const auto& [name, value] : event.labels) json.Key(name).String(value);
    json.EndObject();
  }
  json.EndObject();
  return json.Take();
}

class PrintingSink final : public EventSink {
 public:
  explicit PrintingSink(bool explain) : explain_(explain) {}

  void BeginRecord(std::uint64_t number) { record_ = number; }

  void OnEvent(const Event& event) override {
    ++events_;
    std::printf("%s\n", EventLine(event).c_str());
  }
  void OnUndecodable(std::string_view bytes, std::string_view reason) override {
    Note("undecodable", bytes, reason);
  }
  void OnSkipped(std::string_view bytes, std::string_view reason) override {
    Note("skipped", bytes, reason);
  }

  void Summarise() const {
    std::fprintf(stderr, "%lld events\n", static_cast<long long>(events_));
    for (const auto& [what, count] : counts_) {
      std::fprintf(stderr, "%lld %s\n", static_cast<long long>(count), what.c_str());
    }
  }

 private:
  void Note(const char* what, std::string_view bytes, std::string_view reason) {
    ++counts_[std::string(what) + ": " + std::string(reason)];
    if (!explain_) return;
    JsonWriter sample;  // escapes what a terminal should not get
    sample.String(bytes.substr(0, kSampleBytesMax));
    std::fprintf(stderr, "record %llu %s: %.*s: %s%s\n", static_cast<unsigned long long>(record_),
                 what, static_cast<int>(reason.size()), reason.data(), sample.text().c_str(),
                 bytes.size() > kSampleBytesMax ? "…" : "");
  }

  const bool explain_;
  std::uint64_t record_ = 0;
  std::int64_t events_ = 0;
  std::map<std::string, std::int64_t> counts_;
};

absl::Status DecodeOne(const FileInput& file, InputConfig input, PrintingSink* sink) {
  if (input.record_time == kNoTime) input.record_time = TimeWritten(file.path);
  TOCSIN_RETURN_IF_ERROR(ResolveFormat(file.path, &input));
  ErrorList errors;
  const std::unique_ptr<Decoder> decoder = NewDecoder(input, &errors);
  if (decoder == nullptr) return absl::InvalidArgumentError(ErrorsText(errors));
  TOCSIN_ASSIGN_OR_RETURN(std::unique_ptr<LineReader> reader,
                          OpenLineReader(file.path, {.framing = FramingOf(input.format)}));
  LineReader::Line line;
  LineReader::Result result = LineReader::Result::kEnd;
  for (std::uint64_t record = 1; (result = reader->Next(&line)) == LineReader::Result::kLine;
       ++record) {
    sink->BeginRecord(record);
    decoder->Decode(line.text, line.time, sink);
  }
  return result == LineReader::Result::kError ? reader->status() : absl::OkStatus();
}

}  // namespace

TimeUs TimeWritten(const std::string& path) {
  struct stat facts {};
  const bool known = path != "-" && stat(path.c_str(), &facts) == 0;
  return absl::ToUnixMicros(known ? absl::TimeFromTimespec(facts.st_mtim) : absl::Now());
}

int DecodeFiles(const DecodeCommand& command) {
  Config config;
  if (!command.config.empty()) {
    std::optional<Config> loaded = LoadOrExplain(command.config);
    if (!loaded) return kFinding;
    config = *std::move(loaded);
  }
  if (config.inputs.empty()) {
    InputConfig& input = config.inputs.emplace_back();
    input.name = "file";
    input.format = kAutoFormat;
  }
  PrintingSink sink(command.explain);
  const absl::Status status = [&]() -> absl::Status {
    InputConfig input = InputFor(config, command.file, "", command.format, command.signal);
    input.record_time = command.record_time;
    TOCSIN_ASSIGN_OR_RETURN(const std::vector<FileInput> files, ListFiles(command.file));
    for (const FileInput& file : files) TOCSIN_RETURN_IF_ERROR(DecodeOne(file, input, &sink));
    return absl::OkStatus();
  }();
  std::fflush(stdout);
  sink.Summarise();
  return ExitWith(status);
}

}  // namespace tocsin
