// `tocsin replay` as people and programs run it: what it prints, where, and what it asks for.

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include "absl/strings/str_cat.h"
#include "cli/commands.h"

namespace tocsin {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

constexpr const char* kConfig = R"(
detectors:
  - name: errors
    kind: error_rate
    by: [service]
    warn: {above: 5%, window: 1m, level: 2}
sinks:
  - {name: oncall, kind: pagerduty, routing_key_file: /nowhere/routing.key, ca_file: /nowhere.pem}
routes:
  - {to: [oncall]}
state_dir: /proc/nowhere/state
)";

struct Output {
  int code = 0;
  std::string out, err;
};

class ReplayCommandTest : public testing::Test {
 protected:
  ReplayCommandTest()
      : folder_(testing::TempDir() + "replay_command_" +
                testing::UnitTest::GetInstance()->current_test_info()->name() + "/") {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    command_.config = Write("c.yaml", kConfig);
    command_.threads = 1;
  }
  ~ReplayCommandTest() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ + name, std::ios::binary) << text;
    return folder_ + name;
  }

  // Two hours of requests, of which all fail for ten minutes.
  std::string Outage() {
    std::string lines;
    const TimeUs start = *ParseRfc3339("2026-03-10T20:00:00Z");
    for (TimeUs time = start; time < start + 2 * kHourUs; time += 2 * kSecondUs) {
      const bool fails = time >= start + kHourUs && time < start + 70 * kMinuteUs;
      absl::StrAppend(&lines, "{\"time\":\"", FormatTime(time),
                      "\",\"type\":\"request\",\"service\":\"api\",\"status\":", fails ? 503 : 200,
                      "}\n");
    }
    return Write("app.jsonl", lines);
  }

  Output Run() {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    Output output;
    output.code = ReplayRecorded(command_);
    output.out = testing::internal::GetCapturedStdout();
    output.err = testing::internal::GetCapturedStderr();
    return output;
  }

  std::string Read(const std::string& name) const {
    std::ostringstream text;
    text << std::ifstream(folder_ + name).rdbuf();
    return text.str();
  }

  std::string folder_;
  ReplayCommand command_;
};

// Neither the key nor the certificate nor a folder for state is there.
TEST_F(ReplayCommandTest, PrintsTheIncidentsThenTheCounts) {
  command_.inputs = {Outage()};
  const Output output = Run();
  EXPECT_EQ(output.code, kDone);
  EXPECT_THAT(output.err, IsEmpty());
  EXPECT_THAT(output.out,
              StartsWith("NUMBER       LEVEL ONSET (UTC)         DETECTED PAGED RESOLVED PAGES"));
  EXPECT_THAT(output.out, HasSubstr("\nINC-2026-001 SEV2  2026-03-10 21:00:00 +"));
  EXPECT_THAT(output.out, HasSubstr("\n1 incident, 1 page\n3600 events in "));
  EXPECT_THAT(output.out,
              HasSubstr("; 0 late, 0 quarantined, 0 undecodable; 1 signals, 1 incidents\n"));
}

TEST_F(ReplayCommandTest, LinesOnStdoutAreNotMixedWithIt) {
  command_.inputs = {Outage()};
  const std::string table = "\nINC-2026-001 ";
  for (std::string ReplayCommand::*path :
       {&ReplayCommand::incidents, &ReplayCommand::signals, &ReplayCommand::stats}) {
    command_.*path = "-";
    const Output output = Run();
    EXPECT_THAT(output.out, StartsWith("{\""));
    EXPECT_THAT(output.out, Not(HasSubstr(table)));
    EXPECT_THAT(output.err, HasSubstr(table));
    command_.*path = folder_ + "lines";
    const Output apart = Run();
    EXPECT_THAT(apart.out, HasSubstr(table));
    EXPECT_THAT(apart.err, IsEmpty());
    EXPECT_THAT(Read("lines"), StartsWith("{\""));
    (command_.*path).clear();
  }
}

TEST_F(ReplayCommandTest, ProgramsGetOneObject) {
  command_.inputs = {Outage()};
  command_.output = "json";
  const Output output = Run();
  EXPECT_EQ(output.code, kDone);
  simdjson::dom::parser parser;
  simdjson::dom::element result;
  ASSERT_EQ(parser.parse(output.out).get(result), simdjson::SUCCESS);
  std::string_view number;
  ASSERT_EQ(result["incidents"].at(0)["number"].get(number), simdjson::SUCCESS);
  EXPECT_EQ(number, "INC-2026-001");
  std::int64_t events = 0;
  ASSERT_EQ(result["stats"]["events"].get(events), simdjson::SUCCESS);
  EXPECT_EQ(events, 3600);
}

// `--format json` is the format of the input, and of what a program reads of it in a pipe.
TEST_F(ReplayCommandTest, AFormatOfJsonIsAlsoThatOfTheResultInAPipe) {
  command_.inputs = {Outage()};
  command_.format = "json";
  EXPECT_THAT(Run().out, StartsWith("{\"incidents\":[{\"incident\":"));
  command_.output = "text";
  EXPECT_THAT(Run().out, StartsWith("NUMBER"));
  command_.output = "";
  command_.incidents = "-";
  EXPECT_THAT(Run().err, StartsWith("NUMBER")) << "people read it beside the lines";
}

TEST_F(ReplayCommandTest, AFormatThatReadsNothingIsSaidToBeTheInputs) {
  command_.inputs = {
      Write("access.log", "10.0.0.1 - - [10/Mar/2026:10:00:00 +0000] \"GET / HTTP/1.1\" 200 5\n")};
  command_.format = "json";
  const Output output = Run();
  EXPECT_EQ(output.code, 1);
  EXPECT_THAT(output.err,
              AllOf(HasSubstr("nothing could be read as json"), HasSubstr("--output json")));
  command_.format = "";
  EXPECT_EQ(Run().code, 0);
}

TEST_F(ReplayCommandTest, AsksForTheTimeOfFilesWithoutOne) {
  command_.format = "prometheus-text";
  command_.inputs = {Write("scrape.txt", "# TYPE up gauge\nup{job=\"api\"} 1\n")};
  const Output asked = Run();
  EXPECT_EQ(asked.code, kUsage);
  EXPECT_THAT(asked.err,
              AllOf(HasSubstr("scrape.txt: 1 record has no time, or one without a year: say when "
                              "it was written, as in --time 2026-03-10T21:00:00Z")));
  EXPECT_THAT(asked.out, IsEmpty());
  command_.record_time = *ParseRfc3339("2026-03-10T21:00:00Z");
  const Output told = Run();
  EXPECT_EQ(told.code, kDone);
  EXPECT_THAT(told.out, HasSubstr("\n1 events in "));
}

TEST_F(ReplayCommandTest, AsksForTheYearOfFilesThatLeaveItOut) {
  command_.format = "syslog";
  command_.inputs = {Write("messages",
                           "Dec 31 23:59:50 db-1 sshd[1]: a\n"
                           "Jan  1 00:00:10 db-1 sshd[1]: b\n")};
  const Output asked = Run();
  EXPECT_EQ(asked.code, kUsage);
  EXPECT_THAT(asked.err, HasSubstr("2 records have no time, or one without a year"));
  command_.record_time = *ParseRfc3339("2026-01-01T00:00:30Z");
  EXPECT_THAT(Run().out, HasSubstr("\n2 events in "));
}

TEST_F(ReplayCommandTest, SaysWhatOfAFileIsLeftOutForWantOfATime) {
  command_.format = "sentry";
  command_.inputs = {Write(
      "sentry.json",
      R"({"action":"critical","data":{"metric_alert":{"id":"1","title":"slow","date_started":"2026-03-10T21:00:00Z"}}})"
      "\n"
      R"({"action":"resolved","data":{"metric_alert":{"id":"1","title":"slow"}}})")};
  const Output output = Run();
  EXPECT_EQ(output.code, kDone);
  EXPECT_THAT(output.err, HasSubstr("1 record has no time"));
  EXPECT_THAT(output.out, HasSubstr("1 undecodable"));
}

TEST_F(ReplayCommandTest, AFormatThatThereIsNotIsOneOfTheCommandLine) {
  command_.format = "clff";
  command_.inputs = {Write("a.log", "x\n")};
  const Output output = Run();
  EXPECT_EQ(output.code, kFinding);
  EXPECT_THAT(output.err, StartsWith("tocsin: --format: "));
  EXPECT_THAT(output.err, HasSubstr("unknown format \"clff\"; did you mean \"clf\"?"));
}

}  // namespace
}  // namespace tocsin
