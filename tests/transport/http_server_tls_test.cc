#include <curl/curl.h>

#include <fstream>
#include <string>
#include <tuple>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/service/sns_authority.h"
#include "tests/transport/socket.h"
#include "transport/http_server.h"

namespace tocsin {
namespace {

using ::testing::HasSubstr;

class HttpServerTls : public testing::Test {
 protected:
  static std::string Write(const std::string& name, const std::string& text) {
    const std::string path = testing::TempDir() + "http_server_tls_" + name;
    std::ofstream(path) << text;
    return path;
  }

  HttpServer::Options OptionsOf() const {
    return {.certificate_file = certificate_, .key_file = key_};
  }
  // The body, or what curl says.
  std::string Post(int port, const std::string& body, long versions = CURL_SSLVERSION_DEFAULT) {
    CURL* curl = curl_easy_init();
    std::string reply;
    const std::string url = "https://127.0.0.1:" + std::to_string(port) + "/a";
    curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_CAINFO, certificate_.c_str());
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);  // the certificate names nobody
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, versions);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.c_str());
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 60L);
    curl_write_callback append = [](char* data, std::size_t size, std::size_t count, void* into) {
      static_cast<std::string*>(into)->append(data, size * count);
      return size * count;
    };
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, append);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &reply);
    const CURLcode result = curl_easy_perform(curl);
    curl_easy_cleanup(curl);
    return result == CURLE_OK ? reply : curl_easy_strerror(result);
  }

  const Authority authority_;
  const std::string certificate_ = Write("cert.pem", authority_.Pem());
  const std::string key_ = Write("key.pem", authority_.PrivateKeyPem());
};

// CURL_SSLVERSION_TLSv1_1 as the lowest and, shifted, as the highest version.
constexpr long kOldest = 5 | (5 << 16);

HttpResponse Echo(const HttpRequest& request) { return {.body = "got " + request.body}; }

TEST_F(HttpServerTls, SpeaksTlsAndNothingElse) {
  HttpServer server(OptionsOf(), Echo);
  ASSERT_TRUE(server.Start().ok());
  EXPECT_EQ(Post(server.port(), "abc"), "got abc");
  const std::string large(900'000, 'x');
  EXPECT_EQ(Post(server.port(), large), "got " + large);
  TestSocket plain(server.port());
  plain.Send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(plain.ReadAll().find("HTTP/1.1"), std::string::npos);
  EXPECT_EQ(Post(server.port(), "abc"), "got abc") << "and goes on";
  EXPECT_THAT(Post(server.port(), "abc", kOldest), HasSubstr("SSL"));
}

TEST_F(HttpServerTls, AHandshakeThatDoesNotEndIsCutOff) {
  HttpServer::Options options = OptionsOf();
  options.phase_timeout = absl::Milliseconds(50);
  HttpServer server(options, Echo);
  ASSERT_TRUE(server.Start().ok());
  TestSocket silent(server.port());
  EXPECT_EQ(silent.ReadAll(), "");
}

TEST_F(HttpServerTls, TakesARenewedCertificate) {
  HttpServer server(OptionsOf(), Echo);
  ASSERT_TRUE(server.Start().ok());
  EXPECT_EQ(Post(server.port(), "abc"), "got abc");
  const Authority renewed;
  Write("cert.pem", renewed.Pem());
  Write("key.pem", renewed.PrivateKeyPem());
  EXPECT_NE(Post(server.port(), "abc"), "got abc") << "it shows the old one still";
  ASSERT_TRUE(server.ReloadCertificate().ok());
  EXPECT_EQ(Post(server.port(), "abc"), "got abc");
  // One that cannot be used changes nothing.
  Write("key.pem", authority_.PrivateKeyPem());
  EXPECT_THAT(std::string(server.ReloadCertificate().message()), HasSubstr(key_));
  EXPECT_EQ(Post(server.port(), "abc"), "got abc");
}

TEST_F(HttpServerTls, NamesTheFileThatItCannotUse) {
  for (const auto& [certificate, key, named] :
       {std::tuple(std::string("/nowhere"), key_, std::string("/nowhere")),
        std::tuple(certificate_, certificate_, certificate_),
        std::tuple(certificate_, Write("other.pem", Authority().PrivateKeyPem()),
                   std::string("other.pem"))}) {
    HttpServer server({.certificate_file = certificate, .key_file = key}, Echo);
    const absl::Status started = server.Start();
    EXPECT_TRUE(absl::IsInvalidArgument(started)) << started;
    EXPECT_THAT(std::string(started.message()), HasSubstr(named));
  }
}

}  // namespace
}  // namespace tocsin
