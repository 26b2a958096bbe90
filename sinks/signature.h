// Signatures of HTTP bodies, in the format that PagerDuty and tocsin use for their webhooks.
//
//   headers.emplace_back("X-Tocsin-Signature", BodySignature(secret, body));
//   if (!SignatureHolds(header, body, secrets)) …          // 401
//
// A signature is "v1=" and the HMAC-SHA256 of the raw body in hex. A header may list several,
// separated by commas: one for each secret during a rotation. Pure functions, thread-safe.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace tocsin {

std::string BodySignature(const std::string& secret, std::string_view body);

// Whether one of the header's first 16 signatures matches the body under one of the secrets.
// Compares in constant time.
bool SignatureHolds(std::string_view header, std::string_view body,
                    std::span<const std::string> secrets);

}  // namespace tocsin
