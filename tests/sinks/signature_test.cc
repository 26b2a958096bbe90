#include "sinks/signature.h"

#include <vector>

#include <gtest/gtest.h>

namespace tocsin {
namespace {

// By another program: printf '{"event": 1}' | openssl dgst -sha256 -hmac s3cret
constexpr const char* kBody = "{\"event\": 1}";
const std::string kBySecret = "v1=9c334de5b62683bf0d891be87684d4b5962b8907b43ec28c6f6a811b5385685c";
const std::string kByOther = "v1=a33fc9707a07352ca8f7c5f0aeb083ddbafe7a4203ec5630bb320776c83ee1c2";

TEST(Signature, HoldsForTheRawBodyUnderOneOfTheSecrets) {
  const std::vector<std::string> secret = {"s3cret"};
  const std::vector<std::string> both = {"older", "s3cret"};
  EXPECT_TRUE(SignatureHolds(kBySecret, kBody, secret));
  EXPECT_TRUE(SignatureHolds(kBySecret, kBody, both)) << "ours are being rotated";
  EXPECT_TRUE(SignatureHolds(kByOther + ", " + kBySecret, kBody, secret)) << "theirs are";
  EXPECT_FALSE(SignatureHolds(kByOther, kBody, secret));
  EXPECT_FALSE(SignatureHolds(kBySecret, "{\"event\": 2}", secret));
  EXPECT_FALSE(SignatureHolds(kBySecret, "{\"event\":1}", secret)) << "the raw body";
  EXPECT_FALSE(SignatureHolds(kBySecret.substr(3), kBody, secret)) << "no version";
  EXPECT_FALSE(SignatureHolds("v0" + kBySecret.substr(2), kBody, secret));
  EXPECT_FALSE(SignatureHolds(kBySecret.substr(0, 60), kBody, secret)) << "cut off";
  EXPECT_FALSE(SignatureHolds("v1=" + std::string(64, 'z'), kBody, secret));
  EXPECT_FALSE(SignatureHolds("", kBody, secret));
  EXPECT_FALSE(SignatureHolds(kBySecret, kBody, {}));
}

}  // namespace
}  // namespace tocsin
