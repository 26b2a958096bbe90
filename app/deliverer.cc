#include "app/deliverer.h"

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include <spdlog/spdlog.h>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "app/outlet.h"
#include "app/write_all.h"
#include "core/hash.h"
#include "core/limits.h"
#include "core/status_macros.h"
#include "ingest/host_clock.h"

namespace tocsin {
namespace {

constexpr DurationUs kWriteRetry = kSecondUs;
// A journal or a sink that stays broken is mentioned again after this long.
constexpr DurationUs kComplainEvery = kMinuteUs;
// Longer graces are endless, and would overflow.
constexpr absl::Duration kGraceMax = absl::Hours(1);

// Differs between processes, so that those that failed together do not come back together.
std::uint64_t JitterSeed() {
  char host[256] = {};
  gethostname(host, sizeof(host) - 1);
  return Hash64(absl::StrCat(host, "/", getpid()));
}

}  // namespace

class Deliverer::Impl {
 public:
  Impl(const std::vector<RouteConfig>& routes, const std::vector<std::unique_ptr<Sink>>& sinks,
       Journal* journal, const Lease* lease)
      : sinks_(&sinks), journal_(journal), lease_(lease), outbox_(routes, sinks, JitterSeed()) {}
  ~Impl() { Stop(absl::ZeroDuration()); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  absl::Status Start() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Submit(const std::vector<Notification>& notifications) ABSL_LOCKS_EXCLUDED(mutex_);
  bool Stop(absl::Duration grace) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<std::size_t> RetryParked(const Hash128& incident)
      ABSL_LOCKS_EXCLUDED(published_mutex_);
  void ReplaceSinks(std::vector<std::unique_ptr<Sink>> sinks) ABSL_LOCKS_EXCLUDED(published_mutex_);
  std::vector<Delivery> DeliveriesOf(const Hash128& incident) const
      ABSL_LOCKS_EXCLUDED(published_mutex_) {
    absl::MutexLock lock(&published_mutex_);
    const auto found = deliveries_.find(incident);
    return found == deliveries_.end() ? std::vector<Delivery>() : found->second;
  }

  Outbox::Counters counters() const {
    absl::MutexLock lock(&published_mutex_);
    return counters_;
  }
  std::size_t pending() const {
    absl::MutexLock lock(&published_mutex_);
    return pending_;
  }
  bool AllWritten() const {
    absl::MutexLock lock(&published_mutex_);
    return all_written_;
  }
  std::int64_t turns() const {
    absl::MutexLock lock(&published_mutex_);
    return turns_;
  }

 private:
  using Effects = std::vector<OutboxEffect>;
  using Replies = Outlet::Replies;

  struct Request {
    Delivery delivery;
    bool look_up = false;
  };
  // What the log is not told about a sink that goes on failing.
  struct Complaints {
    TimeUs again_at = 0;      // 0: the last request was taken
    std::int64_t unsaid = 0;  // failures that were not logged
  };
  // What the thread does after a look at the state.
  struct Turn {
    std::vector<Request> begin;
    absl::Duration wait = absl::ZeroDuration();
    bool end = false;
  };

  void Run();
  Turn Next(const Replies& replies) ABSL_LOCKS_EXCLUDED(mutex_);
  // False where the lease does not cover it any more: the outbox has it back.
  bool Send(const Request& request, Replies* replies) ABSL_LOCKS_EXCLUDED(mutex_);
  void Complain(const Request& request, const Sink& sink, const SinkReply& reply, TimeUs now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnReply(const HttpClient::Reply& reply, TimeUs now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Take(Effects* effects) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Writes what has to be written, and what that leads to.
  absl::Status Flush() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status WriteFailed(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<Request> TakeSends() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // What was asked for since the last turn.
  void TakeRequests() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Publish() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  const Sink& SinkByName(std::string_view name) const;

  // Replaced by the thread while it holds the mutex.
  const std::vector<std::unique_ptr<Sink>>* sinks_;
  std::vector<std::unique_ptr<Sink>> own_sinks_;
  Journal* const journal_;
  const Lease* const lease_;
  Outlet outlet_;  // of the thread, except Wakeup

  // Held while the journal writes: intents and receipts must reach it in the outbox's order.
  mutable absl::Mutex mutex_;
  Outbox outbox_ ABSL_GUARDED_BY(mutex_);
  std::vector<Delivery> unwritten_ ABSL_GUARDED_BY(mutex_);
  std::vector<Hash128> forgotten_ ABSL_GUARDED_BY(mutex_);
  TimeUs write_at_ ABSL_GUARDED_BY(mutex_) = 0;           // when the thread tries to write again
  TimeUs complain_at_ ABSL_GUARDED_BY(mutex_) = 0;        // 0: the journal works
  std::vector<Request> to_send_ ABSL_GUARDED_BY(mutex_);  // once all is written
  std::map<Hash128, Request> on_their_way_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Complaints> complaints_ ABSL_GUARDED_BY(mutex_);  // by sink
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  TimeUs stop_at_ ABSL_GUARDED_BY(mutex_) = 0;

  // A copy for those who must not wait for a slow disk (metrics, the API), and what they ask for.
  mutable absl::Mutex published_mutex_ ABSL_ACQUIRED_AFTER(mutex_);
  Outbox::Counters counters_ ABSL_GUARDED_BY(published_mutex_);
  std::size_t pending_ ABSL_GUARDED_BY(published_mutex_) = 0;
  bool all_written_ ABSL_GUARDED_BY(published_mutex_) = true;
  std::int64_t turns_ ABSL_GUARDED_BY(published_mutex_) = 0;
  std::map<Hash128, std::vector<Delivery>> deliveries_ ABSL_GUARDED_BY(published_mutex_);
  std::vector<Hash128> to_retry_ ABSL_GUARDED_BY(published_mutex_);
  std::vector<std::unique_ptr<Sink>> new_sinks_ ABSL_GUARDED_BY(published_mutex_);

  std::thread thread_;
};

absl::Status Deliverer::Impl::Start() {
  TOCSIN_RETURN_IF_ERROR(outlet_.Init());
  {
    absl::MutexLock lock(&mutex_);
    TOCSIN_RETURN_IF_ERROR(journal_->ReadDeliveries([this](const Delivery& delivery) {
      mutex_.AssertHeld();
      outbox_.Restore(delivery);
      return absl::OkStatus();
    }));
    Publish();
  }
  try {
    thread_ = std::thread([this] { Run(); });
  } catch (const std::system_error& error) {
    return absl::ResourceExhaustedError(absl::StrCat("no thread for deliveries: ", error.what()));
  }
  return absl::OkStatus();
}

absl::Status Deliverer::Impl::Submit(const std::vector<Notification>& notifications) {
  absl::Status status;
  {
    absl::MutexLock lock(&mutex_);
    const TimeUs now = HostMonotonic();
    Effects effects;
    for (const Notification& notification : notifications) {
      outbox_.Submit(notification, now, &effects);
    }
    Take(&effects);
    // Also what an earlier call could not write: submitting it again has no effect of its own.
    status = Flush();
    Publish();
  }
  outlet_.Wakeup();
  return status;
}

absl::StatusOr<std::size_t> Deliverer::Impl::RetryParked(const Hash128& incident) {
  std::size_t parked = 0;
  {
    absl::MutexLock lock(&published_mutex_);
    if (to_retry_.size() >= limits::kQueueElementsMax) {
      return absl::ResourceExhaustedError("the queue of retries is full: try again later");
    }
    const auto found = deliveries_.find(incident);
    if (found == deliveries_.end()) return 0;
    for (const Delivery& delivery : found->second) {
      if (delivery.state == DeliveryState::kParked) ++parked;
    }
    if (parked > 0) to_retry_.push_back(incident);
  }
  outlet_.Wakeup();
  return parked;
}

void Deliverer::Impl::ReplaceSinks(std::vector<std::unique_ptr<Sink>> sinks) {
  {
    absl::MutexLock lock(&published_mutex_);
    new_sinks_ = std::move(sinks);
  }
  outlet_.Wakeup();
}

void Deliverer::Impl::TakeRequests() {
  std::vector<Hash128> incidents;
  std::vector<std::unique_ptr<Sink>> sinks;
  {
    absl::MutexLock lock(&published_mutex_);
    incidents.swap(to_retry_);
    sinks.swap(new_sinks_);
  }
  if (!sinks.empty()) {
    own_sinks_.swap(sinks);
    sinks_ = &own_sinks_;
    outbox_.ReplaceSinks(own_sinks_);
  }
  Effects effects;
  for (const Hash128& incident : incidents)
    outbox_.RetryParked(incident, HostMonotonic(), &effects);
  Take(&effects);
}

bool Deliverer::Impl::Stop(absl::Duration grace) {
  if (!thread_.joinable()) return true;
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    stop_at_ = HostMonotonic() +
               absl::ToInt64Microseconds(std::clamp(grace, absl::ZeroDuration(), kGraceMax));
  }
  outlet_.Wakeup();
  thread_.join();
  return true;
}

void Deliverer::Impl::Run() {
  BlockSigpipe();  // a TLS peer that went away
  Replies replies;
  while (true) {
    Turn turn = Next(replies);
    replies.clear();
    if (turn.end) break;
    for (const Request& request : turn.begin) {
      // What came back is due before anything that the turn knew of.
      if (!Send(request, &replies)) turn.wait = absl::ZeroDuration();
    }
    outlet_.Perform(turn.wait, &replies);
  }
  outlet_.CancelAll();
}

bool Deliverer::Impl::Send(const Request& request, Replies* replies) {
  const Sink& sink = SinkByName(request.delivery.sink);
  SinkRequest rendered =
      request.look_up ? sink.LookUpFor(request.delivery) : sink.RequestFor(request.delivery);
  if (lease_ == nullptr || lease_->Covers(HostMonotonic(), rendered.timeout)) {
    outlet_.Send(request.delivery.id, std::move(rendered), replies);
    return true;
  }
  absl::MutexLock lock(&mutex_);
  on_their_way_.erase(request.delivery.id);
  Effects effects;
  outbox_.OnHeld(request.delivery.id, HostMonotonic(), &effects);
  Take(&effects);
  return false;
}

Deliverer::Impl::Turn Deliverer::Impl::Next(const Replies& replies) {
  absl::MutexLock lock(&mutex_);
  for (const HttpClient::Reply& reply : replies) OnReply(reply, HostMonotonic());
  if (unwritten_.empty()) {
    Effects effects;
    outbox_.Advance(HostMonotonic(), &effects);
    Take(&effects);
  }
  TakeRequests();
  if (HostMonotonic() >= write_at_) Flush().IgnoreError();  // logged, and tried again
  Turn turn{.begin = TakeSends()};
  const TimeUs now = HostMonotonic();
  TimeUs wake = unwritten_.empty() ? outbox_.NextDue() : write_at_;
  if (stopping_) {
    wake = std::min(wake, stop_at_);
    const bool idle = unwritten_.empty() && on_their_way_.empty();
    turn.end = now >= stop_at_ || idle;
  }
  turn.wait = absl::Microseconds(std::max<DurationUs>(0, wake - now));
  Publish();
  absl::MutexLock published_lock(&published_mutex_);
  ++turns_;
  return turn;
}

void Deliverer::Impl::OnReply(const HttpClient::Reply& reply, TimeUs now) {
  const auto it = on_their_way_.find(reply.id);
  if (it == on_their_way_.end()) return;
  const Request request = std::move(it->second);
  on_their_way_.erase(it);
  const Sink& sink = SinkByName(request.delivery.sink);
  if (sink.Judge(reply.reply) == SendOutcome::kDelivered) {
    complaints_[sink.name()].again_at = 0;
  } else {
    Complain(request, sink, reply.reply, now);
  }
  Effects effects;
  outbox_.OnReply(reply.id, reply.reply, now, &effects);
  Take(&effects);
}

void Deliverer::Impl::Complain(const Request& request, const Sink& sink, const SinkReply& reply,
                               TimeUs now) {
  Complaints& complaints = complaints_[sink.name()];
  if (now < complaints.again_at) {
    ++complaints.unsaid;
    return;
  }
  const std::string more =
      complaints.unsaid == 0 ? "" : absl::StrCat(" (and ", complaints.unsaid, " failures before)");
  spdlog::warn("sink {}: {} of {} failed (attempt {}): {}{}", sink.name(),
               request.look_up ? "looking up" : NotificationActionName(request.delivery.action),
               request.delivery.dedup_key, request.delivery.attempts, sink.Describe(reply), more);
  complaints.again_at = now + kComplainEvery;
  complaints.unsaid = 0;
}

void Deliverer::Impl::Take(Effects* effects) {
  for (OutboxEffect& effect : *effects) {
    switch (effect.kind) {
      case OutboxEffect::Kind::kWrite:
        unwritten_.push_back(std::move(effect.delivery));
        break;
      case OutboxEffect::Kind::kSend:
      case OutboxEffect::Kind::kLookUp:
        to_send_.push_back({.delivery = std::move(effect.delivery),
                            .look_up = effect.kind == OutboxEffect::Kind::kLookUp});
        break;
      case OutboxEffect::Kind::kForget:
        forgotten_.push_back(effect.delivery.id);
        break;
    }
  }
  effects->clear();
}

absl::Status Deliverer::Impl::Flush() {
  // First, lest an intent that came back after its incident was forgotten is taken away again. What
  // stays behind on a failure is forgotten after the next start.
  if (!forgotten_.empty()) {
    const absl::Status status = journal_->ForgetDeliveries(forgotten_);
    if (!status.ok()) spdlog::warn("old deliveries stay in the journal: {}", status.ToString());
    forgotten_.clear();
  }
  while (!unwritten_.empty()) {
    const absl::Status status = journal_->WriteDeliveries(unwritten_);
    if (!status.ok()) return WriteFailed(status);
    if (complain_at_ != 0) spdlog::info("the journal takes deliveries again");
    complain_at_ = write_at_ = 0;
    Effects effects;
    for (const Delivery& delivery : std::exchange(unwritten_, {})) {
      outbox_.OnWritten(delivery.id, HostMonotonic(), &effects);
    }
    Take(&effects);
  }
  return absl::OkStatus();
}

absl::Status Deliverer::Impl::WriteFailed(const absl::Status& status) {
  const TimeUs now = HostMonotonic();
  write_at_ = now + kWriteRetry;
  if (now >= complain_at_) {
    spdlog::error("deliveries wait because the journal cannot be written: {}", status.ToString());
    complain_at_ = now + kComplainEvery;
  }
  return status;
}

std::vector<Deliverer::Impl::Request> Deliverer::Impl::TakeSends() {
  std::vector<Request> sends;
  if (unwritten_.empty()) sends.swap(to_send_);
  for (const Request& request : sends) on_their_way_[request.delivery.id] = request;
  return sends;
}

void Deliverer::Impl::Publish() {
  std::vector<std::pair<Hash128, std::vector<Delivery>>> changed;
  for (const Hash128& incident : outbox_.TakeChanged()) {
    changed.emplace_back(incident, outbox_.DeliveriesOf(incident));
  }
  absl::MutexLock lock(&published_mutex_);
  counters_ = outbox_.counters();
  pending_ = outbox_.pending();
  all_written_ = unwritten_.empty();
  for (auto& [incident, deliveries] : changed) {
    if (deliveries.empty()) {
      deliveries_.erase(incident);
    } else {
      deliveries_[incident] = std::move(deliveries);
    }
  }
}

const Sink& Deliverer::Impl::SinkByName(std::string_view name) const {
  // The outbox only sends to sinks that are there.
  return **std::find_if(sinks_->begin(), sinks_->end(),
                        [&](const std::unique_ptr<Sink>& sink) { return sink->name() == name; });
}

Deliverer::Deliverer(const std::vector<RouteConfig>& routes,
                     const std::vector<std::unique_ptr<Sink>>& sinks, Journal* journal,
                     const Lease* lease)
    : impl_(std::make_unique<Impl>(routes, sinks, journal, lease)) {}

Deliverer::~Deliverer() = default;

absl::Status Deliverer::Start() { return impl_->Start(); }

absl::Status Deliverer::Submit(const std::vector<Notification>& notifications) {
  return impl_->Submit(notifications);
}

absl::StatusOr<std::size_t> Deliverer::RetryParked(const Hash128& incident) {
  return impl_->RetryParked(incident);
}

void Deliverer::ReplaceSinks(std::vector<std::unique_ptr<Sink>> sinks) {
  impl_->ReplaceSinks(std::move(sinks));
}

std::vector<Delivery> Deliverer::DeliveriesOf(const Hash128& incident) const {
  return impl_->DeliveriesOf(incident);
}

bool Deliverer::Stop(absl::Duration grace) { return impl_->Stop(grace); }
bool Deliverer::AllWritten() const { return impl_->AllWritten(); }
std::int64_t Deliverer::turns() const { return impl_->turns(); }

Outbox::Counters Deliverer::counters() const { return impl_->counters(); }

std::size_t Deliverer::pending() const { return impl_->pending(); }

}  // namespace tocsin
