#include "sinks/signature.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/check.h"
#include "core/string_hash.h"

namespace tocsin {
namespace {

constexpr std::size_t kSignaturesMax = 16;

}  // namespace

std::string BodySignature(const std::string& secret, std::string_view body) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  TOCSIN_CHECK(HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
                    reinterpret_cast<const unsigned char*>(body.data()), body.size(), digest,
                    &size) != nullptr);
  const absl::string_view bytes(reinterpret_cast<const char*>(digest), size);
  return absl::StrCat("v1=", absl::BytesToHexString(bytes));
}

bool SignatureHolds(std::string_view header, std::string_view body,
                    std::span<const std::string> secrets) {
  std::vector<std::string> shown = absl::StrSplit(ToAbsl(header), ',');
  shown.resize(std::min(shown.size(), kSignaturesMax));
  bool holds = false;
  for (const std::string& secret : secrets) {
    const std::string expected = BodySignature(secret, body);
    for (const std::string& one : shown) {
      const absl::string_view stripped = absl::StripAsciiWhitespace(one);
      holds |= stripped.size() == expected.size() &&
               CRYPTO_memcmp(stripped.data(), expected.data(), expected.size()) == 0;
    }
  }
  return holds;
}

}  // namespace tocsin
