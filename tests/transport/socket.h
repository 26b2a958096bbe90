// A blocking TCP client for tests: what a library would not send, and what really came back.
//
//   TestSocket socket(server.port());
//   socket.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
//   std::string reply = socket.ReadReply();     // one response
//   std::string rest = socket.ReadAll();        // until the server closes
//   TestSocket other(server.port(), "127.0.0.2");  // from another address; "::1" is IPv6
//
// Reads give up after a minute: then the test fails instead of hanging.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace tocsin {

class TestSocket {
 public:
  explicit TestSocket(std::uint16_t port, const std::string& from = "127.0.0.1")
      : descriptor_(socket(from == "::1" ? AF_INET6 : AF_INET, SOCK_STREAM, 0)) {
    const timeval minute{.tv_sec = 60, .tv_usec = 0};
    setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &minute, sizeof(minute));
    setsockopt(descriptor_, SOL_SOCKET, SO_SNDTIMEO, &minute, sizeof(minute));
    if (from == "::1") {
      sockaddr_in6 address{};
      address.sin6_family = AF_INET6;
      address.sin6_port = htons(port);
      address.sin6_addr = in6addr_loopback;
      connected_ = Connect(address);
      return;
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    inet_pton(AF_INET, from.c_str(), &address.sin_addr);
    if (bind(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
      return;
    }
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = Connect(address);
  }
  ~TestSocket() { close(descriptor_); }
  TestSocket(const TestSocket&) = delete;
  TestSocket& operator=(const TestSocket&) = delete;

  bool connected() const { return connected_; }

  // False when the server closed before it took everything.
  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  // One response with a Content-Length; what there was if the connection ended earlier.
  std::string ReadReply() {
    while (true) {
      const std::size_t header = received_.find("\r\n\r\n");
      if (header != std::string::npos) {
        const std::size_t length = received_.find("Content-Length: ");
        const std::size_t body =
            length < header ? std::strtoul(received_.c_str() + length + 16, nullptr, 10) : 0;
        if (received_.size() >= header + 4 + body) return Take(header + 4 + body);
      }
      if (!Receive()) return Take(received_.size());
    }
  }

  std::string ReadAll() {
    while (Receive()) {
    }
    return Take(received_.size());
  }

 private:
  template <typename Address>
  bool Connect(const Address& address) {
    return connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  }

  bool Receive() {
    char buffer[4096];
    const ssize_t got = recv(descriptor_, buffer, sizeof(buffer), 0);
    if (got <= 0) return false;
    received_.append(buffer, static_cast<std::size_t>(got));
    return true;
  }

  std::string Take(std::size_t size) {
    std::string taken = received_.substr(0, size);
    received_.erase(0, size);
    return taken;
  }

  int descriptor_;
  bool connected_ = false;
  std::string received_;
};

// The status of a response; 0 if it is none.
inline int StatusOf(std::string_view response) {
  if (response.substr(0, 9) != "HTTP/1.1 ") return 0;
  return std::atoi(std::string(response.substr(9, 3)).c_str());
}

// Posts to /v1/events, on a connection of its own. The status of the answer; 0: there is none.
inline int PostEvents(std::uint16_t port, const std::string& body) {
  TestSocket socket(port);
  if (!socket.connected()) return 0;
  socket.Send("POST /v1/events HTTP/1.1\r\nConnection: close\r\nContent-Length: " +
              std::to_string(body.size()) + "\r\n\r\n" + body);
  return StatusOf(socket.ReadAll());
}

inline std::string BodyOf(std::string_view response) {
  const std::size_t header = response.find("\r\n\r\n");
  return header == std::string_view::npos ? "" : std::string(response.substr(header + 4));
}

}  // namespace tocsin
