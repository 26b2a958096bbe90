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

// What waits for the lease, or for an answer to a question that follows.
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
  void StandInLine(IncidentQueue* queue, const Entry& next);
  void LeaveLine(IncidentQueue* queue);
  void Write(Entry* entry, Effects* effects);
  // Adds an intent unless there is one; the queue it went to, or nullptr.
  IncidentQueue* Intend(const Sink& sink, Delivery delivery, Effects* effects);
  // Does what can be done for the queue without its sink, puts what is due in the wait list, and sets when to
  // look again. May forget it.
  void Pump(IncidentQueue* queue, TimeUs now, Effects* effects);
  // Sends what is in the wait list, as far as the sinks bear it. The last thing that every call does.
  void Serve(TimeUs now, Effects* effects);
  // The sink is well again: what a failure of theirs holds back is due.
  void Release(const SinkQueue& sink_queue, TimeUs now, Effects* effects);
  void AbandonOvertaken(IncidentQueue* queue, TimeUs now, Effects* effects);
  // Of a page that was over before it was sent: whoever the routes tell of less urgent levels, where
  // nobody who is not paged has heard of the incident.
  void FileInstead(const IncidentQueue& queue, const Delivery& page, TimeUs now, Effects* effects);
  void HandOverParked(IncidentQueue* queue, TimeUs now, Effects* effects);
  // What the queue would send next; nullptr if nothing is left.
  Entry* Next(IncidentQueue* queue, TimeUs now);
  void Settle(IncidentQueue* queue, TimeUs now, Effects* effects);
  void Begin(IncidentQueue* queue, Entry* entry, TimeUs now, Effects* effects);
  // outbox_replies.cc
  void Postpone(IncidentQueue* queue, Entry* entry, const SinkReply& reply, TimeUs now);
  // The same where the sink did not answer, or not as one that is well.
  void Fail(IncidentQueue* queue, Entry* entry, const SinkReply& reply, TimeUs now);
  // Whether the sink is well by its reply.
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
