// Broken and hostile records, for every format that is a vendor's JSON document.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/limits.h"
#include "ingest/fields/field_presets.h"
#include "tests/ingest/event_text.h"

namespace tocsin {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

std::vector<std::string> PayloadFormats() {
  std::vector<std::string> formats;
  for (const std::string& format : DecoderNames()) {
    if (FramingOf(format) != Framing::kJsonValues) continue;
    if (format != "json" && FindPreset(format) == nullptr) formats.push_back(format);
  }
  return formats;
}

std::string Repeat(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

struct BrokenCase {
  std::string record;
  std::string reason;  // a part of it
};

std::vector<BrokenCase> BrokenCases() {
  return {
      {"", "empty"},
      {" \n ", "empty"},
      {"\xEF\xBB\xBF", "empty"},
      {"{", "cut short"},
      {R"({"a":)", "cut short"},
      {R"({"a":"b)", "cut short"},
      {R"({"a":[{}])", "cut short"},
      {R"([{"a":1})", "cut short"},
      {"nothing", "neither a JSON object nor an array"},
      {"\"text\"", "neither a JSON object nor an array"},
      {"null", "neither a JSON object nor an array"},
      {R"({"a":nul})", "not valid JSON"},
      {R"({"a" 1})", "not valid JSON"},
      {R"({"a":1e400})", "not valid JSON"},
      {R"({"a":1]})", "not valid JSON"},
      {R"({"a":"\q"})", "a string with a bad escape"},
      {"{\"a\":\"\xC3\x28\"}", "not valid UTF-8"},
      {"{\"a\":\"\x01\"}", "a control character inside a string"},
      {R"({"a":)" + Repeat("[", 32) + Repeat("]", 32) + "}", "deeper than 32 levels"},
      {R"({"a":)" + Repeat("[", 100'000) + Repeat("]", 100'000) + "}", "deeper than 32 levels"},
      // Where it is too deep to be a record of anybody, its end is not waited for.
      {Repeat("[", 100'000), "not valid JSON"},
      {Repeat(R"({"a":)", 100'000), "not valid JSON"},
      {R"({"a":")" + std::string(limits::kEventBytesMax, 'x') + "\"}", "larger than 1 MiB"},
      {"[1]", "an array element that is not an object"},
  };
}

// A document that the format has something to say about, whatever that is.
constexpr std::string_view kOther = "{}";

TEST(PayloadFormats, BrokenRecordsAreUndecodable) {
  ASSERT_THAT(PayloadFormats(), Not(IsEmpty()));
  for (const std::string& format : PayloadFormats()) {
    SCOPED_TRACE(format);
    for (const BrokenCase& test : BrokenCases()) {
      // Whose documents hold many events.
      if (format == "otlp-json" && test.record.size() > limits::kEventBytesMax) continue;
      SCOPED_TRACE(test.record.substr(0, 80));
      const RecordingSink sink = DecodeRecord(InputOf(format), test.record, kSecondUs);
      EXPECT_THAT(sink.events, IsEmpty());
      EXPECT_THAT(sink.skipped, IsEmpty());
      ASSERT_THAT(sink.reasons, SizeIs(1));
      EXPECT_THAT(sink.reasons[0], HasSubstr(test.reason));
    }
  }
}

TEST(PayloadFormats, BrokenLinesLeaveTheirNeighboursAlone) {
  for (const std::string& format : PayloadFormats()) {
    SCOPED_TRACE(format);
    const RecordingSink alone = DecodeRecord(InputOf(format), kOther, kSecondUs);
    for (const BrokenCase& test : BrokenCases()) {
      if (test.reason == "empty") continue;
      // An opening without an end may go on in the next line.
      const char last = test.record.back();
      if (test.reason == "cut short" && (last == '[' || last == ':')) continue;
      SCOPED_TRACE(test.record.substr(0, 80));
      const std::string other(kOther);
      const RecordingSink sink =
          DecodeRecord(InputOf(format), other + "\n" + test.record + "\n" + other, kSecondUs);
      EXPECT_EQ(sink.reasons.size(), 1 + 2 * alone.reasons.size());
      EXPECT_EQ(sink.skipped.size(), 2 * alone.skipped.size());
      EXPECT_EQ(sink.events.size(), 2 * alone.events.size());
    }
  }
}

TEST(PayloadFormats, ADocumentSaysSomethingOrWhyNot) {
  for (const std::string& format : PayloadFormats()) {
    SCOPED_TRACE(format);
    for (const std::string record : {"{}", "[{}]", "[]", "\xEF\xBB\xBF{}",
                                     "{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]"
                                     "]]]]]]]]]]]]]]]]}"}) {
      SCOPED_TRACE(record);
      const RecordingSink sink = DecodeRecord(InputOf(format), record, kSecondUs);
      EXPECT_EQ(sink.events.size() + sink.skipped.size() + sink.reasons.size(), 1U);
      for (const std::string& reason : sink.reasons) EXPECT_THAT(reason, Not(HasSubstr("levels")));
    }
  }
}

TEST(PayloadFormats, OnlyConstantsCanBeMapped) {
  for (const std::string& format : PayloadFormats()) {
    // Messages within, and attributes, may be mapped.
    if (format == "cloudwatch-logs" || format == "sns" || format == "otlp-json") continue;
    SCOPED_TRACE(format);
    InputConfig input = InputOf(format);
    input.map = {{"service", "labels.job", "", {}}};
    ErrorList errors;
    EXPECT_EQ(NewDecoder(input, &errors), nullptr);
    ASSERT_THAT(errors.Sorted(), SizeIs(1));
    EXPECT_THAT(errors.Sorted()[0].message, HasSubstr("expected {value: constant}"));
  }
}

}  // namespace
}  // namespace tocsin
