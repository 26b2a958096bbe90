// Signatures of HTTP bodies, as PagerDuty signs its webhooks and tocsin its own.
//
//   headers.emplace_back("X-Tocsin-Signature", BodySignature(secret, body));
//   if (!SignatureHolds(header, body, secrets)) …          // 401
//
// "v1=" and the HMAC-SHA256 of the raw body in hex; a header may list several, separated by commas,
// one for each secret while they are rotated. Pure functions, thread-safe.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace tocsin {

std::string BodySignature(const std::string& secret, std::string_view body);

// Whether one of the header's first 16 signatures is the body's under one of the secrets; compared
// in constant time.
bool SignatureHolds(std::string_view header, std::string_view body,
                    std::span<const std::string> secrets);

}  // namespace tocsin
