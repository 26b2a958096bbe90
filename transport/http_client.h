// Sends requests of sinks with libcurl, by HTTP and SMTP, many at a time on one thread.
//
//   HttpClient client;
//   client.Send(id, sink.Render(delivery), &replies);
//   client.Perform(absl::Seconds(1), &replies);   // returns with the first replies, or a Wakeup
//
// TLS is verified, redirects are not followed (a secret must not travel to another host), only
// http, https, smtp and smtps are spoken, a reply is read up to limits::kHttpReplyBytesMax, and a
// request ends within its timeout. Every request has a connection of its own: libcurl repeats a
// request by itself when a connection that it kept turns out dead, and a repeat that nobody counted
// may be a second page. Everything from one thread, except Wakeup.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/hash.h"
#include "sinks/sink.h"

namespace tocsin {

class HttpClient {
 public:
  struct Reply {
    Hash128 id;
    SinkReply reply;
  };

  HttpClient();
  ~HttpClient();

  // Fails when libcurl cannot be set up; then nothing else may be called.
  absl::Status Init();
  // REQUIRES: no request with this id is on its way. One that cannot even begin is answered in
  // `replies`.
  void Send(const Hash128& id, SinkRequest request, std::vector<Reply>* replies);
  // Appends the replies to what has ended; waits for one no longer than `wait`.
  void Perform(absl::Duration wait, std::vector<Reply>* replies);
  // Requests on their way are cut off; they get no reply.
  void CancelAll();
  // Ends a Perform that waits, or the next one. Thread-safe.
  void Wakeup();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tocsin
