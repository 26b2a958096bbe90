#include "service/deliverer.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include <spdlog/spdlog.h>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "core/hash.h"
#include "core/status_macros.h"
#include "system/write_all.h"
#include "transport/sink_transport.h"

namespace tocsin {
namespace {

// A sink that keeps failing is logged again after this long.
constexpr DurationUs kComplainEvery = kMinuteUs;
// The longest wait of the thread, so that turns() shows that it is alive.
constexpr DurationUs kTurnMax = kSecondUs;
// Upper limit of a grace: an infinite one would overflow.
constexpr absl::Duration kGraceMax = absl::Hours(1);
// The minimum time that Stop leaves for writing receipts.
constexpr absl::Duration kWriteGraceMin = absl::Milliseconds(500);

// Differs between processes, so that they do not retry at the same time after a common failure.
std::uint64_t JitterSeed() {
  char host[256] = {};
  gethostname(host, sizeof(host) - 1);
  return Hash64(absl::StrCat(host, "/", getpid()));
}

}  // namespace

class Deliverer::Impl {
 public:
  Impl(const std::vector<RouteConfig>& routes, const std::vector<std::unique_ptr<Sink>>& sinks,
       Journal* journal, const TimeSource* time, const Lease* lease)
      : sinks_(&sinks),
        journal_(journal),
        time_(time),
        lease_(lease),
        outbox_(routes, sinks, JitterSeed()),
        writer_({.what = "deliveries",
                 .write = [this](std::span<const Record* const> records) { return Write(records); },
                 .on_progress = [this] { transport_.Wakeup(); },
                 .time = time}) {}
  ~Impl() { Stop(absl::ZeroDuration()); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  absl::Status Start() ABSL_LOCKS_EXCLUDED(mutex_);
  void Submit(const std::vector<Notification>& notifications) ABSL_LOCKS_EXCLUDED(mutex_);
  bool Stop(absl::Duration grace) ABSL_LOCKS_EXCLUDED(mutex_);
  std::size_t RetryParked(const Hash128& incident) ABSL_LOCKS_EXCLUDED(mutex_);
  void ReplaceSinks(std::vector<std::unique_ptr<Sink>> sinks) ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<Delivery> DeliveriesOf(const Hash128& incident) const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return outbox_.DeliveriesOf(incident);
  }
  Outbox::Counters counters() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return outbox_.counters();
  }
  std::size_t pending() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return outbox_.pending();
  }
  bool AllWritten() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return writer_.written() >= submitted_;
  }
  WriteHealth health() const { return writer_.Health(); }
  std::int64_t turns() const { return turns_.load(std::memory_order_relaxed); }

 private:
  using Effects = std::vector<OutboxEffect>;
  using Replies = SinkTransport::Replies;

  // A delivery to write to the journal or to forget there.
  struct Record {
    Delivery delivery;
    bool forget = false;
  };
  // A record that the outbox waits for.
  struct Awaited {
    std::uint64_t number = 0;  // the writer's number of the item
    Hash128 delivery;
  };
  struct Request {
    Delivery delivery;
    bool look_up = false;
  };
  // Limits the log lines about a sink that keeps failing.
  struct Complaints {
    TimeUs again_at = 0;      // 0: the last request was accepted
    std::int64_t unsaid = 0;  // failures that were not logged
  };
  // What the thread has to do next.
  struct Turn {
    std::vector<Request> begin;
    absl::Duration wait = absl::ZeroDuration();
    bool end = false;
  };

  void Run();
  Turn Next(const Replies& replies) ABSL_LOCKS_EXCLUDED(mutex_);
  // False if the lease does not cover the request: it went back to the outbox.
  bool Send(const Request& request, Replies* replies) ABSL_LOCKS_EXCLUDED(mutex_);
  void Complain(const Request& request, const Sink& sink, const SinkReply& reply, TimeUs now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnReply(const HttpClient::Reply& reply, TimeUs now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Take(Effects* effects) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Tells the outbox which records are written or released.
  void ConfirmWritten() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<Request> TakeSends() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TakeNewSinks() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Write(std::span<const Record* const> records);
  const Sink& SinkByName(std::string_view name) const;

  // Replaced by the thread while it holds the mutex.
  const std::vector<std::unique_ptr<Sink>>* sinks_;
  std::vector<std::unique_ptr<Sink>> own_sinks_;
  Journal* const journal_;
  const TimeSource* const time_;
  const Lease* const lease_;
  SinkTransport transport_;  // of the thread, except Wakeup

  mutable absl::Mutex mutex_;
  Outbox outbox_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t pushed_ ABSL_GUARDED_BY(mutex_) = 0;     // number of the last record
  std::uint64_t submitted_ ABSL_GUARDED_BY(mutex_) = 0;  // number of the last submitted intent
  std::deque<Awaited> awaited_ ABSL_GUARDED_BY(mutex_);
  std::vector<Request> to_send_ ABSL_GUARDED_BY(mutex_);
  std::map<Hash128, Request> in_flight_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Complaints> complaints_ ABSL_GUARDED_BY(mutex_);  // by sink
  std::vector<std::unique_ptr<Sink>> new_sinks_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  TimeUs stop_at_ ABSL_GUARDED_BY(mutex_) = 0;

  std::atomic<std::int64_t> turns_ = 0;  // relaxed: only compared with itself
  WriteBehind<Record> writer_;           // uses all of the above
  std::thread thread_;
};

absl::Status Deliverer::Impl::Start() {
  TOCSIN_RETURN_IF_ERROR(transport_.Init());
  {
    absl::MutexLock lock(&mutex_);
    TOCSIN_RETURN_IF_ERROR(journal_->ReadDeliveries([this](const Delivery& delivery) {
      mutex_.AssertHeld();
      outbox_.Restore(delivery);
      return absl::OkStatus();
    }));
  }
  try {
    thread_ = std::thread([this] { Run(); });
  } catch (const std::system_error& error) {
    return absl::ResourceExhaustedError(
        absl::StrCat("cannot start the delivery thread: ", error.what()));
  }
  return absl::OkStatus();
}

void Deliverer::Impl::Submit(const std::vector<Notification>& notifications) {
  {
    absl::MutexLock lock(&mutex_);
    const TimeUs now = time_->Monotonic();
    Effects effects;
    for (const Notification& notification : notifications) {
      outbox_.Submit(notification, now, &effects);
    }
    Take(&effects);
    submitted_ = pushed_;
  }
  transport_.Wakeup();
}

std::size_t Deliverer::Impl::RetryParked(const Hash128& incident) {
  std::size_t parked = 0;
  {
    absl::MutexLock lock(&mutex_);
    Effects effects;
    parked = outbox_.RetryParked(incident, time_->Monotonic(), &effects);
    Take(&effects);
  }
  transport_.Wakeup();
  return parked;
}

void Deliverer::Impl::ReplaceSinks(std::vector<std::unique_ptr<Sink>> sinks) {
  {
    absl::MutexLock lock(&mutex_);
    new_sinks_ = std::move(sinks);
  }
  transport_.Wakeup();
}

void Deliverer::Impl::TakeNewSinks() {
  if (new_sinks_.empty()) return;
  own_sinks_.swap(new_sinks_);
  sinks_ = &own_sinks_;
  outbox_.ReplaceSinks(own_sinks_);
  new_sinks_.clear();
}

bool Deliverer::Impl::Stop(absl::Duration grace) {
  TimeUs stop_at = 0;
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    stop_at = stop_at_ = time_->Monotonic() + absl::ToInt64Microseconds(std::clamp(
                                                  grace, absl::ZeroDuration(), kGraceMax));
  }
  transport_.Wakeup();
  if (thread_.joinable()) thread_.join();
  return writer_.Stop(std::max(kWriteGraceMin, absl::Microseconds(stop_at - time_->Monotonic())));
}

void Deliverer::Impl::Run() {
  BlockSigpipe();  // raised when a TLS peer has closed the connection
  Replies replies;
  while (true) {
    Turn turn = Next(replies);
    replies.clear();
    if (turn.end) break;
    for (const Request& request : turn.begin) {
      // The request that went back may be due before everything that `turn.wait` considered.
      if (!Send(request, &replies)) turn.wait = absl::ZeroDuration();
    }
    transport_.Perform(turn.wait, &replies);
  }
  transport_.CancelAll();
}

bool Deliverer::Impl::Send(const Request& request, Replies* replies) {
  const Sink& sink = SinkByName(request.delivery.sink);
  SinkRequest rendered =
      request.look_up ? sink.LookUpFor(request.delivery) : sink.RequestFor(request.delivery);
  if (lease_ == nullptr || lease_->Covers(time_->Monotonic(), rendered.timeout)) {
    transport_.Send(request.delivery.id, std::move(rendered), replies);
    return true;
  }
  absl::MutexLock lock(&mutex_);
  in_flight_.erase(request.delivery.id);
  Effects effects;
  outbox_.OnHeld(request.delivery.id, time_->Monotonic(), &effects);
  Take(&effects);
  return false;
}

Deliverer::Impl::Turn Deliverer::Impl::Next(const Replies& replies) {
  absl::MutexLock lock(&mutex_);
  TakeNewSinks();
  for (const HttpClient::Reply& reply : replies) OnReply(reply, time_->Monotonic());
  ConfirmWritten();
  Effects effects;
  outbox_.Advance(time_->Monotonic(), &effects);
  Take(&effects);
  Turn turn{.begin = TakeSends()};
  const TimeUs now = time_->Monotonic();
  TimeUs wake = outbox_.NextDue();
  if (!awaited_.empty()) wake = std::min(wake, writer_.NextRelease());
  if (stopping_) {
    wake = std::min(wake, stop_at_);
    const bool idle = awaited_.empty() && in_flight_.empty();
    turn.end = now >= stop_at_ || idle;
  }
  turn.wait = absl::Microseconds(std::clamp<DurationUs>(wake - now, 0, kTurnMax));
  turns_.fetch_add(1, std::memory_order_relaxed);
  return turn;
}

void Deliverer::Impl::OnReply(const HttpClient::Reply& reply, TimeUs now) {
  const auto it = in_flight_.find(reply.id);
  if (it == in_flight_.end()) return;
  const Request request = std::move(it->second);
  in_flight_.erase(it);
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
      complaints.unsaid == 0 ? "" : absl::StrCat(" (", complaints.unsaid, " earlier failures)");
  spdlog::warn("sink {}: {} of {} failed (attempt {}): {}{}", sink.name(),
               request.look_up ? "look-up" : NotificationActionName(request.delivery.action),
               request.delivery.dedup_key, request.delivery.attempts, sink.Describe(reply), more);
  complaints.again_at = now + kComplainEvery;
  complaints.unsaid = 0;
}

void Deliverer::Impl::Take(Effects* effects) {
  for (OutboxEffect& effect : *effects) {
    switch (effect.kind) {
      case OutboxEffect::Kind::kWrite: {
        const Hash128 id = effect.delivery.id;
        const std::size_t bytes = sizeof(Record) + effect.delivery.payload.size();
        pushed_ = writer_.Push({.delivery = std::move(effect.delivery)}, bytes);
        awaited_.push_back({.number = pushed_, .delivery = id});
        break;
      }
      case OutboxEffect::Kind::kSend:
      case OutboxEffect::Kind::kLookUp:
        to_send_.push_back({.delivery = std::move(effect.delivery),
                            .look_up = effect.kind == OutboxEffect::Kind::kLookUp});
        break;
      case OutboxEffect::Kind::kForget:
        // In order with other records, so that it does not remove an intent that is written later.
        pushed_ =
            writer_.Push({.delivery = std::move(effect.delivery), .forget = true}, sizeof(Record));
        break;
    }
  }
  effects->clear();
}

void Deliverer::Impl::ConfirmWritten() {
  const std::uint64_t released = writer_.released();
  Effects effects;
  while (!awaited_.empty() && awaited_.front().number <= released) {
    outbox_.OnWritten(awaited_.front().delivery, time_->Monotonic(), &effects);
    awaited_.pop_front();
  }
  Take(&effects);
}

absl::Status Deliverer::Impl::Write(std::span<const Record* const> records) {
  std::vector<Delivery> written;
  std::vector<Hash128> forgotten;
  const auto flush = [&]() -> absl::Status {
    if (!written.empty()) TOCSIN_RETURN_IF_ERROR(journal_->WriteDeliveries(written));
    if (!forgotten.empty()) TOCSIN_RETURN_IF_ERROR(journal_->ForgetDeliveries(forgotten));
    written.clear();
    forgotten.clear();
    return absl::OkStatus();
  };
  // After a failure all are written again, which is safe: records are keyed by id and in order.
  for (const Record* record : records) {
    if (!record->forget && !forgotten.empty()) TOCSIN_RETURN_IF_ERROR(flush());
    if (record->forget) {
      forgotten.push_back(record->delivery.id);
    } else {
      written.push_back(record->delivery);
    }
  }
  return flush();
}

std::vector<Deliverer::Impl::Request> Deliverer::Impl::TakeSends() {
  std::vector<Request> sends = std::exchange(to_send_, {});
  for (const Request& request : sends) in_flight_[request.delivery.id] = request;
  return sends;
}

const Sink& Deliverer::Impl::SinkByName(std::string_view name) const {
  // The outbox only sends to configured sinks.
  return **std::find_if(sinks_->begin(), sinks_->end(),
                        [&](const std::unique_ptr<Sink>& sink) { return sink->name() == name; });
}

Deliverer::Deliverer(const std::vector<RouteConfig>& routes,
                     const std::vector<std::unique_ptr<Sink>>& sinks, Journal* journal,
                     const TimeSource* time, const Lease* lease)
    : impl_(std::make_unique<Impl>(routes, sinks, journal, time, lease)) {}

Deliverer::~Deliverer() = default;

absl::Status Deliverer::Start() { return impl_->Start(); }

void Deliverer::Submit(const std::vector<Notification>& notifications) {
  impl_->Submit(notifications);
}

std::size_t Deliverer::RetryParked(const Hash128& incident) { return impl_->RetryParked(incident); }

void Deliverer::ReplaceSinks(std::vector<std::unique_ptr<Sink>> sinks) {
  impl_->ReplaceSinks(std::move(sinks));
}

std::vector<Delivery> Deliverer::DeliveriesOf(const Hash128& incident) const {
  return impl_->DeliveriesOf(incident);
}

bool Deliverer::Stop(absl::Duration grace) { return impl_->Stop(grace); }
bool Deliverer::AllWritten() const { return impl_->AllWritten(); }
WriteHealth Deliverer::health() const { return impl_->health(); }
std::int64_t Deliverer::turns() const { return impl_->turns(); }

Outbox::Counters Deliverer::counters() const { return impl_->counters(); }

std::size_t Deliverer::pending() const { return impl_->pending(); }

}  // namespace tocsin
