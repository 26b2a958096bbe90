// Whether what the inputs read from is there, before anything runs: `tocsin check --connect`.
//
//   const ConnectResult result = CheckConnections(config);
//   std::fputs(result.text.c_str(), stdout);
//
// A service keeps trying (docs/operating.md); whoever sets it up wants to be told at once. Brokers
// are asked for the topics of each Kafka input, files are looked for. Joins no group, commits and
// reads nothing. Blocks for up to `timeout` for each input.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "config/config.h"

namespace tocsin {

struct ConnectResult {
  std::string text;  // a line for each input
  bool all_there = true;
};

ConnectResult CheckConnections(const Config& config, absl::Duration timeout = absl::Seconds(10));

}  // namespace tocsin
