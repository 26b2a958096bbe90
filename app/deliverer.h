// Carries out what the outbox decides: writes intents and receipts, sends requests (app/outlet.h).
//
//   Deliverer deliverer(config.routes, sinks, journal.get());
//   TOCSIN_RETURN_IF_ERROR(deliverer.Start());   // restores what the journal holds
//   deliverer.Submit(notifications);             // from the deciding thread
//   deliverer.Stop(absl::Seconds(5));            // lets requests in flight end
//
// One thread, which waits for all at once: a slow sink holds up only its own deliveries. TLS is
// verified; redirects are not followed (a secret must not travel to another host); a reply is read
// up to limits::kHttpReplyBytesMax; connect and total deadlines apply. A sink that goes on failing is
// logged once a minute, with how often. All calls but Start and Stop are thread-safe. An intent is durable before its request leaves
// (Journal::WriteDeliveries), and the lease is looked at last. While the journal refuses a write
// nothing new is sent; the write is tried again every second.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "config/config.h"
#include "core/delivery.h"
#include "journal/journal.h"
#include "sinks/lease.h"
#include "sinks/outbox.h"
#include "sinks/sink.h"

namespace tocsin {

class Deliverer {
 public:
  // All outlive the deliverer. Without a lease it may always send: the journal's directory is locked.
  Deliverer(const std::vector<RouteConfig>& routes, const std::vector<std::unique_ptr<Sink>>& sinks,
            Journal* journal, const Lease* lease = nullptr);
  ~Deliverer();
  Deliverer(const Deliverer&) = delete;
  Deliverer& operator=(const Deliverer&) = delete;

  absl::Status Start();
  // Returns once the intents are durable in the journal, so that a snapshot taken afterwards may
  // forget the notifications. Fails when the journal does; the intents are kept and written later,
  // and submitting them again waits for that. REQUIRES: Start succeeded.
  absl::Status Submit(const std::vector<Notification>& notifications);
  // Ends when nothing is on its way or `grace` is over; retries that are not yet due are left to
  // the next start. What is submitted later is written and not sent.
  // False where the thread hangs in a call that does not return.
  bool Stop(absl::Duration grace);

  // For those who must not wait for the journal's disk: as of the last turn, without payloads.
  std::vector<Delivery> DeliveriesOf(const Hash128& incident) const;
  // Asks for an incident's parked deliveries to be sent again (see Outbox) and returns at once; how
  // many there are. ResourceExhausted when limits::kQueueElementsMax such requests wait.
  absl::StatusOr<std::size_t> RetryParked(const Hash128& incident);
  // The same sinks with other secrets; those on their way end with the old ones.
  // REQUIRES: as many of the same names and kinds.
  void ReplaceSinks(std::vector<std::unique_ptr<Sink>> sinks);
  Outbox::Counters counters() const;
  std::size_t pending() const;  // intents without a receipt
  // Whether the journal has everything that was submitted.
  bool AllWritten() const;
  // How often the thread has looked at its work: whether it is alive.
  std::int64_t turns() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tocsin
