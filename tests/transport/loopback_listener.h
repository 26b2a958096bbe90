// A listening TCP socket on a free port of the loopback interface, for stand-ins that are no HTTP
// servers of ours.
//
//   LoopbackListener listener;
//   while (const int socket = listener.Accept(); socket >= 0) …   // −1 after Shutdown
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace tocsin {

class LoopbackListener {
 public:
  LoopbackListener() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    const bool listens = bind(socket_, any, sizeof address) == 0 && listen(socket_, 64) == 0 &&
                         getsockname(socket_, any, &length) == 0;
    if (!listens) std::abort();
    address_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  }
  ~LoopbackListener() { close(socket_); }
  LoopbackListener(const LoopbackListener&) = delete;
  LoopbackListener& operator=(const LoopbackListener&) = delete;

  const std::string& address() const { return address_; }  // "127.0.0.1:PORT"
  int Accept() { return accept(socket_, nullptr, nullptr); }
  // Ends an Accept that waits, from another thread.
  void Shutdown() { shutdown(socket_, SHUT_RDWR); }

 private:
  const int socket_ = socket(AF_INET, SOCK_STREAM, 0);
  std::string address_;
};

}  // namespace tocsin
