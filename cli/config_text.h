// A configuration in plain words: what it reads and watches, when it would page whom.
//
//   std::fputs(ConfigText(config).c_str(), stdout);      // tocsin check
//
// Pure function.
#pragma once

#include <string>

#include "config/config.h"

namespace tocsin {

std::string ConfigText(const Config& config);
// What a route matches: "SEV1, SEV2; team payments; outside office hours (…)", or "everything".
std::string MatchText(const RouteConfig& route, const SeverityScheme& scheme);

}  // namespace tocsin
