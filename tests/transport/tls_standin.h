// An HTTPS server on loopback with a certificate of its own making.
//
//   TlsStandIn server({.host = "127.0.0.1", .days = 1});
//   server.url()          // https://127.0.0.1:PORT
//   server.certificate()  // the path of a PEM file: who trusts that, trusts this server
//   server.Become({});    // for connections from now on; the file has the new certificate
//   TlsStandIn far({.host = "sns.us-east-1.amazonaws.com", .proxied = true, .answer = …});
//   far.proxy()           // http://127.0.0.1:PORT, through which every host is this one
//
// Answers every request with 202 unless there is an `answer`. One connection at a time.
// Thread-safe.
#pragma once

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "tests/transport/loopback_listener.h"

namespace tocsin {

class TlsStandIn {
 public:
  struct Options {
    std::string host = "127.0.0.1";  // whom the certificate is for
    int days = 1;                    // until it expires; negative: so long ago
    bool proxied = false;            // clients ask for a connection first, as they ask a proxy
    // The body for a request line; a 404 where it is empty. Unset: 202 and nothing.
    std::function<std::string(const std::string& request_line)> answer = {};
  };

  explicit TlsStandIn(const Options& options) : proxied_(options.proxied), answer_(options.answer) {
    // A client that does not trust it hangs up while it talks.
    signal(SIGPIPE, SIG_IGN);
    path_ = testing::TempDir() + "tls_" + std::to_string(getpid()) + "_" +
            std::to_string(reinterpret_cast<std::uintptr_t>(this)) + ".pem";
    Become(options);
    thread_ = std::thread([this] { Run(); });
  }
  ~TlsStandIn() {
    listener_.Shutdown();
    thread_.join();
    std::remove(path_.c_str());
  }
  TlsStandIn(const TlsStandIn&) = delete;
  TlsStandIn& operator=(const TlsStandIn&) = delete;

  const std::string& url() const { return url_; }
  std::string proxy() const { return "http://" + listener_.address(); }
  const std::string& certificate() const { return path_; }
  int requests() const { return requests_; }
  int connections() const { return connections_; }  // that have ended

  void Become(const Options& options) {
    const Certificate certificate = MakeCertificate(options);
    const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path_.c_str(), "w"), &std::fclose);
    EXPECT_EQ(PEM_write_X509(file.get(), certificate.get()), 1);
    std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free);
    EXPECT_EQ(SSL_CTX_use_certificate(context.get(), certificate.get()), 1);
    EXPECT_EQ(SSL_CTX_use_PrivateKey(context.get(), key_.get()), 1);
    const std::lock_guard lock(mutex_);
    context_ = std::move(context);
  }

 private:
  template <auto free_function>
  struct Free {
    template <typename T>
    void operator()(T* object) const {
      free_function(object);
    }
  };

  using Certificate = std::unique_ptr<X509, Free<X509_free>>;

  Certificate MakeCertificate(const Options& options) const {
    Certificate certificate(X509_new());
    X509* const x509 = certificate.get();
    X509_set_version(x509, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
    X509_gmtime_adj(X509_getm_notBefore(x509), -60L * 60 * 24 * 30);
    X509_gmtime_adj(X509_getm_notAfter(x509), 60L * 60 * 24 * options.days);
    X509_set_pubkey(x509, key_.get());
    X509_NAME* const name = X509_get_subject_name(x509);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("stand-in"), -1, -1, 0);
    X509_set_issuer_name(x509, name);
    const bool address = options.host.find_first_not_of("0123456789.") == std::string::npos;
    const std::string names = (address ? "IP:" : "DNS:") + options.host;
    const std::unique_ptr<X509_EXTENSION, Free<X509_EXTENSION_free>> extension(
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names.c_str()));
    X509_add_ext(x509, extension.get(), -1);
    EXPECT_GT(X509_sign(x509, key_.get(), EVP_sha256()), 0);
    return certificate;
  }

  std::shared_ptr<SSL_CTX> Context() const {
    const std::lock_guard lock(mutex_);
    return context_;
  }

  void Run() {
    for (;;) {
      const int socket = listener_.Accept();
      if (socket < 0) return;
      const timeval minute{.tv_sec = 60, .tv_usec = 0};
      setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &minute, sizeof(minute));
      const std::shared_ptr<SSL_CTX> context = Context();
      const std::unique_ptr<SSL, Free<SSL_free>> ssl(SSL_new(context.get()));
      SSL_set_fd(ssl.get(), socket);
      if ((!proxied_ || Connect(socket)) && SSL_accept(ssl.get()) == 1) Answer(ssl.get());
      close(socket);
      ++connections_;
    }
  }

  // A client asks for the connection before it talks through it.
  static bool Connect(int socket) {
    std::string request;
    for (char byte = 0; !request.ends_with("\r\n\r\n"); request += byte) {
      if (recv(socket, &byte, 1, 0) != 1) return false;
    }
    constexpr std::string_view kReply = "HTTP/1.1 200 Connection established\r\n\r\n";
    return request.starts_with("CONNECT ") &&
           send(socket, kReply.data(), kReply.size(), MSG_NOSIGNAL) ==
               static_cast<ssize_t>(kReply.size());
  }

  void Answer(SSL* ssl) {
    std::string request;
    char bytes[4096];
    const auto is_whole = [&request] {
      // The body of our requests ends with their JSON.
      return request.find("\r\n\r\n") != std::string::npos &&
             (request.starts_with("GET ") || request.back() == '}');
    };
    while (!is_whole()) {
      const int read = SSL_read(ssl, bytes, sizeof bytes);
      if (read <= 0) return;
      request.append(bytes, static_cast<std::size_t>(read));
    }
    ++requests_;
    std::string reply = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
    if (answer_) {
      const std::string body = answer_(request.substr(0, request.find("\r\n")));
      reply = (body.empty() ? "HTTP/1.1 404 Not Found" : "HTTP/1.1 200 OK") +
              ("\r\nContent-Length: " + std::to_string(body.size())) + "\r\n\r\n" + body;
    }
    SSL_write(ssl, reply.data(), static_cast<int>(reply.size()));
    SSL_shutdown(ssl);
  }

  const bool proxied_;
  const std::function<std::string(const std::string&)> answer_;
  const std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>> key_{EVP_EC_gen("P-256")};
  mutable std::mutex mutex_;
  std::shared_ptr<SSL_CTX> context_;  // guarded by mutex_
  LoopbackListener listener_;
  std::string path_;
  const std::string url_ = "https://" + listener_.address();
  std::atomic<int> requests_ = 0;
  std::atomic<int> connections_ = 0;
  std::thread thread_;
};

}  // namespace tocsin
