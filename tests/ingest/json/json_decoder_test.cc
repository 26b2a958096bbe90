#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/ingest/recording_sink.h"

namespace tocsin {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

struct FieldCase {
  std::string json;  // the members of an object
  Field field;
  std::string expected;
};

TEST(JsonDecoder, TextFieldsAndTheirAliases) {
  const FieldCase cases[] = {
      {R"("id":"e1")", Field::kId, "e1"},
      {R"("event.id":"e1")", Field::kId, "e1"},
      {R"("event":{"id":"e1"})", Field::kId, "e1"},
      {R"("env":"staging")", Field::kEnv, "staging"},
      {R"("x":1)", Field::kEnv, "prod"},
      {R"("deployment.environment":"dev")", Field::kEnv, "dev"},
      {R"("deployment":{"environment":"dev"})", Field::kEnv, "dev"},
      {R"("deployment":{"environment":{"name":"dev"}})", Field::kEnv, "dev"},
      {R"("deployment":{"environment.name":"dev"})", Field::kEnv, "dev"},
      {R"("service":"api")", Field::kService, "api"},
      {R"("service.name":"api")", Field::kService, "api"},
      {R"("service":{"name":"api","version":"1"})", Field::kService, "api"},
      {R"("service":{"name":"api","version":"1"})", Field::kVersion, "1"},
      {R"("version":2.1)", Field::kVersion, "2.1"},
      {R"("host":"h")", Field::kHost, "h"},
      {R"("host":{"name":"h","ip":["1.2.3.4"]})", Field::kHost, "h"},
      {R"("region":"eu")", Field::kRegion, "eu"},
      {R"("cloud":{"region":"eu"})", Field::kRegion, "eu"},
      {R"("app":"ios")", Field::kApp, "ios"},
      {R"("dependency":"db")", Field::kDependency, "db"},
      {R"("resource":"db")", Field::kDependency, "db"},
      {R"("resource":{"service.name":"api"})", Field::kService, "api"},
      {R"("endpoint":"/a")", Field::kEndpoint, "/a"},
      {R"("http.route":"/a")", Field::kEndpoint, "/a"},
      {R"("url":{"path":"/orders/42?x=1"})", Field::kEndpoint, "/orders/:id"},
      {R"("type":"query","endpoint":"SELECT ?")", Field::kEndpoint, "SELECT ?"},
      {R"("method":"GET")", Field::kMethod, "GET"},
      {R"("http":{"request":{"method":"GET"}})", Field::kMethod, "GET"},
      {R"("http":{"request.method":"GET"})", Field::kMethod, "GET"},
      {R"("http.request":{"method":"GET"})", Field::kMethod, "GET"},
      {R"("trace_id":"t")", Field::kTraceId, "t"},
      {R"("trace":{"id":"t"})", Field::kTraceId, "t"},
      {R"("client_ip":"1.2.3.4")", Field::kClientIp, "1.2.3.4"},
      {R"("client.address":"1.2.3.4")", Field::kClientIp, "1.2.3.4"},
      {R"("user":"u")", Field::kUser, "u"},
      {R"("user":123)", Field::kUser, "123"},
      {R"("user":123456789012345678901234567890)", Field::kUser, "123456789012345678901234567890"},
      {R"("user":{"id":7 , "name":"x"})", Field::kUser, "7"},
      {R"("user.id":"u")", Field::kUser, "u"},
      {R"("user_agent":"curl")", Field::kUserAgent, "curl"},
      {R"("user_agent":{"original":"curl"})", Field::kUserAgent, "curl"},
      {R"("name":"logins")", Field::kName, "logins"},
      {R"("unit":"ms")", Field::kUnit, "ms"},
      {R"("severity":"high")", Field::kSeverity, "high"},
      {R"("level":"error")", Field::kLevel, "error"},
      {R"("log":{"level":"error"})", Field::kLevel, "error"},
      {R"("message":"a \"b\" \u00e9\n")", Field::kMessage, "a \"b\" \xC3\xA9\n"},
      {R"("exception":"E")", Field::kException, "E"},
      {R"("exception":{"type":"E"})", Field::kException, "E"},
      {R"("error.type":"E")", Field::kException, "E"},
      {R"("currency":"INR")", Field::kCurrency, "INR"},
      // White space and escapes wherever JSON allows them.
      {" \"service\" \t:\r\n \"api\" ", Field::kService, "api"},
      {R"("servic\u0065":"api")", Field::kService, "api"},
      {R"("service":"")", Field::kService, ""},
      {R"("service":null)", Field::kService, ""},
      // The canonical name outranks an alias, whatever the order.
      {R"("service":"a","service.name":"b")", Field::kService, "a"},
      {R"("service.name":"b","service":"a")", Field::kService, "a"},
      {R"("service":"","service.name":"b")", Field::kService, "b"},
      // Keys that only look like a path.
      {R"("http":"x","log":["y"],"service":"a")", Field::kService, "a"},
  };
  for (const FieldCase& test : cases) {
    SCOPED_TRACE(test.json);
    const RecordingSink sink = DecodeJson("{" + test.json + "}");
    EXPECT_THAT(sink.reasons, IsEmpty());
    ASSERT_THAT(sink.events, SizeIs(1));
    EXPECT_EQ(sink.events[0].Get(test.field), test.expected);
  }
}

struct NumberCase {
  std::string json;
  std::function<double(const Event&)> get;
  double expected;
};

TEST(JsonDecoder, OtherFields) {
  const auto time = [](const Event& e) { return static_cast<double>(e.time); };
  const auto status = [](const Event& e) { return static_cast<double>(e.status); };
  const auto duration = [](const Event& e) { return static_cast<double>(e.duration); };
  const NumberCase cases[] = {
      {R"("time":1767225600)", time, 1767225600e6},
      {R"("time":1767225600123)", time, 1767225600123e3},
      {R"("time":1767225600.5)", time, 17672256005e5},
      {R"("time":"1767225600123")", time, 1767225600123e3},
      {R"("time":"2026-01-01T00:00:00.123Z")", time, 1767225600123e3},
      {R"("@timestamp":"2026-01-01T00:00:00.123+00:00")", time, 1767225600123e3},
      {R"("timestamp":1767225600123456789)", time, 1767225600123456.0},
      {R"("x":1)", time, 5e6},
      {R"("type":"request")", [](const Event& e) { return double(e.type == EventType::kRequest); },
       1},
      {R"("type":"deploy")", [](const Event& e) { return double(e.type == EventType::kDeploy); },
       1},
      {R"("status":503)", status, 503},
      {R"("status":"404")", status, 404},
      {R"("status":200.0)", status, 200},
      {R"("http":{"response":{"status_code":500}})", status, 500},
      {R"("http.response.status_code":"500")", status, 500},
      {R"("http.status_code":500)", [](const Event& e) { return double(e.failed); }, 1},
      {R"("status":499)", [](const Event& e) { return double(e.failed); }, 0},
      {R"("duration_ms":12.34)", duration, 12340},
      {R"("duration_ms":0)", duration, 0},
      {R"("event":{"duration":12340000})", duration, 12340},
      {R"("event.duration":12340000,"duration_ms":1)", duration, 1000},
      {R"("x":1)", duration, -1},
      {R"("outcome":"failure")", [](const Event& e) { return double(e.failed); }, 1},
      {R"("outcome":"success","status":500)", [](const Event& e) { return double(e.failed); }, 0},
      {R"("event.outcome":"unknown")", [](const Event& e) { return double(e.failed); }, 0},
      {R"("type":"connection","action":"reject")",
       [](const Event& e) { return double(e.action == ConnectionAction::kReject); }, 1},
      {R"("type":"log","action":"login")",
       [](const Event& e) { return double(e.action == ConnectionAction::kUnknown); }, 1},
      {R"("type":"alarm","state":"ok")",
       [](const Event& e) { return double(e.state == AlarmState::kOk); }, 1},
      {R"("metric_type":"counter","value":-3)", [](const Event& e) { return *e.value; }, -3},
      {R"("metric_type":"counter","max":9)",
       [](const Event& e) { return double(e.limit.has_value()); }, 0},
      {R"("type":"metric","value":5,"max":9)", [](const Event& e) { return *e.limit; }, 9},
      {R"("type":"metric","limit":8,"max":9)", [](const Event& e) { return *e.limit; }, 8},
      {R"("metric_type":"histogram","count":4,"sum":10,"min":1,"max":3)",
       [](const Event& e) { return *e.count + *e.sum + *e.min + *e.max; }, 18},
      {R"("cvss":9.8)", [](const Event& e) { return *e.cvss; }, 9.8},
      {R"("amount":1e3)", [](const Event& e) { return *e.amount; }, 1000},
      {R"("value":1152921504606846976)", [](const Event& e) { return *e.value; },
       1152921504606846976.0},
      {R"("weight":100)", [](const Event& e) { return double(e.weight); }, 100},
      {R"("x":1)", [](const Event& e) { return double(e.weight); }, 1},
  };
  for (const NumberCase& test : cases) {
    SCOPED_TRACE(test.json);
    const RecordingSink sink = DecodeJson("{" + test.json + "}");
    EXPECT_THAT(sink.reasons, IsEmpty());
    ASSERT_THAT(sink.events, SizeIs(1));
    EXPECT_DOUBLE_EQ(test.get(sink.events[0].event), test.expected);
  }
}

TEST(JsonDecoder, Labels) {
  const RecordingSink sink =
      DecodeJson(R"({"labels":{"a":"x","n":1.5,"b":true,"gone":null,"e\n":"\t"},"status":200})");
  ASSERT_THAT(sink.events, SizeIs(1));
  EXPECT_THAT(sink.events[0].labels,
              ElementsAre(Pair("a", "x"), Pair("b", "true"), Pair("e\n", "\t"), Pair("n", "1.5")));
  EXPECT_EQ(sink.events[0].event.status, 200);
}

std::string Services(const RecordingSink& sink) {
  std::string services;
  for (const KeptEvent& event : sink.events) services += event.Get(Field::kService);
  return services;
}

TEST(JsonDecoder, Records) {
  struct Case {
    std::string record;
    std::string services;
    std::size_t undecodable;
  };
  const std::string a = R"({"service":"a"})", b = R"({"service":"b"})", c = R"({"service":"c"})";
  const Case cases[] = {
      {a, "a", 0},
      {"\xEF\xBB\xBF" + a + "\n", "a", 0},
      {"{\n  \"service\":\n  \"a\"\n}\n", "a", 0},
      {"[" + a + "," + b + "]", "ab", 0},
      {"[]", "", 0},
      {" [ ] ", "", 0},
      {"[\n" + a + ",\n" + b + "\n]\n", "ab", 0},
      {a + "\n" + b, "ab", 0},
      {a + "\r\n\r\n \n" + b + "\r\n", "ab", 0},
      {"[" + a + "]\n[" + b + "," + c + "]\n", "abc", 0},
      {"  " + a + "\n  " + b, "ab", 0},
      // One element is malformed; the others are read.
      {"", "", 1},
      {"  \n", "", 1},
      {"nonsense", "", 1},
      {"42", "", 1},
      {a + b, "", 1},
      {a + "\nnonsense\n" + b, "ab", 1},
      {"{\"service\":\n" + a + "\n" + b, "ab", 1},
      {a + "\n{\"service\":\"b\n" + c, "ac", 1},
      {"[" + a + ",1," + b + "]", "ab", 1},
      {"[" + a + ",{\"status\":[]}," + b + "]", "ab", 1},
      {"[" + a + ",{\"status\" 2}," + b + "]", "ab", 1},
      {"[" + a + ",[" + b + "]," + c + "]", "ac", 1},
      {"[" + a + "," + b, "ab", 1},
      {"[" + a + "," + b + ",", "ab", 1},
      {"[" + a + "," + b + ",]", "ab", 1},
      {"[" + a + "," + b + ", ]", "ab", 1},
      {"[" + a + " " + b + "]", "a", 1},
      {"[" + a + ",{\"service\":\"b}," + c + "]", "a", 1},
      {"[" + a + ",{\"x\":[1}," + b + "]", "a", 1},
      {"[" + a + "," + b + "] x", "ab", 1},
      {"[" + a + ",\"x]\"," + b + "]", "ab", 1},
      {"[" + a + ",{\"service\":\"\xFF\"}," + b + "]", "ab", 1},
      {a + "\n[" + b + ",", "ab", 1},
  };
  for (const Case& test : cases) {
    SCOPED_TRACE(test.record);
    const RecordingSink sink = DecodeJson(test.record);
    EXPECT_EQ(Services(sink), test.services);
    EXPECT_THAT(sink.undecodable, SizeIs(test.undecodable));
  }
}

TEST(JsonDecoder, RecordsPastTheLimitAreReadPieceByPiece) {
  const std::string event = R"({"service":"a","message":")" + std::string(1000, 'x') + "\"}";
  std::string lines, array = "[";
  for (int i = 0; i < 2000; ++i) {
    lines += event + "\n";
    array += (i > 0 ? "," : "") + event;
  }
  array += "]";
  EXPECT_THAT(DecodeJson(lines).events, SizeIs(2000));
  EXPECT_THAT(DecodeJson(array).events, SizeIs(2000));
}

TEST(JsonDecoder, NoTimeAtAllIsUndecodable) {
  const RecordingSink sink = DecodeJson("{}", {}, kNoTime);
  EXPECT_THAT(sink.reasons, ElementsAre("no time"));
}

TEST(JsonDecoder, UnknownFormatSuggestsOne) {
  InputConfig input;
  input.name = "app";
  input.format = "jsn";
  ErrorList errors;
  EXPECT_EQ(NewDecoder(input, &errors), nullptr);
  ASSERT_THAT(errors.Sorted(), SizeIs(1));
  EXPECT_THAT(errors.Sorted()[0].message, ::testing::HasSubstr("did you mean \"json\""));
}

}  // namespace
}  // namespace tocsin
