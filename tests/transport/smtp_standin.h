// A mail server on loopback that keeps what it was sent, and acts up on command.
//
//   SmtpStandIn server;                    // listens at once; server.url() is "smtp://127.0.0.1:…"
//   server.Answer("RCPT", "550 no such user");     // from now on
//   ASSERT_EQ(server.Mails().size(), 1u);
//
// Plain text, one session at a time, no pipelining. `Answer` replaces the reply to a command; an
// empty reply hangs up instead. The reply to the end of a mail is that of the command ".".
// Thread-safe.
#pragma once

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
#include "tests/transport/loopback_listener.h"

namespace tocsin {

class SmtpStandIn {
 public:
  struct Mail {
    std::string from;
    std::vector<std::string> to;
    std::string data;
  };

  SmtpStandIn() : thread_([this] { Run(); }) {}
  ~SmtpStandIn() {
    listener_.Shutdown();
    thread_.join();
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
    for (int peer; (peer = listener_.Accept()) >= 0; close(peer)) Session(peer);
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

  LoopbackListener listener_;
  const std::string url_ = "smtp://" + listener_.address();
  mutable absl::Mutex mutex_;
  std::map<std::string, std::string> answers_ ABSL_GUARDED_BY(mutex_);
  std::vector<Mail> mails_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace tocsin
