// Messages as Amazon SNS sends and signs them, with a certificate of our own.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <map>
#include <memory>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/json_writer.h"

namespace tocsin {

inline constexpr char kTopic[] = "arn:aws:sns:us-east-1:1234567890:alarms";
inline constexpr char kCertificate[] =
    "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-1.pem";
inline constexpr char kSubscribe[] =
    "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription";

using Fields = std::map<std::string, std::string>;

// A certificate that signed itself, and what is signed with its key.
class Authority {
 public:
  Authority() : key_(EVP_RSA_gen(2048), EVP_PKEY_free), certificate_(X509_new(), X509_free) {
    ASN1_INTEGER_set(X509_get_serialNumber(certificate_.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate_.get()), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate_.get()), 3600);
    X509_set_version(certificate_.get(), X509_VERSION_3);
    X509_NAME* const name = X509_get_subject_name(certificate_.get());
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
    X509_set_issuer_name(certificate_.get(), name);
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
  std::string PrivateKeyPem() const {
    const std::unique_ptr<BIO, int (*)(BIO*)> bio(BIO_new(BIO_s_mem()), BIO_free);
    PEM_write_bio_PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
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

inline const Authority& Ours() {
  static const Authority authority;
  return authority;
}

inline std::string Json(const Fields& fields) {
  JsonWriter json;
  json.BeginObject();
  for (const auto& [name, value] : fields) json.Key(name).String(value);
  json.EndObject();
  return json.Take();
}

// Signed as AWS documents it: names and values, a line each, in the order of their names.
inline std::string Signed(Fields fields, const Authority& authority = Ours()) {
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

inline Fields Notification() {
  return {{"Type", "Notification"},
          {"MessageId", "m1"},
          {"TopicArn", kTopic},
          {"Subject", "ALARM"},
          {"Message", "{\"AlarmName\": \"a\\nb\"}"},
          {"Timestamp", "2026-01-01T00:00:00.000Z"}};
}

inline Fields Confirmation() {
  return {
      {"Type", "SubscriptionConfirmation"},     {"MessageId", "m1"}, {"TopicArn", kTopic},
      {"Message", "You have chosen"},           {"Token", "t"},      {"SubscribeURL", kSubscribe},
      {"Timestamp", "2026-01-01T00:00:00.000Z"}};
}

}  // namespace tocsin
