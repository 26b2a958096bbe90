// Executes the outbox's effects: writes intents and receipts, and sends requests
// (transport/sink_transport.h).
//
//   Deliverer deliverer(config.routes, sinks, journal.get(), &time);
//   TOCSIN_RETURN_IF_ERROR(deliverer.Start());   // restores what the journal holds
//   deliverer.Submit(notifications);             // from the deciding thread
//   deliverer.Stop(absl::Seconds(5));            // lets requests in flight end
//
// One thread multiplexes all requests, so a slow sink delays only its own deliveries. TLS is
// verified; redirects are not followed (a secret must not travel to another host); a reply is read
// up to SinkRequest::reply_bytes_max; connect and total deadlines apply. A sink that keeps failing
// is logged once a minute, with the number of failures. An intent is durable before its request is
// sent; the lease is checked last. Intents and receipts are written by another thread
// (service/write_behind.h): while the disk fails or hangs, pages are sent two seconds later without
// it. That may repeat them after a crash; receivers recognise repeats by their key. All calls but
// Start and Stop are thread-safe, and none waits for the disk.
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
  // All arguments outlive the deliverer. Without a lease it may always send, since the journal's
  // directory is locked.
  Deliverer(const std::vector<RouteConfig>& routes, const std::vector<std::unique_ptr<Sink>>& sinks,
            Journal* journal, const TimeSource* time, const Lease* lease = nullptr);
  ~Deliverer();
  Deliverer(const Deliverer&) = delete;
  Deliverer& operator=(const Deliverer&) = delete;

  absl::Status Start();
  // A snapshot may cover the notifications once AllWritten(). Submitting one again has no effect.
  // REQUIRES: Start succeeded.
  void Submit(const std::vector<Notification>& notifications);
  // Returns when no request is in flight or `grace` is over; retries that are not due yet are left
  // to the next start. Notifications submitted later are neither written nor sent. False if a write
  // hangs: then the deliverer must not be destroyed.
  bool Stop(absl::Duration grace);

  // Without payloads.
  std::vector<Delivery> DeliveriesOf(const Hash128& incident) const;
  // Sends an incident's parked deliveries again (see Outbox) and returns their number.
  std::size_t RetryParked(const Hash128& incident);
  // Replaces the sinks by the same ones with new secrets; requests in flight keep the old secrets.
  // REQUIRES: the same number of sinks, with the same names and kinds.
  void ReplaceSinks(std::vector<std::unique_ptr<Sink>> sinks);
  Outbox::Counters counters() const;
  std::size_t pending() const;  // intents without a receipt
  // Whether the intents of all submitted notifications are in the journal. Receipts do not matter,
  // since no snapshot covers them.
  bool AllWritten() const;
  // The health of the journal's disk.
  WriteHealth health() const;
  // The number of iterations of the thread's loop; it grows while the thread is alive.
  std::int64_t turns() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tocsin
