// A test message through every route, to show that people can be reached before they have to be.
//
//   absl::StatusOr<SendTestResult> result = SendTest(config, now);    // tocsin check --send-test
//
// Each sink that a route names (without routes: each sink) is sent one trigger that says that it is
// a test, at the least urgent level of that route, and then its end, whether or not it was taken.
// Not sent to what customers read, nor in `mode: shadow` to what leaves this machine. Nothing is
// tried again. Blocks until all have answered or timed out.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "config/config.h"
#include "core/time.h"

namespace tocsin {

struct SendTestResult {
  std::string text;         // a line for each route and sink
  bool all_reached = true;  // no sink refused or was silent
};

// `now` in Unix time tells one test from another. Fails when nothing can be sent at all.
absl::StatusOr<SendTestResult> SendTest(const Config& config, TimeUs now);

}  // namespace tocsin
