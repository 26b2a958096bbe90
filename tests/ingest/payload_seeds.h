// A sound payload or several of each format, with every part of one that its decoder looks at: what
// hostile payloads are made of (tests/ingest/hostile_payloads.h).
//
// A new format needs a line here: ingest_work_test fails without one.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "config/config.h"
#include "tests/ingest/hostile_payloads.h"

namespace tocsin {

struct PayloadSeed {
  InputConfig input;
  Part root;
  // What is done to the bytes that the parts make: compression, an envelope. Empty: nothing.
  std::function<std::string(const std::string&)> pack = {};
};

std::vector<PayloadSeed> SeedsOf(const std::string& format);

}  // namespace tocsin
