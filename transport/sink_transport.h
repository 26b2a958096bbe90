// Where what sinks render leaves the program: HTTP, SMTP, Kafka, standard output and files.
//
//   SinkTransport transport;
//   transport.Send(delivery.id, sink.RequestFor(delivery), &replies);
//   transport.Perform(absl::Seconds(1), &replies);   // returns with the first replies, or a Wakeup
//
// The limits are those of transport/http_client.h, transport/kafka_output.h and
// transport/local_output.h. Everything from one thread, except Wakeup.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "transport/http_client.h"
#include "transport/kafka_output.h"
#include "transport/local_output.h"

namespace tocsin {

class SinkTransport {
 public:
  using Replies = std::vector<HttpClient::Reply>;

  // Fails when the network libraries cannot be set up; then nothing else may be called.
  absl::Status Init() { return http_.Init(); }
  // REQUIRES: no request with this id is on its way. One that ends at once is answered in
  // `replies`.
  void Send(const Hash128& id, SinkRequest request, Replies* replies);
  // Appends the replies to what has ended; waits for one no longer than `wait`, and not at all
  // where there are some.
  void Perform(absl::Duration wait, Replies* replies);
  // Requests on their way are cut off; they get no reply.
  void CancelAll();
  // Ends a Perform that waits, or the next one. Thread-safe.
  void Wakeup() { http_.Wakeup(); }

 private:
  HttpClient http_;
  KafkaOutput kafka_{[this] { http_.Wakeup(); }};
  LocalOutput local_{[this] { http_.Wakeup(); }};
};

}  // namespace tocsin
