// How requests of ours leave the machine: which authorities are trusted, and through which proxy;
// and the files of secrets that others are known by.
//
//   TransportConfig transport = ReadTransport(&reader);       // keys ca_file and proxy
//   std::string tokens = ReadSecretPath("token_file", &reader);
//
// Errors go to the reader with the place of the key; a file that is not there counts as a secret
// that is missing (ErrorList::AddSecret).
#pragma once

#include <string>
#include <string_view>

#include "config/config.h"
#include "config/node.h"

namespace tocsin {

// `ca_file`, which must hold a certificate and is read again for each request, and `proxy`, the
// address of an HTTP proxy; both may be missing.
TransportConfig ReadTransport(ConfigReader* reader);

// The path of a file that holds a secret in its first line; "" where the key is absent.
std::string ReadSecretPath(std::string_view key, ConfigReader* reader);

// Whether it is an http:// or https:// address with a host.
bool IsHttpUrl(const std::string& url);

}  // namespace tocsin
