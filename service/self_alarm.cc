#include "service/self_alarm.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "config/secret_file.h"
#include "core/hash.h"
#include "core/status_macros.h"
#include "core/string_hash.h"
#include "transport/sink_transport.h"

namespace tocsin {
namespace {

constexpr DurationUs kHeartbeatTimeout = 10 * kSecondUs;
constexpr std::size_t kUrlBytesMax = 2'048;
constexpr Hash128 kHeartbeatId = {.high = 0, .low = 1};

bool Takes(const Sink& sink, const Config& config) {
  if (sink.withheld() || sink.is_public()) return false;
  const std::vector<std::string>& to = config.blind.to;
  return to.empty() ? sink.pages() : std::find(to.begin(), to.end(), sink.name()) != to.end();
}

}  // namespace

class SelfAlarm::Impl {
 public:
  explicit Impl(Options options) : options_(options) {
    for (const std::unique_ptr<Sink>& sink : *options_.sinks) {
      if (Takes(*sink, *options_.config)) receivers_.push_back({.sink = sink.get()});
    }
  }
  ~Impl() { Stop(absl::ZeroDuration()); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  absl::Status Start() {
    TOCSIN_RETURN_IF_ERROR(transport_.Init());
    thread_ = std::thread([this] { Run(); });
    return absl::OkStatus();
  }

  void SetBlindness(const Blindness& state) {
    {
      absl::MutexLock lock(&mutex_);
      blindness_ = state;
      for (Receiver& receiver : receivers_) {
        if (state.blind) {
          receiver.due = NotificationAction::kTrigger;
          receiver.echo_at = kNoTime;
        } else if (receiver.open) {
          receiver.due = NotificationAction::kResolve;
        } else if (receiver.due == NotificationAction::kTrigger) {
          receiver.due.reset();  // it ended before the page was sent
        }
        receiver.next_at = 0;
        receiver.pause = kPauseMin;
      }
    }
    transport_.Wakeup();
  }

  void ResolveLeftovers() {
    {
      absl::MutexLock lock(&mutex_);
      for (Receiver& receiver : receivers_) {
        if (receiver.due || receiver.open || !receiver.sink->has_idempotency_key()) continue;
        receiver.due = NotificationAction::kResolve;
      }
    }
    transport_.Wakeup();
  }

  void Beat() {
    {
      absl::MutexLock lock(&mutex_);
      beat_due_ = true;
    }
    transport_.Wakeup();
  }

  void Stop(absl::Duration grace) {
    if (!thread_.joinable()) return;
    {
      absl::MutexLock lock(&mutex_);
      stop_at_ = Now() + absl::ToInt64Microseconds(grace);
    }
    transport_.Wakeup();
    thread_.join();
  }

  void ReplaceSinks(std::vector<std::unique_ptr<Sink>> sinks) {
    {
      absl::MutexLock lock(&mutex_);
      for (Receiver& receiver : receivers_) {
        receiver.sink =
            std::find_if(sinks.begin(), sinks.end(), [&](const std::unique_ptr<Sink>& sink) {
              return sink->name() == receiver.sink->name();
            })->get();
        receiver.next_at = 0;
        receiver.pause = kPauseMin;
      }
      own_sinks_ = std::move(sinks);
    }
    transport_.Wakeup();
  }

  Counters counters() const {
    absl::MutexLock lock(&mutex_);
    return counters_;
  }

 private:
  struct Receiver {
    const Sink* sink = nullptr;
    std::optional<NotificationAction> due = std::nullopt;
    // The action of the request in flight.
    std::optional<NotificationAction> sent = std::nullopt;
    Hash128 sent_id = {};
    bool open = false;  // it accepted a trigger, and no resolve since
    TimeUs next_at = 0;
    TimeUs echo_at = kNoTime;
    DurationUs pause = kPauseMin;
    std::string receipt = {};
    std::int64_t attempts = 0;
  };
  struct Turn {
    std::vector<std::pair<Hash128, SinkRequest>> requests;
    absl::Duration wait;
    bool end = false;
  };

  TimeUs Now() const { return options_.time->Monotonic(); }
  void Run();
  Turn Next(const SinkTransport::Replies& replies) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnReply(const HttpClient::Reply& reply) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnHeartbeat(const SinkReply& reply) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::optional<SinkRequest> HeartbeatRequest() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Delivery MessageFor(const Receiver& receiver) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Incident IncidentNow() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string Key() const { return options_.config->blind.name + ":blind"; }

  const Options options_;
  SinkTransport transport_;  // of the thread, except Wakeup
  mutable absl::Mutex mutex_;
  std::vector<std::unique_ptr<Sink>> own_sinks_ ABSL_GUARDED_BY(mutex_);  // once replaced
  std::vector<Receiver> receivers_ ABSL_GUARDED_BY(mutex_);
  Blindness blindness_ ABSL_GUARDED_BY(mutex_);
  bool beat_due_ ABSL_GUARDED_BY(mutex_) = false;
  bool beating_ ABSL_GUARDED_BY(mutex_) = false;
  TimeUs stop_at_ ABSL_GUARDED_BY(mutex_) = kNoTime;
  Counters counters_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

Incident SelfAlarm::Impl::IncidentNow() const {
  const Config& config = *options_.config;
  Incident incident;
  incident.id = HashParts({"blind", config.blind.name});
  incident.number = absl::StrCat("BLIND-", std::max<std::int64_t>(1, blindness_.episode));
  incident.revision = 1;
  incident.severity_level = 1;
  incident.severity = config.severity.names[0];
  incident.severity_rule = "the alert engine itself is blind";
  incident.title = blindness_.reasons.empty()
                       ? "tocsin sees and decides again"
                       : absl::StrCat("tocsin is blind: ", absl::StrJoin(blindness_.reasons, "; "));
  incident.scope = config.blind.name;
  incident.scope_labels = {{"env", config.blind.name}};
  incident.component = "tocsin";
  incident.onset = incident.detected_at = options_.time->Wall();
  incident.advice = {"Until this is over, incidents may go unnoticed: look at what tocsin watches",
                     "`tocsin status` and /metrics say what cannot be read or written"};
  return incident;
}

Delivery SelfAlarm::Impl::MessageFor(const Receiver& receiver) const {
  Incident incident = IncidentNow();
  if (*receiver.due == NotificationAction::kResolve) {
    incident.state = IncidentState::kResolved;
    incident.resolved_at = incident.detected_at;
  }
  Delivery delivery;
  delivery.sink = receiver.sink->name();
  delivery.incident = incident.id;
  delivery.level = incident.severity_level;
  delivery.action = *receiver.due;
  delivery.id = DeliveryId(delivery.sink, incident.id, delivery.level, delivery.action);
  delivery.dedup_key = Key();
  delivery.payload = incident.ToJson();
  delivery.tick = incident.detected_at;
  delivery.attempts = receiver.attempts + 1;
  delivery.receipt = receiver.receipt;
  delivery.may_repeat = receiver.attempts > 0;
  return delivery;
}

void SelfAlarm::Impl::Run() {
  SinkTransport::Replies replies;
  while (true) {
    Turn turn = Next(replies);
    replies.clear();
    if (turn.end) break;
    for (auto& [id, request] : turn.requests) transport_.Send(id, std::move(request), &replies);
    transport_.Perform(replies.empty() ? turn.wait : absl::ZeroDuration(), &replies);
  }
  transport_.CancelAll();
}

SelfAlarm::Impl::Turn SelfAlarm::Impl::Next(const SinkTransport::Replies& replies) {
  absl::MutexLock lock(&mutex_);
  for (const HttpClient::Reply& reply : replies) OnReply(reply);
  const TimeUs now = Now();
  Turn turn;
  TimeUs wake = now + kMinuteUs;
  bool idle = !beating_;
  for (Receiver& receiver : receivers_) {
    if (receiver.echo_at != kNoTime && now >= receiver.echo_at && !receiver.due) {
      receiver.echo_at = kNoTime;
      receiver.due = NotificationAction::kResolve;
      receiver.next_at = 0;
    }
    if (receiver.echo_at != kNoTime) wake = std::min(wake, receiver.echo_at);
    idle = idle && !receiver.sent && !receiver.due;
    if (!receiver.due || receiver.sent) continue;
    if (now < receiver.next_at) {
      wake = std::min(wake, receiver.next_at);
      continue;
    }
    const Delivery message = MessageFor(receiver);
    receiver.sent = message.action;
    receiver.sent_id = message.id;
    turn.requests.emplace_back(message.id, receiver.sink->RequestFor(message));
  }
  if (!options_.config->heartbeat) beat_due_ = false;
  if (beat_due_ && !beating_) {
    beat_due_ = false;
    if (std::optional<SinkRequest> request = HeartbeatRequest()) {
      beating_ = true;
      turn.requests.emplace_back(kHeartbeatId, *std::move(request));
    }
  }
  if (stop_at_ != kNoTime) {
    wake = std::min(wake, stop_at_);
    turn.end = now >= stop_at_ || (idle && turn.requests.empty());
  }
  turn.wait = absl::Microseconds(std::max<DurationUs>(0, wake - now));
  return turn;
}

void SelfAlarm::Impl::OnReply(const HttpClient::Reply& reply) {
  if (reply.id == kHeartbeatId) return OnHeartbeat(reply.reply);
  const auto found = std::find_if(
      receivers_.begin(), receivers_.end(),
      [&](const Receiver& receiver) { return receiver.sent && receiver.sent_id == reply.id; });
  if (found == receivers_.end()) return;
  Receiver& receiver = *found;
  const NotificationAction action = *std::exchange(receiver.sent, std::nullopt);
  ++receiver.attempts;
  if (receiver.sink->Judge(reply.reply) != SendOutcome::kDelivered) {
    ++counters_.failures;
    receiver.next_at = Now() + receiver.pause;
    receiver.pause = std::min(2 * receiver.pause, kPauseMax);
    spdlog::warn("sink {} did not accept the message that tocsin is {}blind: {}",
                 receiver.sink->name(), action == NotificationAction::kResolve ? "no longer " : "",
                 receiver.sink->Describe(reply.reply));
    return;
  }
  ++counters_.pages;
  receiver.pause = kPauseMin;
  receiver.attempts = 0;
  if (receiver.due == action) receiver.due.reset();
  if (action == NotificationAction::kTrigger) {
    receiver.open = true;
    receiver.receipt = receiver.sink->ReceiptOf(reply.reply);
    // The blindness may have ended meanwhile.
    if (!blindness_.blind) receiver.due = NotificationAction::kResolve;
  } else if (std::exchange(receiver.open, false) && receiver.sink->has_idempotency_key()) {
    receiver.echo_at = Now() + kEchoAfter;
  }
}

void SelfAlarm::Impl::OnHeartbeat(const SinkReply& reply) {
  beating_ = false;
  const bool taken = reply.status >= 200 && reply.status < 300;
  ++(taken ? counters_.heartbeats : counters_.failures);
  if (taken) return;
  spdlog::warn("the heartbeat failed: {}",
               reply.status == 0 ? reply.error : absl::StrCat("HTTP ", reply.status));
}

std::optional<SinkRequest> SelfAlarm::Impl::HeartbeatRequest() {
  const HeartbeatConfig& heartbeat = *options_.config->heartbeat;
  SinkRequest request;
  request.method = "GET";
  request.url = heartbeat.url;
  request.timeout = kHeartbeatTimeout;
  request.transport = heartbeat.transport;
  if (!heartbeat.url_file.empty()) {
    // Read each time, since the secret may be rotated.
    std::string error;
    const std::optional<std::string> text = ReadFileText(heartbeat.url_file, kUrlBytesMax, &error);
    if (!text) {
      ++counters_.failures;
      spdlog::warn("no heartbeat: cannot read {}: {}", heartbeat.url_file, error);
      return std::nullopt;
    }
    request.url = FromAbsl(absl::StripAsciiWhitespace(*text));
  }
  return request;
}

SelfAlarm::SelfAlarm(Options options) : impl_(std::make_unique<Impl>(options)) {}
SelfAlarm::~SelfAlarm() = default;
absl::Status SelfAlarm::Start() { return impl_->Start(); }
void SelfAlarm::SetBlindness(const Blindness& state) { impl_->SetBlindness(state); }
void SelfAlarm::ResolveLeftovers() { impl_->ResolveLeftovers(); }
void SelfAlarm::Beat() { impl_->Beat(); }
void SelfAlarm::Stop(absl::Duration grace) { impl_->Stop(grace); }
void SelfAlarm::ReplaceSinks(std::vector<std::unique_ptr<Sink>> sinks) {
  impl_->ReplaceSinks(std::move(sinks));
}
SelfAlarm::Counters SelfAlarm::counters() const { return impl_->counters(); }

}  // namespace tocsin
