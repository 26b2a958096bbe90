#include <fcntl.h>
#include <sys/stat.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <string>

#include <protozero/varint.hpp>

#include "absl/time/time.h"
#include "cli/commands.h"
#include "tests/ingest/otlp_messages.h"

namespace tocsin {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

struct Output {
  int code = 0;
  std::string events;
  std::string notes;
};

class DecodeCommandTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "decode_command/";
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_ + "logs");
  }

  std::string Write(const std::string& name, const std::string& content) {
    std::FILE* const file = std::fopen((folder_ + name).c_str(), "wb");
    std::fwrite(content.data(), 1, content.size(), file);
    std::fclose(file);
    return folder_ + name;
  }

  static void SetWritten(const std::string& path, TimeUs time) {
    const timespec written = absl::ToTimespec(absl::FromUnixMicros(time));
    const timespec times[] = {written, written};
    ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  }

  static Output Run(const DecodeCommand& command) {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    Output output;
    output.code = DecodeFiles(command);
    output.events = testing::internal::GetCapturedStdout();
    output.notes = testing::internal::GetCapturedStderr();
    return output;
  }

  std::string folder_;
};

constexpr const char* kAccess =
    "192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] \"GET /a/4 HTTP/1.1\" 503 7 \"-\" \"c\" 0.250\n";
constexpr const char* kAccessEvent =
    R"({"time":"2026-01-01T00:00:00Z","type":"request","env":"prod","endpoint":"/a/:id",)"
    R"("method":"GET","client_ip":"192.0.2.7","user_agent":"c","status":503,"duration_ms":250,)"
    R"("labels":{"bytes":"7"}})";

TEST_F(DecodeCommandTest, EventsAndWhatWasNotUsed) {
  const std::string path = Write("a.log", std::string(kAccess) + "x\x1B[2J\n" + kAccess);
  const Output output = Run({.format = "clf", .config = "", .file = path});
  EXPECT_EQ(output.code, kDone);
  EXPECT_EQ(output.events, std::string(kAccessEvent) + "\n" + kAccessEvent + "\n");
  EXPECT_EQ(output.notes, "2 events\n1 undecodable: no time\n");
  const Output explained = Run({.format = "clf", .config = "", .file = path, .explain = true});
  EXPECT_EQ(explained.events, output.events);
  EXPECT_EQ(explained.notes, "record 2 undecodable: no time: \"x\\u001b[2J\"\n" + output.notes);
}

TEST_F(DecodeCommandTest, ItsOutputDecodesToItself) {
  const std::string events =
      std::string(kAccessEvent) + "\n" +
      R"({"time":"2026-01-01T00:00:00.5Z","type":"metric","env":"e","name":"n","metric_type":"counter","value":1.5,"limit":2})"
      "\n" +
      R"({"time":"2026-01-01T00:00:00Z","type":"connection","env":"e","action":"open","weight":3})"
      "\n" +
      R"({"time":"2026-01-01T00:00:00Z","type":"alarm","env":"e","name":"n","state":"ok","cvss":9.8})"
      "\n" +
      R"({"time":"2026-01-01T00:00:00Z","env":"e","outcome":"failure","amount":12.25})"
      "\n";
  const Output once = Run({.format = "json", .config = "", .file = Write("a.json", events)});
  EXPECT_EQ(once.notes, "5 events\n");
  const Output twice = Run({.format = "json", .config = "", .file = Write("b.json", once.events)});
  EXPECT_EQ(once.events, twice.events);
  EXPECT_THAT(once.events,
              AllOf(HasSubstr(kAccessEvent), HasSubstr("\"weight\":3"), HasSubstr("\"cvss\":9.8"),
                    HasSubstr("\"amount\":12.25"), HasSubstr("\"metric_type\":\"counter\"")));
}

TEST_F(DecodeCommandTest, AFolderAsItsInputSays) {
  Write("logs/a.log", kAccess);
  Write("logs/b.log", "2026-01-01 05:30:00 IST [17] LOG:  a\n\tb\n");
  const std::string config =
      Write("c.yaml", "inputs:\n  - name: a\n    file: " + folder_ +
                          "logs\n    format: auto\n    time_zone: \"+05:30\"\n"
                          "    map: {service: {value: shop}}\n");
  const Output output = Run({.format = "", .config = config, .file = folder_ + "logs"});
  EXPECT_EQ(output.code, kDone);
  EXPECT_THAT(output.events,
              AllOf(HasSubstr("\"type\":\"request\",\"env\":\"prod\",\"service\":\"shop\""),
                    HasSubstr("{\"time\":\"2026-01-01T00:00:00Z\",\"type\":\"log\"")));
  EXPECT_EQ(output.notes, "2 events\n1 skipped: the rest of a message\n");
}

TEST_F(DecodeCommandTest, ABinaryFileIsOneRecord) {
  std::string point;
  protozero::pbf_writer writer(point);
  writer.add_fixed64(3, kOtlpTime);
  writer.add_fixed64(4, 10);  // which is a line feed
  writer.add_double(5, 40);
  const std::string request = OtlpRequest({}, {OtlpMetricOf("a", "ms", {.kind = 11}, {point})});
  const Output otlp = Run(
      {.format = "otlp-proto", .signal = "metrics", .config = "", .file = Write("a.bin", request)});
  EXPECT_EQ(otlp.notes, "3 events\n");
  EXPECT_THAT(otlp.events, HasSubstr("\"metric_type\":\"summary\",\"count\":10,\"sum\":40}"));
  // Streams of CloudWatch are JSON or requests behind their lengths, a file as well as a record.
  std::string stream;
  for (int i = 0; i < 2; ++i) {
    protozero::add_varint_to_buffer(&stream, request.size());
    stream += request;
  }
  const Output binary =
      Run({.format = "cloudwatch-metric-stream", .config = "", .file = Write("b.bin", stream)});
  EXPECT_EQ(binary.notes, "2 events\n");
  EXPECT_THAT(binary.events, HasSubstr("\"value\":4,\"count\":10,\"sum\":40"));
  const std::string json = R"({"metric_name": "a", "timestamp": 1767225600000,)"
                           R"( "value": {"count": 1, "sum": 2}})";
  const Output text = Run({.format = "cloudwatch-metric-stream",
                           .config = "",
                           .file = Write("c.json", json + "\n" + json)});
  EXPECT_EQ(text.notes, "2 events\n");
}

constexpr TimeUs kWritten = 1'767'225'600 * kSecondUs;  // 2026-01-01T00:00:00Z

TEST_F(DecodeCommandTest, WhatSaysNoTimeHasThatOfItsFile) {
  const std::string scrape = Write("scrape.txt", "up{job=\"api\"} 1\nage 7 1767225599000\n");
  SetWritten(scrape, kWritten);
  const DecodeCommand decode = {.format = "prometheus-text", .config = "", .file = scrape};
  const Output output = Run(decode);
  EXPECT_THAT(output.events, AllOf(HasSubstr("{\"time\":\"2026-01-01T00:00:00Z\""),
                                   HasSubstr("{\"time\":\"2025-12-31T23:59:59Z\"")))
      << "its own time counts more";
  EXPECT_EQ(output.notes, "2 events\n");
  DecodeCommand told = decode;
  told.record_time = kWritten + kHourUs;
  EXPECT_THAT(Run(told).events, HasSubstr("{\"time\":\"2026-01-01T01:00:00Z\""));
  const std::string alert = Write(
      "alert.json", R"({"action":"resolved","data":{"metric_alert":{"id":"1","title":"slow"}}})");
  SetWritten(alert, kWritten);
  EXPECT_THAT(
      Run({.format = "sentry", .config = "", .file = alert}).events,
      AllOf(HasSubstr("{\"time\":\"2026-01-01T00:00:00Z\""), HasSubstr("\"state\":\"ok\"")));
}

TEST_F(DecodeCommandTest, AMissingYearIsTheNearestToWhenTheFileWasWritten) {
  const std::string path = Write("messages",
                                 "Dec 31 23:59:50 db-1 sshd[1]: a\n"
                                 "Jan  1 00:00:10 db-1 sshd[1]: b\n");
  SetWritten(path, kWritten);
  EXPECT_THAT(Run({.format = "syslog", .config = "", .file = path}).events,
              AllOf(HasSubstr("{\"time\":\"2025-12-31T23:59:50Z\""),
                    HasSubstr("{\"time\":\"2026-01-01T00:00:10Z\"")));
}

// A line of a log that should say when it was, and does not, is none.
TEST_F(DecodeCommandTest, FormatsThatSayTheTimeAreHeldToIt) {
  const std::string path = Write("a.json", "{\"type\":\"log\",\"message\":\"x\"}\n");
  EXPECT_EQ(Run({.format = "json", .config = "", .file = path}).notes,
            "0 events\n1 undecodable: no time\n");
  DecodeCommand told = {.format = "clf", .config = "", .file = Write("a.log", "x\n")};
  told.record_time = kWritten;
  EXPECT_EQ(Run(told).notes, "0 events\n1 undecodable: no time\n");
}

TEST_F(DecodeCommandTest, Errors) {
  EXPECT_EQ(Run({.format = "", .config = "", .file = folder_ + "nothing"}).code, kEnvironment);
  const std::string path = Write("a.log", "nothing of the kind\n");
  const Output unknown = Run({.format = "", .config = "", .file = path});
  EXPECT_EQ(unknown.code, kFinding);
  EXPECT_THAT(unknown.notes, HasSubstr("cannot detect the format"));
  const Output misspelt = Run({.format = "cfl", .config = "", .file = path});
  EXPECT_EQ(misspelt.code, kFinding);
  EXPECT_THAT(misspelt.notes, HasSubstr("did you mean \"clf\""));
  const std::string config = Write("c.yaml", "inputs: [{name: a}]\n");
  const Output invalid = Run({.format = "", .config = config, .file = path});
  EXPECT_EQ(invalid.code, kFinding);
  EXPECT_THAT(invalid.notes,
              AllOf(HasSubstr("neither kafka, file nor http"), Not(HasSubstr("events"))));
}

}  // namespace
}  // namespace tocsin
