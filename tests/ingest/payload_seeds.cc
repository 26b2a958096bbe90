#include "tests/ingest/payload_seeds.h"

#include <memory>
#include <string_view>
#include <utility>

#include <snappy.h>
#include <protozero/pbf_writer.hpp>

#include "absl/strings/escaping.h"
#include "ingest/fields/field_presets.h"
#include "tests/ingest/otlp_messages.h"
#include "tests/ingest/packed_text.h"

namespace tocsin {
namespace {

using protozero::pbf_writer;
using Pack = std::function<std::string(const std::string&)>;

InputConfig Of(const std::string& format) {
  InputConfig input;
  input.name = "seed";
  input.format = format;
  return input;
}

// Keys of several libraries; a preset ignores those of the others.
constexpr std::string_view kJsonLog =
    R"([{"time":"2026-01-01T00:00:00Z","type":"request","level":"warn","msg":"a \"b\" c",)"
    R"("log":"x\n","endpoint":"/orders/42?x=1","status":503,"duration_ms":12.5,"user":"ann",)"
    R"("req":{"method":"GET","url":"/a/7","headers":{"user-agent":"curl"}},)"
    R"("labels":{"team":"web","n":7,"m":null},"other":{"a":[1,{"b":"c"}]}},{"time":1767225600}])";

std::vector<PayloadSeed> JsonSeeds(const std::string& format) {
  PayloadSeed plain{Of(format), JsonPart(kJsonLog)};
  PayloadSeed mapped = plain;
  mapped.input.map = {{"user", "req.headers.user-agent", "", {}},
                      {"message", "req.headers.user-agent", "", {}},
                      {"labels.team", "labels.team", "", {}},
                      {"labels.deep", "other.a.b", "", {}}};
  PayloadSeed lines{plain.input, TextPart(R"({"time":1767225600,"msg":"a","labels":{"a":"b"}}
{"time":1767225601,"msg":"b"}
)")};
  return {std::move(plain), std::move(mapped), std::move(lines)};
}

// ---- OpenTelemetry and Prometheus ----

std::string PointOf(std::uint32_t attributes, bool quantiles) {
  std::string bytes;
  pbf_writer writer(bytes);
  writer.add_fixed64(3, kOtlpTime);
  if (!quantiles) writer.add_double(4, 1.5);
  if (quantiles) {
    std::string quantile;
    pbf_writer inner(quantile);
    inner.add_double(1, 0.5);
    inner.add_double(2, 7);
    writer.add_fixed64(4, 4);
    writer.add_double(5, 20);
    writer.add_message(6, quantile);
  }
  writer.add_message(attributes, OtlpPair("zone", OtlpText("a")));
  writer.add_message(
      attributes,
      OtlpPair("aws", OtlpMap({OtlpPair("table", OtlpMap({OtlpPair("name", OtlpText("t1"))})),
                               OtlpPair("n", OtlpInteger(7))})));
  return bytes;
}

std::string OtlpMetrics() {
  return OtlpRequest(
      {OtlpPair("service.name", OtlpText("shop")), OtlpPair("cloud.region", OtlpText("eu-west-1")),
       OtlpPair("url.path", OtlpText("/orders/42"))},
      {OtlpMetricOf("queue.depth", "{items}", {.kind = 5}, {PointOf(7, false)}),
       OtlpMetricOf("latency", "ms", {.kind = 11}, {PointOf(7, true)}),
       OtlpMetricOf("size", "By", {.kind = 9, .temporality = 2}, {PointOf(9, true)})});
}

std::string OtlpLogs() {
  std::string log;
  pbf_writer writer(log);
  writer.add_fixed64(1, kOtlpTime);
  writer.add_enum(2, 17);
  writer.add_string(3, "ERROR");
  writer.add_message(6, OtlpPair("exception.type", OtlpText("IOError")));
  writer.add_message(6, OtlpPair("http", OtlpMap({OtlpPair("route", OtlpText("/a")),
                                                  OtlpPair("ok", OtlpInteger(1))})));
  writer.add_message(5, OtlpMap({OtlpPair("message", OtlpText("done")),
                                 OtlpPair("m", OtlpMap({OtlpPair("x", OtlpText("y"))}))}));
  writer.add_bytes(9, std::string(16, '\x5b'));
  std::string short_log;
  pbf_writer second(short_log);
  second.add_message(5, OtlpText("connection refused"));
  return OtlpRequest(
      {OtlpPair("service.name", OtlpText("shop")), OtlpPair("host.name", OtlpText("web-1")),
       OtlpPair("url.path", OtlpText("/orders/42"))},
      {log, short_log});
}

constexpr std::string_view kOtlpJson =
    R"({"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},)"
    R"("scopeLogs":[{"logRecords":[{"timeUnixNano":"1767225600000000000","severityNumber":17,)"
    R"("body":{"kvlistValue":{"values":[{"key":"m","value":{"kvlistValue":{"values":)"
    R"([{"key":"x","value":{"intValue":"1"}}]}}}]}},)"
    R"("attributes":[{"key":"a","value":{"boolValue":true}}]},{"body":{"stringValue":"b"}}]}]}],)"
    R"("resourceMetrics":[{"resource":{"attributes":[{"key":"host.name","value":{"stringValue":"h"}}]},)"
    R"("scopeMetrics":[{"metrics":[{"name":"m","unit":"s","summary":{"dataPoints":[{"count":"1",)"
    R"("sum":2,"timeUnixNano":"1767225600000000000","quantileValues":[{"quantile":0.5,"value":2}],)"
    R"("attributes":[{"key":"z","value":{"stringValue":"a"}}]}]}}]}]}]})";

std::string RemoteWrite() {
  std::string series, sample, histogram, request;
  pbf_writer writer(series);
  const auto label = [&](std::string_view name, std::string_view value) {
    std::string bytes;
    pbf_writer inner(bytes);
    inner.add_string(1, name.data(), name.size());
    inner.add_string(2, value.data(), value.size());
    writer.add_message(1, bytes);
  };
  label("__name__", "http_requests_total");
  label("job", "shop");
  label("endpoint", "/orders/42");
  pbf_writer inner(sample);
  inner.add_double(1, 1027);
  inner.add_int64(2, 1'767'225'600'000);
  writer.add_message(2, sample);
  pbf_writer other(histogram);
  other.add_uint64(1, 4);
  other.add_double(3, 20);
  other.add_int64(15, 1'767'225'600'000);
  writer.add_message(4, histogram);
  pbf_writer(request).add_message(1, series);
  return request;
}

std::string Snappy(const std::string& bytes) {
  std::string compressed;
  snappy::Compress(bytes.data(), bytes.size(), &compressed);
  return compressed;
}

// ---- Amazon's ----

constexpr std::string_view kLogEvents =
    R"({"messageType":"DATA_MESSAGE","owner":"1","logGroup":"/aws/lambda/checkout","logStream":"s",)"
    R"("subscriptionFilters":["f"],"logEvents":[{"id":"1","timestamp":1600110569039,"message":"a b"},)"
    R"({"id":"2","timestamp":1600110569040,"message":"{\"level\":\"error\",\"message\":\"c\"}"}]})";

std::string Base64(const std::string& bytes) {
  return absl::Base64Escape(absl::string_view(bytes.data(), bytes.size()));
}
std::string Lambda(const std::string& bytes) {
  return R"({"awslogs":{"data":")" + Base64(Gzip(bytes)) + "\"}}";
}
std::string Kinesis(const std::string& bytes) {
  return R"({"Records":[{"kinesis":{"data":")" + Base64(Gzip(bytes)) + "\"}}]}";
}

std::string JsonString(const std::string& text) {
  std::string escaped = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') escaped += '\\';
    escaped += c == '\n' ? std::string("\\n") : std::string(1, c);
  }
  return escaped + '"';
}
std::string SnsMessage(const std::string& text) {
  return R"({"Type":"Notification","MessageId":"m","TopicArn":"arn:aws:sns:eu:1:alarms",)"
         R"("Timestamp":"2026-01-01T00:00:00Z","Message":)" +
         JsonString(text) + "}";
}
std::string SnsRecords(const std::string& text) {
  return R"({"Records":[{"EventSource":"aws:sns","Sns":)" + SnsMessage(text) + "}]}";
}
std::string SqsRecords(const std::string& text) {
  return R"({"Records":[{"eventSource":"aws:sqs","body":)" + JsonString(SnsMessage(text)) + "}]}";
}

constexpr std::string_view kAlarm =
    R"({"AlarmName":"cpu","AlarmDescription":"d","AWSAccountId":"1","NewStateValue":"ALARM",)"
    R"("NewStateReason":"r","StateChangeTime":"2026-01-01T00:00:00.000+0000","Region":"EU",)"
    R"("AlarmArn":"arn:aws:cloudwatch:eu-west-1:1:alarm:cpu","Trigger":{"MetricName":"CPU",)"
    R"("Namespace":"AWS/RDS","Dimensions":[{"name":"DBInstanceIdentifier","value":"orders-db"}]}})";
constexpr std::string_view kStateChange =
    R"({"id":"e","detail-type":"CloudWatch Alarm State Change","account":"1","region":"eu",)"
    R"("time":"2026-01-01T00:00:00Z","resources":["arn:aws:cloudwatch:eu-west-1:1:alarm:cpu"],)"
    R"("detail":{"alarmName":"cpu","state":{"value":"ALARM","reason":"r",)"
    R"("timestamp":"2026-01-01T00:00:00.000+0000"},"configuration":{"metrics":[{"metricStat":)"
    R"({"metric":{"namespace":"AWS/RDS","name":"CPU","dimensions":{"a":"b"}}}}]}}})";
constexpr std::string_view kStreamMetric =
    R"({"metric_stream_name":"s","account_id":"1","region":"eu","namespace":"AWS/RDS",)"
    R"("metric_name":"CPU","dimensions":{"DBInstanceIdentifier":"orders-db","x":"y"},)"
    R"("timestamp":1767225600000,"value":{"count":4,"sum":40,"min":8,"max":12},"unit":"Percent"})";

std::vector<PayloadSeed> Seeds(InputConfig input, Part root, std::vector<Pack> packs) {
  std::vector<PayloadSeed> seeds;
  for (Pack& pack : packs) seeds.push_back({input, root, std::move(pack)});
  return seeds;
}

std::vector<PayloadSeed> CloudWatchLogsSeeds() {
  return Seeds(Of("cloudwatch-logs"), JsonPart(kLogEvents),
               {Pack(), [](const std::string& text) { return Gzip(text); },
                [](const std::string& text) { return Base64(Gzip(text)); }, Lambda, Kinesis});
}

// A carrier's own document, and documents of other formats in its messages.
std::vector<PayloadSeed> Carried(const std::string& format, std::vector<PayloadSeed> seeds,
                                 const Pack& pack) {
  for (const std::string inner :
       {"json", "logfmt", "syslog", "telegraf", "influx", "alertmanager", "cloudwatch-logs"}) {
    if (inner == format) continue;
    PayloadSeed seed =
        inner == "cloudwatch-logs" ? CloudWatchLogsSeeds().front() : SeedsOf(inner).front();
    seed.input = Of(format);
    seed.input.message_format = inner;
    const Pack inner_pack = std::move(seed.pack);
    seed.pack = [pack, inner_pack](const std::string& text) {
      return pack(inner_pack ? inner_pack(text) : text);
    };
    seeds.push_back(std::move(seed));
  }
  return seeds;
}

// ---- Lines ----

constexpr std::string_view kClf =
    R"(203.0.113.7 - ann [17/May/2015:10:05:03 +0000] "GET /a/42?x=1 HTTP/1.1" 200 512 "ref\"" "curl/8" 0.123 rt=0.5
shop.example 203.0.113.7 - - [17/May/2015:10:05:04 +0000] "POST /b HTTP/1.1" 500 - "-" "-"
)";
constexpr std::string_view kAlb =
    R"(https 2026-01-01T12:00:00.186641Z app/shop/50dc6c495c0c9188 192.0.2.7:2817 10.0.0.1:80 0.000 0.001 0.000 200 200 34 366 "GET https://shop.example:443/a/42 HTTP/1.1" "curl/8" ECDHE TLSv1.2 arn:aws:elasticloadbalancing:us-east-2:1:targetgroup/shop/73e2 "Root=1-58;Sampled=1" "shop.example" "-" 0 2026-01-01T12:00:00.1Z "forward" "-" "-" "x"
)";
constexpr std::string_view kLogfmt =
    R"(ts=2026-05-17T10:05:03.123Z level=warn msg="slow \"query\"" method=GET path=/a/7 took=1.5s a=b
ts=2026-05-17T10:05:04.123Z level=warn msg="slow" method=GET path=/a/8 took=1.5s a=c
ts=2026-05-17T10:05:05.123Z level=info msg="fast" method=PUT path=/a/9 took=2.5s a=d
)";
constexpr std::string_view kSyslog =
    R"(<13>1 2026-01-01T12:00:00.5Z web-1 shop 17 ID9 [a@1 tier="gold" x="\]"][b c="d"] up and running
<13>Jan  1 12:00:00 web-1 shop[17]: up, and running
2026-01-01T12:00:00.5+01:00 web-1 shop[17]: up
)";
constexpr std::string_view kPostgres =
    R"(2026-01-01 12:00:00.123 UTC [17] user=ann,db=shop,app=psql,client=192.0.2.7 LOG:  duration: 12.3 ms  statement: SELECT 1
2026-01-01 12:00:00 UTC:192.0.2.7(5):ann@shop:[17]:LOG:  connection received: host=192.0.2.7 port=5432
2026-01-01 12:00:00.1 UTC,"ann","shop",17,"192.0.2.7:5",x,1,"SELECT",x,3/7,0,LOG,00000,"duration: 1 ms  statement: ""a""",,,,,,,,,"psql"
{"timestamp":"2026-01-01 12:00:00.123 UTC","user":"ann","error_severity":"LOG","message":"a"}
)";
constexpr std::string_view kPgbouncer =
    R"(2026-01-01 12:00:00.123 UTC [17] LOG C-0x55d5: shop/ann@192.0.2.7:5 login attempt: db=shop user=ann
2026-01-01 12:00:00.123 UTC [17] LOG stats: 12 xacts/s, 15 queries/s, in 99 B/s, wait 9 us
)";
constexpr std::string_view kInflux =
    R"(cpu,host=web-1,cpu=cpu\ 0 usage_user=12.5,usage_idle=80i,ok=t,note="a \"b\"" 1767225600000000000
mem,host=web-1 value=1
)";
constexpr std::string_view kScrape =
    R"(# HELP http_requests_total Requests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200",path="a\"b"} 1027 1767225600000
{"a.b",job="x"} 2
)";

// ---- Documents of others ----

constexpr std::string_view kAlertmanager =
    R"({"version":"4","status":"firing","groupKey":"k","alerts":[{"status":"firing",)"
    R"("labels":{"alertname":"a","service":"shop","severity":"page"},)"
    R"("annotations":{"summary":"s","description":"d"},"startsAt":"2026-01-01T00:00:00Z",)"
    R"("endsAt":"0001-01-01T00:00:00Z","fingerprint":"f"}]})";
constexpr std::string_view kGrafana =
    R"({"ruleId":7,"ruleName":"r","state":"alerting","tags":{"a":"b"},"message":"m",)"
    R"("evalMatches":[{"value":97.5,"metric":"m","tags":{"x":"y"}}]})";
constexpr std::string_view kTelegraf =
    R"({"metrics":[{"name":"cpu","tags":{"host":"web-1","cpu":"cpu0"},"timestamp":1767225600,)"
    R"("fields":{"usage_user":12.5,"usage_idle":80,"ok":true,"note":"n"}}]})";
constexpr std::string_view kSentry =
    R"({"action":"triggered","data":{"event":{"event_id":"e","project":1,"datetime":)"
    R"("2026-01-01T00:00:00Z","url":"https://sentry.io/api/0/projects/o/shop/events/e/",)"
    R"("level":"error","title":"t","release":"1","tags":[["environment","prod"],["a","b"]],)"
    R"("exception":{"values":[{"type":"IOError"}]},"metadata":{"type":"x"},)"
    R"("user":{"id":7,"ip_address":"192.0.2.7"}}}})";
constexpr std::string_view kSentryAlert =
    R"({"action":"critical","data":{"metric_alert":{"id":1,"date_started":"2026-01-01T00:00:00Z",)"
    R"("projects":["shop"],"title":"t","alert_rule":{"name":"n","environment":"prod"}},)"
    R"("description_text":"d"}})";
constexpr std::string_view kPagerDuty =
    R"({"event":{"id":"e","event_type":"incident.triggered","resource_type":"incident",)"
    R"("occurred_at":"2026-01-01T00:00:00Z","data":{"type":"incident","id":"i","number":2,)"
    R"("status":"triggered","title":"t","created_at":"2026-01-01T00:00:00Z","urgency":"high",)"
    R"("service":{"summary":"shop"},"priority":{"summary":"P1"}}}})";
constexpr std::string_view kGitHub =
    R"({"action":"created","deployment_status":{"state":"success","created_at":"2026-01-01T00:00:00Z"},)"
    R"("deployment":{"id":1,"sha":"0123456789abcdef0123456789abcdef01234567","ref":"main",)"
    R"("task":"deploy","environment":"production"},"repository":{"name":"shop","full_name":"o/shop"}})";
constexpr std::string_view kGitLab =
    R"({"object_kind":"deployment","status":"success","status_changed_at":"2026-01-01 02:00:00 +0200",)"
    R"("deployment_id":15,"environment":"prod","ref":"main","short_sha":"279484c0",)"
    R"("project":{"name":"shop","path_with_namespace":"o/shop"}})";
constexpr std::string_view kKubernetes =
    R"({"kind":"EventList","items":[{"kind":"Event","involvedObject":{"kind":"Pod","namespace":"n",)"
    R"("name":"web-6f7c9d5b4d-x2x4k","labels":{"app":"web"}},"reason":"BackOff","message":"m",)"
    R"("type":"Warning","source":{"host":"h"},"lastTimestamp":"2026-01-01T00:00:00Z",)"
    R"("metadata":{"uid":"u"}},{"kind":"Event","regarding":{"kind":"Deployment","name":"web"},)"
    R"("reason":"ScalingReplicaSet","note":"Scaled up replica set web-6f7c9d5b4d to 1 from 0",)"
    R"("eventTime":"2026-01-01T00:00:00Z"}]})";

std::vector<PayloadSeed> Documents(const std::string& format,
                                   std::vector<std::string_view> documents) {
  std::vector<PayloadSeed> seeds;
  for (const std::string_view document : documents) {
    seeds.push_back({Of(format), JsonPart("[" + std::string(document) + "]")});
  }
  return seeds;
}

std::vector<PayloadSeed> Lines(InputConfig input, std::string_view lines) {
  input.year = 2026;
  return {{std::move(input), TextPart(lines)}};
}

}  // namespace

std::vector<PayloadSeed> SeedsOf(const std::string& format) {
  const FieldPreset* const preset = FindPreset(format);
  if (format == "json" || (preset != nullptr && preset->is_json)) return JsonSeeds(format);
  if (format == "logfmt") return Lines(Of(format), kLogfmt);
  if (format == "alb") return Lines(Of(format), kAlb);
  if (format == "clf") return Lines(Of(format), kClf);
  if (format == "influx") return Lines(Of(format), kInflux);
  if (format == "pgbouncer") return Lines(Of(format), kPgbouncer);
  if (format == "postgres") return Lines(Of(format), kPostgres);
  if (format == "prometheus-text") return Lines(Of(format), kScrape);
  if (format == "syslog") return Lines(Of(format), kSyslog);
  if (format == "regex") {
    InputConfig input = Of(format);
    input.pattern = R"(^(?P<time>\S+) (?P<level>\w+) (?P<status>\d+)? ?(?P<message>.*)$)";
    return Lines(std::move(input), "2026-01-01T00:00:00Z ERROR 503 no more, of it\n");
  }
  if (format == "alertmanager") return Documents(format, {kAlertmanager});
  if (format == "cloudwatch-alarm") {
    std::vector<PayloadSeed> seeds = Documents(format, {kAlarm, kStateChange});
    for (PayloadSeed& seed : Seeds(Of(format), JsonPart(kAlarm), {SnsRecords, SqsRecords})) {
      seeds.push_back(std::move(seed));
    }
    return seeds;
  }
  if (format == "cloudwatch-metric-stream") {
    std::vector<PayloadSeed> seeds = Documents(format, {kStreamMetric});
    // Without the tag: the length, then the request.
    seeds.push_back({Of(format), ProtobufPart(OtlpMetrics()), [](const std::string& request) {
                       std::string framed;
                       pbf_writer(framed).add_bytes(1, request);
                       return framed.substr(1);
                     }});
    return seeds;
  }
  if (format == "cloudwatch-logs") {
    return Carried(format, CloudWatchLogsSeeds(), [](const std::string& text) {
      return R"({"messageType":"DATA_MESSAGE","logGroup":"g","logStream":"s","logEvents":[)"
             R"({"timestamp":1600110569039,"message":)" +
             JsonString(text) + "}]}";
    });
  }
  if (format == "sns") {
    return Carried(format,
                   Seeds(Of(format), JsonPart(kAlarm), {SnsMessage, SnsRecords, SqsRecords}),
                   SnsMessage);
  }
  if (format == "github-deploy") return Documents(format, {kGitHub});
  if (format == "gitlab-deploy") return Documents(format, {kGitLab});
  if (format == "grafana") return Documents(format, {kGrafana, kAlertmanager});
  if (format == "kubernetes-events") return Documents(format, {kKubernetes});
  if (format == "otlp-json") return Documents(format, {kOtlpJson});
  if (format == "otlp-proto") {
    PayloadSeed logs{Of(format), ProtobufPart(OtlpLogs())};
    logs.input.signal = "logs";
    PayloadSeed metrics{Of(format), ProtobufPart(OtlpMetrics())};
    metrics.input.signal = "metrics";
    return {std::move(logs), std::move(metrics)};
  }
  if (format == "pagerduty-webhook") return Documents(format, {kPagerDuty});
  if (format == "prometheus-remote-write") {
    return Seeds(Of(format), ProtobufPart(RemoteWrite()), {Snappy});
  }
  if (format == "sentry") return Documents(format, {kSentry, kSentryAlert});
  if (format == "telegraf") return Documents(format, {kTelegraf});
  return {};
}

}  // namespace tocsin
