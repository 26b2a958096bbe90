// A mail server on loopback that keeps what it was sent, and acts up on command.
//
//   SmtpStandIn server;                      // listens at once; server.url() is "smtp://127.0.0.1:…"
//   server.Answer("RCPT", "550 no such user");     // from now on
//   ASSERT_EQ(server.Mails().size(), 1u);
//
// Plain text, one session at a time, no pipelining. `Answer` replaces the reply to a command; an
// empty reply hangs up instead. The reply to the end of a mail is that of the command ".".
// Thread-safe.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <map>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/synchronization/mutex.h"

namespace tocsin {

class SmtpStandIn {
 public:
  struct Mail {
    std::string from;
    std::vector<std::string> to;
    std::string data;
  };

  SmtpStandIn() : listener_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(listener_, 16), 0);
    socklen_t length = sizeof address;
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
    url_ = "smtp://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    thread_ = std::thread([this] { Run(); });
  }
  ~SmtpStandIn() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }
  SmtpStandIn(const SmtpStandIn&) = delete;
  SmtpStandIn& operator=(const SmtpStandIn&) = delete;

  const std::string& url() const { return url_; }
  void Answer(const std::string& command, const std::string& reply) {
    absl::MutexLock lock(&mutex_);
    answers_[command] = reply;
  }
  std::vector<Mail> Mails() const {
    absl::MutexLock lock(&mutex_);
    return mails_;
  }

 private:
  void Run() {
    for (int peer; (peer = accept(listener_, nullptr, nullptr)) >= 0; close(peer)) Session(peer);
  }

  // False: hang up.
  bool Reply(int peer, const std::string& command, const std::string& usual) {
    std::string reply = usual;
    {
      absl::MutexLock lock(&mutex_);
      const auto found = answers_.find(command);
      if (found != answers_.end()) reply = found->second;
    }
    if (reply.empty()) return false;
    reply += "\r\n";
    return send(peer, reply.data(), reply.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(reply.size());
  }

  void Session(int peer) {
    std::string buffered;
    const auto next = [&](std::string* line) {
      for (std::size_t end; (end = buffered.find("\r\n")) == std::string::npos;) {
        char bytes[4096];
        const ssize_t size = recv(peer, bytes, sizeof bytes, 0);
        if (size <= 0) return false;
        buffered.append(bytes, static_cast<std::size_t>(size));
      }
      const std::size_t end = buffered.find("\r\n");
      *line = buffered.substr(0, end);
      buffered.erase(0, end + 2);
      return true;
    };
    Mail mail;
    std::string line;
    if (!Reply(peer, "", "220 stand-in")) return;
    while (next(&line)) {
      const std::string command = line.substr(0, 4);
      std::string usual = "250 fine";
      if (command == "MAIL") mail.from = line;
      if (command == "RCPT") mail.to.push_back(line);
      if (command == "QUIT") usual = "221 bye";
      if (command == "DATA") usual = "354 go ahead";
      if (!Reply(peer, command, usual)) return;
      if (command == "QUIT") return;
      if (command != "DATA") continue;
      while (next(&line) && line != ".") {
        mail.data += (absl::StartsWith(line, "..") ? line.substr(1) : line) + "\n";
      }
      {
        absl::MutexLock lock(&mutex_);
        mails_.push_back(mail);
      }
      if (!Reply(peer, ".", "250 queued")) return;
      mail = Mail();
    }
  }

  const int listener_;
  std::string url_;
  mutable absl::Mutex mutex_;
  std::map<std::string, std::string> answers_ ABSL_GUARDED_BY(mutex_);
  std::vector<Mail> mails_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace tocsin
