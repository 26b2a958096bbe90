#include "ingest/formats/detect_format.h"

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "core/string_hash.h"
#include "ingest/decoder.h"
#include "ingest/formats/format.h"
#include "ingest/formats/postgres_line.h"
#include "ingest/sources/file_source.h"

namespace tocsin {
namespace {

constexpr int kLinesMax = 100;
// The record's time, from which timestamps without a year take their year. Any time will do.
constexpr TimeUs kSomeTime = 50 * 365 * kDayUs;

class CountingSink final : public EventSink {
 public:
  void OnEvent(const Event&) override { ++events; }
  void OnUndecodable(std::string_view, std::string_view) override { ++undecodable; }
  void OnSkipped(std::string_view, std::string_view reason) override {
    others += reason == PostgresReader::kOtherProgram ? 1 : 0;
  }
  int events = 0;
  int others = 0;
  int undecodable = 0;
};

absl::StatusOr<std::vector<std::string>> FirstLines(const std::string& path) {
  TOCSIN_ASSIGN_OR_RETURN(std::unique_ptr<LineReader> reader, OpenLineReader(path));
  std::vector<std::string> lines;
  LineReader::Line line;
  LineReader::Result result = LineReader::Result::kEnd;
  for (int i = 0; i < kLinesMax; ++i) {
    if (result = reader->Next(&line); result != LineReader::Result::kLine) break;
    lines.emplace_back(line.text);
  }
  if (result == LineReader::Result::kError) return reader->status();
  return lines;
}

using By = FormatDetection::By;

// Those that are recognised so, in the order in which they are tried.
std::vector<const Format*> Candidates(std::initializer_list<By> by) {
  std::vector<const Format*> found;
  for (const Format& format : AllFormats()) {
    if (std::find(by.begin(), by.end(), format.detection.by) != by.end()) found.push_back(&format);
  }
  std::sort(found.begin(), found.end(),
            [](const Format* a, const Format* b) { return a->detection.rank < b->detection.rank; });
  return found;
}

bool Decodes(const Format& format, const std::vector<std::string>& lines) {
  InputConfig input;
  input.format = std::string(format.name);
  input.time_zone = 0;
  ErrorList errors;
  const std::unique_ptr<Decoder> decoder = NewDecoder(input, &errors);
  CountingSink sink;
  const TimeUs record_time = format.detection.by == By::kDecoding ? kNoTime : kSomeTime;
  for (const std::string& line : lines) decoder->Decode(line, record_time, &sink);
  // A syslog to which other programs write more than PostgreSQL does is read as syslog.
  return sink.events > sink.undecodable && sink.events >= sink.others;
}

// Whether a line that is not empty is the first one, and begins with one of the keys.
bool BeginsWithKey(const Format& format, const std::vector<std::string>& lines) {
  const FormatDetection::Keys& keys = format.detection.keys.front();
  for (const std::string& line : lines) {
    if (line.empty()) continue;
    return std::any_of(keys.begin(), keys.end(),
                       [&](std::string_view key) { return !key.empty() && line.starts_with(key); });
  }
  return false;
}

bool StandInMostLines(const FormatDetection::Keys& keys, const std::vector<std::string>& lines) {
  std::size_t found = 0;
  std::size_t all = 0;
  for (const std::string& line : lines) {
    if (line.empty()) continue;
    ++all;
    found += std::all_of(keys.begin(), keys.end(),
                         [&](std::string_view key) { return line.find(key) != line.npos; });
  }
  return 2 * found > all;
}

bool StandAnywhere(const FormatDetection::Keys& keys, const std::vector<std::string>& lines) {
  return std::all_of(keys.begin(), keys.end(), [&](std::string_view key) {
    return std::any_of(lines.begin(), lines.end(),
                       [&](const std::string& line) { return line.find(key) != line.npos; });
  });
}

bool Fits(const Format& format, const std::vector<std::string>& lines) {
  const FormatDetection& detection = format.detection;
  const auto any = [&](auto stands) {
    return std::any_of(detection.keys.begin(), detection.keys.end(),
                       [&](const FormatDetection::Keys& keys) {
                         return !keys.front().empty() && stands(keys, lines);
                       });
  };
  switch (detection.by) {
    case By::kNothing:
      return false;
    case By::kFirstLine:
      return BeginsWithKey(format, lines);
    case By::kDecoding:
    case By::kDecodingWithAnyTime:
      return Decodes(format, lines);
    case By::kMostLines:
      return any(StandInMostLines);
    case By::kAnyLine:
      return any(StandAnywhere);
  }
  return false;
}

const Format* FirstThatFits(std::initializer_list<By> by, const std::vector<std::string>& lines) {
  for (const Format* format : Candidates(by)) {
    if (Fits(*format, lines)) return format;
  }
  return nullptr;
}

bool BeginsLikeJson(const std::vector<std::string>& lines) {
  for (const std::string& line : lines) {
    const std::size_t at = line.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
    if (at != line.npos) return line[at] == '{' || line[at] == '[';
  }
  return false;
}

}  // namespace

absl::Status ResolveFormat(const std::string& path, InputConfig* input) {
  if (input->format != kAutoFormat) return absl::OkStatus();
  if (path == "-") {
    return absl::InvalidArgumentError("stdin: format auto needs a file: name the format");
  }
  TOCSIN_ASSIGN_OR_RETURN(const std::vector<std::string> lines, FirstLines(path));
  const Format* format = FirstThatFits({By::kFirstLine}, lines);
  if (format == nullptr) format = FirstThatFits({By::kDecoding, By::kDecodingWithAnyTime}, lines);
  if (format == nullptr && BeginsLikeJson(lines)) {
    input->format = "json";
    if (!input->preset.empty()) return absl::OkStatus();
    format = FirstThatFits({By::kMostLines}, lines);
    if (format == nullptr) format = FirstThatFits({By::kAnyLine}, lines);
    if (format == nullptr) return absl::OkStatus();
  }
  if (format != nullptr) {
    input->format = std::string(format->name);
    return absl::OkStatus();
  }
  std::string message = path + ": cannot detect the format (json";
  for (const Format* candidate : Candidates({By::kFirstLine})) {
    absl::StrAppend(&message, ", ", ToAbsl(candidate->name));
  }
  for (const Format* candidate : Candidates({By::kDecoding, By::kDecodingWithAnyTime})) {
    absl::StrAppend(&message, ", ", ToAbsl(candidate->name));
  }
  return absl::InvalidArgumentError(message + ") from the first lines: name the format");
}

}  // namespace tocsin
