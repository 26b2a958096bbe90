#include "ingest/fields/field_presets.h"

#include <algorithm>
#include <iterator>

namespace tocsin {
namespace {

constexpr JsonTarget Text(Field field) { return static_cast<JsonTarget>(field); }

// logfmt has no names of its own: those of Go's libraries (log15, logrus, go-kit, slog), lograge
// and Heroku's router.
constexpr FieldPath kLogfmt[] = {
    {"ts", JsonTarget::kTime},
    {"t", JsonTarget::kTime},
    {"level", JsonTarget::kLevelWord},
    {"lvl", JsonTarget::kLevelWord},
    {"severity", JsonTarget::kLevelWord},
    {"at", JsonTarget::kLevelWord},
    {"msg", Text(Field::kMessage)},
    {"desc", Text(Field::kMessage)},
    {"err", Text(Field::kException)},
    {"error", Text(Field::kException)},
    {"exception", JsonTarget::kStack},
    {"path", Text(Field::kEndpoint)},
    {"uri", Text(Field::kEndpoint)},
    {"url", Text(Field::kEndpoint)},
    {"route", Text(Field::kEndpoint)},
    {"status_code", JsonTarget::kStatus},
    {"duration", JsonTarget::kDuration},
    {"took", JsonTarget::kDuration},
    {"elapsed", JsonTarget::kDuration},
    {"latency", JsonTarget::kDuration},
    {"response_time", JsonTarget::kDuration},
    {"ip", Text(Field::kClientIp)},
    {"remote_addr", Text(Field::kClientIp)},
    {"remote_ip", Text(Field::kClientIp)},
    {"fwd", Text(Field::kClientIp)},
    {"ua", Text(Field::kUserAgent)},
    {"hostname", Text(Field::kHost)},
    {"traceID", Text(Field::kTraceId)},
    {"trace", Text(Field::kTraceId)},
    {"logger", Text(Field::kApp)},
};

// https://www.elastic.co/guide/en/ecs-logging/overview/current/intro.html; its names are always
// understood, these are those that mean more here.
constexpr FieldPath kEcs[] = {
    {"@timestamp", JsonTarget::kTime},
    {"log.level", JsonTarget::kLevelWord},
    {"error.type", Text(Field::kException)},
    {"error.code", Text(Field::kException)},
    {"error.stack_trace", JsonTarget::kStack},
    {"message", Text(Field::kMessage)},
    {"error.message", Text(Field::kMessage)},
    {"http.request.method", Text(Field::kMethod)},
    {"http.response.status_code", JsonTarget::kStatus},
    {"event.duration", JsonTarget::kDurationNs},
    {"url.path", Text(Field::kEndpoint)},
    {"url.original", Text(Field::kEndpoint)},
    {"url.full", Text(Field::kEndpoint)},
    {"user.name", Text(Field::kUser)},
    {"host.hostname", Text(Field::kHost)},
    {"log.logger", Text(Field::kApp)},
};

// The log data model in JSON, and what SDKs print in its names.
// https://opentelemetry.io/docs/specs/otel/logs/data-model/
constexpr FieldPath kOtel[] = {
    {"timeUnixNano", JsonTarget::kTime},
    {"time_unix_nano", JsonTarget::kTime},
    {"Timestamp", JsonTarget::kTime},
    {"timestamp", JsonTarget::kTime},
    {"observedTimeUnixNano", JsonTarget::kTime},
    {"ObservedTimestamp", JsonTarget::kTime},
    {"observed_timestamp", JsonTarget::kTime},
    {"severityNumber", JsonTarget::kSeverityNumber},
    {"severity_number", JsonTarget::kSeverityNumber},
    {"SeverityNumber", JsonTarget::kSeverityNumber},
    {"severityText", JsonTarget::kLevelWord},
    {"severity_text", JsonTarget::kLevelWord},
    {"SeverityText", JsonTarget::kLevelWord},
    {"body", Text(Field::kMessage)},
    {"body.stringValue", Text(Field::kMessage)},
    {"body.string_value", Text(Field::kMessage)},
    {"Body", Text(Field::kMessage)},
    {"traceId", Text(Field::kTraceId)},
    {"TraceId", Text(Field::kTraceId)},
    {"exception.type", Text(Field::kException)},
    {"attributes.exception.type", Text(Field::kException)},
    {"Attributes.exception.type", Text(Field::kException)},
    {"exception.stacktrace", JsonTarget::kStack},
    {"attributes.exception.stacktrace", JsonTarget::kStack},
    {"Attributes.exception.stacktrace", JsonTarget::kStack},
    // Of resources, in Kubernetes.
    {"k8s.pod.name", Text(Field::kHost)},
    {"service.instance.id", JsonTarget::kLabel, "instance"},
};
constexpr std::string_view kOtelObjects[] = {"attributes", "Attributes",
                                             "resource",   "resource.attributes",
                                             "Resource",   "Resource.Attributes"};

// https://github.com/pinojs/pino and pino-http, whose lines about requests have req and res.
constexpr FieldPath kPino[] = {
    {"time", JsonTarget::kTime},
    {"level", JsonTarget::kLevelWord},
    {"msg", Text(Field::kMessage)},
    {"name", Text(Field::kService)},
    {"hostname", Text(Field::kHost)},
    {"err.type", Text(Field::kException)},
    {"err.name", Text(Field::kException)},
    {"err.stack", JsonTarget::kStack},
    {"err.message", Text(Field::kException)},
    {"req.method", Text(Field::kMethod)},
    {"req.url", Text(Field::kEndpoint)},
    {"req.headers.user-agent", Text(Field::kUserAgent)},
    {"req.remoteAddress", Text(Field::kClientIp)},
    {"res.statusCode", JsonTarget::kStatus},
    {"responseTime", JsonTarget::kDuration},
};

// https://github.com/trentm/node-bunyan#core-fields, restify's audit log with `latency`.
constexpr FieldPath kBunyan[] = {
    {"time", JsonTarget::kTime},
    {"level", JsonTarget::kLevelWord},
    {"msg", Text(Field::kMessage)},
    {"name", Text(Field::kService)},
    {"hostname", Text(Field::kHost)},
    {"component", Text(Field::kApp)},
    {"err.name", Text(Field::kException)},
    {"err.stack", JsonTarget::kStack},
    {"err.message", Text(Field::kException)},
    {"req.method", Text(Field::kMethod)},
    {"req.url", Text(Field::kEndpoint)},
    {"req.headers.user-agent", Text(Field::kUserAgent)},
    {"req.remoteAddress", Text(Field::kClientIp)},
    {"remoteAddress", Text(Field::kClientIp)},
    {"res.statusCode", JsonTarget::kStatus},
    {"latency", JsonTarget::kDuration},
    {"responseTime", JsonTarget::kDuration},
};

// https://github.com/winstonjs/winston; its requests by express-winston, in `meta`.
constexpr FieldPath kWinston[] = {
    {"timestamp", JsonTarget::kTime},
    {"level", JsonTarget::kLevelWord},
    {"message", Text(Field::kMessage)},
    {"label", Text(Field::kApp)},
    {"hostname", Text(Field::kHost)},
    {"error.name", Text(Field::kException)},
    {"err.name", Text(Field::kException)},
    {"stack", JsonTarget::kStack},
    {"error.stack", JsonTarget::kStack},
    {"err.stack", JsonTarget::kStack},
    {"meta.req.method", Text(Field::kMethod)},
    {"meta.req.url", Text(Field::kEndpoint)},
    {"meta.req.headers.user-agent", Text(Field::kUserAgent)},
    {"meta.res.statusCode", JsonTarget::kStatus},
    {"meta.responseTime", JsonTarget::kDuration},
    {"req.method", Text(Field::kMethod)},
    {"req.url", Text(Field::kEndpoint)},
    {"res.statusCode", JsonTarget::kStatus},
    {"responseTime", JsonTarget::kDuration},
};

// https://pkg.go.dev/go.uber.org/zap, NewProductionConfig; its requests by gin-contrib/zap.
constexpr FieldPath kZap[] = {
    {"ts", JsonTarget::kTime},
    {"level", JsonTarget::kLevelWord},
    {"msg", Text(Field::kMessage)},
    {"logger", Text(Field::kApp)},
    {"error", Text(Field::kException)},
    {"path", Text(Field::kEndpoint)},
    {"url", Text(Field::kEndpoint)},
    {"latency", JsonTarget::kDurationS},
    {"duration", JsonTarget::kDurationS},
    {"elapsed", JsonTarget::kDurationS},
    {"ip", Text(Field::kClientIp)},
    {"user-agent", Text(Field::kUserAgent)},
    {"hostname", Text(Field::kHost)},
};

// https://vector.dev/docs/reference/configuration/sources: file, docker_logs, kubernetes_logs,
// syslog.
constexpr FieldPath kVector[] = {
    {"timestamp", JsonTarget::kTime},
    {"message", JsonTarget::kLine},
    {"level", JsonTarget::kLevelWord},
    {"severity", JsonTarget::kLevelWord},
    {"host", Text(Field::kHost)},
    {"hostname", Text(Field::kHost)},
    {"kubernetes.pod_name", Text(Field::kHost)},
    {"kubernetes.pod_labels.app.kubernetes.io/name", Text(Field::kService)},
    {"kubernetes.pod_labels.app", Text(Field::kService)},
    {"appname", Text(Field::kApp)},
    {"kubernetes.container_name", Text(Field::kApp)},
    {"container_name", Text(Field::kApp)},
    {"kubernetes.pod_namespace", JsonTarget::kLabel, "namespace"},
    {"stream", JsonTarget::kLabel, "stream"},
    {"path", Text(Field::kEndpoint)},
};

// https://docs.fluentbit.io/manual: in_tail and the kubernetes filter, as out_stdout, out_kafka and
// out_http write them; fluentd's Docker driver has the same names.
constexpr FieldPath kFluentBit[] = {
    {"date", JsonTarget::kTime},
    {"@timestamp", JsonTarget::kTime},
    {"time", JsonTarget::kTime},
    {"timestamp", JsonTarget::kTime},
    {"log", JsonTarget::kLine},
    {"message", JsonTarget::kLine},
    {"msg", JsonTarget::kLine},
    {"level", JsonTarget::kLevelWord},
    {"severity", JsonTarget::kLevelWord},
    {"host", Text(Field::kHost)},
    {"hostname", Text(Field::kHost)},
    {"kubernetes.pod_name", Text(Field::kHost)},
    {"kubernetes.labels.app.kubernetes.io/name", Text(Field::kService)},
    {"kubernetes.labels.app", Text(Field::kService)},
    {"kubernetes.container_name", Text(Field::kApp)},
    {"container_name", Text(Field::kApp)},
    {"kubernetes.namespace_name", JsonTarget::kLabel, "namespace"},
    {"stream", JsonTarget::kLabel, "stream"},
    {"path", Text(Field::kEndpoint)},
};

// nginx's access log as JSON (`log_format … escape=json`): people name keys after the variables.
// https://nginx.org/en/docs/http/ngx_http_log_module.html#log_format
constexpr FieldPath kNginxJson[] = {
    {"time_iso8601", JsonTarget::kTime},
    {"msec", JsonTarget::kTime},
    {"time_local", JsonTarget::kTime},
    {"@timestamp", JsonTarget::kTime},
    {"timestamp", JsonTarget::kTime},
    {"time", JsonTarget::kTime},
    {"request_method", Text(Field::kMethod)},
    {"method", Text(Field::kMethod)},
    {"request", JsonTarget::kRequestLine},
    {"request_uri", Text(Field::kEndpoint)},
    {"uri", Text(Field::kEndpoint)},
    {"url", Text(Field::kEndpoint)},
    {"path", Text(Field::kEndpoint)},
    {"status", JsonTarget::kStatus},
    {"response", JsonTarget::kStatus},
    {"request_time", JsonTarget::kDurationS},
    {"remote_addr", Text(Field::kClientIp)},
    {"remote_ip", Text(Field::kClientIp)},
    {"client", Text(Field::kClientIp)},
    {"remote_user", Text(Field::kUser)},
    {"http_user_agent", Text(Field::kUserAgent)},
    {"agent", Text(Field::kUserAgent)},
    {"request_id", Text(Field::kTraceId)},
    {"hostname", Text(Field::kHost)},
    {"host", JsonTarget::kLabel, "vhost"},
    {"http_host", JsonTarget::kLabel, "vhost"},
    {"vhost", JsonTarget::kLabel, "vhost"},
    {"server_name", JsonTarget::kLabel, "vhost"},
    {"body_bytes_sent", JsonTarget::kLabel, "bytes"},
    {"bytes_sent", JsonTarget::kLabel, "bytes"},
    {"bytes", JsonTarget::kLabel, "bytes"},
    {"http_referer", JsonTarget::kLabel, "referer"},
    {"http_referrer", JsonTarget::kLabel, "referer"},
    {"referrer", JsonTarget::kLabel, "referer"},
};

// The labels that Prometheus gives every target; https://prometheus.io/docs/concepts/jobs_instances
constexpr FieldPath kPrometheus[] = {
    {"service", Text(Field::kService)},
    {"job", Text(Field::kService)},
    {"host", Text(Field::kHost)},
    {"instance", Text(Field::kHost)},
};

// https://docs.docker.com/engine/logging/drivers/json-file: a line of a container's output each.
constexpr FieldPath kDocker[] = {
    {"time", JsonTarget::kTime},
    {"log", JsonTarget::kLine},
    {"stream", JsonTarget::kLabel, "stream"},
    {"attrs.service", Text(Field::kService)},
    {"attrs.com.docker.compose.service", Text(Field::kService)},
    {"attrs.env", Text(Field::kEnv)},
    {"attrs.tag", Text(Field::kApp)},
};

constexpr FieldPreset kPresets[] = {
    // sorted by name
    {.name = "bunyan", .paths = kBunyan},
    {.name = "docker", .paths = kDocker},
    {.name = "ecs", .paths = kEcs},
    {.name = "fluent-bit", .paths = kFluentBit},
    {.name = "logfmt", .paths = kLogfmt, .is_json = false},
    {.name = "nginx-json",
     .paths = kNginxJson,
     .type = EventType::kRequest,
     .dash_is_nothing = true},
    {.name = "otel", .paths = kOtel, .prefixes = kOtelObjects},
    {.name = "pino", .paths = kPino},
    {.name = "prometheus", .paths = kPrometheus, .type = EventType::kMetric, .is_json = false},
    // Names are those that the user gave.
    {.name = "regex", .paths = {}, .is_json = false, .is_lenient = false},
    {.name = "vector", .paths = kVector},
    {.name = "winston", .paths = kWinston},
    {.name = "zap", .paths = kZap},
};

}  // namespace

const FieldPreset* FindPreset(std::string_view name) {
  const auto* const found = std::find_if(std::begin(kPresets), std::end(kPresets),
                                         [&](const FieldPreset& p) { return p.name == name; });
  return found == std::end(kPresets) ? nullptr : found;
}

std::vector<std::string> JsonPresetNames() {
  std::vector<std::string> names;
  for (const FieldPreset& preset : kPresets) {
    if (preset.is_json) names.emplace_back(preset.name);
  }
  return names;
}

}  // namespace tocsin
