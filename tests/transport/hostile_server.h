// An HTTP server on loopback that acts up: what a receiver can do to whoever tells it something.
//
//   HostileServer server(HostileServer::Mode::kSilent);
//   server.Become(HostileServer::Mode::kGood);        // for connections from now on
//
// A thread for each connection, which ends with it or with the object. Thread-safe.
#pragma once

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "tests/transport/loopback_listener.h"

namespace tocsin {

class HostileServer {
 public:
  enum class Mode {
    kGood,
    kSilent,          // takes the request and never answers
    kOneByteASecond,  // answers so slowly
    kReset,           // resets the connection
    kDropReply,       // takes the request and hangs up
    kServerError,
    kTooMany,            // 429
    kTooManyForASecond,  // 429 with Retry-After
    kRedirect,           // to a server that should hear of nothing
    kHugeReply,          // 10 MB
    kNoJson,
  };
  static constexpr std::pair<Mode, const char*> kModes[] = {
      {Mode::kSilent, "never answers"},
      {Mode::kOneByteASecond, "one byte a second"},
      {Mode::kReset, "resets the connection"},
      {Mode::kDropReply, "drops the reply"},
      {Mode::kServerError, "500"},
      {Mode::kTooMany, "429"},
      {Mode::kTooManyForASecond, "429 with Retry-After"},
      {Mode::kRedirect, "redirects"},
      {Mode::kHugeReply, "a reply of 10 MB"},
      {Mode::kNoJson, "a reply that is no JSON"},
  };

  explicit HostileServer(Mode mode, std::string redirect_to = "http://127.0.0.1:1/")
      : mode_(mode), redirect_to_(std::move(redirect_to)) {
    signal(SIGPIPE, SIG_IGN);
    thread_ = std::thread([this] { Run(); });
  }
  ~HostileServer() {
    stopping_ = true;
    listener_.Shutdown();
    thread_.join();
  }
  HostileServer(const HostileServer&) = delete;
  HostileServer& operator=(const HostileServer&) = delete;

  const std::string& url() const { return url_; }
  void Become(Mode mode) { mode_ = mode; }
  int requests() const { return requests_; }  // that were read whole

 private:
  void Run() {
    std::vector<std::thread> connections;
    for (;;) {
      const int socket = listener_.Accept();
      if (socket < 0) break;
      connections.emplace_back([this, socket] {
        Serve(socket);
        close(socket);
      });
    }
    for (std::thread& connection : connections) connection.join();
  }

  // False once nobody listens any more.
  bool Wait(int socket, int milliseconds) const {
    for (; milliseconds > 0 && !stopping_; milliseconds -= 50) {
      pollfd descriptor = {.fd = socket, .events = POLLRDHUP, .revents = 0};
      if (poll(&descriptor, 1, 50) != 0) return false;
    }
    return !stopping_;
  }

  bool ReadRequest(int socket) {
    std::string request;
    char bytes[4096];
    for (;;) {
      const std::size_t end = request.find("\r\n\r\n");
      if (end != std::string::npos) {
        const std::size_t at = request.find("Content-Length: ");
        const std::size_t size =
            at < end ? std::strtoul(request.c_str() + at + 16, nullptr, 10) : 0;
        if (request.size() >= end + 4 + size) break;
      }
      pollfd descriptor = {.fd = socket, .events = POLLIN, .revents = 0};
      while (!stopping_ && poll(&descriptor, 1, 50) == 0) {
      }
      const ssize_t read = stopping_ ? 0 : recv(socket, bytes, sizeof bytes, 0);
      if (read <= 0) return false;
      request.append(bytes, static_cast<std::size_t>(read));
    }
    ++requests_;
    return true;
  }

  static bool Write(int socket, std::string_view text) {
    return send(socket, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
  }
  static void Answer(int socket, std::string_view status, std::string_view headers = "",
                     std::string_view body = "") {
    Write(socket, "HTTP/1.1 " + std::string(status) + "\r\n" + std::string(headers) +
                      "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
                      std::string(body));
  }

  void Serve(int socket) {
    const Mode mode = mode_;
    if (mode == Mode::kReset) {
      const linger at_once = {.l_onoff = 1, .l_linger = 0};
      setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
      return;
    }
    if (!ReadRequest(socket)) return;
    switch (mode) {
      case Mode::kGood:
        return Answer(socket, "202 Accepted");
      case Mode::kSilent:
        while (Wait(socket, 1'000)) {
        }
        return;
      case Mode::kOneByteASecond:
        for (const char byte : std::string_view("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) {
          if (!Write(socket, {&byte, 1}) || !Wait(socket, 1'000)) return;
        }
        return;
      case Mode::kServerError:
        return Answer(socket, "500 Internal Server Error");
      case Mode::kTooMany:
        return Answer(socket, "429 Too Many Requests");
      case Mode::kTooManyForASecond:
        return Answer(socket, "429 Too Many Requests", "Retry-After: 1\r\n");
      case Mode::kRedirect:
        return Answer(socket, "307 Temporary Redirect", "Location: " + redirect_to_ + "\r\n");
      case Mode::kHugeReply:
        return Answer(socket, "200 OK", "", std::string(10'000'000, 'x'));
      case Mode::kNoJson:
        return Answer(socket, "200 OK", "", "<html>\xff\xfe</html>");
      case Mode::kReset:
      case Mode::kDropReply:
        return;
    }
  }

  LoopbackListener listener_;
  std::atomic<Mode> mode_;
  const std::string redirect_to_;
  const std::string url_ = "http://" + listener_.address() + "/";
  std::atomic<int> requests_ = 0;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace tocsin
