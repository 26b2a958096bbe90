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
#include "ingest/decoder.h"
#include "ingest/enriching_decoder.h"
#include "ingest/fields/text_time.h"
#include "ingest/formats/detect_format.h"
#include "ingest/json/json_decoder.h"
#include "ingest/json/json_fault.h"

namespace tocsin {

using DecoderFactory = std::unique_ptr<Decoder>(const InputConfig& input, ErrorList* errors);
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

struct Format {
  std::string_view name;
  DecoderFactory* create;
  Framing framing = Framing::kLines;
  bool carries_messages = false;  // in the format that `message_format` names
  OwnTime own_time = OwnTime::kComplete;
};

constexpr std::array kFormats = {
    // sorted by name
    Format{"alb", NewAlbDecoder},
    Format{"alertmanager", NewAlertmanagerDecoder, Framing::kJsonValues},
    Format{"bunyan", NewJsonDecoder, Framing::kJsonValues},
    Format{"clf", NewClfDecoder},
    Format{"cloudwatch-alarm", NewCloudWatchAlarmDecoder, Framing::kJsonValues},
    Format{"cloudwatch-logs", NewCloudWatchLogsDecoder, Framing::kJsonValues, true},
    Format{"cloudwatch-metric-stream", NewCloudWatchMetricStreamDecoder, Framing::kJsonOrPayload},
    Format{"docker", NewJsonDecoder, Framing::kJsonValues},
    Format{"ecs", NewJsonDecoder, Framing::kJsonValues},
    Format{"fluent-bit", NewJsonDecoder, Framing::kJsonValues},
    Format{"github-deploy", NewGitHubDeployDecoder, Framing::kJsonValues},
    Format{"gitlab-deploy", NewGitLabDeployDecoder, Framing::kJsonValues},
    // Grafana 8 and older.
    Format{"grafana", NewGrafanaDecoder, Framing::kJsonValues, false, OwnTime::kMissing},
    Format{"influx", NewInfluxDecoder, Framing::kLines, false, OwnTime::kMissing},
    Format{"json", NewJsonDecoder, Framing::kJsonValues},
    Format{"kubernetes-events", NewKubernetesEventsDecoder, Framing::kJsonValues},
    Format{"logfmt", NewLogfmtDecoder},
    Format{"nginx-json", NewJsonDecoder, Framing::kJsonValues},
    Format{"otel", NewJsonDecoder, Framing::kJsonValues},
    Format{"otlp-json", NewOtlpJsonDecoder, Framing::kJsonValues},
    Format{"otlp-proto", NewOtlpProtoDecoder, Framing::kPayload},
    Format{"pagerduty-webhook", NewPagerDutyWebhookDecoder, Framing::kJsonValues},
    Format{"pgbouncer", NewPgbouncerDecoder, Framing::kLines, false, OwnTime::kYearless},
    Format{"pino", NewJsonDecoder, Framing::kJsonValues},
    Format{"postgres", NewPostgresDecoder, Framing::kLines, false, OwnTime::kYearless},
    Format{"prometheus-remote-write", NewPrometheusRemoteWriteDecoder, Framing::kPayload},
    Format{"prometheus-text", NewPrometheusTextDecoder, Framing::kPayload, false,
           OwnTime::kMissing},
    Format{"regex", NewRegexDecoder, Framing::kLines, false, OwnTime::kYearless},
    // Resolved metric alerts.
    Format{"sentry", NewSentryDecoder, Framing::kJsonValues, false, OwnTime::kMissing},
    Format{"sns", NewSnsDecoder, Framing::kJsonValues, true},
    Format{"syslog", NewSyslogDecoder, Framing::kLines, false, OwnTime::kYearless},
    Format{"telegraf", NewTelegrafDecoder, Framing::kJsonValues},
    Format{"vector", NewJsonDecoder, Framing::kJsonValues},
    Format{"winston", NewJsonDecoder, Framing::kJsonValues},
    Format{"zap", NewJsonDecoder, Framing::kJsonValues},
};

const Format* FindFormat(std::string_view name) {
  const auto* const found = std::find_if(kFormats.begin(), kFormats.end(),
                                         [&](const Format& known) { return known.name == name; });
  return found == kFormats.end() ? nullptr : found;
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
  const auto refuse = [&](bool set, const Location& at, const char* key, const char* owner) {
    if (!set || input.format == owner) return;
    errors->Add(at, absl::StrCat("input ", input.name, ": ", key, " is for format ", owner,
                                 ", and the format is ", input.format));
  };
  refuse(!input.preset.empty(), input.preset_at, "preset", "json");
  refuse(!input.pattern.empty(), input.pattern_at, "pattern", "regex");
  refuse(!input.signal.empty(), input.signal_at, "signal", "otlp-proto");
  if (!input.message_format.empty() && !format.carries_messages) {
    errors->Add(input.message_format_at,
                absl::StrCat("input ", input.name, ": message_format is for formats that carry ",
                             "messages in another format: ", input.format, " does not"));
  }
}

}  // namespace

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
