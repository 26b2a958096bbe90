// `tocsin state check` and `tocsin state repair`: what a state directory holds, and saving what is
// intact of a damaged one.
//
//   int code = State({.verb = "check", .directory = "./state"});
//
// check changes nothing and may run beside the process that has the directory; repair may not.
#pragma once

#include <string>

namespace tocsin {

struct StateCommand {
  std::string verb;       // check, repair
  std::string config;     // whose state_dir, and whose detectors the state is of; or
  std::string directory;  // empty, as well as `config`: ./state
};
// 0 where nothing is damaged, 1 where something is (repair: where something was lost), 3 where it
// cannot be looked at or written.
int State(const StateCommand& command);

}  // namespace tocsin
