#include "ingest/formats/detect_format.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/strings/str_join.h"
#include "core/status_macros.h"
#include "ingest/decoder.h"
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

// In the order in which they are tried: PostgreSQL also writes JSON, so it comes first.
struct Candidate {
  const char* format;
  bool needs_time;  // lines need a timestamp of their own; without that, any text would fit
};
constexpr Candidate kCandidates[] = {
    {"postgres", false}, {"clf", true},    {"alb", true},    {"pgbouncer", true},
    {"syslog", false},   {"logfmt", true}, {"influx", true},
};

bool Fits(const Candidate& candidate, const std::vector<std::string>& lines) {
  InputConfig input;
  input.format = candidate.format;
  input.time_zone = 0;
  ErrorList errors;
  const std::unique_ptr<Decoder> decoder = NewDecoder(input, &errors);
  CountingSink sink;
  const TimeUs record_time = candidate.needs_time ? kNoTime : kSomeTime;
  for (const std::string& line : lines) decoder->Decode(line, record_time, &sink);
  // A syslog to which other programs write more than PostgreSQL does is read as syslog.
  return sink.events > sink.undecodable && sink.events >= sink.others;
}

// JSON that only one program writes, recognized by keys that occur together in a line.
struct Signature {
  const char* format;
  std::array<std::string_view, 4> keys;
};
constexpr Signature kSignatures[] = {
    {"bunyan", {"\"pid\":", "\"hostname\":", "\"level\":", "\"v\":0"}},
    {"pino", {"\"pid\":", "\"hostname\":", "\"level\":", "\"time\":"}},
    {"docker", {"{\"log\":", "\"stream\":\"std", "\"time\":", ""}},
    {"nginx-json", {"\"request_time\":", "\"status\":", "\"remote_addr\":", ""}},
    {"ecs", {"\"ecs.version\":", "\"@timestamp\":", "", ""}},
};

bool Carries(const Signature& signature, const std::vector<std::string>& lines) {
  std::size_t found = 0;
  std::size_t all = 0;
  for (const std::string& line : lines) {
    if (line.empty()) continue;
    ++all;
    found += std::all_of(signature.keys.begin(), signature.keys.end(),
                         [&](std::string_view key) { return line.find(key) != line.npos; });
  }
  return 2 * found > all;
}

// Vendors' documents, recognized by keys that occur anywhere in the lines. The more specific
// documents come first.
constexpr Signature kDocuments[] = {
    {"otlp-json", {"\"resourceMetrics\"", "\"scopeMetrics\"", "", ""}},
    {"otlp-json", {"\"resourceLogs\"", "\"scopeLogs\"", "", ""}},
    {"grafana", {"\"alerts\"", "\"orgId\"", "\"groupKey\"", ""}},
    {"alertmanager", {"\"alerts\"", "\"groupKey\"", "\"groupLabels\"", ""}},
    {"telegraf", {"\"name\"", "\"fields\"", "\"tags\"", "\"timestamp\""}},
    {"cloudwatch-metric-stream", {"\"metric_stream_name\"", "\"metric_name\"", "", ""}},
    {"cloudwatch-logs", {"\"logEvents\"", "\"logGroup\"", "\"messageType\"", ""}},
    {"cloudwatch-logs", {"\"awslogs\"", "\"data\"", "", ""}},
    {"cloudwatch-alarm", {"AlarmName", "NewStateValue", "", ""}},
    {"cloudwatch-alarm", {"\"CloudWatch Alarm State Change\"", "\"alarmName\"", "", ""}},
    {"sns", {"\"TopicArn\"", "\"MessageId\"", "\"Message\"", ""}},
    {"github-deploy", {"\"deployment_status\"", "\"repository\"", "", ""}},
    {"gitlab-deploy", {"\"object_kind\"", "\"deployment_id\"", "", ""}},
    {"kubernetes-events", {"\"involvedObject\"", "\"reason\"", "", ""}},
    {"kubernetes-events", {"\"regarding\"", "\"reason\"", "", ""}},
    {"pagerduty-webhook", {"\"event_type\"", "\"resource_type\"", "\"occurred_at\"", ""}},
    {"sentry", {"\"installation\"", "\"actor\"", "\"action\"", "\"data\""}},
};

bool HoldsAnywhere(const Signature& signature, const std::vector<std::string>& lines) {
  return std::all_of(signature.keys.begin(), signature.keys.end(), [&](std::string_view key) {
    return std::any_of(lines.begin(), lines.end(),
                       [&](const std::string& line) { return line.find(key) != line.npos; });
  });
}

// Whether the first line is a comment that precedes metrics in Prometheus' text format.
bool BeginsLikeAScrape(const std::vector<std::string>& lines) {
  for (const std::string& line : lines) {
    if (!line.empty()) return line.starts_with("# HELP ") || line.starts_with("# TYPE ");
  }
  return false;
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
  if (BeginsLikeAScrape(lines)) {
    input->format = "prometheus-text";
    return absl::OkStatus();
  }
  for (const Candidate& candidate : kCandidates) {
    if (!Fits(candidate, lines)) continue;
    input->format = candidate.format;
    return absl::OkStatus();
  }
  if (BeginsLikeJson(lines)) {
    const auto* const signature =
        std::find_if(std::begin(kSignatures), std::end(kSignatures),
                     [&](const Signature& candidate) { return Carries(candidate, lines); });
    const auto* const document =
        std::find_if(std::begin(kDocuments), std::end(kDocuments),
                     [&](const Signature& candidate) { return HoldsAnywhere(candidate, lines); });
    input->format = "json";
    if (!input->preset.empty()) return absl::OkStatus();
    if (signature != std::end(kSignatures)) {
      input->format = signature->format;
    } else if (document != std::end(kDocuments)) {
      input->format = document->format;
    }
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      path + ": cannot detect the format (json, prometheus-text, " +
      absl::StrJoin(kCandidates, ", ",
                    [](std::string* out, const Candidate& c) { out->append(c.format); }) +
      ") from the first lines: name the format");
}

}  // namespace tocsin
