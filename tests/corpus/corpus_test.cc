// Recorded logs decode to what expected.yaml says, and the decisions on them are the expected ones.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <simdjson.h>

#include "config/node.h"
#include "core/string_hash.h"
#include "ingest/decoder.h"
#include "ingest/formats/detect_format.h"
#include "ingest/sources/file_source.h"
#include "replay/replayer.h"
#include "runtime/engine_setup.h"

namespace tocsin {
namespace {

using ::testing::ElementsAreArray;

constexpr const char* kExpected = "tests/corpus/expected.yaml";

std::string Read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

class TypeCounts final : public EventSink {
 public:
  void OnEvent(const Event& event) override { ++types[std::string(EventTypeName(event.type))]; }
  void OnUndecodable(std::string_view bytes, std::string_view reason) override {
    ADD_FAILURE() << reason << ": " << bytes.substr(0, 200);
  }
  void OnSkipped(std::string_view, std::string_view) override { ++skipped; }

  std::map<std::string, std::int64_t> types;
  std::int64_t skipped = 0;
};

// A configuration of one input that reads `path`, on top of a profile or of detectors.
std::optional<Config> ConfigFor(const std::string& base, const std::string& path,
                                const std::string& delay, const ConfigNode* input) {
  std::string text = base.starts_with('@') ? "extends: \"" + base + "\"\n" : base;
  text += "\ninputs:\n  - name: log\n    format: auto\n    map: {service: {value: recorded}}\n";
  text += "    file: \"" + path + "\"\n    delay: " + delay + "\n";
  if (input != nullptr) {
    for (const auto& [key, value] : input->map) {
      const std::string quote = key == "year" ? "" : "\"";
      text += "    " + key + ": " + quote + value.scalar + quote + "\n";
    }
  }
  ErrorList errors;
  std::optional<Config> config = LoadConfigText(text, "corpus.yaml", &errors);
  EXPECT_TRUE(config) << text << ErrorsText(errors);
  return config;
}

// The detector of each incident's first signal.
std::vector<std::string> DetectorsOf(const std::string& incidents) {
  std::vector<std::string> detectors;
  std::ifstream file(incidents);
  simdjson::dom::parser parser;
  for (std::string line; std::getline(file, line);) {
    simdjson::dom::element incident;
    std::string_view detector;
    std::int64_t revision = 0;
    EXPECT_EQ(parser.parse(line).get(incident), simdjson::SUCCESS);
    EXPECT_EQ(incident["revision"].get(revision), simdjson::SUCCESS);
    EXPECT_EQ(incident.at_pointer("/signals/0/detector").get(detector), simdjson::SUCCESS);
    if (revision == 1) detectors.emplace_back(detector);
  }
  return detectors;
}

void CheckDecoding(const std::string& path, const ConfigNode& log, ConfigReader* reader) {
  const std::optional<Config> config = ConfigFor("@generic", path, "10s", log.Find("input"));
  ASSERT_TRUE(config);
  InputConfig input = config->inputs.at(0);
  ASSERT_TRUE(ResolveFormat(path, &input).ok());
  EXPECT_EQ(input.format, reader->RequiredString("is"));
  ErrorList errors;
  const std::unique_ptr<Decoder> decoder = NewDecoder(input, &errors);
  ASSERT_NE(decoder, nullptr) << ErrorsText(errors);
  auto lines = OpenLineReader(path);
  ASSERT_TRUE(lines.ok()) << lines.status();
  TypeCounts counts;
  LineReader::Line line;
  while ((*lines)->Next(&line) == LineReader::Result::kLine) {
    decoder->Decode(line.text, kNoTime, &counts);
  }
  EXPECT_TRUE((*lines)->status().ok());
  std::map<std::string, std::int64_t> expected;
  for (const auto& [type, count] : reader->Node("events")->map) {
    expected[type] = std::stoll(count.scalar);
  }
  EXPECT_EQ(counts.types, expected);
  EXPECT_EQ(counts.skipped, reader->Int("skipped", 0, 0, 1'000'000));
}

void CheckReplay(const std::string& path, const ConfigNode& log, const ConfigNode& replay,
                 ErrorList* errors) {
  ConfigReader reader(replay, "replay", errors);
  SCOPED_TRACE(reader.RequiredString("name") + ": " + reader.RequiredString("why"));
  const std::string delay = reader.RequiredString("delay");
  const std::int64_t late = reader.Int("late", 0, 0, 1'000'000);
  const std::vector<std::string> detectors = reader.Strings("incidents");
  const std::string incidents = testing::TempDir() + "corpus_incidents.jsonl";
  for (const std::string& base : reader.Strings("config")) {
    SCOPED_TRACE(base);
    const std::optional<Config> config = ConfigFor(base, path, delay, log.Find("input"));
    ASSERT_TRUE(config);
    const auto stats = Replay({.config = &*config,
                               .inputs = {path},
                               .format = "",
                               .incidents_path = incidents,
                               .signals_path = "",
                               .threads = 1,
                               .progress = nullptr,
                               .on_decision = nullptr});
    ASSERT_TRUE(stats.ok()) << stats.status();
    EXPECT_EQ(stats->undecodable, 0);
    EXPECT_EQ(stats->quarantined, 0);
    EXPECT_EQ(stats->late, late);
    EXPECT_THAT(DetectorsOf(incidents), ElementsAreArray(detectors));
  }
  reader.Finish();
}

TEST(Corpus, RecordedLogs) {
  const char* const folder = std::getenv("TOCSIN_CORPUS");
  if (folder == nullptr || *folder == '\0') {
    GTEST_SKIP() << "TOCSIN_CORPUS is not set: NO RECORDED LOG WAS LOOKED AT";
  }
  ErrorList errors;
  const ConfigNode root = ParseYaml(Read(kExpected), kExpected, &errors);
  const ConfigNode* const logs = root.Find("logs");
  ASSERT_TRUE(logs != nullptr && !logs->list.empty()) << ErrorsText(errors);
  for (const ConfigNode& log : logs->list) {
    ConfigReader reader(log, "log", &errors);
    SCOPED_TRACE(reader.RequiredString("name"));
    const std::string path = std::string(folder) + "/" + reader.RequiredString("file");
    ASSERT_TRUE(std::filesystem::exists(path)) << path;
    CheckDecoding(path, log, &reader);
    for (const ConfigNode& replay : reader.Node("replays")->list) {
      CheckReplay(path, log, replay, &errors);
    }
    reader.Node("input");
    reader.Finish();
  }
  EXPECT_TRUE(errors.empty()) << ErrorsText(errors);
}

}  // namespace
}  // namespace tocsin
