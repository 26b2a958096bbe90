// Sends requests of Kafka sinks with librdkafka, one idempotent producer for each cluster.
//
//   KafkaOutput kafka([&] { http.Wakeup(); });
//   kafka.Send(id, sink.RequestFor(delivery));
//   kafka.Collect(&replies);               // after the wake-up, which any thread may be given
//
// A reply of 200 means that all in-sync replicas have it. What cannot be sent within the request's
// timeout is answered as no answer is, what the broker would refuse again as 400. At most one
// producer for each set of settings lives; one that has failed for good is replaced. Everything
// from one thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "transport/http_client.h"

namespace tocsin {

class KafkaOutput {
 public:
  // `wakeup` is called by a thread of librdkafka when there is something to collect.
  explicit KafkaOutput(std::function<void()> wakeup);
  ~KafkaOutput();
  KafkaOutput(const KafkaOutput&) = delete;
  KafkaOutput& operator=(const KafkaOutput&) = delete;

  void Send(const Hash128& id, const SinkRequest& request);
  // Appends the replies that have come.
  void Collect(std::vector<HttpClient::Reply>* replies);
  // What is on its way gets no reply.
  void CancelAll();

 private:
  class Producer;

  const std::function<void()> wakeup_;
  std::map<std::string, std::unique_ptr<Producer>> producers_;  // by their settings
  std::vector<HttpClient::Reply> failed_;                       // before anything was sent
};

}  // namespace tocsin
