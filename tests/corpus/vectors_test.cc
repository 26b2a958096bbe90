// What other parsers' authors expect of their formats, where the folder TOCSIN_CORPUS holds it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <simdjson.h>

#include "tests/ingest/recording_sink.h"

namespace tocsin {
namespace {

using ::testing::ElementsAreArray;
using ::testing::SizeIs;

namespace dom = simdjson::dom;

class Vectors : public testing::Test {
 protected:
  void SetUp() override {
    const char* const folder = std::getenv("TOCSIN_CORPUS");
    if (folder == nullptr || *folder == '\0') {
      GTEST_SKIP() << "TOCSIN_CORPUS is not set: NO VECTOR WAS LOOKED AT";
    }
    folder_ = std::string(folder) + "/parsers/";
  }

  std::vector<std::string> Lines(const std::string& name) const {
    std::ifstream file(folder_ + name);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    EXPECT_FALSE(lines.empty()) << folder_ + name;
    return lines;
  }

  std::string folder_;
};

InputConfig Input(std::string format) {
  InputConfig input;
  input.format = std::move(format);
  return input;
}

std::string Text(const dom::object& object, std::string_view key) {
  std::string_view text;
  EXPECT_EQ(object[key].get(text), simdjson::SUCCESS) << key;
  return std::string(text);
}

std::vector<dom::element> Elements(const simdjson::simdjson_result<dom::element>& value) {
  dom::array array;
  EXPECT_EQ(value.get(array), simdjson::SUCCESS);
  return {array.begin(), array.end()};
}

TEST_F(Vectors, LogfmtRecords) {
  dom::parser parser;
  for (const std::string& line : Lines("logfmt_MIT/decoder_cases.jsonl")) {
    SCOPED_TRACE(line);
    dom::object vector;
    ASSERT_EQ(parser.parse(line).get(vector), simdjson::SUCCESS);
    InputConfig input = Input("logfmt");
    // Records without a value are none, and of labels of one name the first counts.
    std::vector<std::map<std::string, std::string>> expected;
    for (const dom::element record : Elements(vector["records"])) {
      std::map<std::string, std::string> values;
      bool has_value = false;
      for (const dom::element pair : Elements(dom::element(record))) {
        std::string_view key;
        std::string_view value;
        ASSERT_EQ(pair.at_pointer("/0").get(key), simdjson::SUCCESS);
        input.map.push_back({"labels." + std::string(key), std::string(key), "", {}});
        if (pair.at_pointer("/1").get(value)) continue;
        has_value = true;
        values.emplace(key, value);
      }
      if (has_value) expected.push_back(values);
    }
    std::vector<std::map<std::string, std::string>> decoded;
    for (const KeptEvent& event : DecodeRecord(input, Text(vector, "input"), kSecondUs).events) {
      if (!event.labels.empty()) decoded.push_back(event.labels);
    }
    EXPECT_THAT(decoded, ElementsAreArray(expected));
  }
}

TEST_F(Vectors, LogfmtErrors) {
  dom::parser parser;
  for (const std::string& line : Lines("logfmt_MIT/decoder_errors.jsonl")) {
    SCOPED_TRACE(line);
    dom::object vector;
    ASSERT_EQ(parser.parse(line).get(vector), simdjson::SUCCESS);
    std::string text;
    std::string_view hex;
    if (vector.at_pointer("/input/hex").get(hex)) {
      text = Text(vector, "input");
    } else {
      for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        text += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
      }
    }
    EXPECT_THAT(DecodeRecord(Input("logfmt"), text, kSecondUs).undecodable, SizeIs(1));
  }
}

// The quoted text of an example's source, which is a call such as parse_x!("…").
std::string QuotedText(const std::string& source) {
  const std::size_t begin = source.find_first_of("\"'");
  const char quote = source[begin];
  const bool raw = begin > 0 && source[begin - 1] == 's';
  std::string text;
  for (std::size_t i = begin + 1; i < source.size() && source[i] != quote; ++i) {
    if (source[i] == '\\' && !raw) ++i;
    text += source[i];
  }
  return text;
}

struct Example {
  std::string text;
  dom::object fields;
};

// Calls `check` with every example of vrl_MPL-2.0/NAME.json whose result is an object.
template <typename Check>
void ForEachExample(const std::string& path, Check check) {
  dom::parser parser;
  dom::element root;
  ASSERT_EQ(parser.load(path).get(root), simdjson::SUCCESS) << path;
  int count = 0;
  for (const dom::element example : Elements(root["examples"])) {
    dom::object object;
    dom::object fields;
    ASSERT_EQ(example.get(object), simdjson::SUCCESS);
    if (object["return"].get(fields)) continue;
    const std::string text = QuotedText(Text(object, "source"));
    SCOPED_TRACE(text);
    ++count;
    check(Example{text, fields});
  }
  EXPECT_GT(count, 0);
}

TEST_F(Vectors, Alb) {
  ForEachExample(folder_ + "vrl_MPL-2.0/parse_aws_alb_log.json", [](const Example& example) {
    const RecordingSink sink = DecodeRecord(Input("alb"), example.text);
    ASSERT_THAT(sink.events, SizeIs(1));
    const KeptEvent& event = sink.events[0];
    EXPECT_EQ(event.event.time, ParseTime(Text(example.fields, "timestamp")));
    EXPECT_EQ(std::to_string(event.event.status), Text(example.fields, "elb_status_code"));
    EXPECT_EQ(event.event.duration, kMillisecondUs);
    EXPECT_EQ(event.Get(Field::kMethod), Text(example.fields, "request_method"));
    EXPECT_EQ(event.Get(Field::kEndpoint), "/");
    EXPECT_EQ(event.Get(Field::kUserAgent), Text(example.fields, "user_agent"));
    EXPECT_EQ(event.Get(Field::kClientIp) + ":2817", Text(example.fields, "client_host"));
    EXPECT_EQ("Root=" + event.Get(Field::kTraceId), Text(example.fields, "trace_id"));
    EXPECT_EQ(event.labels.at("elb"), Text(example.fields, "elb"));
  });
}

TEST_F(Vectors, Syslog) {
  ForEachExample(folder_ + "vrl_MPL-2.0/parse_syslog.json", [](const Example& example) {
    const RecordingSink sink = DecodeRecord(Input("syslog"), example.text);
    ASSERT_THAT(sink.events, SizeIs(1));
    const KeptEvent& event = sink.events[0];
    EXPECT_EQ(event.event.time, ParseTime(Text(example.fields, "timestamp")));
    EXPECT_EQ(event.Get(Field::kApp), Text(example.fields, "appname"));
    EXPECT_EQ(event.Get(Field::kHost), Text(example.fields, "hostname"));
    EXPECT_EQ(event.Get(Field::kMessage), Text(example.fields, "message"));
    EXPECT_EQ(event.Get(Field::kLevel), Text(example.fields, "severity"));
    EXPECT_EQ(event.labels.at("facility"), Text(example.fields, "facility"));
    EXPECT_EQ(event.labels.at("msgid"), Text(example.fields, "msgid"));
    EXPECT_EQ(event.labels.at("eventSource"), "Application");
  });
}

TEST_F(Vectors, LogfmtExamples) {
  ForEachExample(folder_ + "vrl_MPL-2.0/parse_logfmt.json", [](const Example& example) {
    InputConfig input = Input("logfmt");
    std::map<std::string, std::string> expected;
    for (const auto [key, value] : example.fields) {
      std::string_view text;
      input.map.push_back({"labels." + std::string(key), std::string(key), "", {}});
      if (value.get(text) == simdjson::SUCCESS) expected[std::string(key)] = std::string(text);
    }
    const RecordingSink sink = DecodeRecord(input, example.text, kSecondUs);
    ASSERT_THAT(sink.events, SizeIs(1));
    EXPECT_EQ(sink.events[0].labels, expected);
  });
}

}  // namespace
}  // namespace tocsin
