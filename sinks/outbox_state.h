// The inside of the outbox: all queues, and the steps that its calls are made of.
//
// Internal to sinks/outbox*.cc. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.h"
#include "core/delivery.h"
#include "core/hash.h"
#include "sinks/outbox_effect.h"
#include "sinks/outbox_queues.h"
#include "sinks/sink.h"

namespace tocsin::outbox {

// The wait before a held delivery is due again, or before the look-up after an unreadable reply.
inline constexpr DurationUs kHeldFor = kSecondUs;

struct State {
  using Effects = std::vector<OutboxEffect>;
  using QueueKey = std::pair<Hash128, std::string>;  // incident and sink

  const std::vector<RouteConfig>* routes = nullptr;
  const std::vector<std::unique_ptr<Sink>>* sinks = nullptr;
  std::uint64_t seed = 0;
  std::uint64_t draws = 0;
  std::uint64_t next_sequence = 1;
  std::uint64_t next_queue = 1;
  std::map<QueueKey, IncidentQueue> queues;
  std::map<Hash128, IncidentQueue*> queue_of;    // by delivery
  std::set<IncidentQueue*, WakesBefore> wakes;   // those with a `wake`
  std::map<std::string, SinkQueue> sink_queues;  // by sink
  std::uint64_t begun = 0;                       // requests
  std::size_t pending = 0;                       // entries that are intended
  OutboxCounters counters;

  const Sink* SinkByName(std::string_view name) const;
  IncidentQueue* QueueFor(const Hash128& incident, const Sink& sink);
  Entry* EntryOf(const Hash128& delivery);
  void Wake(IncidentQueue* queue, TimeUs when);
  void Become(Entry* entry, DeliveryState state);
  void JoinWaitList(IncidentQueue* queue, const Entry& next);
  void LeaveWaitList(IncidentQueue* queue);
  void Write(Entry* entry, Effects* effects);
  // Adds an intent unless it exists already. Returns the queue it was added to, or nullptr.
  IncidentQueue* Intend(const Sink& sink, Delivery delivery, Effects* effects);
  // Updates the queue as far as possible without its sink, adds it to the wait list if an entry is
  // due, and sets when to call this again. May delete the queue.
  void Pump(IncidentQueue* queue, TimeUs now, Effects* effects);
  // Sends from the wait lists what the sinks' rate limits admit. Calls that may send end with this.
  void Serve(TimeUs now, Effects* effects);
  // After the sink has recovered: deliveries in their own back-off are due.
  void Release(const SinkQueue& sink_queue, TimeUs now, Effects* effects);
  void AbandonOvertaken(IncidentQueue* queue, TimeUs now, Effects* effects);
  // For a page whose incident ended before it was sent: notifies the non-paging sinks that the
  // routes select for a less urgent level, unless a non-paging sink was notified of the incident
  // already.
  void FileInstead(const IncidentQueue& queue, const Delivery& page, TimeUs now, Effects* effects);
  void HandOverParked(IncidentQueue* queue, TimeUs now, Effects* effects);
  // The entry that the queue sends next; nullptr if nothing is left.
  Entry* Next(IncidentQueue* queue, TimeUs now);
  void Settle(IncidentQueue* queue, TimeUs now, Effects* effects);
  void Begin(IncidentQueue* queue, Entry* entry, TimeUs now, Effects* effects);
  // outbox_replies.cc
  void Postpone(IncidentQueue* queue, Entry* entry, const SinkReply& reply, TimeUs now);
  // After no answer or one that has to be retried: backs off the sink, the entry, or both.
  void Fail(IncidentQueue* queue, Entry* entry, const SinkReply& reply, TimeUs now);
  // Handles a reply. Returns whether it shows that the sink is healthy.
  bool TakeReply(IncidentQueue* queue, Entry* entry, const SinkReply& reply, TimeUs now,
                 Effects* effects);
  void TakeAnswer(IncidentQueue* queue, Entry* entry, SinkLookUp found, const SinkReply& reply,
                  TimeUs now, Effects* effects);
  void Deliver(IncidentQueue* queue, Entry* entry, std::string receipt, TimeUs now,
               Effects* effects);
  std::uint64_t Draw();
  // As Outbox::Restore (outbox_restore.cc).
  void Restore(const Delivery& delivery);
};

}  // namespace tocsin::outbox
