// Removes what the state directory keeps of sources that are forgotten: copies of followed files
// (files/INPUT/FILE), logs of inputs by HTTP and the bodies that those have seen (http/NAME and
// http/NAME.seen).
//
//   for (const std::string& path : RemoveForgotten({.state_dir = "./state", …})) …    // removed
//
// A source is forgotten when it is not configured, or its file is not there, and the journal has no
// position of it any more (Journal::ForgetAbsent: a week). What was changed since `changed_before` is
// kept: it may be of a source that has just come. Only files that are named as ours are removed, and
// folders that are empty then. Waits for the disk; of one thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/time.h"

namespace tocsin {

struct ForgottenSources {
  std::string state_dir;
  std::vector<std::string> present;      // sources
  std::vector<std::string> http_inputs;  // names of those that are configured
  std::function<bool(const std::string& source)> has_position;
  TimeUs changed_before = 0;  // wall clock
};

std::vector<std::string> RemoveForgotten(const ForgottenSources& options);

}  // namespace tocsin
