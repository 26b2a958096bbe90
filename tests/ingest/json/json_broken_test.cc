// Every kind of malformed record is counted once and does not affect the records next to it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/limits.h"
#include "tests/ingest/recording_sink.h"

namespace tocsin {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

std::string Repeat(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

std::string ManyLabels(int count) {
  std::string json = R"({"labels":{)";
  for (int i = 0; i < count; ++i) {
    json += (i > 0 ? ",\"l" : "\"l") + std::to_string(i) + "\":\"v\"";
  }
  return json + "}}";
}

struct BrokenCase {
  std::string name;
  std::string record;
  std::string reason;  // a part of it
};

std::vector<BrokenCase> BrokenCases() {
  return {
      {"truncated", R"({"time":1767225600,"service":"a)", "cut short"},
      {"truncated_value", R"({"time":1767225600,"service":)", "cut short"},
      {"truncated_object", R"({"a":{"service":"x"})", ""},
      {"brace_only", "{", "cut short"},
      {"depth_100000", R"({"a":)" + Repeat("[", 100'000) + Repeat("]", 100'000) + "}", "32 levels"},
      {"depth_100000_objects", Repeat(R"({"a":)", 100'000) + "1" + Repeat("}", 100'000),
       "32 levels"},
      {"depth_100000_open", R"({"a":)" + Repeat("[", 100'000), ""},
      {"depth_33", R"({"a":)" + Repeat("[", 32) + Repeat("]", 32) + "}", "32 levels"},
      {"deep_known_key", R"({"http":)" + Repeat("{\"request\":", 40) + "1" + Repeat("}", 41),
       "32 levels"},
      {"ten_megabytes", R"({"message":")" + std::string(10 << 20, 'x') + "\"}", "1 MiB"},
      {"one_byte_too_large",
       R"({"message":")" + std::string(limits::kEventBytesMax - 13, 'x') + "\"}", "1 MiB"},
      {"utf8", "{\"service\":\"\xC3\x28\"}", "UTF-8"},
      {"utf8_overlong", "{\"service\":\"\xC0\xAF\"}", "UTF-8"},
      {"utf8_surrogate", "{\"service\":\"\xED\xA0\x80\"}", "UTF-8"},
      {"utf8_in_skipped", "{\"other\":\"\xFF\"}", "UTF-8"},
      {"control_character", "{\"service\":\"a\x01\"}", "control"},
      {"bad_escape", R"({"service":"\q"})", "escape"},
      {"lone_surrogate_escape", R"({"service":"\ud800"})", "escape"},
      {"nan", R"({"value":NaN})", "value is not a number"},
      {"infinity", R"({"value":-Infinity})", "value is not a number"},
      {"huge", R"({"value":1e308})", "out of range"},
      {"overflow", R"({"value":1e400})", "value is not a number"},
      {"beyond_2_60", R"({"value":1152921504606847232})", "out of range"},
      {"leading_zero", R"({"value":01})", "value is not a number"},
      {"value_text", R"({"value":"5"})", "value is not a number"},
      {"value_object", R"({"value":{"a":1}})", "value is not a number"},
      {"value_true", R"({"value":true})", "value is not a number"},
      {"service_array", R"({"service":["a"]})", "service is not a string"},
      {"service_true", R"({"service":true})", "service is not a string"},
      {"service_token", R"({"service":nul})", "service is not a string"},
      {"message_object", R"({"message":{"a":1}})", "message is not a string"},
      {"user_number", R"({"user":1x})", "user is not a string"},
      {"status_text", R"({"status":"ok"})", "status is not a number"},
      {"status_fraction", R"({"status":200.5})", "status is not a number"},
      {"status_negative", R"({"status":-1})", "status is out of range"},
      {"duration_negative", R"({"duration_ms":-0.5})", "duration_ms is out of range"},
      {"duration_huge", R"({"duration_ms":1e18})", "duration_ms is out of range"},
      {"weight_zero", R"({"weight":0})", "weight is out of range"},
      {"weight_fraction", R"({"weight":1.5})", "weight is not a number"},
      {"time_text", R"({"time":"yesterday"})", "time is neither"},
      {"time_true", R"({"time":true})", "time is neither"},
      {"time_negative", R"({"time":-5})", "time is neither"},
      {"time_huge", R"({"time":1e300})", "time is neither"},
      {"type_unknown", R"({"type":"requests"})", "type is not a known value"},
      {"type_number", R"({"type":5})", "type is not a known value"},
      {"outcome_unknown", R"({"outcome":"maybe"})", "outcome is not a known value"},
      {"action_unknown", R"({"type":"connection","action":"drop"})", "action is not a known value"},
      {"state_unknown", R"({"state":"firing","type":"alarm"})", "state is not a known value"},
      {"metric_type_unknown", R"({"metric_type":"x","type":"metric"})",
       "metric_type is not a known value"},
      {"labels_array", R"({"labels":["a"]})", "labels is not an object"},
      {"labels_nested", R"({"labels":{"a":{"b":"c"}}})", "label that is not a string"},
      {"labels_65", ManyLabels(65), "64 labels"},
      {"label_long", R"({"labels":{"a":")" + std::string(1025, 'x') + "\"}}", "1 KiB"},
      {"missing_colon", R"({"service" "a"})", "not valid JSON"},
      {"missing_comma", R"({"service":"a" "env":"b"})", "not valid JSON"},
      {"missing_quote_key", R"({service:"a"})", "not valid JSON"},
      {"mismatched", R"({"x":[1,2}})", "not valid JSON"},
      {"trailing", R"({"service":"a"}})", ""},
      {"nul_byte", std::string("\0\0\0", 3), "neither"},
  };
}

TEST(JsonBroken, CountsOnceAlone) {
  for (const BrokenCase& test : BrokenCases()) {
    SCOPED_TRACE(test.name);
    const RecordingSink sink = DecodeJson(test.record);
    EXPECT_THAT(sink.events, SizeIs(0));
    ASSERT_THAT(sink.reasons, SizeIs(1));
    EXPECT_THAT(sink.reasons[0], HasSubstr(test.reason));
    EXPECT_FALSE(sink.reasons[0].empty());
  }
}

TEST(JsonBroken, LeavesOtherLinesAlone) {
  const std::string good = R"({"service":"a"})";
  for (const BrokenCase& test : BrokenCases()) {
    SCOPED_TRACE(test.name);
    for (const std::string& record :
         {good + "\n" + test.record + "\n" + good, test.record + "\n" + good + "\n" + good,
          good + "\n" + good + "\n" + test.record}) {
      const RecordingSink sink = DecodeJson(record);
      EXPECT_THAT(sink.events, SizeIs(2));
      EXPECT_THAT(sink.reasons, SizeIs(1));
    }
  }
}

TEST(JsonBroken, LeavesElementsBeforeItAlone) {
  const std::string good = R"({"service":"a"})";
  for (const BrokenCase& test : BrokenCases()) {
    if (test.name == "trailing") continue;  // There, the element is good and the array is not.
    SCOPED_TRACE(test.name);
    const RecordingSink sink = DecodeJson("[" + good + "," + test.record + "]");
    EXPECT_THAT(sink.events, SizeIs(1));
    EXPECT_THAT(sink.reasons, SizeIs(1));
  }
}

TEST(JsonBroken, LimitsAreInclusive) {
  const std::string cases[] = {
      R"({"message":")" + std::string(limits::kEventBytesMax - 14, 'x') + "\"}",
      R"({"a":)" + Repeat("[", 31) + Repeat("]", 31) + "}",
      ManyLabels(64),
      R"({"labels":{"a":")" + std::string(1024, 'x') + "\"}}",
      R"({"value":-1152921504606846976})",
  };
  for (const std::string& record : cases) {
    SCOPED_TRACE(record.substr(0, 40));
    EXPECT_THAT(DecodeJson(record).events, SizeIs(1));
  }
}

TEST(JsonBroken, EveryPrefixOfARecordIsUndecodableOrLess) {
  const std::string record =
      R"([{"time":1767225600,"http":{"route":"/a/1","x":[1,{"y":"z\n"}]},"labels":{"a":"b"}},)"
      R"({"service":"b","value":1.5}])";
  for (std::size_t size = 0; size < record.size(); ++size) {
    SCOPED_TRACE(record.substr(0, size));
    const RecordingSink sink = DecodeJson(record.substr(0, size));
    EXPECT_THAT(sink.reasons, SizeIs(1));
  }
}

}  // namespace
}  // namespace tocsin
