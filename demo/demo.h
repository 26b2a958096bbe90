// `tocsin demo`: a bad deploy, from the first leaked connection to the resolved page, in half a
// minute.
//
//   return RunDemo({});                                       // the show
//   return RunDemo({.write_path = "story.jsonl"});            // the story as JSON lines, for
//   replay return RunDemo({.stand_in_port = 8080});                  // only the PagerDuty stand-in
//
// Everything is real but the world around it: the engine reads the story (demo/demo_story.h) from a
// Kafka inside this process (demo/demo_kafka.h) and pages the stand-in (demo/pagerduty_standin.h),
// all on free ports of the loopback interface. Nothing is written to disk and nothing leaves the
// host.
#pragma once

#include <cstdio>
#include <optional>
#include <string>

namespace tocsin {

struct DemoOptions {
  std::string write_path;            // "-" is stdout
  std::optional<int> stand_in_port;  // 0: a free one
  // How much faster than the show's own pace; tests hurry.
  double hurry = 1;
  std::FILE* out = stdout;
};

// Returns the exit code: 0 when the story came out as promised, 1 when not (with the reasons), 3
// when it could not be played.
int RunDemo(const DemoOptions& options);

}  // namespace tocsin
