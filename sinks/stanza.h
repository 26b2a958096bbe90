// What the kinds of sinks read from their stanzas alike: URLs and secrets.
//
//   std::string key = ReadSecret("routing_key", "the integration key of the service", &reader);
//   std::string url = ReadUrl("https://events.pagerduty.com/v2/enqueue", &reader);
//
// Errors go to the reader with the place of the key; no message contains a secret. A secret that is
// not there is only an error where it is needed (ErrorList::Secrets). Called while a configuration
// is loaded, from one thread.
#pragma once

#include <string>
#include <string_view>

#include "config/node.h"

namespace tocsin {

// The content of the file `<key>_file`, or of the environment variable that `<key>_env` names,
// without white space around it. `what` says in words what it is. Exactly one of them must be there
// unless `optional`; `<key>` itself is refused, since configurations are shared and versioned. "" after
// an error, and where the secret is not there.
std::string ReadSecret(const std::string& key, const std::string& what, bool optional,
                       ConfigReader* reader);

// `url`, http or https with a host. An empty `fallback` makes the key required.
std::string ReadUrl(const std::string& fallback, ConfigReader* reader);

// `timeout` of one request; 10 s unless given.
DurationUs ReadTimeout(ConfigReader* reader);

}  // namespace tocsin
