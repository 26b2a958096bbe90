// This build on a state folder that the release before it really wrote and was killed over
// (tests/fixtures/README.md).
#include <simdjson.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "config/config.h"
#include "core/state_format.h"
#include "service/pipeline.h"

namespace tocsin {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr int kPatience = 120;

bool WaitFor(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(kPatience);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

// "trigger a2b4…:2": what a sink was told, in order.
std::vector<std::string> Told(const std::string& path) {
  std::vector<std::string> told;
  std::ifstream file(path);
  simdjson::dom::parser parser;
  for (std::string line; std::getline(file, line);) {
    simdjson::dom::element message;
    if (parser.parse(line).get(message) != simdjson::SUCCESS) continue;
    std::string_view action, key;
    if (message["action"].get(action) != simdjson::SUCCESS ||
        message["dedup_key"].get(key) != simdjson::SUCCESS) {
      continue;
    }
    told.push_back(absl::StrCat(std::string(action), " ", std::string(key)));
  }
  return told;
}

// What the API said just before the earlier build was killed.
struct Expected {
  struct Delivery {
    std::string sink, action, state;
  };
  struct Incident {
    std::string id, number, state, component, muted_by, key;
    std::vector<std::string> signals;
    std::vector<Delivery> deliveries;
  };
  std::vector<Incident> incidents;
  std::int64_t killed_at_ms = 0;

  const Incident& Of(const std::string& component) const {
    return *std::find_if(incidents.begin(), incidents.end(),
                         [&](const Incident& incident) { return incident.component == component; });
  }
};

std::string Text(const simdjson::dom::element& object, const char* key) {
  std::string_view text;
  return object[key].get(text) == simdjson::SUCCESS ? std::string(text) : "";
}

simdjson::dom::array ArrayOf(const simdjson::simdjson_result<simdjson::dom::element>& value) {
  simdjson::dom::array array;
  EXPECT_EQ(value.get(array), simdjson::SUCCESS);
  return array;
}

Expected ReadExpected(const std::string& path) {
  simdjson::dom::parser parser;
  const simdjson::dom::element all = parser.load(path).value_unsafe();
  Expected expected;
  expected.killed_at_ms = all["killed_at_ms"].get_int64().value_unsafe();
  for (const simdjson::dom::element one : ArrayOf(all["incidents"])) {
    Expected::Incident incident{.id = Text(one, "incident"),
                                .number = Text(one, "number"),
                                .state = Text(one, "state"),
                                .component = Text(one, "component"),
                                .muted_by = Text(one, "muted_by"),
                                .key = Text(one, "dedup_key"),
                                .signals = {},
                                .deliveries = {}};
    for (const simdjson::dom::element signal : ArrayOf(one["signals"])) {
      incident.signals.emplace_back(signal.get_string().value_unsafe());
    }
    for (const simdjson::dom::element delivery : ArrayOf(one["deliveries"])) {
      incident.deliveries.push_back(
          {Text(delivery, "sink"), Text(delivery, "action"), Text(delivery, "state")});
    }
    expected.incidents.push_back(std::move(incident));
  }
  return expected;
}

class Upgrade : public ::testing::TestWithParam<int> {
 protected:
  Upgrade() {
    std::string pattern = ::testing::TempDir() + "tocsin-upgrade-XXXXXX";
    EXPECT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    const std::string fixture = absl::StrCat("tests/fixtures/state-", GetParam());
    std::filesystem::copy(fixture, folder_, std::filesystem::copy_options::recursive);
    expected_ = ReadExpected(folder_ + "/expected.json");
    std::ifstream file(folder_ + "/config.yaml");
    std::stringstream text;
    text << file.rdbuf();
    yaml_ = absl::StrReplaceAll(text.str(), {{"FOLDER", folder_}});
    absl::StrAppend(&yaml_, "state_dir: ", folder_, "/state\nlisten: \"off\"\n",
                    "http: {listen: \"127.0.0.1:0\"}\nsinks:\n");
    for (const char* sink : {"good", "broken", "refusing"}) {
      absl::StrAppend(&yaml_, "  - {name: ", sink, ", kind: file, path: ", folder_, "/", sink,
                      ".jsonl}\n");
    }
  }
  ~Upgrade() override {
    pipeline_.reset();
    std::filesystem::remove_all(folder_);
  }

  void Start() {
    pipeline_.reset();
    ErrorList errors;
    config_ = LoadConfigText(yaml_, "upgrade.yaml", &errors);
    for (const ConfigError& error : errors.Sorted()) ADD_FAILURE() << error.ToString();
    ASSERT_TRUE(config_.has_value());
    Pipeline::Options options;
    options.config = &*config_;
    options.incidents_path = folder_ + "/incidents.jsonl";
    pipeline_ = std::make_unique<Pipeline>(options);
    const absl::Status started = pipeline_->Start();
    ASSERT_TRUE(started.ok()) << started;
  }
  // A second of the followed file, so many seconds after the kill.
  void Second(int second) {
    std::ofstream log(folder_ + "/app.log", std::ios::app);
    for (const char* service : {"a", "b", "c", "quiet"}) {
      const bool fails = std::string_view(service) != "c";
      log << absl::StrCat("{\"time\": ", expected_.killed_at_ms + second * 1000,
                          ", \"type\": \"request\", \"env\": \"prod\", \"service\": \"", service,
                          "\", \"status\": ", fails ? 500 : 200, ", \"weight\": 20}\n");
    }
  }
  bool DecidedThrough(int second) {
    const TimeUs tick = (expected_.killed_at_ms + second * 1000) * kMillisecondUs;
    return WaitFor([&] {
      EXPECT_TRUE(pipeline_->status().ok()) << pipeline_->status();
      return !pipeline_->status().ok() || pipeline_->Snapshot().last_tick >= tick;
    });
  }
  // Its id.
  std::string IncidentOf(const std::string& component) const {
    simdjson::dom::parser parser;
    const simdjson::padded_string list(pipeline_->incidents().ListJson({.resolved = true}));
    for (const simdjson::dom::element one : ArrayOf(parser.parse(list)["incidents"])) {
      if (Text(one, "component") == component) return Text(one, "incident");
    }
    return "";
  }
  std::string LineOf(const std::string& id) const {
    const std::vector<IncidentBook::Entry> found = pipeline_->incidents().Find(id);
    return found.empty() ? "" : found[0].line;
  }

  std::string folder_, yaml_;
  Expected expected_;
  std::optional<Config> config_;
  std::unique_ptr<Pipeline> pipeline_;
};

TEST_P(Upgrade, GoesOnWhereTheEarlierBuildWasKilled) {
  // What the fixture is to hold.
  ASSERT_EQ(expected_.Of("a").state, "acknowledged");
  ASSERT_EQ(expected_.Of("b").state, "open");
  ASSERT_EQ(expected_.Of("c").state, "resolved");
  ASSERT_EQ(expected_.Of("quiet").muted_by, "quiet-one");

  Start();
  for (int second = 1; second <= 20; ++second) Second(second);
  ASSERT_TRUE(DecidedThrough(15));

  // Incidents are what they were, under the same names.
  for (const Expected::Incident& incident : expected_.incidents) {
    SCOPED_TRACE(incident.component);
    const std::string line = LineOf(incident.id);
    EXPECT_THAT(line, HasSubstr(absl::StrCat("\"number\":\"", incident.number, "\"")));
    EXPECT_THAT(line, HasSubstr(absl::StrCat("\"state\":\"", incident.state, "\"")));
    EXPECT_THAT(line, HasSubstr(absl::StrCat("\"dedup_key\":\"", incident.key, "\"")));
    for (const std::string& signal : incident.signals) EXPECT_THAT(line, HasSubstr(signal));
  }
  EXPECT_THAT(LineOf(expected_.Of("a").id), HasSubstr("rolling back"));
  EXPECT_THAT(LineOf(expected_.Of("quiet").id), HasSubstr("\"muted_by\":\"quiet-one\""));
  const std::vector<Silence> silences = pipeline_->silences();
  ASSERT_EQ(silences.size(), 1u);
  EXPECT_EQ(silences[0].comment, "known");

  // What was posted, answered and not read became an incident.
  std::string posted;
  ASSERT_TRUE(WaitFor([&] {
    posted = IncidentOf("posted");
    return !posted.empty();
  }));

  // Nobody is told again of what they knew; what waited goes out once, and so does what is new.
  std::map<std::string, std::vector<std::string>> waited;
  for (const Expected::Incident& incident : expected_.incidents) {
    for (const Expected::Delivery& delivery : incident.deliveries) {
      if (delivery.state != "intended") continue;
      waited[delivery.sink].push_back(absl::StrCat(delivery.action, " ", incident.id, ":2"));
    }
  }
  ASSERT_THAT(waited["broken"], Not(IsEmpty()));
  ASSERT_THAT(waited["good"], IsEmpty());
  ASSERT_TRUE(WaitFor([&] { return pipeline_->Snapshot().deliveries_pending == 0; }));
  for (const char* sink : {"good", "broken", "refusing"}) {
    std::vector<std::string> expected = waited[sink];
    expected.push_back(absl::StrCat("trigger ", posted, ":2"));
    EXPECT_THAT(Told(absl::StrCat(folder_, "/", sink, ".jsonl")),
                ::testing::UnorderedElementsAreArray(expected))
        << sink;
  }

  // And once more, by this build's own state.
  ASSERT_TRUE(pipeline_->Stop().ok());
  Start();
  for (int second = 21; second <= 30; ++second) Second(second);
  ASSERT_TRUE(DecidedThrough(25));
  EXPECT_THAT(LineOf(expected_.Of("a").id), HasSubstr("\"state\":\"acknowledged\""));
  EXPECT_THAT(LineOf(expected_.Of("b").id), HasSubstr("\"state\":\"open\""));
  EXPECT_EQ(Told(folder_ + "/good.jsonl").size(), 1u);
}

INSTANTIATE_TEST_SUITE_P(Formats, Upgrade, ::testing::Range(kStateFormatOldest, kStateFormat));

}  // namespace
}  // namespace tocsin
