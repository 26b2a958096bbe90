// What `tocsin status` prints, and what it is made of.

#include "api/status_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace tocsin {
namespace {

using ::testing::HasSubstr;

constexpr TimeUs kNow = 1'767'225'600 * kSecondUs;  // 2026-01-01T00:00:00Z

// One input that runs, with a source, and nothing to complain of.
PipelineStatus Well() {
  PipelineStatus status;
  status.inputs = {{.name = "logs", .state = InputStatus::State::kRunning, .assigned = true}};
  status.inputs[0].sources = {
      {.input = "logs", .source = "logs/a.log", .counters = {.events = 12}, .clock = kNow}};
  status.assigned = status.caught_up = true;
  status.last_tick = kNow;
  status.series = 3;
  status.open_incidents = 1;
  status.deliveries_pending = 2;
  status.snapshots = 7;
  return status;
}

std::string Text(const PipelineStatus& status) {
  return StatusText(StatusJson(status, kNow)).value_or("unreadable");
}

// What stands at a JSON pointer, as JSON.
std::string Value(const std::string& json, const char* pointer) {
  simdjson::dom::parser parser;
  simdjson::dom::element all, found;
  if (parser.parse(json).get(all) != simdjson::SUCCESS) return "no JSON";
  if (all.at_pointer(pointer).get(found) != simdjson::SUCCESS) return "nothing";
  return simdjson::minify(found);
}

TEST(StatusTextTest, AllIsWell) {
  EXPECT_EQ(
      Text(Well()),
      "up    input logs: running; 1 sources, 12 events\n"
      "up    state: can be written; 7 snapshots since the start\n"
      "up    decisions: up to 2026-01-01T00:00:00Z, 3 series, 1 open incidents, 2 messages on "
      "their way\n");
}

TEST(StatusTextTest, AnInputsLineSaysItsStateAndTheReason) {
  const auto line = [](const InputStatus& input) {
    PipelineStatus status;
    status.inputs = {input};
    const std::string text = Text(status);
    return text.substr(0, text.find('\n'));
  };
  using State = InputStatus::State;
  EXPECT_EQ(line({.name = "a", .state = State::kStarting, .down_since = 1}),
            "DOWN  input a: starting; 0 sources, 0 events");
  EXPECT_EQ(line({.name = "a",
                  .state = State::kFailed,
                  .reason = "no broker answered",
                  .failures = 3,
                  .down_since = 1}),
            "DOWN  input a: failed: no broker answered; 0 sources, 0 events; failed 3 times");
  EXPECT_EQ(line({.name = "a",
                  .state = State::kRunning,
                  .reason = "/a.log: No such file or directory",
                  .down_since = 1}),
            "DOWN  input a: running: /a.log: No such file or directory; 0 sources, 0 events");
  EXPECT_EQ(line({.name = "a", .state = State::kRunning, .reason = "/a/*.log: has no files"}),
            "up    input a: running: /a/*.log: has no files; 0 sources, 0 events");
  EXPECT_EQ(line({.name = "a", .state = State::kEnded, .down_since = 1}),
            "up    input a: ended; 0 sources, 0 events");
  EXPECT_EQ(
      line({.name = "a", .state = State::kRunning, .reason = "two\nlines\x1b[2J"}).find('\x1b'),
      std::string::npos);
}

TEST(StatusTextTest, SourcesThatAreNotWellHaveALine) {
  PipelineStatus status = Well();
  std::vector<SourceStatus>& sources = status.inputs[0].sources;
  sources.push_back({.input = "logs",
                     .source = "logs/b.log",
                     .counters = {.events = 3, .late = 1, .quarantined = 1, .undecodable = 4},
                     .problem = "b.log: Permission denied"});
  sources.push_back({.input = "logs", .source = "logs/c.log", .excluded = true});
  sources.push_back(
      {.input = "logs", .source = "logs/d.log", .excluded = true, .problem = "no broker answers"});
  EXPECT_THAT(
      Text(status),
      HasSubstr("up    input logs: running; 4 sources, 15 events, 2 too late or too early, 4 "
                "undecodable\n"
                "  logs/b.log: b.log: Permission denied\n"
                "  logs/c.log: decisions go on without it\n"
                "  logs/d.log: decisions go on without it: no broker answers\n"
                "up    state"));
}

TEST(StatusTextTest, WhatBlindsComesFirst) {
  PipelineStatus status = Well();
  status.blind = {.blind = true, .episode = 1, .reasons = {"input logs cannot be read", "x"}};
  status.assigned = false;
  status.not_ready = "input logs: no broker answers";
  status.last_tick = kNoTime;
  status.log.disk = {.error = absl::ResourceExhaustedError("no space left"), .failing_since = 1};
  EXPECT_EQ(Text(status),
            "BLIND input logs cannot be read\n"
            "BLIND x\n"
            "up    input logs: running; 1 sources, 12 events\n"
            "DOWN  state: no space left; 7 snapshots since the start\n"
            "DOWN  decisions: none yet, 3 series, 1 open incidents, 2 messages on their way; not "
            "ready: input logs: no broker answers\n");
}

TEST(StatusTextTest, AReplyOfSomethingElseIsNoStatus) {
  for (const char* const reply : {"", "not found", "[]", "{}", R"({"inputs": []})"}) {
    EXPECT_TRUE(absl::IsUnavailable(StatusText(reply).status())) << reply;
  }
}

TEST(StatusJsonTest, SaysEachInputAndItsSources) {
  PipelineStatus status = Well();
  status.inputs[0].reason = "b.log: denied";
  status.inputs[0].sources.push_back(
      {.input = "logs", .source = "logs/b.log", .paused = true, .problem = "b.log: denied"});
  status.inputs.push_back({.name = "kafka",
                           .state = InputStatus::State::kFailed,
                           .reason = "no broker answered",
                           .failures = 2,
                           .down_since = 1,
                           .skipped = 5});
  const std::string json = StatusJson(status, kNow);
  EXPECT_EQ(Value(json, "/now"), R"("2026-01-01T00:00:00Z")");
  EXPECT_EQ(Value(json, "/ready"), "true");
  EXPECT_EQ(Value(json, "/inputs/0/name"), R"("logs")");
  EXPECT_EQ(Value(json, "/inputs/0/state"), R"("running")");
  EXPECT_EQ(Value(json, "/inputs/0/up"), "true");
  EXPECT_EQ(Value(json, "/inputs/0/reason"), R"("b.log: denied")") << "also while it is up";
  EXPECT_EQ(Value(json, "/inputs/0/sources_total"), "2");
  EXPECT_EQ(Value(json, "/inputs/0/sources/0/source"), R"("logs/b.log")") << "what is wrong first";
  EXPECT_EQ(Value(json, "/inputs/0/sources/0/problem"), R"("b.log: denied")");
  EXPECT_EQ(Value(json, "/inputs/0/sources/0/paused"), "true");
  EXPECT_EQ(Value(json, "/inputs/0/sources/1/source"), R"("logs/a.log")");
  EXPECT_EQ(Value(json, "/inputs/0/sources/1/problem"), "nothing");
  EXPECT_EQ(Value(json, "/inputs/1/up"), "false");
  EXPECT_EQ(Value(json, "/inputs/1/reason"), R"("no broker answered")");
  EXPECT_EQ(Value(json, "/inputs/1/failures"), "2");
  EXPECT_EQ(Value(json, "/inputs/1/skipped"), "5");
}

TEST(StatusJsonTest, OfThousandsOfSourcesThoseThatAreNotWellAreKept) {
  PipelineStatus status = Well();
  std::vector<SourceStatus>& sources = status.inputs[0].sources;
  for (int i = 0; i < 2'000; ++i) {
    sources.push_back({.input = "logs", .source = absl::StrCat("logs/", i)});
  }
  sources.back().problem = "denied";
  const std::string json = StatusJson(status, kNow);
  EXPECT_EQ(Value(json, "/inputs/0/sources_total"), "2001");
  EXPECT_EQ(Value(json, "/inputs/0/sources/0/source"), R"("logs/1999")");
  EXPECT_NE(Value(json, "/inputs/0/sources/999"), "nothing");
  EXPECT_EQ(Value(json, "/inputs/0/sources/1000"), "nothing");
}

TEST(StatusJsonTest, IsReadyOnlyWhenAllIs) {
  const auto ready = [](const PipelineStatus& status) {
    return StatusJson(status, kNow).find("\"ready\":true") != std::string::npos;
  };
  PipelineStatus status = Well();
  EXPECT_TRUE(ready(status));
  status.assigned = false;
  EXPECT_FALSE(ready(status));
  status = Well();
  status.caught_up = false;
  EXPECT_FALSE(ready(status));
  status = Well();
  status.blind.blind = true;
  EXPECT_FALSE(ready(status));
}

}  // namespace
}  // namespace tocsin
