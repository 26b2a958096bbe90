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
    // Records without a value are none, and the last of equal keys counts.
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
        values[std::string(key)] = std::string(value);
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

}  // namespace
}  // namespace tocsin
