// What the config tests compare: an error list as the lines that `check` prints.
#pragma once

#include <string>
#include <vector>

#include "config/node.h"

namespace tocsin {

inline std::vector<std::string> Lines(const ErrorList& errors) {
  std::vector<std::string> lines;
  for (const ConfigError& error : errors.Sorted()) lines.push_back(error.ToString());
  return lines;
}

}  // namespace tocsin
