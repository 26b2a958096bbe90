// Carries out what the outbox decides: writes intents and receipts, sends requests (transport/sink_transport.h).
//
//   Deliverer deliverer(config.routes, sinks, journal.get());
//   TOCSIN_RETURN_IF_ERROR(deliverer.Start());   // restores what the journal holds
//   deliverer.Submit(notifications);             // from the deciding thread
//   deliverer.Stop(absl::Seconds(5));            // lets requests in flight end
//
// One thread, which waits for all at once: a slow sink holds up only its own deliveries. TLS is
// verified; redirects are not followed (a secret must not travel to another host); a reply is read
// up to limits::kHttpReplyBytesMax; connect and total deadlines apply. A sink that goes on failing is
// logged once a minute, with how often. An intent is durable before its request leaves, and the
// lease is looked at last. Intents and receipts are written by a thread of their own
// (service/write_behind.h): while the disk fails or hangs, pages go out two seconds later without it,
// and what that may repeat after a crash its receivers recognise by its key. All calls but Start and
// Stop are thread-safe, and none waits for the disk.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "config/config.h"
#include "core/delivery.h"
#include "journal/journal.h"
#include "service/write_behind.h"
#include "sinks/lease.h"
#include "sinks/outbox.h"
#include "sinks/sink.h"
#include "system/time_source.h"

namespace tocsin {

class Deliverer {
 public:
  // All outlive the deliverer. Without a lease it may always send: the journal's directory is locked.
  Deliverer(const std::vector<RouteConfig>& routes, const std::vector<std::unique_ptr<Sink>>& sinks,
            Journal* journal, const TimeSource* time, const Lease* lease = nullptr);
  ~Deliverer();
  Deliverer(const Deliverer&) = delete;
  Deliverer& operator=(const Deliverer&) = delete;

  absl::Status Start();
  // A snapshot may forget the notifications once AllWritten(). Submitting one again does nothing.
  // REQUIRES: Start succeeded.
  void Submit(const std::vector<Notification>& notifications);
  // Ends when nothing is on its way or `grace` is over; retries that are not yet due are left to
  // the next start. What is submitted later is neither written nor sent.
  // False where a write hangs and does not return: then this must not be destroyed.
  bool Stop(absl::Duration grace);

  // Without payloads.
  std::vector<Delivery> DeliveriesOf(const Hash128& incident) const;
  // An incident's parked deliveries are sent again (see Outbox); how many there are.
  std::size_t RetryParked(const Hash128& incident);
  // The same sinks with other secrets; those on their way end with the old ones.
  // REQUIRES: as many of the same names and kinds.
  void ReplaceSinks(std::vector<std::unique_ptr<Sink>> sinks);
  Outbox::Counters counters() const;
  std::size_t pending() const;  // intents without a receipt
  // Whether the journal has the intents of everything that was submitted; receipts do not matter,
  // since no snapshot stands for them.
  bool AllWritten() const;
  // How the disk behind it is.
  WriteHealth health() const;
  // How often the thread has looked at its work: whether it is alive.
  std::int64_t turns() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tocsin
