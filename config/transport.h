// How requests of ours leave the machine: which authorities are trusted, and through which proxy.
//
//   TransportConfig transport = ReadTransport(&reader);       // keys ca_file and proxy
//
// Errors go to the reader with the place of the key.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "config/config.h"
#include "config/node.h"

namespace tocsin {

// `ca_file`, which must hold a certificate and is read again for each request, and `proxy`, the
// address of an HTTP proxy; both may be missing.
TransportConfig ReadTransport(ConfigReader* reader);

// Whether it is an http:// or https:// address with a host.
bool IsHttpUrl(const std::string& url);

// At most about so many bytes of a file; nullopt with the system's message in `error`.
std::optional<std::string> ReadFileText(const std::string& path, std::size_t bytes_max,
                                        std::string* error);

}  // namespace tocsin
