// The presets of JSON logs: a line of each as its library or program writes it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "ingest/fields/field_presets.h"
#include "tests/ingest/line_text.h"

namespace tocsin {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

InputConfig Preset(std::string name, std::vector<FieldMapping> map = {}) {
  InputConfig input;
  input.preset = std::move(name);
  input.map = std::move(map);
  return input;
}

struct LineCase {
  std::string_view preset;
  std::string_view line;
  std::string_view expected;
};

TEST(JsonPreset, Lines) {
  const LineCase cases[] = {
      {"pino",
       R"({"level":30,"time":1767268800123,"pid":17,"hostname":"web-1","name":"shop","msg":"hello"})",
       "2026-01-01T12:00:00.123Z log host=web-1 level=info message=hello service=shop"},
      {"pino",
       R"({"level":50,"time":1767268800123,"err":{"type":"TypeError","message":"x is not a function",)"
       R"("stack":"TypeError: x is not a function\n    at a.js:1"},"msg":"failed"})",
       "2026-01-01T12:00:00.123Z log exception=TypeError level=error message=failed"},
      {"pino", R"({"level":60,"time":1767268800123,"err":{"stack":"Error: no\n    at a.js:1"}})",
       "2026-01-01T12:00:00.123Z log exception=Error: no level=fatal"},
      {"pino",
       R"({"level":30,"time":1767268800123,"req":{"id":1,"method":"GET","url":"/orders/42?x=1",)"
       R"("headers":{"user-agent":"curl/8"},"remoteAddress":"::1","remotePort":5},)"
       R"("res":{"statusCode":503,"headers":{}},"responseTime":12,"msg":"request completed"})",
       "2026-01-01T12:00:00.123Z request 503 12ms client_ip=::1 endpoint=/orders/:id level=info "
       "message=request completed method=GET user_agent=curl/8"},
      {"pino", R"({"level":30,"time":1767268800123,"req":{"method":"GET","url":"/a"},"msg":"in"})",
       "2026-01-01T12:00:00.123Z log endpoint=/a level=info message=in method=GET"},
      {"pino", R"({"level":35,"time":"2026-01-01T12:00:00.123Z","msg":"own level"})",
       "2026-01-01T12:00:00.123Z log level=info message=own level"},
      {"pino", R"({"level":"WARN","time":1767268800123,"user":{"id":7},"status":"odd","type":"x"})",
       "2026-01-01T12:00:00.123Z log level=warn user=7"},
      {"bunyan",
       R"({"name":"shop","hostname":"web-1","pid":1,"level":40,"msg":"no","time":)"
       R"("2026-01-01T12:00:00.123Z","err":{"name":"Timeout","message":"m","stack":"s"},"v":0})",
       "2026-01-01T12:00:00.123Z log exception=Timeout host=web-1 level=warn message=no "
       "service=shop"},
      {"bunyan",
       R"({"name":"audit","level":30,"req":{"method":"GET","url":"/a"},"res":{"statusCode":200},)"
       R"("latency":7,"msg":"handled: 200","time":"2026-01-01T12:00:00Z","v":0})",
       "2026-01-01T12:00:00Z request 200 7ms endpoint=/a level=info message=handled: 200 "
       "method=GET "
       "service=audit"},
      {"winston",
       R"({"level":"error","message":"no","service":"shop","stack":"RangeError: a\n at b",)"
       R"("timestamp":"2026-01-01T12:00:00.000Z"})",
       "2026-01-01T12:00:00Z log exception=RangeError: a level=error message=no service=shop"},
      {"winston",
       R"({"level":"info","message":"HTTP GET /a","meta":{"req":{"method":"GET","url":"/a",)"
       R"("headers":{"user-agent":"c"}},"res":{"statusCode":404},"responseTime":3},)"
       R"("timestamp":"2026-01-01 12:00:00"})",
       "2026-01-01T12:00:00Z request 404 3ms endpoint=/a level=info message=HTTP GET /a method=GET "
       "user_agent=c"},
      {"zap",
       R"({"level":"info","ts":1767268800.25,"logger":"db","caller":"a.go:1","msg":"up","n":1})",
       "2026-01-01T12:00:00.250Z log app=db level=info message=up"},
      {"zap",
       R"({"level":"error","ts":"2026-01-01T13:00:00.250+0100","msg":"no","error":"dial: refused",)"
       R"("stacktrace":"main.main\n\t/a.go:1"})",
       "2026-01-01T12:00:00.250Z log exception=dial: refused level=error message=no"},
      {"zap",
       R"({"level":"info","ts":1767268800,"msg":"/a","status":200,"method":"GET","path":"/a",)"
       R"("query":"","ip":"192.0.2.7","user-agent":"c","latency":0.0125,"time":"x"})",
       "2026-01-01T12:00:00Z request 200 12500us client_ip=192.0.2.7 endpoint=/a level=info "
       "message=/a method=GET user_agent=c"},
      {"zap", R"({"ts":1767268800,"status":200,"method":"GET","latency":"12.5ms"})",
       "2026-01-01T12:00:00Z request 200 12500us method=GET"},
      {"ecs",
       R"({"@timestamp":"2026-01-01T12:00:00.123Z","log.level":"ERROR","message":"no","ecs.version":)"
       R"("1.2.0","service.name":"shop","event.dataset":"shop.log","log.logger":"a.B","error.type":)"
       R"("java.lang.OutOfMemoryError","error.message":"m","error.stack_trace":"s\n\tat"})",
       "2026-01-01T12:00:00.123Z log app=a.B exception=java.lang.OutOfMemoryError level=error "
       "message=no service=shop"},
      {"ecs",
       R"({"@timestamp":"2026-01-01T12:00:00.123Z","log":{"level":"info"},"message":"GET /a",)"
       R"("http":{"request":{"method":"GET"},"response":{"status_code":200}},"url":{"path":"/a/42"},)"
       R"("event":{"duration":12000000},"client":{"ip":"192.0.2.7"},"user_agent":{"original":"c"},)"
       R"("host":{"hostname":"web-1","ip":["192.0.2.1"]},"labels":{"team":"web","odd":{"a":1}}})",
       "2026-01-01T12:00:00.123Z request 200 12ms client_ip=192.0.2.7 endpoint=/a/:id host=web-1 "
       "level=info message=GET /a method=GET user_agent=c team:web"},
      {"otel",
       R"({"Timestamp":"1767268800123000000","SeverityText":"INFO","SeverityNumber":9,"Body":"b",)"
       R"("TraceId":"4bf9","SpanId":"1","Attributes":{"http.request.method":"GET","http.route":"/a",)"
       R"("http.response.status_code":500},"Resource":{"service.name":"shop","host.name":"web-1"}})",
       "2026-01-01T12:00:00.123Z request 500 endpoint=/a host=web-1 level=info message=b "
       "method=GET "
       "service=shop trace_id=4bf9"},
      {"otel",
       R"({"timeUnixNano":"1767268800123000000","severityNumber":17,"body":{"stringValue":"b"},)"
       R"("attributes":{"exception.type":"E"},"traceId":"4bf9"})",
       "2026-01-01T12:00:00.123Z log exception=E level=error message=b trace_id=4bf9"},
      {"otel",
       R"({"body":"b","severity_number":13,"severity_text":"WARN","attributes":{},"timestamp":)"
       R"("2026-01-01T12:00:00.123000Z","trace_id":"0x4b","resource":{"attributes":{"service.name":)"
       R"("shop","deployment.environment":"staging"},"schema_url":""}})",
       "2026-01-01T12:00:00.123Z log env=staging level=warn message=b service=shop trace_id=0x4b"},
      {"vector",
       R"({"file":"/a.log","host":"web-1","message":"line","source_type":"file","timestamp":)"
       R"("2026-01-01T12:00:00.123456789Z"})",
       "2026-01-01T12:00:00.123456Z log host=web-1 message=line"},
      {"vector",
       R"({"kubernetes":{"container_name":"c","pod_labels":{"app.kubernetes.io/name":"shop"},)"
       R"("pod_name":"shop-1","pod_namespace":"n"},"message":"line","stream":"stderr","timestamp":)"
       R"("2026-01-01T12:00:00Z"})",
       "2026-01-01T12:00:00Z log app=c host=shop-1 message=line service=shop namespace:n "
       "stream:stderr"},
      {"vector",
       R"({"appname":"sshd","facility":"auth","host":"a","message":"m","severity":"ERR","timestamp":)"
       R"("2026-01-01T12:00:00Z"})",
       "2026-01-01T12:00:00Z log app=sshd host=a level=error message=m"},
      {"fluent-bit",
       R"({"date":1767268800.25,"log":"line\n","stream":"stdout","kubernetes":{"pod_name":"p",)"
       R"("namespace_name":"n","container_name":"c","labels":{"app":"shop"},"host":"node-1"}})",
       "2026-01-01T12:00:00.250Z log app=c host=p message=line service=shop namespace:n "
       "stream:stdout"},
      {"fluent-bit", R"({"@timestamp":"2026-01-01T12:00:00Z","message":"m","level":"Error"})",
       "2026-01-01T12:00:00Z log level=error message=m"},
      {"docker",
       R"({"log":"a \"b\"\r\n","stream":"stderr","time":"2026-01-01T12:00:00.123456789Z"})",
       "2026-01-01T12:00:00.123456Z log message=a \"b\" stream:stderr"},
      {"docker",
       R"({"log":"a\n","stream":"stdout","attrs":{"service":"shop","tag":"t"},)"
       R"("time":"2026-01-01T12:00:00Z"})",
       "2026-01-01T12:00:00Z log app=t message=a service=shop stream:stdout"},
      {"nginx-json",
       R"({"time_iso8601":"2026-01-01T13:00:00+01:00","remote_addr":"192.0.2.7","remote_user":"-",)"
       R"("request":"GET /orders/42?x=1 HTTP/1.1","uri":"/index.php","status":"503","request_time":)"
       R"("0.012","body_bytes_sent":"17","http_referer":"-","http_user_agent":"c \"d\"","host":"a",)"
       R"("server_name":"b","upstream_response_time":"0.001, 0.002"})",
       "2026-01-01T12:00:00Z request 503 12ms client_ip=192.0.2.7 endpoint=/orders/:id method=GET "
       "user_agent=c \"d\" bytes:17 vhost:a"},
      {"nginx-json",
       R"({"msec":"1767268800.123","request_method":"POST","request_uri":"/a","status":200,)"
       R"("request_time":1.5,"remote_addr":"::1","request_id":"4b","remote_user":"ann"})",
       "2026-01-01T12:00:00.123Z request 200 1500ms client_ip=::1 endpoint=/a method=POST "
       "trace_id=4b user=ann"},
      {"nginx-json",
       R"({"time":"17/May/2015:08:05:32 +0000","remote_ip":"93.180.71.3","remote_user":"-","request":)"
       R"("GET /downloads/product_1 HTTP/1.1","response":304,"bytes":0,"referrer":"-","agent":"apt"})",
       "2015-05-17T08:05:32Z request 304 client_ip=93.180.71.3 endpoint=/downloads/product_1 "
       "method=GET user_agent=apt bytes:0"},
      {"nginx-json",
       R"({"time_local":"17/May/2015:08:05:32 +0000","request":"\\x16\\x03","status":400,)"
       R"("request_time":"-"})",
       "2015-05-17T08:05:32Z request 400"},
      {"nginx-json", R"({"time_iso8601":"2026-01-01T12:00:00Z","status":"ok"})",
       "undecodable: status is not a number"},
      // What the line says in full.
      {"pino", R"({"time":1767268800123,"level":"info","msg":"m","type":"metric","value":2})",
       "2026-01-01T12:00:00.123Z metric value=2.000000 level=info message=m"},
      // What is none.
      {"pino", R"({"time":"now","msg":"m"})",
       "undecodable: time is neither an RFC 3339 time nor an epoch number"},
      {"pino", R"({"time":1767268800123,"res":{"statusCode":"x"}})",
       "undecodable: status is not a number"},
      {"pino", R"({"time":1767268800123,"level":{}})", "undecodable: level is not a string"},
      {"zap", R"({"ts":1767268800,"latency":"soon"})",
       "undecodable: duration is neither a number nor a duration with a unit"},
      {"docker", R"({"log":"a\n"})", "undecodable: no time"},
      {"docker", R"({"log":"a\n)", "undecodable: cut short inside a string"},
  };
  for (const LineCase& test : cases) {
    SCOPED_TRACE(test.line);
    EXPECT_EQ(DecodedText(Preset(std::string(test.preset)), test.line), test.expected);
    InputConfig named;
    named.format = test.preset;
    EXPECT_EQ(DecodedText(named, test.line), test.expected);
  }
}

TEST(JsonPreset, TheMappingCounts) {
  const std::string_view line =
      R"({"level":30,"time":1767268800123,"name":"n","msg":"m","prio":50,"app":"a","cost":"2s"})";
  EXPECT_EQ(DecodedText(Preset("pino", {{"service", "app", "", {}},
                                        {"level", "prio", "", {}},
                                        {"duration_ms", "cost", "", {}},
                                        {"labels.logger", "name", "", {}},
                                        {"type", "", "query", {}}}),
                        line),
            "2026-01-01T12:00:00.123Z query 2s app=a level=error message=m service=a logger:n");
  InputConfig zoned = Preset("winston");
  zoned.time_zone = 330 * kMinuteUs;
  EXPECT_EQ(DecodedText(zoned, R"({"timestamp":"2026-01-01 12:00:00","message":"m"})"),
            "2026-01-01T06:30:00Z log message=m");
}

TEST(JsonPreset, ManyInARecord) {
  const std::string line = R"({"level":50,"time":1767268800123,"msg":"m"})";
  for (const std::string& record :
       {line + "\n" + line, "[" + line + "," + line + "]", "[ " + line + ",\n" + line + " ]\n"}) {
    const RecordingSink sink = DecodeRecord(Preset("pino"), record);
    ASSERT_EQ(sink.events.size(), 2U) << record;
    EXPECT_EQ(EventText(sink.events[1]), "2026-01-01T12:00:00.123Z log level=error message=m");
  }
}

TEST(JsonPreset, Names) {
  EXPECT_THAT(JsonPresetNames(), ElementsAre("bunyan", "docker", "ecs", "fluent-bit", "nginx-json",
                                             "otel", "pino", "vector", "winston", "zap"));
  for (const std::string& name : JsonPresetNames()) {
    EXPECT_EQ(FramingOf(name), Framing::kJsonValues) << name;
    EXPECT_NE(DecoderFor(Preset(name)), nullptr);
  }
  const auto error = [](const std::string& format, const std::string& preset) {
    InputConfig input = Preset(preset);
    input.format = format;
    input.preset_at = {.file = "a.yaml", .line = 3, .column = 9};
    ErrorList errors;
    EXPECT_EQ(NewDecoder(input, &errors), nullptr);
    return errors.Sorted().at(0).ToString();
  };
  EXPECT_THAT(error("json", "pinno"),
              HasSubstr("a.yaml:3:9: input : unknown preset \"pinno\"; did you mean \"pino\"?"));
  EXPECT_THAT(error("json", "something"), HasSubstr("expected one of bunyan, docker"));
  EXPECT_THAT(error("json", "logfmt"), HasSubstr("unknown preset \"logfmt\""));
  EXPECT_THAT(error("clf", "pino"), HasSubstr("preset is for format json"));
}

}  // namespace
}  // namespace tocsin
