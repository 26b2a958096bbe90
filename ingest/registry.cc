// All formats. An explicit table, because the linker drops what registers itself from a static
// library.

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_join.h"
#include "ingest/decoder.h"
#include "ingest/detect_format.h"
#include "ingest/enriching_decoder.h"
#include "ingest/json_decoder.h"

namespace tocsin {

using DecoderFactory = std::unique_ptr<Decoder>(const InputConfig& input, ErrorList* errors);
// One .cc each; a header for one function would say nothing more.
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
  bool carries_messages = false;  // of a format that `message_format` names
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

}  // namespace

std::unique_ptr<Decoder> NewDecoder(const InputConfig& input, ErrorList* errors) {
  if (!input.preset.empty() && input.format != "json" && input.format != kAutoFormat) {
    errors->Add(
        input.preset_at,
        "input " + input.name + ": preset is for format json, and the format is " + input.format);
    return nullptr;
  }
  if (!input.pattern.empty() && input.format != "regex") {
    errors->Add(
        input.pattern_at,
        "input " + input.name + ": pattern is for format regex, and the format is " + input.format);
    return nullptr;
  }
  if (!input.signal.empty() && input.format != "otlp-proto") {
    errors->Add(input.signal_at, "input " + input.name +
                                     ": signal is for format otlp-proto, and the format is " +
                                     input.format);
    return nullptr;
  }
  for (const Format& format : kFormats) {
    if (format.name != input.format) continue;
    if (!input.message_format.empty() && !format.carries_messages) {
      errors->Add(input.at, "input " + input.name + ": message_format is for formats that carry " +
                                "messages of another: " + input.format + " does not");
      return nullptr;
    }
    return Enrich(format.create(input, errors), input.enrichment);
  }
  if (input.format == kAutoFormat) {
    errors->Add(input.at, "input " + input.name + ": format auto is for files, whose first lines " +
                              "tell it: expected one of " + absl::StrJoin(DecoderNames(), ", "));
    return nullptr;
  }
  const std::string nearest = Nearest(input.format, DecoderNames());
  errors->Add(input.at, "input " + input.name + ": there is no format \"" + input.format + "\"" +
                            (nearest.empty() ? "" : "; did you mean \"" + nearest + "\"?"));
  return nullptr;
}

Framing FramingOf(const std::string& format) {
  for (const Format& known : kFormats) {
    if (known.name == format) return known.framing;
  }
  return Framing::kLines;
}

OwnTime OwnTimeOf(const InputConfig& input) {
  if (input.format == "regex") {
    const bool is_mapped = std::any_of(input.map.begin(), input.map.end(),
                                       [](const FieldMapping& m) { return m.target == "time"; });
    const bool is_named = input.pattern.find("<time>") != std::string::npos;
    if (!is_mapped && !is_named) return OwnTime::kMissing;
  }
  for (const Format& known : kFormats) {
    if (known.name == input.format) return known.own_time;
  }
  return OwnTime::kComplete;
}

std::vector<std::string> DecoderNames() {
  std::vector<std::string> names;
  for (const Format& format : kFormats) names.emplace_back(format.name);
  return names;
}

}  // namespace tocsin
