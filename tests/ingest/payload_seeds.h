// One or more valid payloads of each format, with every part that its decoder reads: the seeds of
// hostile payloads (tests/ingest/hostile_payloads.h).
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
  // Applied to the encoded parts, such as compression or an envelope. Empty: nothing.
  std::function<std::string(const std::string&)> pack = {};
};

std::vector<PayloadSeed> SeedsOf(const std::string& format);

}  // namespace tocsin
