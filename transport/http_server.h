// A small HTTP/1.1 server: metrics, health, the API, what posts to inputs, and the stand-ins of the
// demo and the tests.
//
//   HttpServer server({.address = "127.0.0.1:0"},
//                     [](const HttpRequest& r) { return HttpResponse{…}; });
//   TOCSIN_RETURN_IF_ERROR(server.Start());     // server.port() is known now
//   server.Stop();
//
// Boost.Beast on one thread of its own; the handler runs there and must not block. One that has to
// wait takes the answer with it: HttpServer(options, AsyncHandler), whose `respond` may be called
// once, from any thread, while the server lives. Limits: connections, 8 KiB of header, the body,
// all bodies together, and a time for each phase; past them 431, 413, 503, or the connection is
// closed. `admit` sees a request when its header is there, and may answer before its body is read.
// Who makes room where there is none: transport/connection_table.h. With a certificate it speaks
// TLS 1.2 and newer and nothing else. Keep-alive is supported. Start and Stop from one thread,
// again if need be; Stop cuts open connections off.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "transport/connection_table.h"
#include "transport/http_message.h"

namespace tocsin {

class HttpServer {
 public:
  using Handler = std::function<HttpResponse(const HttpRequest&)>;
  using Respond = std::function<void(HttpResponse)>;
  using AsyncHandler = std::function<void(HttpRequest, Respond respond)>;
  struct Admission {
    std::optional<HttpResponse> refused = {};  // the answer; the body is not read
    bool proven = false;                       // whether the header says who sends it
  };
  // `head` has no body yet.
  using Admit = std::function<Admission(const HttpRequest& head)>;
  struct Options {
    std::string address = "127.0.0.1:0";  // host:port, port 0 picks a free one; ":9464" is any host
    // For reading a header (the wait for one included), reading a body, and writing an answer,
    // each.
    absl::Duration phase_timeout = absl::Seconds(10);
    std::size_t connections_max = 64;
    std::uint64_t body_bytes_max = 1 << 20;
    std::uint64_t bodies_bytes_max = 256 << 20;  // of all that are read or wait for their answer
    Admit admit = {};
    std::string certificate_file = {}, key_file = {};  // PEM, read by Start; empty: no TLS
  };

  HttpServer(Options options, Handler handler);
  HttpServer(Options options, AsyncHandler handler);
  ~HttpServer();

  absl::Status Start();  // names the address when it cannot be bound
  std::uint16_t port() const;
  void Stop();
  // Reads the certificate anew, for connections from now on; on failure the old one stays.
  absl::Status ReloadCertificate();
  ConnectionTable::Counters counters() const;  // any thread

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tocsin
