// Removes the files of forgotten sources from the state directory: copies of followed files
// (files/INPUT/FILE), and the logs and seen bodies of HTTP inputs (http/NAME and http/NAME.seen).
//
//   for (const std::string& path : RemoveForgotten({.state_dir = "./state", …})) …    // removed
//
// A source is forgotten when it is not configured or its file is missing, and the journal has no
// position of it any more (Journal::ForgetAbsent: a week). Files that changed after
// `changed_before` are kept: they may belong to a new source. Only files with tocsin's names are
// removed, and folders that are empty afterwards. Blocks on the disk; call from one thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/time.h"

namespace tocsin {

struct ForgottenSources {
  std::string state_dir;
  std::vector<std::string> present;      // sources that exist
  std::vector<std::string> http_inputs;  // names of the configured HTTP inputs
  std::function<bool(const std::string& source)> has_position;
  TimeUs changed_before = 0;  // wall clock
};

// Returns the paths that were removed.
std::vector<std::string> RemoveForgotten(const ForgottenSources& options);

}  // namespace tocsin
