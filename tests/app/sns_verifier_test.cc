#include "app/sns_verifier.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/json_writer.h"

namespace tocsin {
namespace {

using ::testing::HasSubstr;

constexpr TimeUs kNow = 1'767'225'600 * kSecondUs;
constexpr char kTopic[] = "arn:aws:sns:us-east-1:1234567890:alarms";
constexpr char kCertificate[] =
    "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-1.pem";
constexpr char kSubscribe[] = "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription";

using Fields = std::map<std::string, std::string>;

// A certificate that signed itself, and what is signed with its key.
class Authority {
 public:
  Authority() : key_(EVP_RSA_gen(2048), EVP_PKEY_free), certificate_(X509_new(), X509_free) {
    ASN1_INTEGER_set(X509_get_serialNumber(certificate_.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate_.get()), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate_.get()), 3600);
    X509_set_pubkey(certificate_.get(), key_.get());
    X509_sign(certificate_.get(), key_.get(), EVP_sha256());
  }
  std::string Pem() const {
    const std::unique_ptr<BIO, int (*)(BIO*)> bio(BIO_new(BIO_s_mem()), BIO_free);
    PEM_write_bio_X509(bio.get(), certificate_.get());
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &data);
    return {data, static_cast<std::size_t>(size)};
  }
  std::string Sign(const std::string& text, const EVP_MD* digest) const {
    const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(),
                                                                     EVP_MD_CTX_free);
    std::size_t size = 0;
    EVP_DigestSignInit(context.get(), nullptr, digest, nullptr, key_.get());
    const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
    EVP_DigestSign(context.get(), nullptr, &size, bytes, text.size());
    std::string signature(size, '\0');
    EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, bytes,
                   text.size());
    return absl::Base64Escape(signature);
  }

 private:
  std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key_;
  std::unique_ptr<X509, void (*)(X509*)> certificate_;
};

class SnsVerifierTest : public testing::Test {
 protected:
  static const Authority& Ours() {
    static const Authority authority;
    return authority;
  }

  // Signed as AWS documents it: names and values, a line each, in the order of their names.
  static std::string Signed(Fields fields, const Authority& authority = Ours()) {
    std::string text;
    for (const auto& [name, value] : fields) {
      if (name.starts_with("Sig")) continue;
      absl::StrAppend(&text, name, "\n", value, "\n");
    }
    fields.emplace("SigningCertURL", kCertificate);
    const std::string version = fields.emplace("SignatureVersion", "2").first->second;
    fields["Signature"] = authority.Sign(text, version == "1" ? EVP_sha1() : EVP_sha256());
    return Json(fields);
  }
  static std::string Json(const Fields& fields) {
    JsonWriter json;
    json.BeginObject();
    for (const auto& [name, value] : fields) json.Key(name).String(value);
    json.EndObject();
    return json.Take();
  }
  static Fields Notification() {
    return {{"Type", "Notification"},
            {"MessageId", "m1"},
            {"TopicArn", kTopic},
            {"Subject", "ALARM"},
            {"Message", "{\"AlarmName\": \"a\\nb\"}"},
            {"Timestamp", "2026-01-01T00:00:00.000Z"}};
  }
  static Fields Confirmation() {
    return {
        {"Type", "SubscriptionConfirmation"},     {"MessageId", "m1"}, {"TopicArn", kTopic},
        {"Message", "You have chosen"},           {"Token", "t"},      {"SubscribeURL", kSubscribe},
        {"Timestamp", "2026-01-01T00:00:00.000Z"}};
  }

  absl::StatusOr<SnsVerifier::Kind> Check(const std::string& body, TimeUs now = kNow) {
    return verifier_.Check(body, now);
  }
  void ExpectRefused(const std::string& body, absl::StatusCode code, const std::string& why,
                     TimeUs now = kNow) {
    const auto kind = Check(body, now);
    EXPECT_EQ(kind.status().code(), code) << kind.status();
    EXPECT_THAT(std::string(kind.status().message()), HasSubstr(why));
  }

  std::map<std::string, std::string> served_ = {{kCertificate, Ours().Pem()}, {kSubscribe, "ok"}};
  std::vector<std::string> fetched_;
  SnsVerifier verifier_{{kTopic}, [this](const std::string& url) -> absl::StatusOr<std::string> {
                          fetched_.push_back(url);
                          const auto found = served_.find(url);
                          if (found == served_.end()) return absl::UnavailableError("status 404");
                          return found->second;
                        }};
};

TEST_F(SnsVerifierTest, NotificationsOfBothVersions) {
  for (const char* version : {"1", "2"}) {
    Fields fields = Notification();
    fields["SignatureVersion"] = version;
    EXPECT_EQ(*Check(Signed(fields)), SnsVerifier::Kind::kNotification);
    fields.erase("Subject");
    EXPECT_EQ(*Check(Signed(fields)), SnsVerifier::Kind::kNotification);
  }
  EXPECT_EQ(fetched_, std::vector<std::string>{kCertificate}) << "once for all of them";
}

TEST_F(SnsVerifierTest, ConfirmsSubscriptions) {
  EXPECT_EQ(*Check(Signed(Confirmation())), SnsVerifier::Kind::kConfirmed);
  EXPECT_EQ(fetched_, (std::vector<std::string>{kCertificate, kSubscribe}));
  Fields ended = Confirmation();
  ended["Type"] = "UnsubscribeConfirmation";
  EXPECT_EQ(*Check(Signed(ended)), SnsVerifier::Kind::kUnsubscribed);
  EXPECT_EQ(fetched_.size(), 2U) << "that address would subscribe again";
}

TEST_F(SnsVerifierTest, WhatIsNotSigned) {
  const std::string signed_body = Signed(Notification());
  for (const auto& [from, to] : std::map<std::string, std::string>{
           {"AlarmName", "AlarmNane"}, {"\"m1\"", "\"m2\""}, {"ALARM\"", "OK\""}}) {
    std::string body = signed_body;
    body.replace(body.find(from), from.size(), to);
    ExpectRefused(body, absl::StatusCode::kUnauthenticated, "Signature is not that");
  }
  const Authority other;
  ExpectRefused(Signed(Notification(), other), absl::StatusCode::kUnauthenticated,
                "Signature is not that");
  Fields version = Notification();
  version["SignatureVersion"] = "3";
  ExpectRefused(Signed(version), absl::StatusCode::kUnauthenticated, "neither 1 nor 2");
  ExpectRefused(Json(Notification()), absl::StatusCode::kPermissionDenied, "SigningCertURL");
  ExpectRefused("{}", absl::StatusCode::kInvalidArgument, "Type is none");
  ExpectRefused("[", absl::StatusCode::kInvalidArgument, "no JSON object");
}

TEST_F(SnsVerifierTest, TopicsAndHostsThatAreNotOurs) {
  Fields topic = Notification();
  topic["TopicArn"] = "arn:aws:sns:us-east-1:666:alarms";
  ExpectRefused(Signed(topic), absl::StatusCode::kPermissionDenied, "TopicArn");
  for (const char* url :
       {"http://sns.us-east-1.amazonaws.com/a.pem", "https://sns.us-east-1.amazonaws.com.evil.x/a",
        "https://evil.x/sns.us-east-1.amazonaws.com/a.pem", "https://sns.s3.amazonaws.com/a.pem",
        "https://u@sns.us-east-1.amazonaws.com/a", "https://sns.us-east-1.amazonaws.com:444/a",
        "https://sns.us-east-1.amazonaws.com", "https://sns..amazonaws.com/a", "", "file:///etc/x",
        "https://sns.us-east-1.x.amazonaws.com/a", "https://sns-x.s3.us-east-1.amazonaws.com/a"}) {
    SCOPED_TRACE(url);
    Fields fields = Notification();
    fields["SigningCertURL"] = url;
    ExpectRefused(Signed(fields), absl::StatusCode::kPermissionDenied, "SigningCertURL");
    Fields confirmation = Confirmation();
    confirmation["SubscribeURL"] = url;
    ExpectRefused(Signed(confirmation), absl::StatusCode::kPermissionDenied, "SubscribeURL");
  }
  EXPECT_EQ(fetched_, std::vector<std::string>{kCertificate});
}

TEST_F(SnsVerifierTest, OldOnesMayBeReplays) {
  const std::string body = Signed(Notification());
  EXPECT_TRUE(Check(body, kNow + SnsVerifier::kAgeMax).ok());
  ExpectRefused(body, absl::StatusCode::kUnauthenticated, "too long ago",
                kNow + SnsVerifier::kAgeMax + 1);
  ExpectRefused(body, absl::StatusCode::kUnauthenticated, "ahead",
                kNow - SnsVerifier::kAheadMax - 1);
}

TEST_F(SnsVerifierTest, ACertificateThatCannotBeHad) {
  served_.erase(kCertificate);
  ExpectRefused(Signed(Notification()), absl::StatusCode::kUnavailable, "status 404");
  served_[kCertificate] = "no certificate";
  ExpectRefused(Signed(Notification()), absl::StatusCode::kUnauthenticated, "no certificate");
  served_[kCertificate] = Ours().Pem();
  EXPECT_TRUE(Check(Signed(Notification())).ok()) << "what failed is not remembered";
}

}  // namespace
}  // namespace tocsin
