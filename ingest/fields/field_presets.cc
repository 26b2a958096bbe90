#include "ingest/fields/field_presets.h"

#include <algorithm>
#include <iterator>

namespace tocsin {
namespace {

constexpr FieldTarget Text(Field field) { return static_cast<FieldTarget>(field); }

// logfmt defines no names. These are the names of Go's libraries (log15, logrus, go-kit, slog),
// lograge and Heroku's router.
constexpr FieldPath kLogfmt[] = {
    {"ts", FieldTarget::kTime},
    {"t", FieldTarget::kTime},
    {"level", FieldTarget::kLevelWord},
    {"lvl", FieldTarget::kLevelWord},
    {"severity", FieldTarget::kLevelWord},
    {"at", FieldTarget::kLevelWord},
    {"msg", Text(Field::kMessage)},
    {"desc", Text(Field::kMessage)},
    {"err", Text(Field::kException)},
    {"error", Text(Field::kException)},
    {"exception", FieldTarget::kStack},
    {"path", Text(Field::kEndpoint)},
    {"uri", Text(Field::kEndpoint)},
    {"url", Text(Field::kEndpoint)},
    {"route", Text(Field::kEndpoint)},
    {"status_code", FieldTarget::kStatus},
    {"duration", FieldTarget::kDuration},
    {"took", FieldTarget::kDuration},
    {"elapsed", FieldTarget::kDuration},
    {"latency", FieldTarget::kDuration},
    {"response_time", FieldTarget::kDuration},
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
// recognized; these have an additional meaning here.
constexpr FieldPath kEcs[] = {
    {"@timestamp", FieldTarget::kTime},
    {"log.level", FieldTarget::kLevelWord},
    {"error.type", Text(Field::kException)},
    {"error.code", Text(Field::kException)},
    {"error.stack_trace", FieldTarget::kStack},
    {"message", Text(Field::kMessage)},
    {"error.message", Text(Field::kMessage)},
    {"http.request.method", Text(Field::kMethod)},
    {"http.response.status_code", FieldTarget::kStatus},
    {"event.duration", FieldTarget::kDurationNs},
    {"url.path", Text(Field::kEndpoint)},
    {"url.original", Text(Field::kEndpoint)},
    {"url.full", Text(Field::kEndpoint)},
    {"user.name", Text(Field::kUser)},
    {"host.hostname", Text(Field::kHost)},
    {"log.logger", Text(Field::kApp)},
};

// The log data model in JSON, and what SDKs print with its names.
// https://opentelemetry.io/docs/specs/otel/logs/data-model/
constexpr FieldPath kOtel[] = {
    {"timeUnixNano", FieldTarget::kTime},
    {"time_unix_nano", FieldTarget::kTime},
    {"Timestamp", FieldTarget::kTime},
    {"timestamp", FieldTarget::kTime},
    {"observedTimeUnixNano", FieldTarget::kTime},
    {"ObservedTimestamp", FieldTarget::kTime},
    {"observed_timestamp", FieldTarget::kTime},
    {"severityNumber", FieldTarget::kSeverityNumber},
    {"severity_number", FieldTarget::kSeverityNumber},
    {"SeverityNumber", FieldTarget::kSeverityNumber},
    {"severityText", FieldTarget::kLevelWord},
    {"severity_text", FieldTarget::kLevelWord},
    {"SeverityText", FieldTarget::kLevelWord},
    {"body", Text(Field::kMessage)},
    {"body.stringValue", Text(Field::kMessage)},
    {"body.string_value", Text(Field::kMessage)},
    {"Body", Text(Field::kMessage)},
    {"traceId", Text(Field::kTraceId)},
    {"TraceId", Text(Field::kTraceId)},
    {"exception.type", Text(Field::kException)},
    {"attributes.exception.type", Text(Field::kException)},
    {"Attributes.exception.type", Text(Field::kException)},
    {"exception.stacktrace", FieldTarget::kStack},
    {"attributes.exception.stacktrace", FieldTarget::kStack},
    {"Attributes.exception.stacktrace", FieldTarget::kStack},
    // Kubernetes resource attributes.
    {"k8s.pod.name", Text(Field::kHost)},
    {"service.instance.id", FieldTarget::kLabel, "instance"},
};
constexpr std::string_view kOtelObjects[] = {"attributes", "Attributes",
                                             "resource",   "resource.attributes",
                                             "Resource",   "Resource.Attributes"};

// https://github.com/pinojs/pino and pino-http, whose request lines have req and res.
constexpr FieldPath kPino[] = {
    {"time", FieldTarget::kTime},
    {"level", FieldTarget::kLevelWord},
    {"msg", Text(Field::kMessage)},
    {"name", Text(Field::kService)},
    {"hostname", Text(Field::kHost)},
    {"err.type", Text(Field::kException)},
    {"err.name", Text(Field::kException)},
    {"err.stack", FieldTarget::kStack},
    {"err.message", Text(Field::kException)},
    {"req.method", Text(Field::kMethod)},
    {"req.url", Text(Field::kEndpoint)},
    {"req.headers.user-agent", Text(Field::kUserAgent)},
    {"req.remoteAddress", Text(Field::kClientIp)},
    {"res.statusCode", FieldTarget::kStatus},
    {"responseTime", FieldTarget::kDuration},
};

// https://github.com/trentm/node-bunyan#core-fields, restify's audit log with `latency`.
constexpr FieldPath kBunyan[] = {
    {"time", FieldTarget::kTime},
    {"level", FieldTarget::kLevelWord},
    {"msg", Text(Field::kMessage)},
    {"name", Text(Field::kService)},
    {"hostname", Text(Field::kHost)},
    {"component", Text(Field::kApp)},
    {"err.name", Text(Field::kException)},
    {"err.stack", FieldTarget::kStack},
    {"err.message", Text(Field::kException)},
    {"req.method", Text(Field::kMethod)},
    {"req.url", Text(Field::kEndpoint)},
    {"req.headers.user-agent", Text(Field::kUserAgent)},
    {"req.remoteAddress", Text(Field::kClientIp)},
    {"remoteAddress", Text(Field::kClientIp)},
    {"res.statusCode", FieldTarget::kStatus},
    {"latency", FieldTarget::kDuration},
    {"responseTime", FieldTarget::kDuration},
};

// https://github.com/winstonjs/winston; requests are logged by express-winston, in `meta`.
constexpr FieldPath kWinston[] = {
    {"timestamp", FieldTarget::kTime},
    {"level", FieldTarget::kLevelWord},
    {"message", Text(Field::kMessage)},
    {"label", Text(Field::kApp)},
    {"hostname", Text(Field::kHost)},
    {"error.name", Text(Field::kException)},
    {"err.name", Text(Field::kException)},
    {"stack", FieldTarget::kStack},
    {"error.stack", FieldTarget::kStack},
    {"err.stack", FieldTarget::kStack},
    {"meta.req.method", Text(Field::kMethod)},
    {"meta.req.url", Text(Field::kEndpoint)},
    {"meta.req.headers.user-agent", Text(Field::kUserAgent)},
    {"meta.res.statusCode", FieldTarget::kStatus},
    {"meta.responseTime", FieldTarget::kDuration},
    {"req.method", Text(Field::kMethod)},
    {"req.url", Text(Field::kEndpoint)},
    {"res.statusCode", FieldTarget::kStatus},
    {"responseTime", FieldTarget::kDuration},
};

// https://pkg.go.dev/go.uber.org/zap, NewProductionConfig; requests are logged by gin-contrib/zap.
constexpr FieldPath kZap[] = {
    {"ts", FieldTarget::kTime},
    {"level", FieldTarget::kLevelWord},
    {"msg", Text(Field::kMessage)},
    {"logger", Text(Field::kApp)},
    {"error", Text(Field::kException)},
    {"path", Text(Field::kEndpoint)},
    {"url", Text(Field::kEndpoint)},
    {"latency", FieldTarget::kDurationS},
    {"duration", FieldTarget::kDurationS},
    {"elapsed", FieldTarget::kDurationS},
    {"ip", Text(Field::kClientIp)},
    {"user-agent", Text(Field::kUserAgent)},
    {"hostname", Text(Field::kHost)},
};

// https://vector.dev/docs/reference/configuration/sources: file, docker_logs, kubernetes_logs,
// syslog.
constexpr FieldPath kVector[] = {
    {"timestamp", FieldTarget::kTime},
    {"message", FieldTarget::kLine},
    {"level", FieldTarget::kLevelWord},
    {"severity", FieldTarget::kLevelWord},
    {"host", Text(Field::kHost)},
    {"hostname", Text(Field::kHost)},
    {"kubernetes.pod_name", Text(Field::kHost)},
    {"kubernetes.pod_labels.app.kubernetes.io/name", Text(Field::kService)},
    {"kubernetes.pod_labels.app", Text(Field::kService)},
    {"appname", Text(Field::kApp)},
    {"kubernetes.container_name", Text(Field::kApp)},
    {"container_name", Text(Field::kApp)},
    {"kubernetes.pod_namespace", FieldTarget::kLabel, "namespace"},
    {"stream", FieldTarget::kLabel, "stream"},
    {"path", Text(Field::kEndpoint)},
};

// https://docs.fluentbit.io/manual: in_tail and the kubernetes filter, as out_stdout, out_kafka and
// out_http write them; fluentd's Docker driver uses the same names.
constexpr FieldPath kFluentBit[] = {
    {"date", FieldTarget::kTime},
    {"@timestamp", FieldTarget::kTime},
    {"time", FieldTarget::kTime},
    {"timestamp", FieldTarget::kTime},
    {"log", FieldTarget::kLine},
    {"message", FieldTarget::kLine},
    {"msg", FieldTarget::kLine},
    {"level", FieldTarget::kLevelWord},
    {"severity", FieldTarget::kLevelWord},
    {"host", Text(Field::kHost)},
    {"hostname", Text(Field::kHost)},
    {"kubernetes.pod_name", Text(Field::kHost)},
    {"kubernetes.labels.app.kubernetes.io/name", Text(Field::kService)},
    {"kubernetes.labels.app", Text(Field::kService)},
    {"kubernetes.container_name", Text(Field::kApp)},
    {"container_name", Text(Field::kApp)},
    {"kubernetes.namespace_name", FieldTarget::kLabel, "namespace"},
    {"stream", FieldTarget::kLabel, "stream"},
    {"path", Text(Field::kEndpoint)},
};

// nginx's access log as JSON (`log_format … escape=json`): keys are usually named after the
// variables. https://nginx.org/en/docs/http/ngx_http_log_module.html#log_format
constexpr FieldPath kNginxJson[] = {
    {"time_iso8601", FieldTarget::kTime},
    {"msec", FieldTarget::kTime},
    {"time_local", FieldTarget::kTime},
    {"@timestamp", FieldTarget::kTime},
    {"timestamp", FieldTarget::kTime},
    {"time", FieldTarget::kTime},
    {"request_method", Text(Field::kMethod)},
    {"method", Text(Field::kMethod)},
    {"request", FieldTarget::kRequestLine},
    {"request_uri", Text(Field::kEndpoint)},
    {"uri", Text(Field::kEndpoint)},
    {"url", Text(Field::kEndpoint)},
    {"path", Text(Field::kEndpoint)},
    {"status", FieldTarget::kStatus},
    {"response", FieldTarget::kStatus},
    {"request_time", FieldTarget::kDurationS},
    {"remote_addr", Text(Field::kClientIp)},
    {"remote_ip", Text(Field::kClientIp)},
    {"client", Text(Field::kClientIp)},
    {"remote_user", Text(Field::kUser)},
    {"http_user_agent", Text(Field::kUserAgent)},
    {"agent", Text(Field::kUserAgent)},
    {"request_id", Text(Field::kTraceId)},
    {"hostname", Text(Field::kHost)},
    {"host", FieldTarget::kLabel, "vhost"},
    {"http_host", FieldTarget::kLabel, "vhost"},
    {"vhost", FieldTarget::kLabel, "vhost"},
    {"server_name", FieldTarget::kLabel, "vhost"},
    {"body_bytes_sent", FieldTarget::kLabel, "bytes"},
    {"bytes_sent", FieldTarget::kLabel, "bytes"},
    {"bytes", FieldTarget::kLabel, "bytes"},
    {"http_referer", FieldTarget::kLabel, "referer"},
    {"http_referrer", FieldTarget::kLabel, "referer"},
    {"referrer", FieldTarget::kLabel, "referer"},
};

// The labels that Prometheus gives every target; https://prometheus.io/docs/concepts/jobs_instances
constexpr FieldPath kPrometheus[] = {
    {"service", Text(Field::kService)},
    {"job", Text(Field::kService)},
    {"host", Text(Field::kHost)},
    {"instance", Text(Field::kHost)},
};

// https://docs.docker.com/engine/logging/drivers/json-file: one line of a container's output per
// object.
constexpr FieldPath kDocker[] = {
    {"time", FieldTarget::kTime},
    {"log", FieldTarget::kLine},
    {"stream", FieldTarget::kLabel, "stream"},
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
    // The user chooses the names in the pattern.
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
