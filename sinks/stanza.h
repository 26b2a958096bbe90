// Reads the settings that several kinds of sinks share: URLs, secrets and time-outs.
//
//   std::string key = ReadSecret("routing_key", "the integration key of the service",
//                                /*optional=*/false, &reader);
//   std::string url = ReadUrl("https://events.pagerduty.com/v2/enqueue", &reader);
//
// Errors go to the reader with the location of the key; no message contains a secret. A secret that
// cannot be read is an error only where secrets are needed (ErrorList::Secrets). Called while a
// configuration is loaded, from one thread.
#pragma once

#include <string>
#include <string_view>

#include "config/node.h"

namespace tocsin {

// The content of the file `<key>_file`, or of the environment variable that `<key>_env` names,
// without surrounding white space. `what` describes the secret in messages. Exactly one of the two
// keys must be present, unless `optional`. `<key>` itself is rejected, since configurations are
// shared and versioned. "" after an error, and when the secret cannot be read.
std::string ReadSecret(const std::string& key, const std::string& what, bool optional,
                       ConfigReader* reader);

// The key `url`: http or https with a host. An empty `fallback` makes the key required.
std::string ReadUrl(const std::string& fallback, ConfigReader* reader);

// The key `timeout` of one request; default 10 s.
DurationUs ReadTimeout(ConfigReader* reader);

}  // namespace tocsin
