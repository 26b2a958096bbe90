// An incident of many signals with long labels: its lines are bounded wherever they go, and by its
// id there is all of it, after a restart as well.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "api/api.h"
#include "core/bounded_line.h"
#include "core/limits.h"
#include "service/pipeline.h"
#include "sinks/incident_line.h"

namespace tocsin {
namespace {

using ::testing::HasSubstr;

constexpr int kPools = 120;
const TimeUs kStart = *ParseRfc3339("2026-03-01T21:00:00Z");

class HugeIncident : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "tocsin-huge-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    std::ofstream events(directory_ + "/events.jsonl");
    const std::string filler(limits::kLabelValueBytesMax - 8, 'x');
    for (int i = 0; i < 12; ++i) {
      for (int pool = 0; pool < kPools; ++pool) {
        events << R"({"time":")" << FormatTime(kStart + i * 10 * kSecondUs)
               << R"(","type":"metric","name":"pool","service":"api","value":)" << (i < 4 ? 40 : 99)
               << R"(,"limit":100,"labels":{"pool":")" << pool << filler << "\"}}\n";
      }
    }
    events.close();
    ErrorList errors;
    config_ =
        LoadConfigText(absl::StrCat("inputs: [{name: app, file: '", directory_,
                                    "/events.jsonl'}]\nstate_dir: '", directory_, R"(/state'
detectors:
  - name: pool
    kind: saturation
    by: [service, labels.pool]
    critical: {above: 95%, level: 1}
sinks: [{name: record, kind: file, path: ')",
                                    directory_, "/record.jsonl'}]\n", "routes: [{to: [record]}]\n"),
                       "test.yaml", &errors);
    for (const ConfigError& error : errors.Sorted()) ADD_FAILURE() << error.ToString();
    ASSERT_TRUE(config_.has_value());
    Start();
  }
  void TearDown() override {
    pipeline_.reset();
    std::filesystem::remove_all(directory_);
  }

  void Start() {
    pipeline_ = std::make_unique<Pipeline>(
        Pipeline::Options{.config = &*config_,
                          .incidents_path = directory_ + "/incidents.jsonl",
                          .signals_path = "",
                          .on_decision = nullptr});
    ASSERT_TRUE(pipeline_->Start().ok());
  }

  std::string Get(const std::string& target) const {
    const ApiContext api = {.incidents = &pipeline_->incidents(),
                            .silences = nullptr,
                            .submit = nullptr,
                            .now = [] { return kStart; },
                            .token = ""};
    return AnswerApi({.method = "GET", .target = target, .headers = {}, .body = ""}, api).body;
  }
  // The number of signals that the API returns.
  std::size_t Signals() const {
    const absl::StatusOr<Incident> incident = ReadIncident(Get("/api/v1/incidents/INC-2026-001"));
    return incident.ok() ? incident->signals.size() : 0;
  }

  static void WaitFor(const std::function<bool()>& condition) {
    const absl::Time deadline = absl::Now() + absl::Minutes(1);
    while (!condition()) {
      ASSERT_LT(absl::Now(), deadline);
      absl::SleepFor(absl::Milliseconds(5));
    }
  }
  void CheckLines(const std::string& name, std::size_t bytes_max) const {
    std::ifstream file(directory_ + "/" + name);
    std::size_t lines = 0, bounded = 0;
    for (std::string line; std::getline(file, line); ++lines) {
      EXPECT_LE(line.size(), bytes_max) << name;
      bounded += IsBounded(line) ? 1 : 0;
    }
    EXPECT_GT(lines, 0U) << name;
    EXPECT_GT(bounded, 0U) << name;
  }

  std::string directory_;
  std::optional<Config> config_;
  std::unique_ptr<Pipeline> pipeline_;
};

TEST_F(HugeIncident, IsBoundedInLinesAndWholeById) {
  WaitFor([&] { return Signals() == kPools; });
  const std::string whole = Get("/api/v1/incidents/INC-2026-001");
  EXPECT_GT(whole.size(), 2 * limits::kIncidentLineBytesMax);
  EXPECT_FALSE(IsBounded(whole));
  EXPECT_LE(Get("/api/v1/incidents").size(), limits::kIncidentLineBytesMax);
  WaitFor([&] {
    return std::filesystem::exists(directory_ + "/record.jsonl") &&
           std::filesystem::file_size(directory_ + "/record.jsonl") > 0;
  });
  ASSERT_TRUE(pipeline_->Stop().ok());
  CheckLines("incidents.jsonl", limits::kIncidentLineBytesMax);
  CheckLines("record.jsonl", 64 << 10);  // with what the sink puts around it

  Start();
  EXPECT_EQ(Signals(), static_cast<std::size_t>(kPools));
  EXPECT_THAT(Get("/api/v1/incidents"), HasSubstr("\"total\":1"));
}

}  // namespace
}  // namespace tocsin
