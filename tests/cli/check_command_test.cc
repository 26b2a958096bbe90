// `tocsin check`, and that what only decides asks for no secret.

#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/commands.h"

namespace tocsin {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// As in the README, before there is a routing key.
constexpr const char* kConfig = R"(inputs:
  - {name: app, file: app.jsonl}
  - {name: posts, http: {token_file: token}}
detectors:
  - {name: errors, kind: error_rate, critical: {above: 5%, level: 2}}
sinks:
  - {name: oncall, kind: pagerduty, routing_key_file: routing.key, ca_file: ca.pem}
routes:
  - {to: [oncall]}
state_dir: /proc/nowhere/state
)";

struct Output {
  int code = 0;
  std::string out, err;
};

template <typename Command>
Output Capture(Command command) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  Output output;
  output.code = command();
  output.out = testing::internal::GetCapturedStdout();
  output.err = testing::internal::GetCapturedStderr();
  return output;
}

class CheckCommandTest : public testing::Test {
 protected:
  CheckCommandTest()
      : folder_(testing::TempDir() + "check_command_" +
                testing::UnitTest::GetInstance()->current_test_info()->name() + "/"),
        before_(std::filesystem::current_path()) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    std::filesystem::current_path(folder_);
    Write("c.yaml", kConfig);
  }
  ~CheckCommandTest() override {
    std::filesystem::current_path(before_);
    std::filesystem::remove_all(folder_);
  }

  static void Write(const std::string& name, const std::string& text) {
    std::ofstream(name) << text;
  }

 private:
  const std::string folder_;
  const std::filesystem::path before_;
};

TEST_F(CheckCommandTest, ASecretThatIsNotThereIsAWarning) {
  const Output output = Capture([] { return Check({.configs = {"c.yaml"}}); });
  EXPECT_EQ(output.code, kDone);
  EXPECT_EQ(output.err,
            "c.yaml:3:38: warning: token_file: cannot read 'token': No such file or directory\n"
            "c.yaml:7:55: warning: routing_key_file: cannot read 'routing.key': No such file or "
            "directory; it must hold the integration key of a PagerDuty service (Events API v2), "
            "or use routing_key_env\n"
            "c.yaml:7:77: warning: ca_file: cannot read 'ca.pem': No such file or directory\n");
  EXPECT_THAT(output.out, HasSubstr("oncall"));
}

TEST_F(CheckCommandTest, WhereItIsAskedForItIsAnError) {
  const Output output = Capture([] { return Check({.configs = {"c.yaml"}, .secrets = true}); });
  EXPECT_EQ(output.code, kFinding);
  EXPECT_THAT(output.err, AllOf(HasSubstr("c.yaml:3:38: token_file: cannot read"),
                                HasSubstr("c.yaml:7:55: routing_key_file: cannot read"),
                                Not(HasSubstr("warning"))));
  EXPECT_THAT(output.out, IsEmpty());
  Write("token", "abc\n");
  Write("routing.key", "abc\n");
  Write("ca.pem", "-----BEGIN CERTIFICATE-----\n");
  EXPECT_EQ(Capture([] { return Check({.configs = {"c.yaml"}, .secrets = true}); }).code, kDone);
}

TEST_F(CheckCommandTest, WarningsComeWithErrors) {
  Write("c.yaml", std::string("colour: red\n") + kConfig);
  const Output output = Capture([] { return Check({.configs = {"c.yaml"}}); });
  EXPECT_EQ(output.code, kFinding);
  EXPECT_THAT(output.err, AllOf(HasSubstr("c.yaml:1:1: unknown key 'colour'"),
                                HasSubstr("c.yaml:8:55: warning: routing_key_file")));
}

TEST_F(CheckCommandTest, RunRefusesToStartWithoutIt) {
  const Output output =
      Capture([] { return tocsin::Run({.config = "c.yaml", .incidents = "", .signals = ""}); });
  EXPECT_EQ(output.code, kFinding);
  EXPECT_THAT(output.err, AllOf(HasSubstr("c.yaml:3:38: token_file"),
                                HasSubstr("c.yaml:7:55: routing_key_file")));
}

TEST_F(CheckCommandTest, WhatOnlyDecidesAsksForNoSecret) {
  const std::string event =
      R"({"time":"2026-03-10T21:00:00Z","type":"request","service":"api","status":503})";
  Write("app.jsonl", event + "\n");
  const Output decoded =
      Capture([] { return DecodeFiles({.format = "", .config = "c.yaml", .file = "app.jsonl"}); });
  EXPECT_EQ(decoded.code, kDone) << decoded.err;
  EXPECT_THAT(decoded.out, HasSubstr("\"status\":503"));
  const Output explained = Capture([&] {
    return ExplainEvents(
        {.config = "c.yaml", .events = {event}, .format = "", .input = "", .incidents = ""});
  });
  EXPECT_EQ(explained.code, kDone) << explained.err;
  EXPECT_THAT(explained.out, HasSubstr("told        oncall (pagerduty, pages)"));
  ReplayCommand replay;
  replay.config = "c.yaml";
  replay.inputs = {"app.jsonl"};
  const Output replayed = Capture([&] { return ReplayRecorded(replay); });
  EXPECT_EQ(replayed.code, kDone) << replayed.err;
  EXPECT_THAT(replayed.out, HasSubstr("1 events in"));
  EXPECT_THAT(decoded.err + explained.err + replayed.err, Not(HasSubstr("routing")));
}

TEST_F(CheckCommandTest, AnEventThatIsTypedIsOfNow) {
  const Output explained = Capture([] {
    return ExplainEvents({.config = "c.yaml",
                          .events = {R"({"type":"request","service":"api","status":503})"},
                          .format = "",
                          .input = "",
                          .incidents = ""});
  });
  EXPECT_EQ(explained.code, kDone) << explained.err;
  EXPECT_THAT(explained.out, HasSubstr("request of env=prod service=api, 20"));
}

}  // namespace
}  // namespace tocsin
