// All formats. The table is explicit, because the linker drops self-registering objects of a static
// library.

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/string_hash.h"
#include "ingest/decoder.h"
#include "ingest/enriching_decoder.h"
#include "ingest/fields/text_time.h"
#include "ingest/formats/detect_format.h"
#include "ingest/formats/format.h"
#include "ingest/json/json_decoder.h"
#include "ingest/json/json_fault.h"

namespace tocsin {

// Each is defined in its own .cc; a header for a single function is not worth it.
DecoderFactory NewAlbDecoder;
DecoderFactory NewAlertmanagerDecoder;
DecoderFactory NewClfDecoder;
DecoderFactory NewCloudWatchAlarmDecoder;
DecoderFactory NewCloudWatchLogsDecoder;
DecoderFactory NewCloudWatchMetricStreamDecoder;
DecoderFactory NewGitHubDeployDecoder;
DecoderFactory NewGitLabDeployDecoder;
DecoderFactory NewGrafanaDecoder;
DecoderFactory NewInfluxDecoder;
DecoderFactory NewKubernetesEventsDecoder;
DecoderFactory NewLogfmtDecoder;
DecoderFactory NewOtlpJsonDecoder;
DecoderFactory NewOtlpProtoDecoder;
DecoderFactory NewPagerDutyWebhookDecoder;
DecoderFactory NewPgbouncerDecoder;
DecoderFactory NewPostgresDecoder;
DecoderFactory NewPrometheusRemoteWriteDecoder;
DecoderFactory NewPrometheusTextDecoder;
DecoderFactory NewRegexDecoder;
DecoderFactory NewSentryDecoder;
DecoderFactory NewSnsDecoder;
DecoderFactory NewSyslogDecoder;
DecoderFactory NewTelegrafDecoder;

namespace {

using Detect = FormatDetection::By;

constexpr std::array kFormats = {
    // sorted by name
    Format{
        .name = "alb", .create = NewAlbDecoder, .detection = {.by = Detect::kDecoding, .rank = 3}},
    Format{.name = "alertmanager",
           .create = NewAlertmanagerDecoder,
           .framing = Framing::kJsonValues,
           .detection = {.by = Detect::kAnyLine,
                         .rank = 3,  // Grafana's have these keys, too
                         .keys = {{{"\"alerts\"", "\"groupKey\"", "\"groupLabels\""}}}}},
    Format{.name = "bunyan",
           .create = NewJsonDecoder,
           .framing = Framing::kJsonValues,
           .detection = {.by = Detect::kMostLines,
                         .rank = 1,
                         .keys = {{{"\"pid\":", "\"hostname\":", "\"level\":", "\"v\":0"}}}}},
    Format{
        .name = "clf", .create = NewClfDecoder, .detection = {.by = Detect::kDecoding, .rank = 2}},
    Format{.name = "cloudwatch-alarm",
           .create = NewCloudWatchAlarmDecoder,
           .framing = Framing::kJsonValues,
           .detection = {.by = Detect::kAnyLine,
                         .rank = 7,
                         .keys = {{{"AlarmName", "NewStateValue"},
                                   {"\"CloudWatch Alarm State Change\"", "\"alarmName\""}}}}},
    // CloudWatch hands its records on with a delay of its own.
    Format{.name = "cloudwatch-logs",
           .create = NewCloudWatchLogsDecoder,
           .framing = Framing::kJsonValues,
           .carries_messages = true,
           .delay = 5 * kMinuteUs,
           .detection = {.by = Detect::kAnyLine,
                         .rank = 6,
                         .keys = {{{"\"logEvents\"", "\"logGroup\"", "\"messageType\""},
                                   {"\"awslogs\"", "\"data\""}}}}},
    Format{.name = "cloudwatch-metric-stream",
           .create = NewCloudWatchMetricStreamDecoder,
           .framing = Framing::kJsonOrPayload,
           .delay = 3 * kMinuteUs,
           .detection = {.by = Detect::kAnyLine,
                         .rank = 5,
                         .keys = {{{"\"metric_stream_name\"", "\"metric_name\""}}}}},
    Format{.name = "docker",
           .create = NewJsonDecoder,
           .framing = Framing::kJsonValues,
           .detection = {.by = Detect::kMostLines,
                         .rank = 3,
                         .keys = {{{"{\"log\":", "\"stream\":\"std", "\"time\":"}}}}},
    Format{.name = "ecs",
           .create = NewJsonDecoder,
           .framing = Framing::kJsonValues,
           .detection = {.by = Detect::kMostLines,
                         .rank = 5,
                         .keys = {{{"\"ecs.version\":", "\"@timestamp\":"}}}}},
    Format{.name = "fluent-bit", .create = NewJsonDecoder, .framing = Framing::kJsonValues},
    Format{.name = "github-deploy",
           .create = NewGitHubDeployDecoder,
           .framing = Framing::kJsonValues,
           .detection = {.by = Detect::kAnyLine,
                         .rank = 9,
                         .keys = {{{"\"deployment_status\"", "\"repository\""}}}}},
    Format{.name = "gitlab-deploy",
           .create = NewGitLabDeployDecoder,
           .framing = Framing::kJsonValues,
           .detection = {.by = Detect::kAnyLine,
                         .rank = 10,
                         .keys = {{{"\"object_kind\"", "\"deployment_id\""}}}}},
    Format{.name = "grafana",
           .create = NewGrafanaDecoder,
           .framing = Framing::kJsonValues,
           .own_time = OwnTime::kMissing,  // Grafana 8 and older
           .detection = {.by = Detect::kAnyLine,
                         .rank = 2,
                         .keys = {{{"\"alerts\"", "\"orgId\"", "\"groupKey\""}}}}},
    Format{.name = "influx",
           .create = NewInfluxDecoder,
           .own_time = OwnTime::kMissing,
           .detection = {.by = Detect::kDecoding, .rank = 7}},
    Format{.name = "json",
           .create = NewJsonDecoder,
           .framing = Framing::kJsonValues,
           .own_key = "preset"},
    Format{.name = "kubernetes-events",
           .create = NewKubernetesEventsDecoder,
           .framing = Framing::kJsonValues,
           .detection = {.by = Detect::kAnyLine,
                         .rank = 11,
                         .keys = {{{"\"involvedObject\"", "\"reason\""},
                                   {"\"regarding\"", "\"reason\""}}}}},
    Format{.name = "logfmt",
           .create = NewLogfmtDecoder,
           .detection = {.by = Detect::kDecoding, .rank = 6}},
    Format{.name = "nginx-json",
           .create = NewJsonDecoder,
           .framing = Framing::kJsonValues,
           .detection = {.by = Detect::kMostLines,
                         .rank = 4,
                         .keys = {{{"\"request_time\":", "\"status\":", "\"remote_addr\":"}}}}},
    Format{.name = "otel", .create = NewJsonDecoder, .framing = Framing::kJsonValues},
    Format{.name = "otlp-json",
           .create = NewOtlpJsonDecoder,
           .framing = Framing::kJsonValues,
           .detection = {.by = Detect::kAnyLine,
                         .rank = 1,
                         .keys = {{{"\"resourceMetrics\"", "\"scopeMetrics\""},
                                   {"\"resourceLogs\"", "\"scopeLogs\""}}}}},
    Format{.name = "otlp-proto",
           .create = NewOtlpProtoDecoder,
           .framing = Framing::kPayload,
           .own_key = "signal",
           .http = {.content_type = "application/x-protobuf",
                    .body = "",
                    .wrong_type = "application/json"}},
    Format{.name = "pagerduty-webhook",
           .create = NewPagerDutyWebhookDecoder,
           .framing = Framing::kJsonValues,
           .detection = {.by = Detect::kAnyLine,
                         .rank = 12,
                         .keys = {{{"\"event_type\"", "\"resource_type\"", "\"occurred_at\""}}}}},
    Format{.name = "pgbouncer",
           .create = NewPgbouncerDecoder,
           .own_time = OwnTime::kYearless,
           .detection = {.by = Detect::kDecoding, .rank = 4}},
    Format{.name = "pino",
           .create = NewJsonDecoder,
           .framing = Framing::kJsonValues,
           .detection = {.by = Detect::kMostLines,
                         .rank = 2,
                         .keys = {{{"\"pid\":", "\"hostname\":", "\"level\":", "\"time\":"}}}}},
    Format{.name = "postgres",
           .create = NewPostgresDecoder,
           .own_time = OwnTime::kYearless,
           .detection = {.by = Detect::kDecodingWithAnyTime, .rank = 1}},
    Format{.name = "prometheus-remote-write",
           .create = NewPrometheusRemoteWriteDecoder,
           .framing = Framing::kPayload,
           .http = {.status = 204,
                    .content_type = "text/plain; charset=utf-8",
                    .body = "",
                    .own_encoding = "snappy"}},
    Format{.name = "prometheus-text",
           .create = NewPrometheusTextDecoder,
           .framing = Framing::kPayload,
           .own_time = OwnTime::kMissing,
           .detection = {.by = Detect::kFirstLine, .keys = {{{"# HELP ", "# TYPE "}}}}},
    Format{.name = "regex",
           .create = NewRegexDecoder,
           .own_time = OwnTime::kYearless,
           .own_key = "pattern"},
    Format{.name = "sentry",
           .create = NewSentryDecoder,
           .framing = Framing::kJsonValues,
           .own_time = OwnTime::kMissing,  // resolved metric alerts
           .detection = {.by = Detect::kAnyLine,
                         .rank = 13,
                         .keys = {{{"\"installation\"", "\"actor\"", "\"action\"", "\"data\""}}}}},
    Format{.name = "sns",
           .create = NewSnsDecoder,
           .framing = Framing::kJsonValues,
           .carries_messages = true,
           .detection = {.by = Detect::kAnyLine,
                         .rank = 8,
                         .keys = {{{"\"TopicArn\"", "\"MessageId\"", "\"Message\""}}}}},
    Format{.name = "syslog",
           .create = NewSyslogDecoder,
           .own_time = OwnTime::kYearless,
           .detection = {.by = Detect::kDecodingWithAnyTime, .rank = 5}},
    Format{.name = "telegraf",
           .create = NewTelegrafDecoder,
           .framing = Framing::kJsonValues,
           .detection = {.by = Detect::kAnyLine,
                         .rank = 4,
                         .keys = {{{"\"name\"", "\"fields\"", "\"tags\"", "\"timestamp\""}}}}},
    Format{.name = "vector", .create = NewJsonDecoder, .framing = Framing::kJsonValues},
    Format{.name = "winston", .create = NewJsonDecoder, .framing = Framing::kJsonValues},
    Format{.name = "zap", .create = NewJsonDecoder, .framing = Framing::kJsonValues},
};

// The keys of inputs that only one format has.
struct OwnKey {
  std::string_view name;
  std::string InputConfig::*value;
  Location InputConfig::*at;
};
constexpr OwnKey kOwnKeys[] = {
    {"preset", &InputConfig::preset, &InputConfig::preset_at},
    {"pattern", &InputConfig::pattern, &InputConfig::pattern_at},
    {"signal", &InputConfig::signal, &InputConfig::signal_at},
};

std::string_view FormatWithKey(std::string_view key) {
  for (const Format& format : kFormats) {
    if (format.own_key == key) return format.name;
  }
  return "";
}

// Gives records without a time the input's `record_time`.
class TimedDecoder final : public Decoder {
 public:
  TimedDecoder(std::unique_ptr<Decoder> decoder, TimeUs time)
      : decoder_(std::move(decoder)), time_(time) {}

  void Decode(std::string_view record, TimeUs record_time, EventSink* sink) override {
    decoder_->Decode(record, record_time == kNoTime ? time_ : record_time, sink);
  }
  void DecodePadded(std::string_view record, TimeUs record_time, EventSink* sink) override {
    decoder_->DecodePadded(record, record_time == kNoTime ? time_ : record_time, sink);
  }
  void DecodeWithin(PayloadBudget* budget, std::string_view record, TimeUs record_time,
                    EventSink* sink) override {
    decoder_->DecodeWithin(budget, record, record_time == kNoTime ? time_ : record_time, sink);
  }

 private:
  const std::unique_ptr<Decoder> decoder_;
  const TimeUs time_;
};

// Reports keys that belong to another format than the input's.
void CheckFormatKeys(const InputConfig& input, const Format& format, ErrorList* errors) {
  for (const OwnKey& key : kOwnKeys) {
    if ((input.*key.value).empty() || format.own_key == key.name) continue;
    errors->Add(input.*key.at, absl::StrCat("input ", input.name, ": ", ToAbsl(key.name),
                                            " is for format ", ToAbsl(FormatWithKey(key.name)),
                                            ", and the format is ", input.format));
  }
  if (!input.message_format.empty() && !format.carries_messages) {
    errors->Add(input.message_format_at,
                absl::StrCat("input ", input.name, ": message_format is for formats that carry ",
                             "messages in another format: ", input.format, " does not"));
  }
}

}  // namespace

std::span<const Format> AllFormats() { return kFormats; }

const Format* FindFormat(std::string_view name) {
  const auto* const found = std::find_if(kFormats.begin(), kFormats.end(),
                                         [&](const Format& known) { return known.name == name; });
  return found == kFormats.end() ? nullptr : found;
}

void ClearKeysOfOtherFormats(InputConfig* input) {
  for (const OwnKey& key : kOwnKeys) {
    if (input->format != FormatWithKey(key.name)) (input->*key.value).clear();
  }
}

std::unique_ptr<Decoder> NewDecoder(const InputConfig& input, ErrorList* errors) {
  const Format* const format = FindFormat(input.format);
  if (format == nullptr && input.format == kAutoFormat) {
    errors->Add(input.format_at,
                absl::StrCat("input ", input.name, ": format auto detects the format of a file ",
                             "from its first lines: this input needs one of ",
                             absl::StrJoin(DecoderNames(), ", ")));
    return nullptr;
  }
  if (format == nullptr) {
    const std::string nearest = Nearest(input.format, DecoderNames());
    errors->Add(input.format_at,
                absl::StrCat("input ", input.name, ": unknown format \"", input.format, "\"",
                             nearest.empty() ? "" : "; did you mean \"", nearest,
                             nearest.empty() ? "" : "\"?"));
    return nullptr;
  }
  const std::size_t before = errors->count();
  CheckFormatKeys(input, *format, errors);
  std::unique_ptr<Decoder> decoder = format->create(input, errors);
  if (errors->count() != before) return nullptr;
  if (input.record_time != kNoTime && OwnTimeOf(input) == OwnTime::kMissing) {
    decoder = std::make_unique<TimedDecoder>(std::move(decoder), input.record_time);
  }
  return Enrich(std::move(decoder), input.enrichment);
}

Framing FramingOf(const std::string& format) {
  const Format* const known = FindFormat(format);
  return known == nullptr ? Framing::kLines : known->framing;
}

DurationUs DelayOf(const InputConfig& input, DurationUs pane) {
  if (input.delay) return *input.delay;
  const Format* const known = FindFormat(input.format);
  return CeilTo(known == nullptr ? Format::kDefaultDelay : known->delay, pane);
}

OwnTime OwnTimeOf(const InputConfig& input) {
  if (input.format == "regex") {
    const bool is_mapped = std::any_of(input.map.begin(), input.map.end(),
                                       [](const FieldMapping& m) { return m.target == "time"; });
    const bool is_named = input.pattern.find("<time>") != std::string::npos;
    if (!is_mapped && !is_named) return OwnTime::kMissing;
  }
  const Format* const known = FindFormat(input.format);
  return known == nullptr ? OwnTime::kComplete : known->own_time;
}

bool WantsRecordTime(const InputConfig& input, std::string_view reason) {
  return reason == TextTime::Fault(TextTime::Result::kNoYear) ||
         (reason == json_fault::kNoTime && OwnTimeOf(input) == OwnTime::kMissing);
}

std::vector<std::string> DecoderNames() {
  std::vector<std::string> names;
  for (const Format& format : kFormats) names.emplace_back(format.name);
  return names;
}

}  // namespace tocsin
