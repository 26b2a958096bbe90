// Recorded documents of vendors decode to what payloads.yaml says.

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "config/node.h"
#include "core/time.h"
#include "ingest/sources/file_source.h"
#include "tests/ingest/event_text.h"

namespace tocsin {
namespace {

constexpr const char* kExpected = "tests/corpus/payloads.yaml";

std::string Read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::string DecodedFile(const std::string& path, const InputConfig& input, TimeUs record_time) {
  auto values = OpenLineReader(path, {.framing = FramingOf(input.format)});
  EXPECT_TRUE(values.ok()) << values.status();
  if (!values.ok()) return {};
  std::vector<std::string> texts;
  LineReader::Line value;
  while ((*values)->Next(&value) == LineReader::Result::kLine) {
    texts.push_back(DecodedText(input, value.text, record_time));
  }
  EXPECT_TRUE((*values)->status().ok());
  return absl::StrJoin(texts, "\n");
}

TEST(CorpusPayloads, BecomeTheExpectedEvents) {
  const char* const folder = std::getenv("TOCSIN_CORPUS");
  if (folder == nullptr || *folder == '\0') {
    GTEST_SKIP() << "TOCSIN_CORPUS is not set: NO RECORDED DOCUMENT WAS LOOKED AT";
  }
  ErrorList errors;
  const ConfigNode root = ParseYaml(Read(kExpected), kExpected, &errors);
  ConfigReader expected(root, "", &errors);
  const std::optional<TimeUs> record_time = ParseTime(expected.RequiredString("record_time"));
  ASSERT_TRUE(record_time);
  for (const ConfigNode& payload : expected.Node("payloads")->list) {
    ConfigReader reader(payload, "payload", &errors);
    const std::string file = reader.RequiredString("file");
    SCOPED_TRACE(file);
    const InputConfig input = InputOf(reader.RequiredString("format"));
    EXPECT_EQ(DecodedFile(std::string(folder) + "/" + file, input, *record_time),
              absl::StrJoin(reader.Strings("becomes"), "\n"));
    reader.Finish();
  }
  expected.Finish();
  for (const ConfigError& error : errors.Sorted()) ADD_FAILURE() << error.ToString();
}

}  // namespace
}  // namespace tocsin
